"""Fitting the superposition to the target: adaptive importance sampling with a mixture."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayescape.sample.importance import Weighted, weigh
from bayescape.sample.superposition import WIDE, Superposition
from bayescape.targets.target import Target

__all__ = ["Pilot", "fit"]

Array = NDArray[np.float64]

ROUNDS = 8  # at most; fitting usually settles in three or four
EM_STEPS = 10
LIGHT_TAIL = 0.5  # Pareto k below which the weights' variance is finite
GROWTH = 3  # components added a round
DEFENSIVE_WIDTH = 2.0
GROWN_WEIGHT = 0.03  # what each begins with, before expectation maximisation decides
GAIN = 1.1  # a round that improves the efficiency by less than this is the last


@dataclasses.dataclass(frozen=True)
class Pilot:
    """A fitted superposition and the points that it was fitted to.

    Attributes
    ----------
    superposition
        The mixture after the last refit that helped.
    theta, energies
        The points of the last round, drawn from ``superposition`` itself: ``(N, d)``, ``(N,)``.
    weighted
        What those points weigh.
    """

    superposition: Superposition
    theta: Array
    energies: Array
    weighted: Weighted


def fit(
    target: Target,
    first: Superposition,
    rng: np.random.Generator,
    *,
    points: int | None = None,
) -> Pilot:
    """Refit a mixture until its effective draws per evaluation stop improving.

    Each round draws from the present mixture, weighs all points so far against the mixture of all
    proposals used (the deterministic-mixture weights), adds components where the weights are
    largest, so where the mixture lacks mass, and refits weights, means and scales by expectation
    maximisation on the weighted points. The last two components of ``first`` keep their small
    weights: the one that follows the starts stays as it is, and the defensive one is laid twice as
    wide as all the weighted points.

    Parameters
    ----------
    target
        What to fit to; one value per point.
    first
        Where to begin, from the map.
    rng
        Source of the draws.
    points
        Points a round; by default ``max(800, 200 d)``, enough to see every coordinate's covariance
        in a basin that holds a twentieth of the whole.

    Returns
    -------
    Pilot
        The round whose mixture is best by effective draws per point.

    References
    ----------
    J.-M. Cornuet, J.-M. Marin, A. Mira, C. P. Robert, "Adaptive multiple importance sampling",
    Scand. J. Stat. 39, 798 (2012); O. Cappe, R. Douc, A. Guillin, J.-M. Marin, C. P. Robert,
    "Adaptive importance sampling in general mixture classes", Stat. Comput. 18, 447 (2008); for the
    added components A. E. Raftery, L. Bao, "Estimating and projecting trends in HIV/AIDS
    generalized epidemics using incremental mixture importance sampling", Biometrics 66, 1162
    (2010).
    """
    d = first.means.shape[1]
    points = max(800, 200 * d) if points is None else points
    present, anchors = first, first
    rounds: list[Pilot] = []
    for _ in range(ROUNDS):
        fresh = present.sample(points, rng)
        energies = target.energy(fresh)
        weighted = weigh(-energies - present.log_prob(fresh))
        rounds.append(Pilot(present, fresh, energies, weighted))

        theta = np.concatenate([r.theta for r in rounds])
        log_target = -np.concatenate([r.energies for r in rounds])
        log_proposals = np.array([r.superposition.log_prob(theta) for r in rounds])
        log_ratio = log_target - (logsumexp(log_proposals, axis=0) - np.log(len(rounds)))
        efficiencies = _efficiencies(log_target, log_proposals, log_ratio)
        if _settled(rounds, efficiencies):
            break
        weights = _truncated_weights(log_ratio)
        if np.count_nonzero(weights) < 2 * d:
            break  # almost nothing drawn lies in the domain: nothing to fit to
        present, anchors = _grow(present, anchors, theta, weights)
        for _ in range(EM_STEPS):
            present = _maximise(present, anchors, theta, weights)
    return rounds[int(efficiencies.argmax())]


def _efficiencies(log_target: Array, log_proposals: Array, log_ratio: Array) -> Array:
    """Effective draws per point of every proposal used, each judged by all rounds' points.

    ``1 / E_p[p / q]`` with the expectation under the target taken by the deterministic-mixture
    weights. Judged by its own points alone, a mixture that misses an arm of the density looks the
    more efficient for it.
    """
    inside = np.isfinite(log_ratio)
    if not inside.any():
        return np.zeros(len(log_proposals))
    log_evidence = logsumexp(log_ratio[inside]) - np.log(len(log_ratio))
    log_weights = log_ratio[inside] - logsumexp(log_ratio[inside])
    over = log_target[inside] - log_proposals[:, inside] - log_evidence
    return np.exp(-logsumexp(log_weights + over, axis=1))


def _settled(rounds: list[Pilot], efficiencies: Array) -> bool:
    """Whether another round would be wasted: no gain, light tails, and the evidence has settled."""
    if len(rounds) < 2 or efficiencies[-1] >= GAIN * efficiencies[:-1].max():
        return False
    a, b = rounds[-1].weighted, rounds[-2].weighted
    light = max(a.pareto_k, b.pareto_k) < LIGHT_TAIL
    apart = abs(a.log_evidence - b.log_evidence)
    return light and apart < 2.5 * np.hypot(a.log_evidence_se, b.log_evidence_se)


def _truncated_weights(log_ratio: Array) -> Array:
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


def _grow(
    present: Superposition, anchors: Superposition, theta: Array, weights: Array
) -> tuple[Superposition, Superposition]:
    """Add components at the points that weigh most, shaped by the weighted points near them.

    Returns
    -------
    tuple of Superposition
        The larger mixture, and the larger set of shapes that refits are drawn towards. New
        components stand before the last two, which guard.
    """
    d = theta.shape[1]
    whiten = np.linalg.inv(np.linalg.cholesky(present.covariance()))
    known = np.flatnonzero(present.basins >= 0)
    near = max(len(theta) // 10, 10 * d)
    free = weights.copy()
    means, scales, basins = [], [], []
    for _ in range(GROWTH):
        top = int(free.argmax())
        if free[top] <= 1 / len(theta):  # nothing weighs more than its share
            break
        away = (((theta - theta[top]) @ whiten.T) ** 2).sum(axis=1)
        around = np.argpartition(away, near)[:near] if near < len(away) else np.arange(len(away))
        # Half by weight, half evenly: Raftery and Bao's compromise against a single heavy point.
        share = weights[around] + weights[around].mean()
        centred = theta[around] - theta[top]
        scale = (share[:, None] * centred).T @ centred / share.sum()
        means.append(theta[top])
        scales.append(scale + 1e-6 * present.scales[-1])
        likely = present.component_log_prob(theta[top][None])[0, known].argmax()
        basins.append(present.basins[known[likely]])
        free[around] = 0.0
    if not means:
        return present, anchors
    return _insert(present, means, scales, basins), _insert(anchors, means, scales, basins)


def _insert(
    mixture: Superposition, means: list[Array], scales: list[Array], basins: list[int]
) -> Superposition:
    """Put components before the guards, each with the weight that a new one begins with."""
    grown = np.full(len(means), GROWN_WEIGHT)
    body = mixture.weights[:-WIDE] * (1 - grown.sum() / mixture.weights[:-WIDE].sum())
    return dataclasses.replace(
        mixture,
        weights=np.concatenate([body, grown, mixture.weights[-WIDE:]]),
        means=np.concatenate([mixture.means[:-WIDE], means, mixture.means[-WIDE:]]),
        scales=np.concatenate([mixture.scales[:-WIDE], scales, mixture.scales[-WIDE:]]),
        basins=np.concatenate([mixture.basins[:-WIDE], basins, mixture.basins[-WIDE:]]),
    )


def _maximise(
    present: Superposition, anchors: Superposition, theta: Array, weights: Array
) -> Superposition:
    """One step of expectation maximisation on weighted points.

    A component's scale is drawn towards its anchor's by ``2 d`` imaginary points, so that one with
    few points of its own stays proper; the defensive component, the last, follows the points as a
    whole.
    """
    d, nu = theta.shape[1], present.degrees
    share = weights[:, None] * present.responsibilities(theta)
    pull = share * (nu + d) / (nu + present.distances(theta))
    mass, pulled = share.sum(axis=0), pull.sum(axis=0)
    # Effective number of points behind each component.
    count = mass**2 / np.maximum((share**2).sum(axis=0), 1e-300)

    means, scales = present.means.copy(), present.scales.copy()
    for k in range(len(mass) - WIDE):
        if count[k] < 2:  # too few to move it: it keeps its shape and loses its weight
            continue
        means[k] = pull[:, k] @ theta / pulled[k]
        centred = theta - means[k]
        spread = (pull[:, k, None] * centred).T @ centred / mass[k]
        prior = 2.0 * d
        scales[k] = (count[k] * spread + prior * anchors.scales[k]) / (count[k] + prior)
    means[-1] = weights @ theta
    around = theta - means[-1]
    scales[-1] = DEFENSIVE_WIDTH**2 * (weights[:, None] * around).T @ around
    scales[-1] += 1e-3 * anchors.scales[-1]  # proper even when a single point weighs
    kept, known = mass[:-WIDE] / mass[:-WIDE].sum(), anchors.weights[:-WIDE]
    # A sliver of the first weights stays, so that no basin of the map is ever given up.
    kept = known.sum() * (0.98 * kept + 0.02 * known / known.sum())
    return dataclasses.replace(
        present,
        weights=np.append(kept, anchors.weights[-WIDE:]),
        means=means,
        scales=scales,
    )
