"""A family of targets along one parameter, and its derivatives in units of the coordinates."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Evaluations
from bayescape.targets.target import Target

__all__ = ["Family"]

Array = NDArray[np.float64]

STEP = 1e-4  # of differences: shares of the parameter's range, or units of the coordinates
SHORT = 1e-5  # the same, of differences of first order
KEPT = 16  # targets kept, for neighbouring branches ask for the same ones


class Family:
    """Targets ``target_of(p)`` with coordinates ``x = theta / unit``.

    Gradients and Hessians are the targets' own. Their derivatives along the parameter and the
    Hessian's along a direction are central differences of these, or one-sided ones of the same
    order where the range of the parameter ends.

    Parameters
    ----------
    target_of
        The target at a value of the parameter. All have the same coordinates.
    unit
        Unit of each coordinate, ``(d,)``.
    low, high
        The range of the parameter; no target outside of it is asked for.

    Attributes
    ----------
    evaluations
        What the targets were asked for so far.
    """

    def __init__(
        self, target_of: Callable[[float], Target], unit: Array, low: float, high: float
    ) -> None:
        self.unit, self.low, self.high = np.asarray(unit, dtype=float), float(low), float(high)
        self.range = self.high - self.low
        self.evaluations = Evaluations()
        self.target = functools.lru_cache(maxsize=KEPT)(target_of)
        self._slopes = functools.lru_cache(maxsize=KEPT)(lambda p: dict[bytes, Array]())

    def within(self, p: float) -> float:
        """The value of the range that is nearest to ``p``."""
        return min(max(p, self.low), self.high)

    def energy(self, x: Array, p: float) -> Array:
        """Energies, ``(B, d) -> (B,)``."""
        self.evaluations += Evaluations(value=len(x))
        return self.target(p).energy(x * self.unit)

    def gradient(self, x: Array, p: float) -> Array:
        """Gradients, ``(B, d) -> (B, d)``; NaN where the energy is not finite."""
        self.evaluations += Evaluations(gradient=len(x))
        energy, gradient = self.target(p).energy_and_gradient(x * self.unit)
        return np.where(np.isfinite(energy)[:, None], gradient * self.unit, np.nan)

    def hessian(self, x: Array, p: float) -> Array:
        """Hessians, ``(B, d) -> (B, d, d)``."""
        self.evaluations += Evaluations(hessian=len(x))
        return self.target(p).hessian(x * self.unit) * np.outer(self.unit, self.unit)

    def gradient_slope(self, x: Array, p: float, there: Array | None = None) -> Array:
        """Derivative of the gradients along the parameter, ``(B, d) -> (B, d)``.

        Where the gradients are known to be ``there``, ``(B, d)``, one more makes a difference of
        first order: enough to predict by. It is kept.
        """
        if there is None:
            return self._along_parameter(self.gradient, x, p)
        known = self._slopes(p)  # where one step ends the next one begins
        new = np.array([row.tobytes() not in known for row in x], dtype=bool)
        if new.any():
            h = SHORT * self.range
            h = h if p + h <= self.high else -h
            slopes = (self.gradient(x[new], p + h) - there[new]) / h
            known.update(zip((row.tobytes() for row in x[new]), slopes, strict=True))
        return np.array([known[row.tobytes()] for row in x]).reshape(x.shape)

    def hessian_slope(self, x: Array, p: float) -> Array:
        """Derivative of the Hessians along the parameter, ``(B, d) -> (B, d, d)``."""
        return self._along_parameter(self.hessian, x, p)

    def hessian_along(self, x: Array, p: float, direction: Array) -> Array:
        """Derivative of the Hessian ``(d, d)`` at one point ``(d,)`` along a direction ``(d,)``."""
        h = STEP / max(float(np.linalg.norm(direction)), 1e-300)
        behind, ahead = self.hessian(np.stack([x - h * direction, x + h * direction]), p)
        return (ahead - behind) / (2 * h)

    def _along_parameter(
        self, function: Callable[[Array, float], Array], x: Array, p: float
    ) -> Array:
        h = STEP * self.range
        if p - h < self.low:
            weights = {0: -1.5, 1: 2.0, 2: -0.5}
        elif p + h > self.high:
            weights = {-2: 0.5, -1: -2.0, 0: 1.5}
        else:
            weights = {-1: -0.5, 1: 0.5}
        return np.sum([w * function(x, p + k * h) for k, w in weights.items()], axis=0) / h
