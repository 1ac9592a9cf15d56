"""Draws held against the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape import Target
from bayescape.explore.scales import scales_of
from bayescape.sample import convergence
from bayescape.targets.target import bounds_of
from benchmarks.draws.outcome import Drawn
from tests.reference.catalogue import Truth
from tests.reference.catalogue.gp_truth import basin_of

__all__ = ["errors", "smallest_ess"]

Array = NDArray[np.float64]

FOLLOWED = 400  # draws that steepest descent is followed from


def smallest_ess(drawn: Drawn) -> float:
    """Effective sample size: the sampler's own for weighted points, else the smallest bulk one."""
    if drawn.theta is None:
        return 0.0
    if drawn.effective is not None:
        return drawn.effective
    return convergence.smallest_ess(drawn.theta)


def largest_rhat(drawn: Drawn) -> float | None:
    """Largest split R-hat over the coordinates; ``None`` for what are no chains."""
    if drawn.theta is None or drawn.effective is not None:
        return None
    return convergence.largest_rhat(drawn.theta)


def errors(drawn: Drawn, truth: Truth, target: Target) -> dict[str, float | None]:
    """How far a result is off.

    ``mean`` is the largest deviation of a mean in standard deviations; ``sd`` the ratio of a
    standard deviation to the true one that is furthest from 1; ``occupation`` the largest
    deviation of an occupation, by 400 draws; ``evidence`` is in nats.
    """
    off: dict[str, float | None] = dict.fromkeys(("mean", "sd", "occupation", "evidence"))
    if drawn.log_evidence is not None:
        off["evidence"] = drawn.log_evidence - truth.log_evidence
    if drawn.theta is None:
        return off
    theta = drawn.theta.reshape(-1, drawn.theta.shape[2])
    off["mean"] = float(np.abs((theta.mean(axis=0) - truth.mean) / truth.sd).max())
    ratios = theta.std(axis=0) / truth.sd
    off["sd"] = float(ratios[np.abs(np.log(ratios)).argmax()])
    if len(truth.centres) > 1:
        thinned = theta[np.linspace(0, len(theta) - 1, FOLLOWED).round().astype(int)]
        how = np.stack(bounds_of(target)), scales_of(target, None).unit
        basins = np.array([basin_of(target, *how, x, truth.centres) for x in thinned])
        share = np.array([(basins == k).mean() for k in range(len(truth.centres))])
        off["occupation"] = float(np.abs(share - truth.occupation).max())
    return off
