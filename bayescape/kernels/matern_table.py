"""The Matern correlation of real order as a table of polynomials.

For one order ``nu`` the correlation is a function of the squared scaled distance ``q`` alone, so it
is computed at some hundreds of distances and interpolated at all others. With ``s = sqrt(2 nu q)``
and ``c = 2^(1 - nu) / Gamma(nu)``,

``k = c s^nu K_nu(s)`` and ``h = -2 dk/dq = 2 nu c s^(nu - 1) K_(nu - 1)(s)``.

Times ``exp(s)`` both are smooth in ``log q``, whatever the order, and so are their derivatives in
``nu``. A piece of the table is a ``2^-m``-th of a binade of ``q``: its number and the place in it
are read off the bits of ``q``.

The Bessel functions come of the trapezoidal rule on

``K_nu(s) = integral from 0 to infinity of exp(-s cosh t) cosh(nu t) dt``,

which converges geometrically and is as smooth in ``nu`` as the function is: integers are nothing
special, and derivatives in ``nu`` only bring factors of ``t`` (T. Takekawa, "Fast parallel
calculation of modified Bessel function of the second kind and its derivatives", SoftwareX 17,
100923 (2022)).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.exponential import as_bits, as_float, exponential

__all__ = ["DEGREE", "TINY", "fill", "index_shift", "piece_of", "place_in_piece"]

Array = NDArray[np.float64]

DEGREE = 10
NODES = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
# From values at the nodes to coefficients of powers, highest first as Horner's rule wants them. By
# way of Chebyshev's polynomials, since in one step the large numbers would cancel.
TO_CHEBYSHEV = np.polynomial.chebyshev.chebvander(NODES, DEGREE).T * 2 / (DEGREE + 1)
TO_CHEBYSHEV[0] *= 0.5
TO_POWERS = np.zeros((DEGREE + 1, DEGREE + 1))
for _k in range(DEGREE + 1):
    TO_POWERS[DEGREE - _k :, _k] = np.polynomial.chebyshev.cheb2poly(np.eye(DEGREE + 1)[_k])[_k::-1]
TINY = 2.0**-200  # squared distances below count as zero, where k is 1 to 1e-12 for any order
DROP = 42.0  # the integrand is followed until it is exp(-42) of its peak
LONGEST = 1024  # points of the rule: more than the longest integral takes
SMOOTH = 12.0  # orders up to this one are content with quarters of a binade


@numba.njit(forceinline=True)
def index_shift(nu: float) -> int:
    """By how much the bits of ``q`` are shifted to give the number of its piece."""
    return 52 - (2 if nu <= SMOOTH else 4)


@numba.njit(forceinline=True)
def piece_of(q: float, shift: int) -> int:
    """Number of the piece that a positive ``q`` is in, counted from zero distance."""
    return as_bits(q) >> shift


@numba.njit(forceinline=True)
def place_in_piece(q: float, shift: int) -> float:
    """Where in its piece a positive ``q`` is, from -1 to 1."""
    within = as_bits(q) & ((1 << shift) - 1)
    return 2 * as_float((within << (52 - shift)) | (1023 << 52)) - 3


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, nogil=True)
def _integrands(nu: float, log_c: float, low: float, high: float, out: Array) -> int:
    """Five integrands at ``s = low``, on a grid of ``t`` that is good for ``low <= s <= high``.

    ``c s^nu exp(s - s cosh t)`` times ``cosh(nu t)``, ``cosh((nu - 1) t)``, ``t sinh(nu t)``,
    ``t sinh((nu - 1) t)``, ``t^2 cosh(nu t)`` and the rule's weight go into rows 0 to 4, and
    ``cosh t - 1`` into row 5. The number of points is returned.
    """
    steepest = max(nu, 1.0)
    peak = math.asinh(steepest / low)
    top = steepest * peak - low * (math.cosh(peak) - 1)
    end = math.acosh(1 + (DROP + 2 * steepest * peak) / low)
    for _ in range(3):
        end = math.acosh(1 + (steepest * end + DROP - top) / low)
    # The rule's error is K at the order nu + i frequency, relative to K at nu: below 1e-15.
    step = 2 * math.pi / max(26.0 + nu, 9.0 * math.sqrt(math.sqrt(nu * nu + high * high)))
    count = min(int(end / step) + 2, out.shape[1])
    start = log_c + nu * math.log(low)
    for j in range(count):
        t = j * step
        up = exponential(t)
        down = 1 / up
        lift = 0.5 * (up + down) - 1
        rising = 0.5 * step * exponential(start - low * lift + nu * t)
        falling = 0.5 * step * exponential(start - low * lift - nu * t)
        out[0, j] = rising + falling
        out[1, j] = rising * down + falling * up
        out[2, j] = t * (rising - falling)
        out[3, j] = t * (rising * down - falling * up)
        out[4, j] = t * t * (rising + falling)
        out[5, j] = lift
    for row in range(5):
        out[row, 0] *= 0.5
    return count


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, nogil=True)
def _integrate(integrands: Array, count: int, further: float, out: Array) -> None:
    """Sums of the integrands at ``s = low + further``, short of a factor of ``(s / low)^nu``."""
    m0, m1, m2, m3, m4 = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(count):
        fall = exponential(-further * integrands[5, j])
        m0 += fall * integrands[0, j]
        m1 += fall * integrands[1, j]
        m2 += fall * integrands[2, j]
        m3 += fall * integrands[3, j]
        m4 += fall * integrands[4, j]
    out[0], out[1], out[2], out[3], out[4] = m0, m1, m2, m3, m4


@numba.njit(nogil=True)
def _multiply(matrix: Array, vector: Array, out: Array) -> None:
    for i in range(len(out)):
        total = 0.0
        for j in range(len(vector)):
            total += matrix[i, j] * vector[j]
        out[i] = total


@numba.njit(nogil=True)
def fill(nu: float, constants: Array, first: int, out: Array) -> None:
    """Compute the functions of a table, each times ``exp(s)``.

    Parameters
    ----------
    nu
        Order, above 0.
    constants
        ``log c``, digamma and trigamma of ``nu``.
    first
        Number of the first piece.
    out
        Coefficients, highest first, of the place in the piece: ``(rows, pieces, DEGREE + 1)``. The
        rows are up to five: ``k``, ``h = -2 dk/dq``, and at fixed ``q`` ``dk/dnu``, ``d2k/dnu2``,
        ``dh/dnu``.
    """
    rows = len(out)
    shift = index_shift(nu)
    m = np.empty(5)
    integrands = np.empty((6, LONGEST))
    values, chebyshev = np.empty((5, DEGREE + 1)), np.empty(DEGREE + 1)
    for piece in range(out.shape[1]):
        low = as_float((first + piece) << shift)
        high = as_float((first + piece + 1) << shift)
        s_low, s_high = math.sqrt(2 * nu * low), math.sqrt(2 * nu * high)
        count = _integrands(nu, constants[0], s_low, s_high, integrands)
        for node in range(DEGREE + 1):
            q = low + 0.5 * (high - low) * (1 + NODES[node])
            s = math.sqrt(2 * nu * q)
            _integrate(integrands, count, s - s_low, m)
            grown = math.exp(nu * math.log(s / s_low))
            for row in range(5):
                m[row] *= grown
            values[0, node] = m[0]
            values[1, node] = 2 * nu * m[1] / s
            if rows > 2:
                # By nu at fixed s, then s moves along as sqrt(nu); b = q h.
                log_slope = math.log(0.5 * s) - constants[1]
                b, b_slope = s * m[1], s * (log_slope * m[1] + m[3])
                values[2, node] = log_slope * m[0] + m[2] - 0.5 * b / nu
                bend = (log_slope**2 - constants[2]) * m[0] + 2 * log_slope * m[2] + m[4]
                along = (s * s * m[0] - 2 * (nu - 1) * b) / (4 * nu * nu)
                values[3, node] = bend - b_slope / nu + along
                values[4, node] = (b_slope + b) / q - m[0]
        for row in range(rows):
            _multiply(TO_CHEBYSHEV, values[row], chebyshev)
            _multiply(TO_POWERS, chebyshev, out[row, piece])
