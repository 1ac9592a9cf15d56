"""The audit: draws held against the map and the other evidence, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayescape.explore.coverage import missing_mass
from bayescape.explore.search import RULE
from bayescape.landscape.record import Landscape
from bayescape.sample.convergence import AXES, errors_of_sd, largest_rhat, smallest_ess
from bayescape.sample.importance import Weighted, errors_of_sd_by_weights, khat_limit, weigh
from bayescape.sample.membership import Membership, responsibilities_of_basins
from bayescape.sample.pilot import Pilot

__all__ = [
    "Occupation",
    "chain_warnings",
    "draws_against_weights",
    "error_of_sd_allowed",
    "held_against_draws",
    "map_warnings",
    "newly_found",
    "occupation_of_draws",
    "superposition_warnings",
]

Array = NDArray[np.float64]
Basins = NDArray[np.int_]

RHAT_LIMIT = 1.03  # Vehtari et al. (2021) advise 1.01 for long runs; at an effective size of a few
# hundred, chains that agree exceed that by chance
ESS_PER_CHAIN = 50
SD_ERROR = 0.05  # of a standard deviation, relative; 200 independent draws of a normal have it
SD_APART = 0.07  # relative, between two estimates of a standard deviation
FEW = 4.0  # times the error that as many independent draws of a normal would have, for both, where
# that is more: of few draws that were asked for no more is to be expected
OF_CHAINS = 0.67  # of these limits for chains, whose errors are estimated from what they visited
UNKNOWN_SHARE = 0.01
UNVISITED_SHARE = 0.02
CONTENT = 0.01  # chance that a fresh quench ends elsewhere: 0.009 where the rule is content with 4
FRESH, FRESH_SHARE = 1000, 1 / 3  # points that tell the shape of a tail, at least, and of all
REFITS = 3  # the last of them, judged by what they found where that can be told
CREEPING = 0.02  # of the posterior, found by refits yet: at most 0.011 over a catalogue of 51
DISAGREE = 4.5  # standard errors between two estimates of the same mean


@dataclasses.dataclass(frozen=True, slots=True)
class Occupation:
    """Share of the draws by basin, shape ``(M,)`` each, and its standard error."""

    share: Array
    standard_error: Array


def occupation_of_draws(basins: Basins, members: Membership, effective: float | None) -> Occupation:
    """Occupation by counting draws, corrected for what quenches of some of them found.

    Parameters
    ----------
    basins
        Shape ``(chain, draw)``: position of each draw's minimum, -1 for an unknown one.
    members
        The corrected shares, and the error from not quenching all draws.
    effective
        Effective number of independent draws, the same for every basin; ``None`` to estimate it
        from each basin's indicator along the chains.
    """
    errors = np.zeros(len(members.share))
    for m, p in enumerate(members.share):
        member = (basins == m).astype(float)
        if effective is not None:
            n = effective
        elif 0 < member.mean() < 1:
            n = float(array_stats.ess(member, method="mean", **AXES))
        else:
            n = member.size
        # The posterior mean of p keeps the error of a basin with no draw above zero.
        smooth = (p * n + 0.5) / (n + 1)
        errors[m] = np.hypot(np.sqrt(smooth * (1 - smooth) / n), members.standard_error[m])
    return Occupation(members.share, errors)


def held_against_draws(landscape: Landscape) -> list[str]:
    """The map's warnings that hold for draws too: all, but for one of the stopping rule's.

    The rule waits until every minimum is found, which takes twice the square of their number in
    quenches, however little the last ones hold. Of draws no more is asked than that a fresh quench
    ends in a known minimum as surely as where the rule is content with few.
    """
    unseen = max(1 - landscape.coverage, missing_mass(landscape.minima["hits"].values))
    return [w for w in landscape.warnings if not (w.startswith(RULE) and unseen <= CONTENT)]


def map_warnings(landscape: Landscape, unknown: float, coverage_needed: float) -> list[str]:
    """What the map itself, and draws outside of it, say against a result."""
    found = held_against_draws(landscape)
    if landscape.coverage < coverage_needed:
        found.append(
            f"The map's coverage is {landscape.coverage:.3f}: a fresh quench would often end in a "
            "minimum that is not in it. Explore further."
        )
    if unknown > UNKNOWN_SHARE:
        found.append(
            f"{unknown:.1%} of the draws quench to no minimum of the map, so it lacks a basin or "
            "part of the posterior has none. Explore further, or use method='hmc'."
        )
    return found


def superposition_warnings(pilot: Pilot, wanted: float) -> list[str]:
    """What the importance weights, round against round, say against a result."""
    found, weighted = [], pilot.weighted
    whole = pilot.whole
    half = len(whole) // 2  # the later half has the better mixtures, and most points
    late = weigh(np.concatenate([r.log_ratio for r in whole[half:]]))
    apart = abs(late.log_evidence - weighted.log_evidence)
    error = np.hypot(late.log_evidence_se, weighted.log_evidence_se)
    if not apart < 4 * error + 0.01:
        found.append(
            f"The log evidence of the later rounds and of all differ by {apart:.3f}, more than "
            f"four standard errors of {error:.3f}: some weight is seldom found. Use method='jumps'."
        )
    limit = khat_limit(len(weighted.weights))
    if not weighted.pareto_k < limit:
        found.append(
            f"The Pareto k of the importance weights is {weighted.pareto_k:.2f}, not below "
            f"{limit:.2f}: the superposition misses part of the posterior. Use method='jumps'."
        )
    fresh = _fresh(pilot)
    if weighted.usable and not fresh.usable and fresh.unseen > UNKNOWN_SHARE:
        count = len(fresh.weights)
        found.append(
            f"The Pareto k of the last {count} points, drawn from a mixture that was not fitted to "
            f"them, is {fresh.pareto_k:.2f}, not below {khat_limit(count):.2f}: the superposition "
            "may miss part of the posterior. Use method='jumps'."
        )
    if (more := newly_found(pilot)) >= CREEPING:
        found.append(
            f"Most of the last refits of the superposition found {more:.1%} of the posterior or "
            "more where the one before had found nothing: there is more to find. Draw more, or use "
            "method='jumps'."
        )
    if weighted.ess < wanted:
        found.append(
            f"The effective sample size of the weights is {weighted.ess:.0f}, below the "
            f"{wanted:.0f} asked for. Ask for fewer, or use method='jumps'."
        )
    return found


def draws_against_weights(
    theta: Array, points: Array, weights: Array, names: Sequence[str]
) -> list[str]:
    """Where equally weighted draws do not spread as the points do that they were chosen from.

    A point far out in a heavy tail weighs less than a draw. If it is chosen it weighs as much as
    one, which shows in no weight and in no Pareto k.

    Parameters
    ----------
    theta
        The draws, ``(N, d)``.
    points, weights
        What they were chosen from, ``(P, d)`` and ``(P,)``.
    names
        Of the coordinates.
    """
    fewer = min(len(theta), 1 / (weights**2).sum())
    known, apart = error_of_sd_allowed(fewer), _allowed(SD_APART, fewer)
    # What is not finite here is not known either, and is said.
    errors = errors_of_sd_by_weights(points, weights)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        spread = np.sqrt(weights @ (points - weights @ points) ** 2)
        distances = np.abs(theta.std(axis=0) / spread - 1)
    found = []
    for name, error, distance in zip(names, errors, distances, strict=True):
        if not error < known:
            found.append(
                f"The standard deviation of {name} is known to {error:.0%} only: a few points far "
                "out make it. Draw more, or use method='jumps'."
            )
        elif not distance < apart:
            found.append(
                f"The standard deviation of {name} is another one by the draws than by the weights "
                f"of the points that they were chosen from, by {distance:.0%}: a draw or two far "
                "out make it. Draw more."
            )
    return found


def error_of_sd_allowed(draws: float) -> float:
    """Relative error that a standard deviation of so many draws may have."""
    return _allowed(SD_ERROR, draws)


def _allowed(limit: float, draws: float) -> float:
    """Relative error of a standard deviation that so many draws may have: more if they are few."""
    return float(max(limit, FEW / np.sqrt(2 * draws)))


def _fresh(pilot: Pilot) -> Weighted:
    """The last rounds alone.

    Drawing ends once the tail of all points together looks light, which by chance happens sooner or
    later also where it is not; by chance the last round's then is too.
    """
    taken, enough = 1, max(FRESH, FRESH_SHARE * len(pilot.weighted.weights))
    while sum(len(r.theta) for r in pilot.rounds[-taken:]) < enough and taken < len(pilot.rounds):
        taken += 1
    return weigh(np.concatenate([r.log_ratio for r in pilot.rounds[-taken:]]))


def newly_found(pilot: Pilot) -> float:
    """Share of the posterior that a refit still finds: the median of the last three.

    Found is what lies where the round before had no weight so large. Each round's own weights may
    look light, and say nothing of it, while the mixture creeps along a valley; what the last refits
    found, the next one would find about as much of again. Zero where fewer than three rounds with
    one after them are long enough to tell.
    """
    pairs = [pair for pair in itertools.pairwise(pilot.whole) if len(pair[0].theta) >= FRESH]
    if len(pairs) < REFITS:
        return 0.0
    found = []
    for early, late in pairs[-REFITS:]:
        beyond = late.log_ratio_to(early) > early.log_ratio.max()
        found.append(weigh(late.log_ratio).weights[beyond].sum())
    return float(np.median(found))


def chain_warnings(
    theta: Array,
    diverging: Array | None,
    landscape: Landscape,
    pilot: Pilot,
) -> list[str]:
    """What the chains' own diagnostics, and the weights of the pilot, say against a result."""
    found = []
    rhat, ess = largest_rhat(theta), smallest_ess(theta)
    if not rhat < RHAT_LIMIT:
        found.append(
            f"The largest R-hat is {rhat:.3f}, not below {RHAT_LIMIT}: the chains disagree. Draw "
            "more, or use method='superposition' or 'jumps'."
        )
    if not ess >= ESS_PER_CHAIN * len(theta):
        found.append(
            f"The smallest bulk effective sample size is {ess:.0f}, below {ESS_PER_CHAIN} per "
            "chain: means and their errors are not to be relied on. Draw more."
        )
    errors = errors_of_sd(theta)
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    limit = OF_CHAINS * error_of_sd_allowed(theta[..., 0].size)
    if not errors[worst] < limit:
        found.append(
            f"The standard deviation of {landscape.names[worst]} is known to {errors[worst]:.2%} "
            f"only, not to {limit:.2%}: the chains seldom came to what makes it. Draw more, or "
            "use method='superposition'."
        )
    if diverging is not None and diverging.mean() > 0.01:
        found.append(
            f"{diverging.mean():.1%} of the NUTS trajectories diverged: part of the posterior is "
            "too curved for the step size."
        )
    if pilot.weighted.usable:
        found.extend(_against_weights(theta, landscape, pilot))
    return found


def _against_weights(theta: Array, landscape: Landscape, pilot: Pilot) -> list[str]:
    """Where the chains and the importance weights disagree: basins, means and their errors.

    Chains and weighted points are assigned to basins by the same rule, the components responsible,
    so that what the rule gets wrong cancels.
    """
    count, d = landscape.minima.sizes["minimum"], theta.shape[-1]
    weights = pilot.weighted.weights

    def assigned(points: Array) -> Basins:
        return responsibilities_of_basins(pilot.superposition, points, count).argmax(axis=1)

    drawn = assigned(theta.reshape(-1, d)).reshape(theta.shape[:2])
    member = assigned(pilot.theta)[:, None] == np.arange(count)
    found = []
    for m in range(count):
        expected, error = _weighted_mean(member[:, m].astype(float), weights)
        share, standard_error = _chain_mean((drawn == m).astype(float))
        if expected > UNVISITED_SHARE and share == 0:
            found.append(
                f"No draw is in the basin of minimum {m}, which importance weights give "
                f"{expected:.1%} of the posterior. Use method='jumps'."
            )
        elif abs(share - expected) > 0.02 + 3 * np.hypot(standard_error, error):
            found.append(
                f"{share:.1%} of the draws are in the basin of minimum {m}, against "
                f"{expected:.1%} by importance weights. Draw more, or use method='jumps'."
            )
    for i, name in enumerate(landscape.names):
        expected, error = _weighted_mean(pilot.theta[:, i], weights)
        mean, standard_error = _chain_mean(theta[..., i])
        combined = np.hypot(standard_error, error)
        if abs(mean - expected) > DISAGREE * combined:
            found.append(
                f"The mean of {name} is {mean:.3g} by the draws and {expected:.3g} by importance "
                f"weights, {abs(mean - expected) / combined:.1f} standard errors apart. Draw more."
            )
    return found


def _weighted_mean(value: Array, weights: Array) -> tuple[float, float]:
    """Mean under importance weights ``(N,)`` and its standard error by the delta method."""
    mean = float(weights @ value)
    return mean, float(np.sqrt((weights**2 * (value - mean) ** 2).sum()))


def _chain_mean(value: Array) -> tuple[float, float]:
    """Mean over chains ``(chain, draw)`` and its standard error; of a constant, that of one hit."""
    if np.ptp(value) == 0:
        return float(value.flat[0]), 1.0 / value.size
    effective = float(array_stats.ess(value, method="mean", **AXES))
    return float(value.mean()), float(value.std() / np.sqrt(effective))
