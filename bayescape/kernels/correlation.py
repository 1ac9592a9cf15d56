"""Stationary correlations as data, and the compiled loop that evaluates them.

With ``q = sum_i u_i`` and ``u_i = (x_i - x'_i)^2 / l_i^2``, a correlation ``k(q)`` and its slope
``h = -2 dk/dq`` are all that a Gaussian process needs:

``dk / dlog l_i = u_i h`` and
``d2k / dlog l_i dlog l_j = u_i u_j c - 2 [i = j] u_i h``, ``c = 4 d2k/dq2``,

where ``c = 2 (nu k - (nu - 1) h) / q`` for the Matern correlation of any order ``nu`` (from the
recurrence of the Bessel functions) and ``c = k`` for its limit, the Gaussian. Where ``h`` diverges
at ``q = 0`` (``nu`` up to 1) the products still vanish, so it is 0 there.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, polygamma

from bayescape.kernels.exponential import exponential
from bayescape.kernels.matern_table import (
    DEGREE,
    TINY,
    fill,
    index_shift,
    piece_of,
    place_in_piece,
)

__all__ = ["FREE", "GAUSSIAN", "LARGEST_NU", "SMALLEST_NU", "Correlation", "constants_of"]
__all__ += ["correlate", "correlation", "table_for"]

Array = NDArray[np.float64]

GAUSSIAN, HALF_INTEGER, TABLE, FREE = range(4)
SMALLEST_NU, LARGEST_NU = 0.2, 50.0
BLOCK = 512  # distances at a time: what is in between stays in the first-level cache
UNDERFLOW = 709.0  # exp(-s) is zero from here on


class Correlation(NamedTuple):
    """A correlation as compiled code takes it.

    Attributes
    ----------
    kind
        ``GAUSSIAN``, ``HALF_INTEGER`` (a polynomial times ``exp(-s)``), ``TABLE`` (many of them),
        or ``FREE`` (a table to be made for every point).
    nu
        Order; infinite for the Gaussian, NaN if free.
    first
        Number of the table's first piece.
    table
        Coefficients of ``k exp(s)`` and ``h exp(s)``, highest first, ``(2, pieces, powers)``.
    """

    kind: int
    nu: float
    first: int
    table: Array


def correlation(kernel: str, nu: float | str | None = None) -> Correlation:
    """Choose a correlation by name.

    Parameters
    ----------
    kernel
        ``"matern"`` or ``"rbf"``.
    nu
        Order of the Matern correlation, a number from 0.2 to 50 or infinity (the Gaussian), or
        ``"free"``. Ignored for ``"rbf"``.

    Raises
    ------
    ValueError
        For any other kernel or order.

    References
    ----------
    C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006),
    section 4.2.1.
    """
    if kernel not in ("matern", "rbf"):
        raise ValueError(f"`kernel` must be 'matern' or 'rbf', got {kernel!r}")
    if kernel == "rbf":
        return _of_order(math.inf)
    if isinstance(nu, str) and nu == "free":
        return Correlation(FREE, math.nan, 0, np.zeros((2, 1, 1)))
    try:
        order = float(nu)  # type: ignore[arg-type]  # whatever it is, it must be a number
    except (TypeError, ValueError):
        order = math.nan
    if not (SMALLEST_NU <= order <= LARGEST_NU or order == math.inf):
        raise ValueError(
            f"`nu` must be a number from {SMALLEST_NU} to {LARGEST_NU:g}, infinity or 'free', "
            f"got {nu!r}"
        )
    return _of_order(order)


@functools.lru_cache(maxsize=32)
def _of_order(nu: float) -> Correlation:
    if nu == math.inf:
        return Correlation(GAUSSIAN, nu, 0, np.zeros((2, 1, 1)))
    if nu % 1 == 0.5:
        value = _half_integer(nu)
        slope = np.ones(1) if nu == 0.5 else nu / (nu - 1) * _half_integer(nu - 1)
        slope = np.concatenate([np.zeros(len(value) - len(slope)), slope])
        return Correlation(HALF_INTEGER, nu, 0, np.stack([value, slope])[:, None, :])
    everywhere = np.array([1.001 * TINY, np.inf])
    return Correlation(TABLE, nu, *table_for(nu, constants_of(np.array(nu)), everywhere, 2))


def _half_integer(nu: float) -> Array:
    """Coefficients in ``s``, highest first, of the Matern correlation over ``exp(-s)``."""
    p = round(nu - 0.5)
    lowest = math.factorial(2 * p) // math.factorial(p)
    return np.array(
        [
            math.factorial(2 * p - j) * 2**j / (math.factorial(j) * math.factorial(p - j)) / lowest
            for j in range(p, -1, -1)
        ]
    )


def constants_of(nu: Array) -> Array:
    """What a table of order ``nu`` begins with, ``(B,) -> (B, 3)``.

    The logarithm of ``2^(1 - nu) / Gamma(nu)``, digamma and trigamma.
    """
    return np.stack([(1 - nu) * math.log(2) - gammaln(nu), digamma(nu), polygamma(1, nu)], axis=-1)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def table_for(nu: float, constants: Array, q: Array, rows: int) -> tuple[int, Array]:
    """Make the table of one order, for the distances that occur.

    Parameters
    ----------
    nu
        Order.
    constants
        One row of `constants_of`.
    q
        Squared scaled distances, of any shape ``(m,)``.
    rows
        How many functions, as in `bayescape.kernels.matern_table.fill`.

    Returns
    -------
    tuple of int and numpy.ndarray
        Number of the first piece, and ``(rows, pieces, powers)``.
    """
    shift = index_shift(nu)
    # Beyond these the correlation is 1 or 0 whatever the table says.
    beyond = 0.5 * UNDERFLOW**2 / nu
    nearest, furthest = beyond, TINY
    for i in range(len(q)):
        if q[i] > TINY:
            nearest = min(nearest, q[i])
        furthest = max(furthest, q[i])
    first, last = piece_of(nearest, shift), piece_of(max(min(furthest, beyond), nearest), shift)
    table = np.empty((rows, last - first + 1, DEGREE + 1))
    fill(nu, constants, first, table)
    return first, table


@numba.njit(fastmath={"contract"}, error_model="numpy", nogil=True)
def _low_half_integers(
    nu: float, table: Array, q: Array, both: bool, value: Array, slope: Array
) -> None:
    """Orders 1/2, 3/2 and 5/2, which most kernels have, in one pass."""
    powers = table.shape[2]
    c0, d0 = table[0, 0, powers - 1], table[1, 0, powers - 1]
    c1, d1 = (table[0, 0, powers - 2], table[1, 0, powers - 2]) if powers > 1 else (0.0, 0.0)
    c2 = table[0, 0, 0] if powers > 2 else 0.0  # the slope's polynomial is one degree lower
    if not both:
        for i in range(len(q)):
            s = min(math.sqrt(2 * nu * q[i]), UNDERFLOW)
            value[i] = ((c2 * s + c1) * s + c0) * exponential(-s)
        return
    for i in range(len(q)):
        s = min(math.sqrt(2 * nu * q[i]), UNDERFLOW)
        decay = exponential(-s)
        value[i] = ((c2 * s + c1) * s + c0) * decay
        slope[i] = (d1 * s + d0) * decay
    if nu == 0.5:
        for i in range(len(q)):
            slope[i] = slope[i] / math.sqrt(q[i]) if q[i] >= TINY else 0.0


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy", nogil=True)
def correlate(kind: int, nu: float, first: int, table: Array, q: Array, out: Array) -> None:
    """Evaluate ``k``, ``h`` and whatever else a table holds.

    Parameters
    ----------
    kind, nu, first, table
        As in `Correlation`; of kind ``FREE`` with the table of the order ``nu``.
    q
        Squared scaled distances, ``(m,)``.
    out
        Shape ``(rows, m)``, overwritten: as many functions as it has rows. One of them may be ``q``
        itself.
    """
    rows = len(out)
    here = np.empty(min(BLOCK, len(q)))
    if kind == HALF_INTEGER and table.shape[2] <= 3:
        for begin in range(0, len(q), BLOCK):
            end = min(begin + BLOCK, len(q))
            for i in range(end - begin):
                here[i] = q[begin + i]
            value, slope = out[0, begin:end], out[rows - 1, begin:end]
            _low_half_integers(nu, table, here[: end - begin], rows > 1, value, slope)
        return
    s, decay = np.empty(BLOCK), np.empty(BLOCK)
    piece = np.empty(BLOCK, dtype=np.int64)
    shift, last = index_shift(nu), table.shape[1] - 1
    for begin in range(0, len(q), BLOCK):
        m = min(BLOCK, len(q) - begin)
        for i in range(m):
            here[i] = q[begin + i]
        if kind == GAUSSIAN:
            for row in range(rows):
                total = out[row, begin : begin + m]
                for i in range(m):
                    total[i] = exponential(-0.5 * here[i])
            continue
        for i in range(m):
            s[i] = math.sqrt(2 * nu * here[i])
            decay[i] = exponential(-s[i])
            if s[i] > UNDERFLOW:  # where powers of it might overflow
                s[i] = UNDERFLOW
        if kind == HALF_INTEGER:
            for row in range(min(rows, 2)):
                total = out[row, begin : begin + m]
                for i in range(m):
                    total[i] = table[row, 0, 0]
                for power in range(1, table.shape[2]):
                    coefficient = table[row, 0, power]
                    for i in range(m):
                        total[i] = total[i] * s[i] + coefficient
                for i in range(m):
                    total[i] *= decay[i]
                if row == 1 and nu == 0.5:
                    for i in range(m):
                        total[i] /= s[i]
        else:
            place = s  # which is no longer needed
            for i in range(m):
                piece[i] = min(max(piece_of(here[i], shift) - first, 0), last)
                place[i] = place_in_piece(here[i], shift)
            for row in range(rows):
                total = out[row, begin : begin + m]
                for i in range(m):
                    polynomial = table[row, piece[i]]
                    y = polynomial[0]
                    for power in range(1, DEGREE + 1):
                        y = y * place[i] + polynomial[power]
                    total[i] = y * decay[i]
        if kind == TABLE or kind == FREE or nu == 0.5:
            for i in range(m):
                if here[i] < TINY:
                    out[0, begin + i] = 1.0
                    for row in range(1, rows):
                        out[row, begin + i] = 0.0
