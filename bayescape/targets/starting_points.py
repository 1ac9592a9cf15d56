"""Where to begin looking in a density that says no more of itself than its value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_array, shown

__all__ = ["StartingPoints", "Starts", "pulled_inside"]

Array = NDArray[np.float64]

Starts = ArrayLike | Callable[[int, np.random.Generator], Array] | None

WIDTH = 3.0  # standard deviation, where nothing is known
SMOOTHING = 0.1  # of the given points' spread: the same point twice is no second start


@dataclasses.dataclass(frozen=True)
class StartingPoints:
    """Points to start from, by whichever means they were given.

    Attributes
    ----------
    given
        Points ``(m, d)``, a function ``(count, rng) -> (count, d)``, or nothing.
    bounds
        Walls ``(2, d)``, infinite where there is none.
    """

    given: Array | Callable[[int, np.random.Generator], Array] | None
    bounds: Array

    @classmethod
    def of(cls, starts: Starts, bounds: Array) -> StartingPoints:
        """Check what was given.

        Raises
        ------
        ValueError
            If it is neither of the kinds, or not of the shape, that starts can have.
        """
        if starts is None or callable(starts):
            return cls(starts, bounds)
        d = bounds.shape[1]
        said = f"an array of shape (m, {d}), a function of a count and a generator, or None"
        points = check_array("starts", starts, said)
        points = points[None] if points.ndim == 1 else points
        if points.ndim != 2 or points.shape[1] != d or not len(points):
            raise ValueError(
                f"`starts` must have shape (m, {d}), got {shown(starts)}, of shape {points.shape}"
            )
        if not np.isfinite(points).all():
            raise ValueError(f"`starts` must hold finite numbers only, got {shown(starts)}")
        return cls(points, bounds)

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Points to start from, ``(count, d)``, within the bounds.

        Raises
        ------
        ValueError
            If the function given returns something else.
        """
        low, high = self.bounds
        if callable(self.given):
            points = np.asarray(self.given(count, rng), dtype=float)
            if points.shape != (count, len(low)):
                raise ValueError(
                    f"`starts` must return shape ({count}, {len(low)}) when asked for {count} "
                    f"points, got {points.shape}"
                )
            return points
        noise = rng.standard_normal((count, len(low)))
        if self.given is not None:
            spread = self.given.std(axis=0)
            spread = np.where(spread > 0, spread, np.maximum(np.abs(self.given).max(axis=0), 1.0))
            chosen = self.given[rng.integers(len(self.given), size=count)]
            return np.clip(chosen + SMOOTHING * spread * noise, low, high)
        walled = np.isfinite(low) & np.isfinite(high)
        with np.errstate(invalid="ignore"):
            between = low + (high - low) * rng.uniform(size=noise.shape)
        return np.where(walled, between, np.clip(WIDTH * noise, low, high))


def pulled_inside(
    points: Array, centre: Array, moves: Array, value: Callable[[Array], Array]
) -> Array:
    """Points at which a function is finite: those at which it is not are exchanged.

    Parameters
    ----------
    points
        Shape ``(N, d)``.
    centre
        A point inside, ``(d,)``.
    moves
        From the centre to the points that may take the place of others, ``(N, d)``; halved until
        the function is finite, ten times at most.
    value
        The function, ``(N, d) -> (N,)``.
    """
    found = points.copy()
    for shrunk in 0.5 ** np.arange(10):
        inside = np.asarray(np.isfinite(found).all(axis=1))
        with np.errstate(all="ignore"):
            inside[inside] = np.isfinite(value(found[inside]))
        if inside.all():
            break
        found[~inside] = (centre + shrunk * moves)[~inside]
    return found
