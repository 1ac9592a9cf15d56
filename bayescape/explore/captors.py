"""Stationary points that are known, and which of them a walk has come to."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Captors", "same_point"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

REACH = 2.0  # nats, by the magnitude of the curvature: within two thermal widths
MATCH = 0.2  # relative error of the quadratic, in energy and in gradient, that still is a match


@dataclasses.dataclass(frozen=True)
class Captors:
    """Known stationary points of one kind, each with the region where its quadratic holds.

    Attributes
    ----------
    points, energies, hessians
        Shapes ``(M, d)``, ``(M,)``, ``(M, d, d)``; no Hessian is singular.
    reach
        How far up each one catches by its quadratic, nats, ``(M,)`` or one number.
    """

    points: Array
    energies: Array
    hessians: Array
    reach: Array | float = REACH

    @classmethod
    def none(cls, d: int) -> Captors:
        """No known point."""
        return cls(np.empty((0, d)), np.empty(0), np.empty((0, d, d)))

    def __len__(self) -> int:
        return len(self.points)

    def with_point(self, theta: Array, energy: float, hessian: Array) -> Captors:
        """These and one more, which comes last."""
        more = Captors(
            np.concatenate([self.points, theta[None]]),
            np.append(self.energies, energy),
            np.concatenate([self.hessians, hessian[None]]),
            np.append(np.broadcast_to(self.reach, len(self)), REACH),
        )
        if "_modes" in self.__dict__:  # each matrix is decomposed once
            new = np.linalg.eigh(hessian[None])
            both = zip(self._modes, new, strict=True)
            more.__dict__["_modes"] = tuple(np.concatenate(parts) for parts in both)
        return more

    @cached_property
    def _modes(self) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(self.hessians)
        return values, vectors

    def _along_modes(self, theta: Array, row: Rows, captor: Rows) -> tuple[Array, Array, Array]:
        """For pairs of a point and a known one: curvatures, modes, and displacement in these."""
        values, vectors = (part[captor] for part in self._modes)
        away = np.einsum("pi,pik->pk", theta[row] - self.points[captor], vectors)
        return values, vectors, away

    def catch(self, theta: Array, energy: Array, gradient: Array) -> NDArray[np.int_]:
        """Which known point each walk is at, ``(B,)``; -1 for none.

        A walk is at a point when it is within two thermal widths of it and both its energy and its
        gradient are what the point's quadratic says. A lower neighbour over a low barrier fails
        that, for there the quadratic of the one is nothing like the other's.

        Parameters
        ----------
        theta, energy, gradient
            Shapes ``(B, d)``, ``(B,)``, ``(B, d)``.
        """
        caught = np.full(len(theta), -1)
        # Rounding of the energy is all that is left of the difference at the point itself.
        rounding = 1e-6 + 1e-12 * np.abs(self.energies)
        # No farther off in energy than the quadratic may be, before any matrix is looked at.
        rise = energy[:, None] - self.energies
        reach = np.broadcast_to(self.reach, self.energies.shape)
        row, captor = np.nonzero(np.abs(rise) < (1 + MATCH) * reach + rounding)
        if not len(row):
            return caught
        values, vectors, away = self._along_modes(theta, row, captor)
        slope = np.einsum("pi,pik->pk", gradient[row], vectors)
        size = 0.5 * (np.abs(values) * away**2).sum(axis=1)
        wrong = 0.5 * ((slope - values * away) ** 2 / np.abs(values)).sum(axis=1)
        wrong_rise = np.abs(rise[row, captor] - 0.5 * (values * away**2).sum(axis=1))
        near = (size < reach[captor]) & (wrong < MATCH**2 * size + 1e-9)
        near &= wrong_rise < MATCH * size + rounding[captor]
        # The nearest last, so that it is the one that stays.
        order = np.lexsort((captor, size))[::-1]
        order = order[near[order]]
        caught[row[order]] = captor[order]
        return caught

    def same(self, theta: Array, energy: Array) -> NDArray[np.bool_]:
        """Whether converged points are known ones, ``(B, M)``.

        Two are the same when they are closer than a hundredth of a thermal width in the metric of
        the Hessian's magnitude, and as high.
        """
        near = 1e-5 * (1 + 1e-3 * np.abs(self.energies))
        same = np.abs(energy[:, None] - self.energies) < near
        row, captor = np.nonzero(same)
        if len(row):
            values, _, away = self._along_modes(theta, row, captor)
            same[row, captor] = (np.abs(values) * away**2).sum(axis=1) < 1e-4
        return same


def same_point(
    theta: Array, energy: Array, points: Array, energies: Array, hessians: Array
) -> NDArray[np.bool_]:
    """Which of some stationary points each point is, ``(B, d)`` and ``(M, d)`` to ``(B, M)``.

    As `Captors.same`.
    """
    return Captors(points, energies, hessians).same(theta, energy)
