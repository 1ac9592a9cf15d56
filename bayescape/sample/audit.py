"""The audit: draws held against the map and the other evidence, and what is wrong with them."""

from __future__ import annotations

import dataclasses

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayescape.landscape.record import Landscape
from bayescape.sample.adapt import Pilot
from bayescape.sample.importance import Weighted, khat_limit

__all__ = [
    "Occupation",
    "chain_warnings",
    "map_warnings",
    "occupation_of_draws",
    "superposition_warnings",
]

Array = NDArray[np.float64]
Basins = NDArray[np.int_]

RHAT_LIMIT = 1.03  # Vehtari et al. (2021) advise 1.01 for long runs; at an effective size of a few
# hundred, chains that agree exceed that by chance
ESS_PER_CHAIN = 50
UNKNOWN_SHARE = 0.01
UNVISITED_SHARE = 0.02


@dataclasses.dataclass(frozen=True, slots=True)
class Occupation:
    """Share of the draws by basin, shape ``(M,)`` each, and its standard error."""

    share: Array
    standard_error: Array


def occupation_of_draws(basins: Basins, count: int, effective: float | None) -> Occupation:
    """Occupation by counting draws.

    Parameters
    ----------
    basins
        Shape ``(chain, draw)``: position of each draw's minimum, -1 for an unknown one.
    count
        Number of minima.
    effective
        Effective number of independent draws, the same for every basin; ``None`` to estimate it
        from each basin's indicator along the chains.
    """
    share, errors = np.zeros(count), np.zeros(count)
    for m in range(count):
        member = (basins == m).astype(float)
        p = share[m] = member.mean()
        if effective is not None:
            n = effective
        elif 0 < p < 1:
            n = float(array_stats.ess(member, chain_axis=0, draw_axis=1, method="mean"))
        else:
            n = member.size
        # The posterior mean of p keeps the error of a basin with no draw above zero.
        smooth = (p * n + 0.5) / (n + 1)
        errors[m] = np.sqrt(smooth * (1 - smooth) / n)
    return Occupation(share, errors)


def map_warnings(landscape: Landscape, basins: Basins, coverage_needed: float) -> list[str]:
    """What the map itself, and draws outside of it, say against a result."""
    found = list(landscape.warnings)
    if landscape.coverage < coverage_needed:
        found.append(
            f"The map's coverage is {landscape.coverage:.3f}: a fresh quench would often end in a "
            "minimum that is not in it. Explore further."
        )
    unknown = float((basins == -1).mean())
    if unknown > UNKNOWN_SHARE:
        found.append(
            f"{unknown:.1%} of the draws quench to no minimum of the map, so it lacks a basin or "
            "part of the posterior has none. Explore further, or use method='hmc'."
        )
    return found


def superposition_warnings(weighted: Weighted, pilot: Weighted, draws: int) -> list[str]:
    """What the importance weights, and the pilot's before them, say against a result."""
    found = []
    apart = abs(weighted.log_evidence - pilot.log_evidence)
    error = np.hypot(weighted.log_evidence_se, pilot.log_evidence_se)
    if not apart < 5 * error + 0.01:
        found.append(
            f"The log evidence of the draws and of the pilot differ by {apart:.3f}, more than five "
            f"standard errors of {error:.3f}: some weight is seldom found. Use method='jumps'."
        )
    limit = khat_limit(len(weighted.weights))
    if not weighted.pareto_k < limit:
        found.append(
            f"The Pareto k of the importance weights is {weighted.pareto_k:.2f}, not below "
            f"{limit:.2f}: the superposition misses part of the posterior. Use method='jumps'."
        )
    if weighted.ess < draws:
        found.append(
            f"The effective sample size of the weights is {weighted.ess:.0f}, below the {draws} "
            "draws asked for: draws repeat. Ask for fewer, or use method='jumps'."
        )
    return found


def chain_warnings(
    theta: Array,
    basins: Basins,
    diverging: Array | None,
    landscape: Landscape,
    pilot: Pilot,
) -> list[str]:
    """What the chains' own diagnostics, and the weights of the pilot, say against a result."""
    found = []
    chains, _, d = theta.shape
    rhat = max(float(array_stats.rhat(theta[..., i], chain_axis=0, draw_axis=1)) for i in range(d))
    ess = min(
        float(array_stats.ess(theta[..., i], chain_axis=0, draw_axis=1, method="bulk"))
        for i in range(d)
    )
    if not rhat < RHAT_LIMIT:
        found.append(
            f"The largest R-hat is {rhat:.3f}, not below {RHAT_LIMIT}: the chains disagree. Draw "
            "more, or use method='superposition' or 'jumps'."
        )
    if not ess >= ESS_PER_CHAIN * chains:
        found.append(
            f"The smallest bulk effective sample size is {ess:.0f}, below {ESS_PER_CHAIN} per "
            "chain: means and their errors are not to be relied on. Draw more."
        )
    if diverging is not None and diverging.mean() > 0.01:
        found.append(
            f"{diverging.mean():.1%} of the NUTS trajectories diverged: part of the posterior is "
            "too curved for the step size."
        )
    if pilot.weighted.usable:
        found.extend(_occupation_warnings(basins, landscape, pilot))
    return found


def _occupation_warnings(basins: Basins, landscape: Landscape, pilot: Pilot) -> list[str]:
    """Basins that the weights hold occupied and the draws hardly visit, or the other way round."""
    count = landscape.minima.sizes["minimum"]
    expected, error = _expected_occupation(pilot, count)
    drawn = occupation_of_draws(basins, count, None)
    found = []
    for m in range(count):
        if expected[m] > UNVISITED_SHARE and not (basins == m).any():
            found.append(
                f"No draw is in the basin of minimum {m}, which importance weights give "
                f"{expected[m]:.1%} of the posterior. Use method='jumps'."
            )
        # Components are not basins: a tenth is what assigning by component may be off by.
        elif abs(drawn.share[m] - expected[m]) > 0.1 + 3 * np.hypot(
            drawn.standard_error[m], error[m]
        ):
            found.append(
                f"{drawn.share[m]:.1%} of the draws are in the basin of minimum {m}, against "
                f"{expected[m]:.1%} by importance weights. Draw more, or use method='jumps'."
            )
    return found


def _expected_occupation(pilot: Pilot, count: int) -> tuple[Array, Array]:
    """Occupation by the pilot's weights, points assigned by component, and its standard error."""
    superposition, weights = pilot.superposition, pilot.weighted.weights
    of_basin = superposition.basins >= 0
    likely = superposition.component_log_prob(pilot.theta)[:, of_basin].argmax(axis=1)
    basin = superposition.basins[of_basin][likely]
    share = np.bincount(basin, weights=weights, minlength=count).astype(float)
    member = basin[:, None] == np.arange(count)
    error = np.sqrt((weights[:, None] ** 2 * (member - share) ** 2).sum(axis=0))
    return share, error
