"""Stationary points that are known, and which of them a walk has come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.equivalence import Equivalence

__all__ = ["Captors", "image_near", "same_point"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

REACH = 2.0  # nats, by the magnitude of the curvature: within two thermal widths
MATCH = 0.2  # relative error of the quadratic, in energy and in gradient, that still is a match
CLOSE = 1e-4  # square of the distance between points that are the same, in thermal widths
LARGE = 200  # coordinates; beyond, a matrix is decomposed only when it is needed


class _Decomposed:
    """A symmetric matrix, and its eigenvalues and eigenvectors once they have been asked for."""

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix

    @cached_property
    def modes(self) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(self.matrix)
        return values, vectors


@dataclasses.dataclass(frozen=True)
class Captors:
    """Known stationary points of one kind, each with the region where its quadratic holds.

    Attributes
    ----------
    points, energies, hessians
        Shapes ``(M, d)``, ``(M,)``, ``(M, d, d)``; no Hessian is singular. They may be a list of
        matrices, so that one more point takes no copy of all.
    reach
        How far up each one catches by its quadratic, nats, ``(M,)`` or one number.
    equivalence
        Of the target: each point then stands for all its images, and catches at any of them.
    """

    points: Array
    energies: Array
    hessians: Sequence[Array] | Array
    reach: Array | float = REACH
    equivalence: Equivalence | None = None

    @classmethod
    def none(cls, d: int, equivalence: Equivalence | None = None) -> Captors:
        """No known point."""
        return cls(np.empty((0, d)), np.empty(0), [], equivalence=equivalence)

    def __len__(self) -> int:
        return len(self.points)

    def with_point(self, theta: Array, energy: float, hessian: Array) -> Captors:
        """These and one more, which comes last."""
        more = Captors(
            np.concatenate([self.points, theta[None]]),
            np.append(self.energies, energy),
            [*self.hessians, hessian],
            np.append(np.broadcast_to(self.reach, len(self)), REACH),
            equivalence=self.equivalence,
        )
        if self.points.shape[1] > LARGE:
            more.__dict__["_apart"] = [*self._apart, _Decomposed(hessian)]
        elif "_modes" in self.__dict__:  # each matrix is decomposed once
            new = np.linalg.eigh(hessian[None])
            both = zip(self._modes, new, strict=True)
            more.__dict__["_modes"] = tuple(np.concatenate(parts) for parts in both)
        return more

    @cached_property
    def _modes(self) -> tuple[Array, Array]:
        d = self.points.shape[1]
        values, vectors = np.linalg.eigh(np.reshape(self.hessians, (len(self), d, d)))
        return values, vectors

    @cached_property
    def _apart(self) -> list[_Decomposed]:
        """The same where a matrix is large: each for itself, once something comes near it."""
        return [_Decomposed(hessian) for hessian in self.hessians]

    @cached_property
    def _lengths(self) -> Array:
        """What all images of a point have in common."""
        assert self.equivalence is not None
        return self.equivalence.lengths(self.points)

    def _softest(self, captor: Rows) -> Array:
        """Smallest magnitude of a curvature of some points, ``(P,)``."""
        if self.points.shape[1] > LARGE:
            return np.array([np.abs(self._apart[c].modes[0]).min() for c in captor])
        return np.abs(self._modes[0]).min(axis=1)[captor]

    def _near(
        self, theta: Array, row: Rows, captor: Rows, widths: float, *, nearest: bool
    ) -> tuple[Rows, Rows, tuple[Rows, Array] | None]:
        """Pairs of a point and a known one that may be within some squared thermal widths.

        With the element that takes the point to the image nearest to the known one, ``index`` and
        ``sign``, ``(P, d)``; none if that is itself. ``nearest`` whether to keep but one known
        point for each.
        """
        if self.equivalence is None or not len(row):
            return row, captor, None
        lengths = self.equivalence.lengths(theta)
        # Points are no nearer to each other than their units are alike in length.
        apart = ((lengths[row] - self._lengths[captor]) ** 2).sum(axis=1)
        near = apart * self._softest(captor) < widths
        row, captor, apart = row[near], captor[near], apart[near]
        if nearest:
            order = np.lexsort((captor, apart, row))
            first = np.unique(row[order], return_index=True)[1]
            row, captor = row[order][first], captor[order][first]
        elements = [
            self.equivalence.alignment(theta[r], self.points[c])
            for r, c in zip(row, captor, strict=True)
        ]
        index = np.array([e[0] for e in elements], dtype=int).reshape(-1, theta.shape[1])
        return row, captor, (index, np.array([e[1] for e in elements]).reshape(index.shape))

    def _along_modes(self, captor: Rows, *vectors: Array) -> tuple[Array, ...]:
        """Curvatures of known points, and vectors ``(P, d)`` in terms of their modes."""
        if self.points.shape[1] <= LARGE:
            values, modes = (part[captor] for part in self._modes)
            return values, *(np.einsum("pi,pik->pk", x, modes) for x in vectors)
        values, *turned = np.empty((1 + len(vectors), *vectors[0].shape))
        for p, c in enumerate(captor):
            values[p], modes = self._apart[c].modes
            for new, x in zip(turned, vectors, strict=True):
                new[p] = x[p] @ modes
        return values, *turned

    def displacements(self, m: int) -> tuple[Array, Array]:
        """From one point to the nearest images of those before it, ``(m, d)``.

        As they are, and turned by what takes each image back to its point, so that they compare
        with that point's Hessian.
        """
        if self.equivalence is None:
            away = self.points[:m] - self.points[m]
            return away, away
        away, turned = np.empty((2, m, self.points.shape[1]))
        for a in range(m):
            index, sign = self.equivalence.alignment(self.points[a], self.points[m])
            away[a] = sign * self.points[a][index] - self.points[m]
            turned[a, index] = sign * away[a]
        return away, turned

    def aligned(self, a: int, b: int) -> tuple[Array, Array]:
        """The image of one point that is nearest to another, ``b`` to ``a``, and its Hessian."""
        return image_near(self.equivalence, self.points[b], self.hessians[b], self.points[a])

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
        widths = 2 * float(reach.max(initial=0.0))
        row, captor, element = self._near(theta, row, captor, widths, nearest=True)
        if not len(row):
            return caught
        moved, turned = (_image(x[row], element) for x in (theta, gradient))
        values, away, slope = self._along_modes(captor, moved - self.points[captor], turned)
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
        as_high = np.abs(energy[:, None] - self.energies) < near
        row, captor = np.nonzero(as_high)
        row, captor, element = self._near(theta, row, captor, CLOSE, nearest=False)
        same = np.zeros_like(as_high)
        if len(row):
            moved = _image(theta[row], element)
            values, away = self._along_modes(captor, moved - self.points[captor])
            same[row, captor] = (np.abs(values) * away**2).sum(axis=1) < CLOSE
        return same


def _image(x: Array, element: tuple[Rows, Array] | None) -> Array:
    """Vectors ``(P, d)`` as an element of the equivalence of each takes them."""
    if element is None:
        return x
    index, sign = element
    return sign * np.take_along_axis(x, index, axis=1)


def image_near(
    equivalence: Equivalence | None, theta: Array, hessian: Array, reference: Array
) -> tuple[Array, Array]:
    """The image of a point that is nearest to a reference, with its Hessian."""
    if equivalence is None:
        return theta, hessian
    index, sign = equivalence.alignment(theta, reference)
    return sign * theta[index], np.outer(sign, sign) * hessian[np.ix_(index, index)]


def same_point(
    theta: Array, energy: Array, points: Array, energies: Array, hessians: Array
) -> NDArray[np.bool_]:
    """Which of some stationary points each point is, ``(B, d)`` and ``(M, d)`` to ``(B, M)``.

    As `Captors.same`.
    """
    return Captors(points, energies, hessians).same(theta, energy)
