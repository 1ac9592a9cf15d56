"""The unit of step lengths: how far a target's starts spread, coordinate by coordinate."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.equivalence import Equivalence
from bayescape.targets.target import Target

__all__ = ["MANY", "Scales", "by_gradients", "scales_of"]

Array = NDArray[np.float64]

MANY = 50  # coordinates; beyond, a search is made of gradients, unless the target is `dense`


@dataclasses.dataclass(frozen=True)
class Scales:
    """Where a target's starts lie, and how far they spread.

    Attributes
    ----------
    unit
        The spread by coordinate, ``(d,)``: the unit in which steps are limited. It is the
        interquartile range over 1.35, a normal distribution's standard deviation.
    low, high
        The box of the starts, ``(d,)``.
    equivalence
        Of the target, under which the box holds the images of all that it is made to hold.
    """

    unit: Array
    low: Array
    high: Array
    equivalence: Equivalence | None = None

    @classmethod
    def of(cls, target: Target) -> Scales:
        """From 256 starts drawn with a fixed seed, so that a target always has the same."""
        starts = np.asarray(target.starts(256, np.random.default_rng(0)), dtype=float)
        low, high = np.quantile(starts, [0.25, 0.75], axis=0)
        unit = (high - low) / 1.35
        unit = np.where(unit > 0, unit, 1.0)
        equivalence = getattr(target, "equivalence", None)
        if equivalence is not None:  # what units exchange has one unit, so that images are as far
            unit = equivalence.levelled(unit, np.mean)
        return cls(unit, starts.min(axis=0), starts.max(axis=0), equivalence)

    def around(self, points: Array) -> Scales:
        """The same with a box that holds these points too, ``(M, d)``, and a unit about each.

        Minima may lie where hardly any start does, and what joins them lies there with them.
        """
        if not len(points):
            return self
        low = np.minimum(self.low, points.min(axis=0) - self.unit)
        high = np.maximum(self.high, points.max(axis=0) + self.unit)
        if self.equivalence is not None:
            largest = self.equivalence.levelled(np.maximum(np.abs(low), np.abs(high)), np.max)
            low, high = np.minimum(low, -largest), np.maximum(high, largest)
        return dataclasses.replace(self, low=low, high=high)

    @property
    def reach(self) -> float:
        """How much farther than in a few coordinates a step may lead: distances grow with d."""
        return max(1.0, float(np.sqrt(len(self.unit) / MANY)))

    def outside(self, theta: Array, margin: float) -> NDArray[np.bool_]:
        """Which points lie out of the box by more than a share of its width, ``(B,)``."""
        width = margin * np.maximum(self.high - self.low, self.unit)
        out = (theta < self.low - width) | (theta > self.high + width)
        return np.asarray(out.any(axis=1))


def by_gradients(target: Target) -> bool:
    """Whether searches for transition states in a target had better do without Hessians."""
    return len(target.names) > MANY and not getattr(target, "dense", False)


def scales_of(target: Target, given: Array | Scales | None) -> Scales:
    """Scales as a caller may give them: whole, as the unit ``(d,)`` alone, or not at all."""
    if isinstance(given, Scales):
        return given
    scales = Scales.of(target)
    if given is None:
        return scales
    return dataclasses.replace(scales, unit=np.asarray(given, dtype=float))
