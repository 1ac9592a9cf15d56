"""Where to search from minima: kicks out of a basin, ways up its softest modes, wanderings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["hot_draws", "kicks", "wanderings", "ways_up"]

Array = NDArray[np.float64]

KICKS = 2  # basin-hopping moves from each minimum
SOFT_MODES = 2  # directions to climb from each minimum, both ways
LONGEST = 0.5  # first step up, in length scales
STRAY = 0.3, 3.0  # lengths of wandering kicks, in length scales
HOT = 9.0  # temperature of a harmonic draw that wanders off


def kicks(point: Array, unit: Array, rng: np.random.Generator) -> Array:
    """Points one to three spreads of the starts away, in random directions, ``(2, d)``.

    Parameters
    ----------
    point
        The minimum, ``(d,)``.
    unit
        Spread of the starts by coordinate, ``(d,)``.
    rng
        Of this minimum.

    References
    ----------
    D. J. Wales, J. P. K. Doye, J. Phys. Chem. A 101, 5111 (1997).
    """
    direction = rng.standard_normal((KICKS, len(point)))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return point + rng.uniform(1.0, 3.0, (KICKS, 1)) * direction * unit


def ways_up(point: Array, hessian: Array, unit: Array) -> tuple[Array, Array]:
    """Points up both ends of a minimum's softest modes, and these modes, ``(4, d)`` each.

    Parameters
    ----------
    point, hessian
        The minimum, ``(d,)`` and ``(d, d)``.
    unit
        Spread of the starts by coordinate, ``(d,)``: the metric in which modes are soft.
    """
    values, vectors = np.linalg.eigh(hessian * np.outer(unit, unit))
    count = min(SOFT_MODES, len(point))
    modes = (vectors[:, :count] * unit[:, None]).T
    # Out to a thermal width, and no further than a step may lead.
    reach = np.minimum(1 / np.sqrt(values[:count]), LONGEST)[:, None] * modes
    return point + np.concatenate([reach, -reach]), np.concatenate([modes, modes])


def wanderings(
    points: Array, hessians: Array, unit: Array, count: int, rng: np.random.Generator
) -> Array:
    """Points to quench from, off one minimum after the other in three ways, ``(count, d)``.

    A kick in a random direction; a draw from the quadratic picture of the basin at a temperature at
    which it reaches over barriers along the soft modes; and coordinates taken from one minimum or
    another. On surfaces whose hidden minima are known each of the three hits some that the others
    seldom do.

    Parameters
    ----------
    points, hessians
        The minima, ``(M, d)`` and ``(M, d, d)``.
    unit
        Spread of the starts by coordinate, ``(d,)``.
    count
        How many.
    rng
        Source of the draws.
    """
    d = len(unit)
    origin = np.arange(count) % len(points)
    direction = rng.standard_normal((count, d))
    length = rng.uniform(*STRAY, (count, 1)) / np.linalg.norm(direction, axis=1, keepdims=True)
    kicked = points[origin] + length * direction * unit
    drawn = _drawn(points, hessians, unit, origin, HOT, rng)
    other = points[rng.integers(len(points), size=count)]
    crossed = np.where(rng.random((count, d)) < 0.5, points[origin], other)
    # A minimum itself is no new point.
    itself = (crossed == points[origin]).all(axis=1) | (crossed == other).all(axis=1)
    crossed = np.where(itself[:, None], kicked, crossed)
    ways = np.stack([kicked, drawn, crossed])
    return ways[rng.integers(3, size=count), np.arange(count)]


def hot_draws(
    points: Array,
    hessians: Array,
    unit: Array,
    temperatures: tuple[float, float],
    count: int,
    rng: np.random.Generator,
) -> Array:
    """Draws from the quadratic pictures of basins, one after the other, ``(count, d)``.

    Parameters
    ----------
    points, hessians
        The minima, ``(M, d)`` and ``(M, d, d)``.
    unit
        Spread of the starts by coordinate, ``(d,)``: flat directions lead no further than three.
    temperatures
        Lowest and highest at which they are drawn, where they reach over barriers along the soft
        modes; its logarithm is uniform.
    count
        How many.
    rng
        Source of the draws.
    """
    origin = np.arange(count) % len(points)
    low, high = temperatures
    hot = low * (high / low) ** rng.random((count, 1))
    return _drawn(points, hessians, unit, origin, hot, rng)


def _drawn(
    points: Array,
    hessians: Array,
    unit: Array,
    origin: NDArray[np.int_],
    hot: Array | float,
    rng: np.random.Generator,
) -> Array:
    """A draw from the quadratic picture of each basin of ``origin``, at temperatures ``hot``."""
    values, vectors = np.linalg.eigh(hessians * np.outer(unit, unit))
    # Flat directions lead no further than kicks do.
    width = np.minimum(np.sqrt(hot / np.maximum(values[origin], 1e-300)), STRAY[1])
    scattered = width * rng.standard_normal((len(origin), len(unit)))
    return points[origin] + np.einsum("cij,cj->ci", vectors[origin], scattered) * unit
