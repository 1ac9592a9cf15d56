"""Draws where there is no map: NUTS from the target's own starts, which is never relied on.

A density that rises without end has no minimum, hence no basins to draw from by turns. That of a
hierarchical model in centred form is one: it rises towards a spread of zero. Or it has one so
narrow that its Hessian has no inverse in double precision, as Neal's funnel has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayescape.landscape.record import Landscape
from bayescape.sample.convergence import largest_rhat, smallest_ess
from bayescape.sample.nuts import COMPILE, Chains, run_nuts
from bayescape.sample.pymc_model import pymc_model
from bayescape.sample.unwalled import Unwalled
from bayescape.targets.target import Target

__all__ = ["TUNE", "chains_without_map", "warnings_without_map"]

Array = NDArray[np.float64]

TUNE = 1000  # draws per chain for step size and metric, as `pm.sample`: no Hessian gives them
ACCEPT = 0.95  # small steps, for what has no minimum has a funnel
STARTS = 16  # drawn for each chain, of which the first in the domain is taken


def chains_without_map(
    target: Target,
    shape: tuple[int, int],
    seed: int,
    rng: np.random.Generator,
    report: Callable[..., None],
) -> Chains:
    """Run NUTS as ``pm.sample`` does, from the target's starts, and within walls by `Unwalled`.

    Parameters
    ----------
    target
        What to sample.
    shape
        Chains and draws in each.
    seed
        For PyMC.
    rng
        For the starts.
    report
        Called with ``draws=`` as they are made.

    Raises
    ------
    ValueError
        If no start lies in the target's domain.
    """
    chains, draws = shape
    points = target.starts(STARTS * chains, rng)
    points = points[np.isfinite(target.energy(points))]
    if not len(points):
        raise ValueError(f"none of {STARTS * chains} starts of the target lies in its domain")
    unwalled = Unwalled(target)
    begin = unwalled.z(points)
    run = run_nuts(
        pymc_model(unwalled),
        [begin[i % len(begin)] for i in range(chains)],
        draws=draws,
        tune=TUNE,
        seed=seed,
        report=report,
        init="adapt_diag",
        target_accept=ACCEPT,
        compile_kwargs=COMPILE,
    )
    return dataclasses.replace(run, theta=unwalled.theta(run.theta))


def warnings_without_map(landscape: Landscape, run: Chains) -> list[str]:
    """Why the draws are not to be relied on: there is always a reason."""
    theta, diverging = run.theta, run.stats.get("diverging")
    without = (
        "The minima found are too narrow in some direction for a superposition of their basins"
        if landscape.minima.sizes["minimum"]
        else "No minimum was found, so there is no map"
    )
    found = [
        " ".join(
            [
                f"{without}: these are draws by NUTS from {len(theta)} starts, and nothing says "
                "which modes they miss.",
                *landscape.warnings,
                "The density of a hierarchical model in centred form rises without end, or to a "
                "very narrow peak, towards a spread of zero; that of its non-centred form does "
                "not.",
            ]
        )
    ]
    if len(theta) > 1 and theta.shape[1] >= 4:
        found.append(
            f"The largest R-hat is {largest_rhat(theta):.3f}, the smallest effective sample size "
            f"{smallest_ess(theta):.0f}."
        )
    if diverging is not None and diverging.any():
        found.append(
            f"{int(diverging.sum())} of the {diverging.size} NUTS trajectories diverged: part of "
            "the posterior is too curved for the step size, and not visited."
        )
    return found
