"""Fitting the superposition to the target: adaptive importance sampling that keeps every point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayescape.sample.importance import Weighted, errors_of_sd_by_weights, resample, weigh
from bayescape.sample.mixture_fit import grow, maximise
from bayescape.sample.pilot import Pilot, Round
from bayescape.sample.superposition import Superposition
from bayescape.targets.target import Target

__all__ = [
    "advance",
    "begin",
    "draw_until",
    "points_a_round",
    "replace_mixture",
    "settle",
]

Array = NDArray[np.float64]

EM_STEPS = (6, 10)  # at least and at most
EM_WORK = 60_000  # points times steps: later refits begin from a good fit
FITTED = 20_000  # points that a refit looks at: more change no component by a noticeable amount
SETTLED = 1.1  # a refit that improves the efficiency by less than this is the last that is awaited
ROUNDS = 6  # before it must have settled,
PROMISING, MORE = 0.1, 12  # or so many, where the last was so efficient but the tail is heavy yet
GROWTH = 0.5  # points of a round over all before it: refits pay as long as there are more to come
LACKING = (0.0, 0.5, 0.9)  # efficiency over the best one's, up to which a round serves for refits
# alone: the least of them that leaves no heavy tail
GROWN = (3, 10)  # places that components are added at a round, and where the tail stays heavy
LIGHTEN = 2.0  # points in all over those that gave the size, to be spent on lightening the tail
LEAN = 10**0.5  # standard deviations out at which a point counts twice in a refit,
MOST_LEANT = 5.0  # and how often more at most: without a limit, fourth moments that do not exist
# would draw everything to the outermost points
HOPELESS = 0.003  # effective draws per point


def points_a_round(d: int) -> int:
    """Points of the first rounds: enough to see a basin's covariance in ``d`` coordinates."""
    return max(400, 80 * d)


def begin(target: Target, first: Superposition, count: int, rng: np.random.Generator) -> Pilot:
    """Draw the first round, from a mixture given; see `advance`."""
    return _extend(target, (), np.empty((0, 0)), first, first, count, rng)


def advance(target: Target, pilot: Pilot, count: int, rng: np.random.Generator) -> Pilot:
    """Refit the mixture to all points, draw one round more from it, and weigh all points.

    A round's points are weighed against the mixture that they were drawn from, which was fixed
    before; so each round's evidence is unbiased, whatever the mixture learnt from earlier rounds.
    (Deterministic-mixture weights over all rounds are not: a refit mixture is denser where points
    happen to lie that it was fitted to, and on the reference posterior they put the log evidence
    0.1 to 0.2 too low.) Rounds are combined in proportion to their effective sizes, each
    judged by the points of all others.

    The refit adds components where the weights are largest, so where the mixture lacks mass, shaped
    by the points and by the Hessian there, and improves weights, means, scales and degrees of
    freedom by expectation maximisation on all weighted points; those far out, which hold little and
    make the standard deviations, count for more than they weigh. The last two components of the
    first mixture keep their small weights: the one that follows the starts stays as it is, and the
    defensive one is laid twice as wide as all the weighted points.

    Parameters
    ----------
    target
        What to fit to; one value per point, and a few Hessians a round.
    pilot
        What was drawn so far.
    count
        Points to draw.
    rng
        Source of the draws.

    References
    ----------
    J.-M. Cornuet, J.-M. Marin, A. Mira, C. P. Robert, "Adaptive multiple importance sampling",
    Scand. J. Stat. 39, 798 (2012);
    O. Cappe, R. Douc, A. Guillin, J.-M. Marin, C. P. Robert, "Adaptive importance sampling in
    general mixture classes", Stat. Comput. 18, 447 (2008); for the added components A. E. Raftery,
    L. Bao, "Estimating and projecting trends in HIV/AIDS generalized epidemics using incremental
    mixture importance sampling", Biometrics 66, 1162 (2010).
    """
    theta, present, anchors = pilot.theta, pilot.superposition, pilot.anchors
    weights = _leaning(theta, _log_pooled(pilot.rounds, pilot.log_proposals))
    if np.count_nonzero(weights) >= 2 * theta.shape[1]:  # with fewer there is nothing to fit to
        heavy = len(pilot.rounds) > ROUNDS and not pilot.weighted.usable
        most = GROWN[1] if heavy else GROWN[0]
        present, anchors = grow(target, present, anchors, theta, weights, most)
        if len(theta) > FITTED:
            theta, weights = _thinned(theta, weights, present, rng)
        for step in range(int(np.clip(EM_WORK // len(theta), *EM_STEPS))):
            present = maximise(present, anchors, theta, weights, tails=step % 3 == 2)
    return replace_mixture(target, pilot, present, anchors, count, rng)


def replace_mixture(
    target: Target,
    pilot: Pilot,
    present: Superposition,
    anchors: Superposition,
    count: int,
    rng: np.random.Generator,
) -> Pilot:
    """Go on from a mixture that was made otherwise than by a refit; the points are kept."""
    return _extend(target, pilot.rounds, pilot.log_proposals, present, anchors, count, rng)


def settle(
    target: Target,
    first: Superposition,
    rng: np.random.Generator,
    *,
    ess: float = np.inf,
    points: int | None = None,
    most: float = np.inf,
) -> Pilot:
    """Adapt until another refit would hardly help, ``ess`` is reached, or ``most`` are spent.

    Parameters
    ----------
    target, rng
        As in `advance`.
    first
        The mixture to begin with, from the map.
    ess
        Effective sample size that is enough.
    points
        Points a round, by default `points_a_round`.
    most
        Points in all, above those of the first round.
    """
    points = points_a_round(first.means.shape[1]) if points is None else points
    pilot = begin(target, first, points, rng)
    best = pilot.efficiency
    while len(pilot.rounds) < _allowed_rounds(pilot) and not _enough(pilot, ess):
        if (len(pilot.rounds) + 1) * points > most:
            break
        pilot = advance(target, pilot, points, rng)
        light = pilot.weighted.usable and len(pilot.rounds) > 2
        if light and pilot.efficiency < SETTLED * best:
            break
        best = max(best, pilot.efficiency)
    return pilot


def _allowed_rounds(pilot: Pilot) -> int:
    """Rounds before a pilot must have settled: a bend's ends are often met last, and late."""
    promising = pilot.efficiency > PROMISING and not pilot.weighted.usable
    return MORE if promising else ROUNDS


def draw_until(
    target: Target,
    pilot: Pilot,
    ess: float,
    most: int,
    rng: np.random.Generator,
    *,
    sd_error: float = np.inf,
) -> Pilot:
    """Go on until the effective sample size is reached, or it can be told that it will not be.

    Once it is, a tail that is heavy yet, or makes a standard deviation that is not known yet, is
    given as many points again at most.

    Parameters
    ----------
    target, pilot, rng
        As in `advance`.
    ess
        Effective sample size of all points together.
    most
        Points in all, at most.
    sd_error
        Relative error that the standard deviations are to be known to.
    """
    least, sufficed = points_a_round(pilot.superposition.means.shape[1]) // 4, np.inf
    while not (_enough(pilot, ess) and _known(pilot, sd_error)):
        drawn = len(pilot.weighted.weights)
        late = len(pilot.rounds) > ROUNDS
        if drawn >= most or (late and pilot.efficiency < HOPELESS):
            break
        missing = 1.05 * (ess - pilot.weighted.ess) / max(pilot.efficiency, HOPELESS)
        pace = max(4 * least, GROWTH * drawn)
        if missing <= 0 and late:  # enough, but for the tail
            sufficed = min(sufficed, drawn)
            if drawn > LIGHTEN * sufficed:
                break
            missing = drawn / 8
        count = int(min(max(missing, least), pace, max(most - drawn, least)))
        pilot = advance(target, pilot, count, rng)
    return pilot


def _enough(pilot: Pilot, ess: float) -> bool:
    """Whether the effective sample size is reached, and its estimate to be believed."""
    return pilot.weighted.usable and pilot.weighted.ess >= ess


def _known(pilot: Pilot, sd_error: float) -> bool:
    """Whether all standard deviations are known well enough."""
    if np.isinf(sd_error):
        return True
    return bool((errors_of_sd_by_weights(pilot.theta, pilot.weighted.weights) < sd_error).all())


def _extend(
    target: Target,
    before: tuple[Round, ...],
    log_proposals: Array,
    present: Superposition,
    anchors: Superposition,
    count: int,
    rng: np.random.Generator,
) -> Pilot:
    """Draw a round and weigh it with those before it."""
    theta = present.sample(count, rng)
    fresh = Round(present, theta, np.asarray(target.energy(theta), dtype=float))
    rounds = (*before, fresh)
    # Earlier mixtures at the new points, and the new one at all.
    columns = np.array([r.superposition.log_prob(theta) for r in before]).reshape(-1, count)
    everything = np.concatenate([r.theta for r in rounds])
    log_proposals = np.vstack(
        [np.hstack([log_proposals, columns]), present.log_prob(everything)[None]]
    )
    efficiency = weigh(fresh.log_ratio).efficiency
    return Pilot(rounds, anchors, log_proposals, _combine(rounds, log_proposals), efficiency)


def _log_pooled(rounds: tuple[Round, ...], log_proposals: Array) -> Array:
    """Log of target over the mixture of all proposals, ``(N,)``."""
    sizes = np.array([len(r.theta) for r in rounds])
    log_share = np.log(sizes / sizes.sum())
    log_target = -np.concatenate([r.energies for r in rounds])
    return log_target - logsumexp(log_proposals + log_share[:, None], axis=0)


def _combine(rounds: tuple[Round, ...], log_proposals: Array) -> Weighted:
    """Weigh the points of all rounds, rounds in proportion to their effective sizes."""
    sizes = np.array([len(r.theta) for r in rounds])
    efficiencies = _efficiencies(rounds, log_proposals)
    theirs = np.concatenate([r.log_ratio for r in rounds])
    for lacking in LACKING:
        # The first mixtures lack most: they may put more into the tail than into the size.
        used = efficiencies > lacking * efficiencies.max()
        with np.errstate(divide="ignore"):
            shares = np.log(np.where(used, sizes * efficiencies, 0.0))
        log_factor = shares - logsumexp(shares) - np.log(sizes / sizes.sum())
        weighted = weigh(theirs + np.repeat(log_factor, sizes))
        if weighted.usable:
            break
    return weighted


def _efficiencies(rounds: tuple[Round, ...], log_proposals: Array) -> Array:
    """Effective draws per point of every mixture, each judged by the points of all other rounds.

    ``1 / E_p[p / q]`` with the expectation under the target taken by the deterministic-mixture
    weights. By its own points it must not be judged: where a large weight turned up the round would
    count for less, and evidence would be lost.
    """
    log_ratio = _log_pooled(rounds, log_proposals)
    of_round = np.repeat(np.arange(len(rounds)), [len(r.theta) for r in rounds])
    log_target = -np.concatenate([r.energies for r in rounds])
    found = np.zeros(len(rounds))
    for r in range(len(rounds)):
        others = np.isfinite(log_ratio) & (of_round != r)
        if others.any():
            log_weights = log_ratio[others] - logsumexp(log_ratio[others])
            log_evidence = logsumexp(log_ratio[others]) - np.log((of_round != r).sum())
            over = log_target[others] - log_proposals[r, others] - log_evidence
            found[r] = np.exp(-logsumexp(log_weights + over))
    return found if found.any() else np.ones(len(rounds))


def _thinned(
    theta: Array, weights: Array, present: Superposition, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Fewer points with the same distribution: `FITTED` draws from them, each point once."""
    component = present.component_log_prob(theta).argmax(axis=1)
    drawn = resample(weights, component.astype(float), FITTED, rng)
    picked, count = np.unique(drawn, return_counts=True)
    return theta[picked], count / FITTED


def _leaning(theta: Array, log_ratio: Array) -> Array:
    """Normalised weights that a refit gives points: more than they weigh where they are far out.

    A mixture fitted to mass alone draws few points where a thousandth of the mass makes a tenth of
    a variance, as at the ends of a long bend, and an end that chance leaves out is not missed.
    """
    weights = _truncated(log_ratio)
    variance = weights @ (theta - weights @ theta) ** 2
    if not (variance > 0).all():
        return weights
    far = ((theta - weights @ theta) ** 2 / variance).max(axis=1) / LEAN**2
    return _truncated(log_ratio + np.log1p(np.minimum(far**2, MOST_LEANT)))


def _truncated(log_ratio: Array) -> Array:
    """Normalised weights cut at ``sqrt(N)`` times their mean, so that no point owns a component.

    E. L. Ionides, "Truncated importance sampling", J. Comput. Graph. Stat. 17, 295 (2008).
    """
    log_ratio = np.where(np.isfinite(log_ratio), log_ratio, -np.inf)
    count = len(log_ratio)
    if not np.isfinite(log_ratio).any():
        return np.zeros(count)
    log_mean = logsumexp(log_ratio) - np.log(count)
    weights = np.exp(np.minimum(log_ratio - log_mean, 0.5 * np.log(count)))
    return weights / weights.sum()
