"""Points that are one and the same for a target: units that may change places, or their sign.

A network's hidden units make a group far too large to list: 10 units that may be permuted and
flipped have 3.7 billion images of every minimum. So no image is ever listed: two points are
compared by moving the one as near to the other as the group allows, which is a linear assignment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln

__all__ = ["Equivalence", "Exchange"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

SWEEPS = 50  # over all layers; an alignment takes two or three
SAME = 1e-3  # distance between units, relative to their length if that is above 1, that is none


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Units of one layer that may change places.

    Attributes
    ----------
    units
        Coordinates of each unit, ``(h, m)``: what feeds it, and then what it feeds.
    incoming
        How many of the ``m`` are of what feeds it.
    odd
        Whether a unit may also change the sign of all its coordinates.
    """

    units: Rows
    incoming: int
    odd: bool


class Equivalence:
    """The group that the exchanges of some layers generate, acting on points of ``d`` coordinates.

    A target has one as its attribute ``equivalence``. Any element of the group takes a point to
    ``sign * theta[index]``, with ``index`` a permutation of the coordinates and ``sign`` of 1 and
    -1, both ``(d,)``; it leaves the energy, and all distances, alone.

    Parameters
    ----------
    d
        Number of coordinates.
    layers
        What may be exchanged, from the inputs to the outputs.

    Raises
    ------
    ValueError
        If a layer's units share coordinates, or have some that do not exist.
    """

    def __init__(self, d: int, layers: Sequence[Exchange]) -> None:
        self.d, self.layers = d, tuple(layers)
        for layer in self.layers:
            units = np.asarray(layer.units)
            inside = units.ndim == 2 and ((units >= 0) & (units < d)).all()
            if not inside or len(np.unique(units)) < units.size:
                raise ValueError(
                    f"`layers` must hold (h, m) different coordinates below {d}, got {units!r}"
                )

    @property
    def log_order(self) -> float:
        """Log of the number of the group's elements."""
        return sum(_log_exchanges(len(layer.units), layer.odd) for layer in self.layers)

    def align(self, theta: Array, reference: Array) -> Array:
        """The images of points that are nearest to a reference, ``(d,)`` or ``(B, d)``.

        With one layer the image is the nearest of all. With more it is one that no exchange within
        a single layer brings nearer, and the reference itself where a point is an image of it and
        has no two units that are fed alike.

        Parameters
        ----------
        theta
            Points, ``(d,)`` or ``(B, d)``.
        reference
            Shape ``(d,)``.
        """
        theta = np.asarray(theta, dtype=float)
        if theta.ndim == 2:
            return np.array([self.align(t, reference) for t in theta]).reshape(theta.shape)
        index, sign = self.alignment(theta, reference)
        return sign * theta[index]

    def alignment(self, theta: Array, reference: Array) -> tuple[Rows, Array]:
        """The element that takes a point nearest to a reference: ``index`` and ``sign``, ``(d,)``.

        Layer by layer a linear assignment, until nothing changes. Two ways to begin are tried when
        there is more than one layer: as it stands, and with the units matched from the inputs on by
        what feeds them alone, which finds an exact image whatever comes after.
        """
        index, sign = self._swept(theta, reference, *self._identity())
        if len(self.layers) < 2:
            return index, sign
        begun = self._identity()
        for layer in self.layers:
            begun = self._matched(layer, theta, reference, *begun, of=layer.incoming)
        other = self._swept(theta, reference, *begun)
        nearness = [(s * theta[i]) @ reference for i, s in ((index, sign), other)]
        return other if nearness[1] > nearness[0] else (index, sign)

    def canonical(self, theta: Array) -> Array:
        """One image of each point that is the same for all its images, ``(d,)`` or ``(B, d)``.

        The units of a layer come in the order of their lengths, longest first, and the largest
        weight that feeds a unit that may be flipped is positive. Points nearby may have canonical
        images far apart, where two units are about as long: compare points by `align`.
        """
        theta = np.array(theta, dtype=float)
        if theta.ndim == 2:
            return np.array([self.canonical(t) for t in theta]).reshape(theta.shape)
        for layer in self.layers:
            units = theta[layer.units]
            if layer.odd:
                feeds = units[:, : layer.incoming]
                largest = feeds[np.arange(len(units)), np.abs(feeds).argmax(axis=1)]
                units = np.where(largest < 0, -1.0, 1.0)[:, None] * units
            keys = (*units[:, : layer.incoming].T[::-1], -np.linalg.norm(units, axis=1))
            theta[layer.units] = units[np.lexsort(keys)]
        return theta

    def log_multiplicity(self, theta: Array, tolerance: float = SAME) -> Array | float:
        """Log of how many different images points have, a number or ``(B,)``.

        The order of the group over that of the exchanges that leave the point where it is: of units
        of one layer that are the same up to their sign, and flips of units whose coordinates all
        vanish. Exchanges of several layers at once that leave a point where it is, as two whole
        paths through a deep network would that are the same, are not looked for.

        Parameters
        ----------
        theta
            Points, ``(d,)`` or ``(B, d)``.
        tolerance
            Distance between units that counts as none, relative to their length if that is above 1.
        """
        theta = np.asarray(theta, dtype=float)
        if theta.ndim == 2:
            return np.array([self.log_multiplicity(t, tolerance) for t in theta], dtype=float)
        return self.log_order - sum(
            _log_stabiliser(theta[layer.units], layer.odd, tolerance) for layer in self.layers
        )

    def lengths(self, theta: Array) -> Array:
        """Lengths of all units, longest first in each layer, ``(B, d)`` to ``(B, units)``.

        All images have the same, and two points have lengths no farther apart than they are.
        """
        found = [
            -np.sort(-np.linalg.norm(theta[:, layer.units], axis=2), axis=1)
            for layer in self.layers
        ]
        return np.concatenate([np.empty((len(theta), 0)), *found], axis=1)

    def levelled(self, values: Array, level: Callable[..., Array]) -> Array:
        """Numbers by coordinate, ``(d,)``, made the same for all that units may exchange.

        Parameters
        ----------
        values
            What to level, such as lengths.
        level
            How, such as ``numpy.max`` or ``numpy.mean``: called with ``axis=0``.
        """
        values = np.array(values, dtype=float)
        for layer in self.layers:
            values[layer.units] = level(values[layer.units], axis=0)
        return values

    def random(self, rng: np.random.Generator) -> tuple[Rows, Array]:
        """An element of the group by chance, all alike: ``index`` and ``sign``."""
        element = self._identity()
        for layer in self.layers:
            h = len(layer.units)
            flips = rng.choice([-1.0, 1.0], size=h) if layer.odd else np.ones(h)
            element = _exchanged(layer, rng.permutation(h), flips, *element)
        return element

    def _identity(self) -> tuple[Rows, Array]:
        return np.arange(self.d), np.ones(self.d)

    def _swept(
        self, theta: Array, reference: Array, index: Rows, sign: Array
    ) -> tuple[Rows, Array]:
        for _ in range(SWEEPS):
            before = index, sign
            for layer in self.layers:
                index, sign = self._matched(layer, theta, reference, index, sign)
            if len(self.layers) < 2 or (
                np.array_equal(before[0], index) and np.array_equal(before[1], sign)
            ):
                break
        return index, sign

    def _matched(
        self,
        layer: Exchange,
        theta: Array,
        reference: Array,
        index: Rows,
        sign: Array,
        of: int | None = None,
    ) -> tuple[Rows, Array]:
        """The element after which one layer's units are matched, by their first coordinates."""
        units = layer.units[:, :of]
        alike = reference[units] @ (sign * theta[index])[units].T
        flips = np.where(alike < 0, -1.0, 1.0) if layer.odd else np.ones_like(alike)
        rows, chosen = linear_sum_assignment(flips * alike, maximize=True)
        return _exchanged(layer, chosen, flips[rows, chosen], index, sign)

    def __repr__(self) -> str:
        if not self.layers:
            return "no units may change places"
        parts = [
            f"{len(layer.units)} units{' and their signs' if layer.odd else ''}"
            for layer in self.layers
        ]
        return f"exchanges of {', of '.join(parts)}: exp({self.log_order:.1f}) images"


def _exchanged(
    layer: Exchange, order: Rows, flips: Array, index: Rows, sign: Array
) -> tuple[Rows, Array]:
    """An element followed by an exchange within a layer."""
    index, sign = index.copy(), sign.copy()
    index[layer.units], sign[layer.units] = (
        index[layer.units[order]],
        flips[:, None] * sign[layer.units[order]],
    )
    return index, sign


def _log_exchanges(count: int, odd: bool) -> float:
    return float(gammaln(count + 1) + (count * np.log(2) if odd else 0.0))


def _log_stabiliser(units: Array, odd: bool, tolerance: float) -> float:
    """Log of the number of exchanges of units ``(h, m)`` that change nothing."""
    lengths = np.linalg.norm(units, axis=1)
    left, log_count = list(range(len(units))), 0.0
    while left:
        first = left[0]
        near = tolerance * max(1.0, lengths[first])
        if lengths[first] <= near:
            same = [i for i in left if lengths[i] <= near]
            log_count += _log_exchanges(len(same), odd)
        else:
            away = np.linalg.norm(units[left] - units[first], axis=1)
            if odd:
                away = np.minimum(away, np.linalg.norm(units[left] + units[first], axis=1))
            same = [i for i, a in zip(left, away, strict=True) if a <= near]
            log_count += _log_exchanges(len(same), odd=False)
        left = [i for i in left if i not in same]
    return log_count
