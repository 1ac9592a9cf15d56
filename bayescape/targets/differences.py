"""Derivatives by central differences of fourth order, for densities that come without their own.

With a step ``h`` the truncation is of order ``h^4`` and the rounding that of the values divided by
``h`` for a first and by ``h^2`` for a second derivative, which makes a fifth and a sixth root of
the machine's precision the best steps, in units of the length over which the function varies.
Around 12 and 10 digits of the function's own size are left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FIRST_STEP",
    "SECOND_STEP",
    "gradient_by_values",
    "hessian_by_gradients",
    "hessian_by_values",
    "lengths_of_variation",
]

Array = NDArray[np.float64]

EPSILON = float(np.finfo(float).eps)
FIRST_STEP = EPSILON ** (1 / 5)
SECOND_STEP = EPSILON ** (1 / 6)
TRIED = 4.0 ** -np.arange(1, 7)  # shares of a given length that are compared


def gradient_by_values(values: Callable[[Array], Array], theta: Array, steps: Array) -> Array:
    """First derivatives by ``4 d`` values for each point.

    Parameters
    ----------
    values
        The function, ``(N, d) -> (N, ...)``.
    theta
        Points, shape ``(B, d)``.
    steps
        By coordinate, shape ``(d,)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(B, ..., d)``: the derivatives' axis is last.
    """
    multiples = np.array([-2.0, -1.0, 1.0, 2.0])
    found = _at(values, theta, (multiples[:, None, None] * np.diag(steps)).reshape(-1, len(steps)))
    found = found.reshape(len(theta), 4, len(steps), *found.shape[2:])
    slopes = (8 * (found[:, 2] - found[:, 1]) - (found[:, 3] - found[:, 0])) / 12
    return np.moveaxis(slopes, 1, -1) / steps


def hessian_by_gradients(gradients: Callable[[Array], Array], theta: Array, steps: Array) -> Array:
    """Second derivatives by ``4 d`` gradients for each point, symmetric, ``(B, d, d)``.

    Parameters
    ----------
    gradients
        The gradient, ``(N, d) -> (N, d)``.
    theta, steps
        As for `gradient_by_values`.
    """
    hessians = gradient_by_values(gradients, theta, steps)
    return 0.5 * (hessians + np.swapaxes(hessians, 1, 2))


def hessian_by_values(values: Callable[[Array], Array], theta: Array, steps: Array) -> Array:
    """Second derivatives by ``2 d (d + 1) + 1`` values for each point, ``(B, d, d)``.

    Differences along the coordinates and along the sums of two of them, with one step and with
    twice it, from which Richardson's extrapolation takes the error of second order.

    Parameters
    ----------
    values, theta, steps
        As for `gradient_by_values`, the function scalar.
    """
    d = len(steps)
    rows, columns = np.triu_indices(d)
    eye = np.eye(d)
    along = np.where((rows == columns)[:, None], eye[rows], eye[rows] + eye[columns]) * steps
    moves = np.concatenate([np.zeros((1, d)), along, -along, 2 * along, -2 * along])
    found = _at(values, theta, moves)
    centre = found[:, :1]
    one, minus_one, two, minus_two = np.split(found[:, 1:], 4, axis=1)
    near, far = one + minus_one - 2 * centre, two + minus_two - 2 * centre
    bends = (16 * near - far) / 12  # second derivatives along the moves, steps included
    hessians = np.empty((len(theta), d, d))
    hessians[:, rows, columns] = bends
    pure = hessians[:, np.arange(d), np.arange(d)].copy()
    mixed = 0.5 * (bends - pure[:, rows] - pure[:, columns])
    mixed = np.where(rows == columns, bends, mixed)
    hessians[:, rows, columns] = hessians[:, columns, rows] = mixed
    return hessians / (steps[:, None] * steps)


def lengths_of_variation(values: Callable[[Array], Array], theta: Array, spread: Array) -> Array:
    """How far along each coordinate a function goes before it changes its course, ``(d,)``.

    Of the spread, its quarter, its sixteenth and so on: the longest for which the derivative at
    ``FIRST_STEP`` of it changes no more than a few times as much as it must by rounding when the
    step is divided by four, or else that for which it changes least.

    Parameters
    ----------
    values
        The function, ``(N, d) -> (N, ...)``; 28 values are asked for by coordinate and point.
    theta
        Points to look from, shape ``(B, d)``.
    spread
        Lengths to begin with, shape ``(d,)``.
    """
    shares = np.concatenate([[1.0], TRIED])
    slopes = np.stack([gradient_by_values(values, theta, FIRST_STEP * s * spread) for s in shares])
    size = np.maximum(np.abs(values(theta))[..., None], 1.0)
    rounding = EPSILON * size / (FIRST_STEP * spread)
    with np.errstate(invalid="ignore"):
        change = np.abs(np.diff(slopes, axis=0)) / rounding
    change = np.where(np.isfinite(change), change, np.inf).reshape(len(TRIED), -1, len(spread))
    worst = change.max(axis=1, initial=0.0) * TRIED[:, None]  # by share and coordinate
    good = worst < 20
    first = np.where(good.any(axis=0), good.argmax(axis=0), worst.argmin(axis=0))
    return np.asarray(shares[first] * spread)


def _at(values: Callable[[Array], Array], theta: Array, moves: Array) -> Array:
    """The function at all points moved by all moves, ``(B, M, ...)``."""
    points = theta[:, None, :] + moves
    found = values(points.reshape(-1, theta.shape[1]))
    return found.reshape(len(theta), len(moves), *found.shape[1:])
