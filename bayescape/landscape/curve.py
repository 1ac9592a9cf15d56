"""Curves of stationary points along a parameter: many in lockstep, or one around its folds.

Away from folds a stationary point is a smooth function of the parameter, and a predictor along its
tangent with Newton's method as the corrector follows many points at once (`advance`). Where that
fails, the one curve is followed by its own length (`trace`), for at a fold it only turns back.

E. L. Allgower, K. Georg, *Introduction to Numerical Continuation Methods*, SIAM (2003), chapters 2
and 6; H. B. Keller, in *Applications of Bifurcation Theory*, Academic Press (1977), 359.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bayescape.landscape.family import Family
from bayescape.landscape.folds import AT_END, Fold, solve_fold

__all__ = ["Trace", "advance", "correct", "index_of", "trace"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ITERATIONS = 12  # of Newton's method
SLOW = 0.2  # share of the last step beyond which the next one takes a new Hessian
SETTLED = 1e-7  # last step: what is left is its square
SHRINKS = 0.5  # how much shorter each step of Newton's method must be than the last
TRUSTED = 0.3  # share of the predicted step by which it may be corrected
CLOSE = 1e-3  # correction that is always small enough
HALVINGS = 3  # of a grid interval, before a curve is followed by its length
# Steps along a curve, in units of the coordinates and shares of the parameter's range.
FIRST, LONGEST, SHORTEST = 0.01, 0.2, 1e-8
STEEP = 1e-3  # slope of a curve against the parameter, below which a fold may be that near
TELLABLE = 0.02  # step within which two folds are not told from none
NO_FOLD = 1e-4  # a turn within that without a change of index is not two folds either
STRAIGHT = 0.95  # cosine of the largest angle between tangents one step apart
BENT = 0.02  # by how much the tangents' mean may differ from the chord
STEPS = 500


def correct(family: Family, x: Array, p: float) -> tuple[Array, Array, Mask]:
    """Newton's method at a fixed parameter, from many points at once.

    A Hessian costs as much as many gradients, so one serves for several steps while these shrink
    fast; the last step always has a Hessian of its own.

    Parameters
    ----------
    family, x, p
        Points ``(B, d)`` in the family's units, and the parameter.

    Returns
    -------
    tuple of numpy.ndarray
        Points ``(B, d)``, the Hessians there ``(B, d, d)``, and which have converged ``(B,)``.
    """
    x = np.array(x, dtype=float)
    hessians = np.full((*x.shape, x.shape[1]), np.nan)
    last, done, fresh = np.full(len(x), np.inf), np.zeros(len(x), bool), np.ones(len(x), bool)
    rows = np.arange(len(x))
    for _ in range(ITERATIONS):
        if not len(rows):
            break
        gradient, new = family.gradient(x[rows], p), rows[fresh[rows]]
        if len(new):
            hessians[new] = family.hessian(x[new], p)
        step = -_solve(hessians[rows], gradient)
        size = np.linalg.norm(step, axis=1)
        # Below what counts as settled rounding decides whether a step is shorter.
        good = np.isfinite(size) & ((size < SHRINKS * last[rows]) | (size < SETTLED))
        rows, step, size = rows[good], step[good], size[good]
        x[rows] += step
        done[rows[fresh[rows] & (size < SETTLED)]] = True
        # A Hessian serves for further steps while they shrink fast, and is new for the last one.
        shrunk = np.where(fresh[rows], size, size / last[rows])
        fresh[rows] = (size * shrunk < SETTLED) | (size > SLOW * last[rows])
        last[rows] = size
        rows = rows[~done[rows]]
    return x, hessians, done


def index_of(hessians: Array) -> NDArray[np.int_]:
    """Number of negative eigenvalues, ``(B, d, d) -> (B,)``; -1 where there is no Hessian."""
    known = np.all(np.isfinite(hessians), axis=(1, 2))
    values = np.linalg.eigvalsh(np.where(known[:, None, None], hessians, 0.0))
    return np.where(known, (values < 0).sum(axis=1), -1)


def advance(
    family: Family, x: Array, hessians: Array, p: float, end: float, halvings: int = HALVINGS
) -> tuple[Array, Array, Array, Mask]:
    """Follow many points from one value of the parameter to another, in lockstep.

    Those for which one step is too long take two, and so on. A step counts only if Newton's method
    converges at once to a point near the predicted one, with the same index and a slope that fits,
    and if no eigenvalue of the Hessian has another sign in the middle of a long step.

    Parameters
    ----------
    family
        The targets.
    x, hessians, p
        Stationary points at the parameter ``p``: ``(B, d)`` and ``(B, d, d)``.
    end
        Where to follow them to.
    halvings
        How often a step may be halved.

    Returns
    -------
    tuple of numpy.ndarray
        For every point where it was followed to, ``(B, d)``, its Hessian there, the parameter
        there ``(B,)``, and whether that is ``end``.
    """
    x, hessians = x.copy(), hessians.copy()
    reached = np.full(len(x), float(p))
    if not len(x):
        return x, hessians, reached, np.zeros(0, dtype=bool)
    step = -_solve(hessians, family.gradient_slope(x, p)) * (end - p)
    ahead, there, good = correct(family, x + np.where(np.isfinite(step), step, 0.0), end)
    back = -_solve(there, family.gradient_slope(ahead, end)) * (end - p)
    moved = ahead - x
    size = np.linalg.norm(moved, axis=1)
    with np.errstate(invalid="ignore"):
        good &= np.linalg.norm(moved - step, axis=1) < np.maximum(TRUSTED * size, CLOSE)
        # Where the mean of both slopes is not what was made of it, more lies between.
        wrong = np.linalg.norm(moved - 0.5 * (step + back), axis=1)
        good &= wrong < np.maximum(BENT * size, 0.1 * CLOSE)
    good &= index_of(there) == index_of(hessians)
    sure = np.flatnonzero(good & (size > TELLABLE))
    halfway = 0.5 * (x + ahead) + 0.125 * (step - back)  # of the cubic with both slopes
    between = family.hessian(halfway[sure], 0.5 * (p + end)) if len(sure) else hessians[sure]
    good[sure] = ~_passes_zero(hessians[sure], between, there[sure])
    x[good], hessians[good], reached[good] = ahead[good], there[good], end
    rows = np.flatnonzero(~good)
    if halvings and len(rows):
        middle = 0.5 * (p + end)
        x[rows], hessians[rows], reached[rows], half = advance(
            family, x[rows], hessians[rows], p, middle, halvings - 1
        )
        rows = rows[half]
        x[rows], hessians[rows], reached[rows], good[rows] = advance(
            family, x[rows], hessians[rows], middle, end, halvings - 1
        )
    return x, hessians, reached, good


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
    tangent = _tangent(family, x, p, hessian, heading)
    indices = [int(index_of(hessian[None])[0])]
    folds: list[Fold] = []
    length, beyond = FIRST, AT_END * family.range

    def ended(stopped: str) -> Trace:
        return Trace(tuple(folds), tuple(indices), x, hessian, p, stopped)

    if tangent is None:
        return ended("the Hessian is singular where it should not be")
    for _ in range(STEPS):
        if length < SHORTEST:
            return ended("it could not be followed any further")
        found = _step(family, x, p, tangent, length, (low, high))
        if found is None:
            length /= 2
            continue
        new_x, new_p, new_hessian, new_tangent = found
        turns = new_tangent[-1] * tangent[-1] < 0
        # A fold may lie past the end that the curve heads for by a rounding error; past the other
        # end, which it would leave by after turning, the step has gone too far.
        back = high if tangent[-1] < 0 else low
        if not low <= new_p <= high and not (turns and (new_p - back) * tangent[-1] >= 0):
            length /= 2
            continue
        if turns:
            if abs(index_of(new_hessian[None])[0] - indices[-1]) != 1:
                if length < NO_FOLD:
                    return ended("it turns back without a change of index: a bifurcation, no fold")
                length /= 2
                continue
            share = tangent[-1] / (tangent[-1] - new_tangent[-1])
            v = (tangent + share * (new_tangent - tangent))[:-1]
            fold = solve_fold(family, x + share * (new_x - x), p + share * (new_p - p), v)
            # It lies between, and the curve comes from the side where it has points; or it is
            # another one.
            if (
                fold is None
                or fold.side * tangent[-1] > 0
                or not low - beyond <= fold.parameter <= high + beyond
                or not _between(fold.theta / family.unit, x, new_x)
            ):
                length /= 2
                continue
            folds.append(fold)
            indices.append(int(index_of(new_hessian[None])[0]))
        elif length > TELLABLE and _folds_twice(
            family, (x, p, hessian, tangent), (new_x, new_p, new_hessian, new_tangent)
        ):
            length /= 2
            continue
        x, p, hessian, tangent = new_x, new_p, new_hessian, new_tangent
        if p in (low, high):
            if index_of(hessian[None])[0] != indices[-1]:
                return ended("its index changes where it does not turn: a bifurcation, not a fold")
            return ended("")
        length = min(1.5 * length, LONGEST)
    return ended(f"it went on for {STEPS} steps")


def _step(
    family: Family, x: Array, p: float, tangent: Array, length: float, ends: tuple[float, float]
) -> tuple[Array, float, Array, Array] | None:
    """One step along a curve: point, parameter, Hessian, tangent; ``None`` if it is too long."""
    ahead, q = x + length * tangent[:-1], p + length * float(tangent[-1]) * family.range
    end = ends[1] if tangent[-1] > 0 else ends[0]
    found = None
    if (q - end) * tangent[-1] > 0:  # try to step onto the end of the interval instead
        place = x + (end - p) / (q - p) * (ahead - x)
        corrected, hessians, good = correct(family, place[None], end)
        moved = np.linalg.norm(corrected[0] - x)
        near = np.linalg.norm(corrected[0] - place) < max(TRUSTED * float(moved), CLOSE)
        if good[0] and near and not _at_fold(family, corrected[0], end, hessians[0], tangent):
            found = corrected[0], end, hessians[0]
    if found is None:  # there may be a fold before the end, or at it
        found = _correct_across(family, ahead, q, tangent)
    if found is None:
        return None
    new_x, q, hessian = found
    new_tangent = _tangent(family, new_x, q, hessian, tangent)
    chord = np.append(new_x - x, (q - p) / family.range)
    chord /= max(float(np.linalg.norm(chord)), 1e-300)
    if new_tangent is None or new_tangent @ tangent < STRAIGHT:
        return None
    # An arc's chord makes half the angle with either end; where it does not, more lies between.
    if np.linalg.norm(tangent + new_tangent - 2 * chord) > BENT:
        return None
    return new_x, q, hessian, new_tangent


def _at_fold(family: Family, x: Array, p: float, hessian: Array, along: Array) -> bool:
    """Whether a point is at a fold but for rounding: none to end at, for the curve turns there."""
    tangent = _tangent(family, x, p, hessian, along)
    if tangent is not None and abs(tangent[-1]) > STEEP:
        return False
    v = np.linalg.eigh(hessian)[1][:, np.abs(np.linalg.eigvalsh(hessian)).argmin()]
    fold = solve_fold(family, x, p, v)
    return fold is not None and abs(fold.parameter - p) <= AT_END * family.range


def _folds_twice(
    family: Family,
    here: tuple[Array, float, Array, Array],
    there: tuple[Array, float, Array, Array],
) -> bool:
    """Whether a curve turns and turns back within one step, which its ends do not show."""
    (x, p, hessian, tangent), (y, q, other, end) = here, there
    if index_of(hessian[None])[0] != index_of(other[None])[0]:
        return False
    chord = np.append(y - x, (q - p) / family.range)
    apart = 0.125 * np.linalg.norm(chord) * (tangent - end)
    middle, r = 0.5 * (x + y) + apart[:-1], 0.5 * (p + q) + float(apart[-1]) * family.range
    if not family.low <= r <= family.high:
        return False
    between = family.hessian(middle[None], r)
    return bool(_passes_zero(hessian[None], between, other[None])[0])


def _passes_zero(before: Array, between: Array, after: Array) -> Mask:
    """Whether an eigenvalue has another sign within a step than at both of its ends, ``(B,)``.

    That is read from the parabola through it at the ends and at the middle.
    """
    if not len(before):
        return np.zeros(0, dtype=bool)
    known = np.all(np.isfinite(between), axis=(1, 2))
    a, c = np.linalg.eigvalsh(before), np.linalg.eigvalsh(after)
    b = np.linalg.eigvalsh(np.where(known[:, None, None], between, 0.0))
    bend, slope = 2 * (a + c - 2 * b), c - a  # of the parabola over -1/2 to 1/2
    with np.errstate(divide="ignore", invalid="ignore"):
        place = -slope / (2 * bend)
        extreme = np.where(np.abs(place) < 0.5, b - slope**2 / (4 * bend), b)
    ends = np.sign(a) * np.minimum(np.abs(a), np.abs(c))
    return ~known | (((extreme * a <= 0) | (b * a <= 0)) & (ends * c > 0)).any(axis=1)


def _between(fold: Array, x: Array, y: Array) -> bool:
    """Whether a fold is near the line from one point to another: if not, it is another one."""
    along = y - x
    share = float((fold - x) @ along) / max(float(along @ along), 1e-300)
    aside = np.linalg.norm(fold - x - share * along)
    # It may be at one of the points, but for rounding.
    return -0.05 <= share <= 1.05 and bool(aside <= np.linalg.norm(along))


def _correct_across(
    family: Family, x: Array, p: float, tangent: Array
) -> tuple[Array, float, Array] | None:
    """Newton's method in the plane across a curve, held to the family's range."""
    last, begun = np.inf, np.append(x, p / family.range)
    p = family.within(p)
    for _ in range(ITERATIONS):
        gradient, hessian = family.gradient(x[None], p)[0], family.hessian(x[None], p)[0]
        slope = family.gradient_slope(x[None], p)[0] * family.range
        away = tangent @ (np.append(x, p / family.range) - begun)
        step = -_bordered(hessian, slope, tangent, np.append(gradient, away))
        size = float(np.linalg.norm(step))
        if not (np.isfinite(size) and (size < SHRINKS * last or size < SETTLED)):
            return None
        x, q, last = x + step[:-1], p + float(step[-1]) * family.range, size
        p = family.within(q)
        if size < SETTLED:
            return (x, p, hessian) if p == q else None
    return None


def _tangent(family: Family, x: Array, p: float, hessian: Array, along: Array) -> Array | None:
    """Unit tangent of the curve at a point, in the sense of ``along``, ``(d + 1,)``."""
    slope = family.gradient_slope(x[None], p)[0] * family.range
    tangent = _bordered(hessian, slope, along, np.append(np.zeros(len(x)), 1.0))
    length = float(np.linalg.norm(tangent))
    return tangent / length if np.isfinite(length) else None


def _bordered(hessian: Array, slope: Array, row: Array, right: Array) -> Array:
    """Solve ``[[H, slope], [row]] z = right``; NaN where that is singular."""
    matrix = np.vstack([np.column_stack([hessian, slope]), row])
    return _solve(matrix[None], right[None])[0]


def _solve(matrices: Array, right: Array) -> Array:
    """Solutions ``(B, d)`` of linear systems, NaN where one is singular or not finite."""
    finite = np.all(np.isfinite(matrices), axis=(1, 2)) & np.all(np.isfinite(right), axis=1)
    known = np.asarray(finite)
    safe = np.where(known[:, None, None], matrices, np.eye(matrices.shape[1]))
    try:
        solutions = np.linalg.solve(safe, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:  # one of them: each by itself
        solutions = np.full_like(right, np.nan)
        for row, (matrix, side) in enumerate(zip(safe, right, strict=True)):
            if np.linalg.matrix_rank(matrix) == len(matrix):
                solutions[row] = np.linalg.solve(matrix, side)
    return np.where(known[:, None], solutions, np.nan)
