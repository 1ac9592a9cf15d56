"""One curve of stationary points followed by its length, around its folds.

At a fold a stationary point is no function of the parameter any more, but the curve of them is as
smooth there as elsewhere: it only turns back. So it is followed by pseudo-arclength, in steps that
grow and shrink, and where it turned between two of them the fold is solved for.

H. B. Keller, in *Applications of Bifurcation Theory*, Academic Press (1977), 359; E. L. Allgower,
K. Georg, *Introduction to Numerical Continuation Methods*, SIAM (2003), chapter 6.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bayescape.landscape.advance import (
    BENT,
    CLOSE,
    GUESSED,
    ITERATIONS,
    SETTLED,
    SHRINKS,
    SLOW,
    TELLABLE,
    TRUSTED,
    correct,
    foreseen,
    index_of,
    passes_zero,
    solve,
)
from bayescape.landscape.family import Family
from bayescape.landscape.folds import AT_END, Fold, solve_fold

__all__ = ["Trace", "trace"]

Array = NDArray[np.float64]

# Steps along a curve, in units of the coordinates and shares of the parameter's range.
FIRST, LONGEST, SHORTEST = 0.02, 0.3, 1e-8
GROWTH = 2.0  # of a step beside the last one, at most
OFF = 0.03  # share of a step that its prediction may be off by
STEEP = 1e-3  # slope of a curve against the parameter, below which a fold may be at hand
NO_FOLD = 1e-4  # a turn within that without a change of index is not two folds either
STRAIGHT = 0.95  # cosine of the largest angle between tangents one step apart
STEPS = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """A curve followed by its length between two values of the parameter.

    Attributes
    ----------
    folds
        Those passed on the way, in order.
    indices
        Hessian index on every stretch between them, one more than there are folds.
    x, hessian, parameter
        The point where the curve leaves the interval, ``(d,)`` and ``(d, d)``, and that end of the
        interval; or the last point known.
    stopped
        Empty if the curve was followed to an end of the interval, or why not.
    """

    folds: tuple[Fold, ...]
    indices: tuple[int, ...]
    x: Array
    hessian: Array
    parameter: float
    stopped: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Point:
    """A point of a curve: where, the Hessian, the gradient's slope, the tangent ``(d + 1,)``."""

    x: Array
    p: float
    hessian: Array
    slope: Array
    tangent: Array

    @property
    def index(self) -> int:
        return int(index_of(self.hessian[None])[0])


def trace(family: Family, x: Array, p: float, ends: tuple[float, float]) -> Trace:
    """Follow one curve by its length until it leaves an interval of the parameter.

    Parameters
    ----------
    family
        The targets.
    x, p
        A stationary point ``(d,)`` and its parameter, within the interval.
    ends
        The interval's ends; the curve is followed from the first towards the second, and may come
        back to either.
    """
    low, high = sorted(ends)
    heading = np.append(np.zeros(len(x)), np.sign(ends[1] - ends[0]))
    hessian = family.hessian(x[None], p)[0]
    begun = _point(family, x, p, hessian, heading)
    indices = [int(index_of(hessian[None])[0])]
    folds: list[Fold] = []
    length, beyond = FIRST, AT_END * family.range
    if begun is None:
        stopped = "the Hessian is singular where it should not be"
        return Trace((), tuple(indices), x, hessian, p, stopped)
    here, guess, turn = begun, begun.hessian, np.zeros(len(x) + 1)

    def ended(stopped: str) -> Trace:
        return Trace(tuple(folds), tuple(indices), here.x, here.hessian, here.p, stopped)

    for _ in range(STEPS):
        if length < SHORTEST:
            return ended("it could not be followed any further")
        new = _step(family, here, (guess, turn), length, (low, high))
        if new is None:
            length, guess = length / 2, 0.5 * (guess + here.hessian)
            continue
        turns = new.tangent[-1] * here.tangent[-1] < 0
        # A fold may lie past the end that the curve heads for by a rounding error; past the other
        # end, which it would leave by after turning, the step has gone too far.
        back = high if here.tangent[-1] < 0 else low
        if not low <= new.p <= high and not (turns and (new.p - back) * here.tangent[-1] >= 0):
            length /= 2
            continue
        if turns:
            if abs(new.index - indices[-1]) != 1:
                if length < NO_FOLD:
                    return ended("it turns back without a change of index: a bifurcation, no fold")
                length /= 2
                continue
            fold = _fold_between(family, here, new)
            # The curve comes from the side where it has points; or it is another one's.
            if (
                fold is None
                or fold.side * here.tangent[-1] > 0
                or not low - beyond <= fold.parameter <= high + beyond
            ):
                length /= 2
                continue
            folds.append(fold)
            indices.append(new.index)
        elif length > TELLABLE and _folds_twice(family, here, new, guess):
            length /= 2
            continue
        made, length = _lengths(family, here, new, turn)
        guess = new.hessian + length / made * (new.hessian - here.hessian)
        here, turn = new, (new.tangent - here.tangent) / made
        if here.p in (low, high):
            if here.index != indices[-1]:
                return ended("its index changes where it does not turn: a bifurcation, not a fold")
            return ended("")
    return ended(f"it went on for {STEPS} steps")


def _lengths(family: Family, here: _Point, new: _Point, turn: Array) -> tuple[float, float]:
    """How long a step was, and how long the next one is to be.

    What is between chord and tangents, and how far off the prediction was beside the step's length,
    grow with the square of that.
    """
    chord = _chord(family, here, new)
    made = float(np.linalg.norm(chord))
    off = float(np.linalg.norm(chord - made * (here.tangent + 0.5 * made * turn))) / made
    excess = max(_bend(family, here, new) / BENT, off / OFF, 1e-300)
    return made, min(float(np.clip(np.sqrt(0.5 / excess), 0.5, GROWTH)) * made, LONGEST)


def _step(
    family: Family,
    here: _Point,
    guesses: tuple[Array, Array],
    length: float,
    ends: tuple[float, float],
) -> _Point | None:
    """One step along a curve; ``None`` if it is too long.

    It begins with guesses of the Hessian there, and of how the tangent turns by length.
    """
    along, (guess, turn) = here.tangent, guesses
    step = length * (along + 0.5 * length * turn)
    ahead, q = here.x + step[:-1], here.p + float(step[-1]) * family.range
    end = ends[1] if along[-1] > 0 else ends[0]
    new = None
    if (q - end) * along[-1] > 0:  # try to step onto the end of the interval instead
        place = here.x + (end - here.p) / (q - here.p) * (ahead - here.x)
        corrected, hessians, good = correct(family, place[None], end, guess[None])
        moved = np.linalg.norm(corrected[0] - here.x)
        if good[0] and np.linalg.norm(corrected[0] - place) < max(TRUSTED * float(moved), CLOSE):
            new = _point(family, corrected[0], end, hessians[0], along)
            new = None if new is None or _at_fold(family, new) else new
    if new is None:  # there may be a fold before the end, or at it
        new = _across(family, ahead, q, along, guess, here.slope)
    if new is None or new.tangent @ along < STRAIGHT:
        return None
    return new if _bend(family, here, new) < BENT else None


def _chord(family: Family, here: _Point, new: _Point) -> Array:
    return np.append(new.x - here.x, (new.p - here.p) / family.range)


def _bend(family: Family, here: _Point, new: _Point) -> float:
    """How far a piece of a curve is from an arc, whose chord makes half the angle with either end.

    Where it is far from one, more lies between.
    """
    chord = _chord(family, here, new)
    chord /= max(float(np.linalg.norm(chord)), 1e-300)
    return float(np.linalg.norm(here.tangent + new.tangent - 2 * chord))


def _at_fold(family: Family, point: _Point) -> bool:
    """Whether a point is at a fold but for rounding: none to end at, for the curve turns there."""
    if abs(point.tangent[-1]) > STEEP:
        return False
    fold = solve_fold(family, point.x, point.p, point.tangent[:-1])
    return fold is not None and abs(fold.parameter - point.p) <= AT_END * family.range


def _fold_between(family: Family, here: _Point, new: _Point) -> Fold | None:
    """The fold between two points of a curve that turns there."""
    share = here.tangent[-1] / (here.tangent[-1] - new.tangent[-1])
    v = (here.tangent + share * (new.tangent - here.tangent))[:-1]
    chord = new.x - here.x
    fold = solve_fold(family, here.x + share * chord, here.p + share * (new.p - here.p), v)
    if fold is None:
        return None
    # Near the line between the two, or it is another one; at one of them, but for rounding.
    away = fold.theta / family.unit - here.x
    along = float(away @ chord) / max(float(chord @ chord), 1e-300)
    aside = np.linalg.norm(away - along * chord)
    near = -0.05 <= along <= 1.05 and aside <= np.linalg.norm(chord)
    return fold if near else None


def _folds_twice(family: Family, here: _Point, new: _Point, guess: Array) -> bool:
    """Whether a curve turns and turns back within one step, which its ends do not show."""
    if here.index != new.index or foreseen(guess[None], new.hessian[None])[0]:
        return False
    chord = _chord(family, here, new)
    apart = 0.125 * np.linalg.norm(chord) * (here.tangent - new.tangent)
    middle = 0.5 * (here.x + new.x) + apart[:-1]
    p = 0.5 * (here.p + new.p) + float(apart[-1]) * family.range
    if family.within(p) != p:
        return False
    between = family.hessian(middle[None], p)
    return bool(passes_zero(here.hessian[None], between, new.hessian[None])[0])


def _across(
    family: Family, x: Array, p: float, tangent: Array, hessian: Array, slope: Array
) -> _Point | None:
    """Newton's method in the plane across a curve, held to the family's range.

    As in `correct`, guesses of Hessian and slope serve until the last step, which has its own.
    """
    last, begun, own = np.inf, np.append(x, p / family.range), False
    p = family.within(p)
    for _ in range(ITERATIONS):
        gradient = family.gradient(x[None], p)[0]
        if own:
            hessian = family.hessian(x[None], p)[0]
            slope = family.gradient_slope(x[None], p, gradient[None])[0] * family.range
        away = tangent @ (np.append(x, p / family.range) - begun)
        step = -_bordered(hessian, slope, tangent, np.append(gradient, away))
        size = float(np.linalg.norm(step))
        if not (np.isfinite(size) and (size < SHRINKS * last or size < SETTLED)):
            if own:
                return None
            own, last = True, np.inf
            continue
        settled, q = own and size < SETTLED, p + float(step[-1]) * family.range
        shrunk = size if own else size / last if np.isfinite(last) else GUESSED
        slow = size > SLOW * last
        x, p, last = x + step[:-1], family.within(q), np.inf if slow and not own else size
        own = size * shrunk < SETTLED or slow
        if settled:
            return None if p != q else _with_tangent(x, p, hessian, slope, tangent)
    return None


def _point(family: Family, x: Array, p: float, hessian: Array, along: Array) -> _Point | None:
    """A point of a curve whose tangent is in the sense of ``along``; ``None`` if it has none."""
    slope = family.gradient_slope(x[None], p, np.zeros((1, len(x))))[0] * family.range
    return _with_tangent(x, p, hessian, slope, along)


def _with_tangent(x: Array, p: float, hessian: Array, slope: Array, along: Array) -> _Point | None:
    tangent = _bordered(hessian, slope, along, np.append(np.zeros(len(x)), 1.0))
    length = float(np.linalg.norm(tangent))
    return _Point(x, p, hessian, slope, tangent / length) if np.isfinite(length) else None


def _bordered(hessian: Array, slope: Array, row: Array, right: Array) -> Array:
    """Solve ``[[H, slope], [row]] z = right``; NaN where that is singular."""
    matrix = np.vstack([np.column_stack([hessian, slope]), row])
    return solve(matrix[None], right[None])[0]
