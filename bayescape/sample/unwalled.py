"""Coordinates without walls, for chains that nothing but the target's bounds says how to move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logit

from bayescape.targets.target import Target, bounds_of

__all__ = ["Unwalled"]

Array = NDArray[np.float64]

FURTHEST = 20.0  # a start on a wall, or nearer than e^-20 of the way across, begins so far out


class Unwalled:
    """A target's density in coordinates ``z`` in which its walls are infinitely far away.

    Between two walls ``z`` is the logit of the way across, with one wall the logarithm of the
    distance from it, elsewhere the coordinate itself. A trajectory that meets a wall ends there,
    and steps are tuned shorter for each that does; in ``z`` none meets any.

    Parameters
    ----------
    target
        Whose density it is, the Jacobian included.
    """

    def __init__(self, target: Target) -> None:
        self.target, self.names = target, target.names
        low, high = bounds_of(target)
        self._both = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
        self._one = np.flatnonzero(np.isfinite(low) != np.isfinite(high))
        self._wall = np.where(np.isfinite(low), low, high)
        self._way = np.where(np.isfinite(low), 1.0, -1.0)  # from the wall to the inside
        self._width = high - low

    def theta(self, z: Array) -> Array:
        """The target's own coordinates, ``(..., d) -> (..., d)``."""
        theta = np.array(z, dtype=float)
        both, one = self._both, self._one
        theta[..., both] = self._wall[both] + self._width[both] * expit(theta[..., both])
        with np.errstate(over="ignore"):
            theta[..., one] = self._wall[one] + self._way[one] * np.exp(theta[..., one])
        return theta

    def z(self, theta: Array) -> Array:
        """The coordinates without walls of points inside, ``(..., d) -> (..., d)``."""
        z = np.array(theta, dtype=float)
        both, one = self._both, self._one
        across = (z - self._wall) * self._way
        with np.errstate(divide="ignore", invalid="ignore"):
            z[..., both] = logit(across[..., both] / self._width[both])
            z[..., one] = np.log(across[..., one])
        walled = np.concatenate([both, one])
        z[..., walled] = np.maximum(z[..., walled], -FURTHEST)
        z[..., both] = np.minimum(z[..., both], FURTHEST)
        return z

    def energy_and_gradient(self, z: Array) -> tuple[Array, Array]:
        """Negative log density of ``z`` and its gradient, ``(B, d) -> (B,), (B, d)``."""
        energy, gradient = self.target.energy_and_gradient(self.theta(z))
        both, one = self._both, self._one
        with np.errstate(over="ignore", invalid="ignore"):  # where it is outside, all is NaN
            log_slope = np.zeros_like(gradient)
            log_slope[:, one] = z[:, one]
            log_slope[:, both] = (
                np.log(self._width[both]) + log_expit(z[:, both]) + log_expit(-z[:, both])
            )
            slope = np.exp(log_slope)
            slope[:, one] *= self._way[one]
            gradient = gradient * slope
            gradient[:, one] -= 1.0
            gradient[:, both] -= 1.0 - 2.0 * expit(z[:, both])
            return energy - log_slope.sum(axis=1), gradient
