"""What chains say about themselves: the worst coordinate's R-hat and effective sample size."""

from __future__ import annotations

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

__all__ = ["AXES", "errors_of_sd", "largest_rhat", "smallest_ess"]

Array = NDArray[np.float64]

AXES = {"chain_axis": 0, "draw_axis": 1}  # of arrays laid out as ArviZ does


def largest_rhat(theta: Array) -> float:
    """Largest rank-normalised split R-hat over the coordinates of ``(chain, draw, d)``."""
    return max(float(array_stats.rhat(x, **AXES)) for x in _columns(theta))


def smallest_ess(theta: Array) -> float:
    """Smallest bulk effective sample size over the coordinates of ``(chain, draw, d)``."""
    return min(float(array_stats.ess(x, **AXES)) for x in _columns(theta))


def errors_of_sd(theta: Array) -> Array:
    """Standard errors of the standard deviations of ``(chain, draw, d)``, over these, ``(d,)``.

    By the effective number of squares, which mix slower than what is squared where NUTS alternates:
    arviz-stats 0.8 takes that of the values themselves.
    """
    squares = (theta - theta.mean(axis=(0, 1))) ** 2
    variance = squares.mean(axis=(0, 1))
    effective = [float(array_stats.ess(x, method="sd", **AXES)) for x in _columns(theta)]
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN where chains do not move
        return np.asarray(squares.std(axis=(0, 1)) / np.sqrt(effective) / (2 * variance))


def _columns(theta: Array) -> Array:
    return np.moveaxis(theta, 2, 0)
