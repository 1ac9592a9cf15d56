"""Moments and basins of densities in one and two coordinates, on grids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape import Target
from tests.reference.catalogue.posterior import Truth

__all__ = ["on_grid"]

Array = NDArray[np.float64]


def on_grid(target: Target, box: Array, points: int, *, closed: bool = True) -> Truth:
    """Truth by sums over an even grid, which converge faster than any power for smooth densities.

    Occupation: from every node one follows the lowest of the neighbours until there is none lower;
    only sensible where barriers are high, and checked against the closed forms by a test.

    Parameters
    ----------
    target
        In two coordinates.
    box
        Low and high corners, ``(2, 2)``, with nothing beyond.
    points
        Along each axis.
    closed
        Whether the density vanishes at the box's edges; if not, nodes on them count half.
    """
    axes = [np.linspace(low, high, points) for low, high in np.asarray(box).T]
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    theta = mesh.reshape(-1, 2)
    energy = target.energy(theta)
    cell = np.prod([a[1] - a[0] for a in axes])
    lowest = energy.min()
    mass = np.exp(lowest - energy)
    if not closed:
        half = np.ones(points)
        half[[0, -1]] = 0.5
        mass = mass * np.multiply.outer(half, half).ravel()
    total = mass.sum()
    weights = mass / total
    mean = weights @ theta
    sd = np.sqrt(weights @ (theta - mean) ** 2)

    height = energy.reshape(points, points)
    down = _lowest_neighbour(height)
    while True:  # pointer jumping: every step doubles the length of the paths followed
        further = down[down]
        if (further == down).all():
            break
        down = further
    share = np.bincount(down, weights, minlength=len(theta))
    bottoms = np.flatnonzero(share > 1e-4)
    return Truth(mean, sd, float(np.log(total * cell) - lowest), theta[bottoms], share[bottoms])


def _lowest_neighbour(height: Array) -> NDArray[np.int_]:
    """Flat index of the steepest way down from every node, itself at the bottom of a basin."""
    rows, columns = height.shape
    here = np.arange(rows * columns).reshape(rows, columns)
    best, where = np.zeros_like(height), here.copy()
    padded = np.pad(height, 1, constant_values=np.inf)
    index = np.pad(here, 1)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            if i or j:
                part = slice(1 + i, 1 + i + rows), slice(1 + j, 1 + j + columns)
                with np.errstate(invalid="ignore"):
                    drop = (height - padded[part]) / np.hypot(i, j)
                steeper = drop > best
                best = np.where(steeper, drop, best)
                where = np.where(steeper, index[part], where)
    return where.ravel()
