"""Stationary points that are known, and which of them a walk has come to."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Captors", "same_point"]

Array = NDArray[np.float64]

REACH = 0.5  # nats, by the magnitude of the curvature: within about a thermal width
MATCH = 0.2  # relative error of the quadratic, in energy and in gradient, that still is a match


@dataclasses.dataclass(frozen=True)
class Captors:
    """Known stationary points of one kind, each with the region where its quadratic holds.

    Attributes
    ----------
    points, energies, hessians
        Shapes ``(M, d)``, ``(M,)``, ``(M, d, d)``; no Hessian is singular.
    """

    points: Array
    energies: Array
    hessians: Array

    @classmethod
    def none(cls, d: int) -> Captors:
        """No known point."""
        return cls(np.empty((0, d)), np.empty(0), np.empty((0, d, d)))

    def __len__(self) -> int:
        return len(self.points)

    def with_point(self, theta: Array, energy: float, hessian: Array) -> Captors:
        """These and one more, which comes last."""
        return Captors(
            np.concatenate([self.points, theta[None]]),
            np.append(self.energies, energy),
            np.concatenate([self.hessians, hessian[None]]),
        )

    @cached_property
    def _modes(self) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(self.hessians)
        return values, vectors

    def _along_modes(self, theta: Array) -> tuple[Array, Array]:
        """Displacement in every mode, ``(B, M, d)``, and twice its size in nats, ``(B, M)``."""
        values, vectors = self._modes
        away = np.einsum("bmi,mik->bmk", theta[:, None] - self.points, vectors)
        return away, (np.abs(values) * away**2).sum(axis=2)

    def catch(self, theta: Array, energy: Array, gradient: Array) -> NDArray[np.int_]:
        """Which known point each walk is at, ``(B,)``; -1 for none.

        A walk is at a point when it is within a thermal width of it and both its energy and its
        gradient are what the point's quadratic says. A lower neighbour over a low barrier fails
        that, for there the quadratic of the one is nothing like the other's.

        Parameters
        ----------
        theta, energy, gradient
            Shapes ``(B, d)``, ``(B,)``, ``(B, d)``.
        """
        if len(self) == 0:
            return np.full(len(theta), -1)
        values, vectors = self._modes
        away, twice = self._along_modes(theta)
        size = 0.5 * twice
        rise = 0.5 * (values * away**2).sum(axis=2)
        slope = np.einsum("bi,mik->bmk", gradient, vectors)
        wrong = 0.5 * ((slope - values * away) ** 2 / np.abs(values)).sum(axis=2)
        # Rounding of the energy is all that is left of the difference at the point itself.
        rounding = 1e-6 + 1e-12 * np.abs(self.energies)
        near = (size < REACH) & (wrong < MATCH**2 * size + 1e-9)
        near &= np.abs(energy[:, None] - self.energies - rise) < MATCH * size + rounding
        nearest = np.where(near, size, np.inf).argmin(axis=1)
        return np.where(near.any(axis=1), nearest, -1)

    def same(self, theta: Array, energy: Array) -> NDArray[np.bool_]:
        """Whether converged points are known ones, ``(B, M)``.

        Two are the same when they are closer than a hundredth of a thermal width in the metric of
        the Hessian's magnitude, and as high.
        """
        if len(self) == 0:
            return np.zeros((len(theta), 0), dtype=bool)
        _, away = self._along_modes(theta)
        near = 1e-5 * (1 + 1e-3 * np.abs(self.energies))
        return (away < 1e-4) & (np.abs(energy[:, None] - self.energies) < near)


def same_point(
    theta: Array, energy: Array, points: Array, energies: Array, hessians: Array
) -> NDArray[np.bool_]:
    """Which of some stationary points each point is, ``(B, d)`` and ``(M, d)`` to ``(B, M)``.

    As `Captors.same`.
    """
    return Captors(points, energies, hessians).same(theta, energy)
