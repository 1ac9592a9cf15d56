"""Stationary points followed along a parameter, many in lockstep, as far as they go without folds.

Away from folds a stationary point is a smooth function of the parameter. A predictor along its
tangent, bent as its last step was, and Newton's method with a Hessian that is extrapolated from the
last ones are a good guess each, so that a step costs one Hessian and a few gradients.

E. L. Allgower, K. Georg, *Introduction to Numerical Continuation Methods*, SIAM (2003), chapter 2.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bayescape.landscape.family import Family

__all__ = ["Points", "advance", "correct", "foreseen", "index_of", "passes_zero", "solve"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ITERATIONS = 12  # of Newton's method
SLOW = 0.2  # share of the last step beyond which the next one takes a new Hessian
GUESSED = 0.1  # the same, foretold of a Hessian that is a guess
SETTLED = 1e-6  # last step: what is left is its square
SHRINKS = 0.5  # how much shorter each step of Newton's method must be than the last
TRUSTED = 0.3  # share of the predicted step by which it may be corrected
CLOSE = 1e-3  # correction that is always small enough
HALVINGS = 2  # of an interval, before a curve is followed by its length
FORESEEN = 0.1  # relative error of eigenvalues that were foretold
TELLABLE = 0.02  # step within which two folds are not told from none
BENT = 0.02  # by how much the tangents' mean may differ from the chord


@dataclasses.dataclass(frozen=True, slots=True)
class Points:
    """Stationary points at one value of the parameter.

    Attributes
    ----------
    x, hessians
        Shapes ``(B, d)`` and ``(B, d, d)`` in the family's units, NaN for points not known.
    parameter
        Where.
    """

    x: Array
    hessians: Array
    parameter: float

    def of(self, rows: NDArray[np.intp]) -> Points:
        """Some of them."""
        return Points(self.x[rows], self.hessians[rows], self.parameter)


def correct(
    family: Family, x: Array, p: float, guess: Array | None = None
) -> tuple[Array, Array, Mask]:
    """Newton's method at a fixed parameter, from many points at once.

    A Hessian costs as much as many gradients, so one serves for several steps while these shrink
    fast; the last step always has a Hessian of its own.

    Parameters
    ----------
    family, x, p
        Points ``(B, d)`` in the family's units, and the parameter.
    guess
        Hessians to begin with, ``(B, d, d)``; NaN for those that there is none of.

    Returns
    -------
    tuple of numpy.ndarray
        Points ``(B, d)``, the Hessians there ``(B, d, d)``, and which have converged ``(B,)``.
    """
    x, d = np.array(x, dtype=float), x.shape[1]
    hessians = np.full((len(x), d, d), np.nan) if guess is None else guess.copy()
    own = np.asarray(
        ~np.isfinite(hessians).all(axis=(1, 2))
    )  # whose next step is to have a Hessian of its own
    last, done = np.full(len(x), np.inf), np.zeros(len(x), bool)
    rows = np.arange(len(x))
    for _ in range(ITERATIONS):
        if not len(rows):
            break
        gradient, new = family.gradient(x[rows], p), rows[own[rows]]
        if len(new):
            hessians[new] = family.hessian(x[new], p)
        step = -solve(hessians[rows], gradient)
        size = np.linalg.norm(step, axis=1)
        # Below what counts as settled rounding decides whether a step is shorter.
        good = np.isfinite(size) & ((size < SHRINKS * last[rows]) | (size < SETTLED))
        again = ~good & ~own[rows]  # not the Hessian of this point: with that it may be
        x[rows[good]] += step[good]
        done[rows[good & own[rows] & (size < SETTLED)]] = True
        # How much shorter the next step will be: Newton's squares it, another's shrinks as before.
        with np.errstate(invalid="ignore"):
            shrunk = np.where(np.isfinite(last[rows]), size / last[rows], GUESSED)
            slow = shrunk > SLOW
            soon = size * np.where(own[rows], size, shrunk) < SETTLED
        last[rows[good]] = size[good]
        last[rows[~own[rows] & (again | slow)]] = np.inf  # with another Hessian it is a new start
        own[rows] = again | soon | slow
        rows = rows[(good | again) & ~done[rows]]
    return x, hessians, done


def index_of(hessians: Array) -> NDArray[np.int_]:
    """Number of negative eigenvalues, ``(B, d, d) -> (B,)``; -1 where there is no Hessian."""
    known = np.all(np.isfinite(hessians), axis=(1, 2))
    values = np.linalg.eigvalsh(np.where(known[:, None, None], hessians, 0.0))
    return np.where(known, (values < 0).sum(axis=1), -1)


def advance(
    family: Family,
    here: Points,
    end: float,
    before: Points | None = None,
    halvings: int = HALVINGS,
) -> tuple[Array, Array, Array, Mask]:
    """Follow many points from one value of the parameter to another, in lockstep.

    Those for which one step is too long take two, and so on. A step counts only if Newton's method
    converges at once to a point near the predicted one, with the same index and a slope that fits,
    and if no eigenvalue of the Hessian has another sign in the middle of a long step.

    Parameters
    ----------
    family
        The targets.
    here
        The points to follow.
    end
        Where to follow them to.
    before
        Where the same points, or some of them, were one step earlier.
    halvings
        How often a step may be halved.

    Returns
    -------
    tuple of numpy.ndarray
        For every point where it was followed to, ``(B, d)``, its Hessian there, the parameter
        there ``(B,)``, and whether that is ``end``.
    """
    x, hessians, p = here.x.copy(), here.hessians.copy(), here.parameter
    reached = np.full(len(x), float(p))
    if not len(x):
        return x, hessians, reached, np.zeros(0, dtype=bool)
    step = -solve(hessians, family.gradient_slope(x, p, np.zeros_like(x))) * (end - p)
    bent, guess = step, hessians
    if before is not None:
        share = (end - p) / (p - before.parameter)
        bend = share * (share * (before.x - x) + step)
        with np.errstate(invalid="ignore"):
            known = np.linalg.norm(bend, axis=1) < np.linalg.norm(step, axis=1)
        bent = np.where(known[:, None], step + bend, step)
        more = share * (hessians - before.hessians)
        guess = np.where(known[:, None, None], hessians + more, hessians)
    start = x + np.where(np.isfinite(bent), bent, 0.0)
    ahead, there, good = correct(family, start, end, guess)
    back = np.full_like(x, np.nan)
    back[good] = -solve(
        there[good], family.gradient_slope(ahead[good], end, np.zeros_like(ahead[good]))
    ) * (end - p)
    moved = ahead - x
    size = np.linalg.norm(moved, axis=1)
    with np.errstate(invalid="ignore"):
        good &= np.linalg.norm(moved - bent, axis=1) < np.maximum(TRUSTED * size, CLOSE)
        # Where the mean of both slopes is not what was made of it, more lies between.
        wrong = np.linalg.norm(moved - 0.5 * (step + back), axis=1)
        good &= wrong < np.maximum(BENT * size, 0.1 * CLOSE)
    good &= index_of(there) == index_of(hessians)
    sure = np.flatnonzero(good & (size > TELLABLE) & ~foreseen(guess, there))
    halfway = 0.5 * (x + ahead) + 0.125 * (step - back)  # of the cubic with both slopes
    between = family.hessian(halfway[sure], 0.5 * (p + end)) if len(sure) else hessians[sure]
    good[sure] = ~passes_zero(hessians[sure], between, there[sure])
    x[good], hessians[good], reached[good] = ahead[good], there[good], end
    rows = np.flatnonzero(~good)
    if halvings and len(rows):
        middle, begun = 0.5 * (p + end), here.of(rows)
        earlier = None if before is None else before.of(rows)
        x[rows], hessians[rows], reached[rows], half = advance(
            family, begun, middle, earlier, halvings - 1
        )
        rows, begun = rows[half], begun.of(np.flatnonzero(half))
        halfway_there = Points(x[rows], hessians[rows], middle)
        x[rows], hessians[rows], reached[rows], good[rows] = advance(
            family, halfway_there, end, begun, halvings - 1
        )
    return x, hessians, reached, good


def foreseen(guess: Array, hessians: Array) -> Mask:
    """Whether all eigenvalues are what the steps before foretold, ``(B,)``: nothing is between."""
    known = np.asarray(np.isfinite(hessians + guess).all(axis=(1, 2)))
    told, made = (
        np.linalg.eigvalsh(np.where(known[:, None, None], h, 0)) for h in (guess, hessians)
    )
    return np.asarray(known & (np.abs(told - made) < FORESEEN * np.abs(made)).all(axis=1))


def passes_zero(before: Array, between: Array, after: Array) -> Mask:
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


def solve(matrices: Array, right: Array) -> Array:
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
