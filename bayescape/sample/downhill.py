"""The way downhill from point to point, without an evaluation: which minimum each comes to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["comes_down_to"]

Array = NDArray[np.float64]

NEAREST = 2  # lower points that are looked at: with more, a way leads across a barrier
STONES = 5000  # points that a way leads over, at most
BLOCK = 250  # points whose distances to the stones are in memory at once: they stay in the cache


def comes_down_to(
    theta: Array, energies: Array, minima: Array, minimum_energies: Array, metric: Array
) -> NDArray[np.int_]:
    """Follow the steepest of the nearest lower points, until a minimum is reached.

    The basins of a sample by its own points, as in quick shift, where the density is known at each
    of them: a guess at what a quench would say.

    Parameters
    ----------
    theta, energies
        Points, ``(N, d)``, and their energies, ``(N,)``.
    minima, minimum_energies
        Where the ways end, ``(M, d)`` and ``(M,)``.
    metric
        In which distances are taken, ``(d, d)``.

    Returns
    -------
    numpy.ndarray
        Position of a minimum by point, ``(N,)``; -1 for points below all minima.

    References
    ----------
    A. Vedaldi, S. Soatto, "Quick shift and kernel methods for mode seeking", ECCV 2008, LNCS 5305,
    705.
    """
    # Of very many points, some spread evenly over the energies will do to lead over.
    rising = np.argsort(energies, kind="stable")
    stones = rising[np.linspace(0, len(rising) - 1, min(len(rising), STONES)).astype(int)]
    whiten = np.linalg.cholesky(metric)
    places = np.concatenate([minima, theta[stones]]) @ whiten
    heights = np.concatenate([minimum_energies, energies[stones]])
    steps = _steps(theta @ whiten, energies, places, heights)
    ends = np.append(np.arange(len(minima)), np.full(len(stones), -1))
    for place, down in enumerate(steps[stones], start=len(minima)):  # the lowest first
        ends[place] = ends[down] if down >= 0 else -1
    return np.where(steps >= 0, ends[steps], -1)


def _steps(points: Array, energies: Array, places: Array, heights: Array) -> NDArray[np.int_]:
    """The place that each point's way leads to next, ``(N,)``; -1 where none is lower."""
    rising = np.argsort(heights, kind="stable")
    places, heights = places[rising], heights[rising]
    lower = np.searchsorted(heights, energies, side="left")  # how many places are
    squares = (places**2).sum(axis=1)
    steps = np.full(len(points), -1)
    order = np.argsort(lower, kind="stable")  # those of a block are alike
    for begin in range(0, len(points), BLOCK):
        rows = order[begin : begin + BLOCK]
        least, most = lower[rows[0]], lower[rows[-1]]
        if most == 0:
            continue
        block = points[rows]
        away = -2 * block @ places[:most].T
        away += squares[:most]
        away += (block**2).sum(axis=1)[:, None]
        away[:, least:][np.arange(least, most) >= lower[rows][:, None]] = np.inf
        near, distance = _smallest(away, min(NEAREST, most))
        distance = np.sqrt(np.maximum(distance, 1e-300))
        fall = (energies[rows][:, None] - heights[near]) / distance
        fall[~np.isfinite(distance)] = -np.inf
        best = np.take_along_axis(near, fall.argmax(axis=1)[:, None], axis=1)[:, 0]
        steps[rows] = np.where(lower[rows] > 0, rising[best], -1)
    return steps


def _smallest(away: Array, count: int) -> tuple[NDArray[np.int_], Array]:
    """Positions and values of the few smallest of each row; these are infinite afterwards.

    One minimum after the other, which for two is ten times as fast as a partition.
    """
    rows = np.arange(len(away))
    near, values = np.empty((len(away), count), dtype=int), np.empty((len(away), count))
    for k in range(count):
        near[:, k] = away.argmin(axis=1)
        values[:, k] = away[rows, near[:, k]]
        away[rows, near[:, k]] = np.inf
    return near, values
