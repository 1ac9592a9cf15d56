"""Steps along the steepest-descent path of a quadratic model: a quench ends in its own basin."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["steepest_steps"]

Array = NDArray[np.float64]

ROUNDS = 8  # of Newton's, for the length of a path, at most
CLOSE = 0.01  # relative error of the length that is near enough, for the step is scaled to it
SMALL = 1e-6  # exponent below which a mode's path is a straight line to rounding
FARTHEST = 100.0  # exponent beyond which a path has ended, or left for good
TINY = 1e-300


@numba.njit(cache=True, error_model="numpy", nogil=True)
def steepest_steps(values: Array, slope: Array, radius: Array) -> Array:
    """Points on the paths of steepest descent through quadratics, ``(B, d)``, in their modes.

    A path ends where it has come as far as the radius, or in the quadratic's minimum: where
    curvatures are positive and the radius large, the step is Newton's.

    Parameters
    ----------
    values, slope
        Curvatures and slopes along each quadratic's modes, ``(B, d)``.
    radius
        How far each step may lead, ``(B,)``.

    References
    ----------
    M. Page, J. W. McIver, J. Chem. Phys. 88, 922 (1988).
    """
    steps = np.empty_like(slope)
    for b in range(len(slope)):
        newton = -slope[b] / values[b]
        if values[b].min() > 0 and math.sqrt(newton @ newton) <= radius[b]:
            steps[b] = newton
        elif not slope[b].any():
            steps[b] = 0.0
        else:
            _along(values[b], slope[b], _time(values[b], slope[b], radius[b], steps[b]), steps[b])
            steps[b] *= radius[b] / max(math.sqrt(steps[b] @ steps[b]), TINY)
    return steps


@numba.njit(error_model="numpy", nogil=True)
def _time(values: Array, slope: Array, radius: float, path: Array) -> float:
    """When a path comes as far as the radius, nearly; ``path`` is overwritten."""
    # A straight path is as long at this time; one that curves upwards is shorter, one that leads
    # off a ridge longer, by as much as its most negative curvature says.
    time = radius / max(math.sqrt(slope @ slope), TINY)
    lowest = max(-values.min(), 0.0)
    if lowest * time > SMALL:
        time = math.log1p(lowest * time) / lowest
    low, high = 0.0, np.inf
    for _ in range(ROUNDS):
        growth = _along(values, slope, time, path)
        length = max(math.sqrt(path @ path), TINY)
        if not abs(length - radius) > CLOSE * radius:
            break
        if length < radius:
            low = time
        else:
            high = time
        time += (radius - length) / max(growth / length, TINY)
        if not low <= time <= high:
            time = 0.5 * (low + high) if high < np.inf else 4 * low
    return time


@numba.njit(error_model="numpy", nogil=True)
def _along(values: Array, slope: Array, time: float, path: Array) -> float:
    """Write where a path is at a time; give the product of that with how fast it moves."""
    growth = 0.0
    for k in range(len(path)):
        exponent = min(max(values[k] * time, -FARTHEST), FARTHEST)
        straight = abs(exponent) < SMALL
        path[k] = -slope[k] * (time if straight else -math.expm1(-exponent) / values[k])
        growth -= path[k] * slope[k] * math.exp(-exponent)
    return growth
