"""Steps along the steepest-descent path of a quadratic model: a quench ends in its own basin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["steepest_steps"]

Array = NDArray[np.float64]

ROUNDS = 8  # of Newton's, for the length of a path, at most
CLOSE = 0.01  # relative error of the length that is near enough, for the step is scaled to it
SMALL = 1e-6  # exponent below which a mode's path is a straight line to rounding


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
    steep = np.maximum(np.linalg.norm(slope, axis=1), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        newton = -slope / values
    within = (values > 0).all(axis=1) & (np.linalg.norm(newton, axis=1) <= radius)
    # A straight path is as long at this time; one that curves upwards is shorter, one that leads
    # off a ridge longer, by as much as its most negative curvature says.
    time = radius / steep
    lowest = np.maximum(-values.min(axis=1), 0.0)
    ridge = lowest * time > SMALL
    time[ridge] = np.log1p(lowest[ridge] * time[ridge]) / lowest[ridge]
    low, high = np.zeros_like(time), np.full_like(time, np.inf)
    for _ in range(ROUNDS):
        path, speed = _along(values, slope, time)
        length = np.maximum(np.linalg.norm(path, axis=1), 1e-300)
        # Row by row, so that no path depends on its company.
        still = ~within & (np.abs(length - radius) > CLOSE * radius)
        if not still.any():
            break
        low, high = np.where(length < radius, time, low), np.where(length < radius, high, time)
        growth = (path * speed).sum(axis=1) / length
        newer = time + (radius - length) / np.maximum(growth, 1e-300)
        between = np.where(np.isfinite(high), 0.5 * (low + high), 4 * low)
        newer = np.where((newer >= low) & (newer <= high), newer, between)
        time = np.where(still, newer, time)
    else:
        path, _ = _along(values, slope, time)
        length = np.maximum(np.linalg.norm(path, axis=1), 1e-300)
    path *= (radius / length)[:, None]
    return np.where(within[:, None], newton, path)


def _along(values: Array, slope: Array, time: Array) -> tuple[Array, Array]:
    """Where the paths are at a time, and how fast they move."""
    exponent = np.clip(values * time[:, None], -100.0, 100.0)
    decay = np.exp(-exponent)
    straight = np.abs(exponent) < SMALL
    share = -np.expm1(-exponent) / np.where(straight, 1.0, values)
    return -slope * np.where(straight, time[:, None], share), -slope * decay
