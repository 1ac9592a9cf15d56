"""Moments and basins of densities in two coordinates, on grids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bayescape import Target
from tests.reference.catalogue.posterior import Truth

__all__ = ["on_grid"]

Array = NDArray[np.float64]

FOLLOWED = 1500  # points that are followed downhill
STEP = 0.01  # of the smaller standard deviation
STEPS = 4000  # at most


def on_grid(target: Target, box: Array, points: int, *, closed: bool = True) -> Truth:
    """Truth by sums over an even grid, which converge faster than any power for smooth densities.

    Occupation: evenly chosen nodes, as many as their mass deserves, follow the gradient down in
    short steps, and are counted at the lowest node of the hollow that they come to.

    Parameters
    ----------
    target
        In two coordinates.
    box
        Low and high corners, ``(2, 2)``, with nothing beyond.
    points
        Along each axis.
    closed
        Whether the density vanishes at the box's edges; if not, nodes on them count half, and no
        basins are told.
    """
    axes = [np.linspace(low, high, points) for low, high in np.asarray(box).T]
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
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
    evidence = float(np.log(total * cell) - lowest)
    if not closed:
        return Truth(mean, sd, evidence)

    height = energy.reshape(points, points)
    hollow = height == ndimage.minimum_filter(height, size=3, mode="constant", cval=np.inf)
    bottoms = theta[np.flatnonzero(hollow.ravel() & (energy < lowest + 30))]
    ranks = (np.arange(FOLLOWED) + 0.5) / FOLLOWED
    chosen = theta[np.searchsorted(np.cumsum(weights), ranks).clip(max=len(theta) - 1)]
    ends = _down(target, chosen, STEP * sd.min())
    at = np.linalg.norm(ends[:, None] - bottoms, axis=2).argmin(axis=1)
    share = np.bincount(at, minlength=len(bottoms)) / FOLLOWED
    return Truth(mean, sd, evidence, bottoms[share > 0], share[share > 0])


def _down(target: Target, theta: Array, step: float) -> Array:
    """Along the gradient in steps of one length, until they lead back and forth."""
    theta = theta.copy()
    moving = np.arange(len(theta))
    before = target.energy(theta)
    for _ in range(STEPS):
        _, slope = target.energy_and_gradient(theta[moving])
        norm = np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-300)
        trial = theta[moving] - step * slope / norm
        now = target.energy(trial)
        lower = now < before[moving]
        moving = moving[lower]
        if not len(moving):
            break
        theta[moving], before[moving] = trial[lower], now[lower]
    return theta
