"""The covariance of a Gaussian process at one point, built by compiled code.

Everything that belongs to pairs of rows is kept packed, one number for each pair ``i < j`` by rows
of the upper triangle, and the triangles of matrices in place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import FREE, Correlation, correlate, table_for
from bayescape.kernels.lapack import Routines

__all__ = ["Packed", "Problem", "covariance", "distances", "order_and_table", "pack"]
__all__ += ["residual_of", "scale_inputs", "unpack"]

Array = NDArray[np.float64]


class Problem(NamedTuple):
    """What compiled code needs to know: data ``(p, n)``, ``(n,)`` and the model's form."""

    X: Array
    y: Array
    ard: bool
    mean: bool
    jitter: float
    correlation: Correlation
    address: Routines


Packed = tuple[Array, Array, Array, Array, NDArray[np.int64]]


def pack(problem: Problem) -> Packed:
    """A problem as arrays, which reach compiled code in a fraction of the time."""
    kind, nu, first, table = problem.correlation
    settings = np.array([problem.ard, problem.mean, problem.jitter, kind, nu, first], dtype=float)
    return problem.X, problem.y, settings, table, np.array(problem.address, dtype=np.int64)


@numba.njit(nogil=True)
def unpack(packed: Packed) -> Problem:
    """The problem again."""
    X, y, settings, table, address = packed
    ard, mean, jitter, kind, nu, first = settings
    chosen = Correlation(int(kind), nu, int(first), table)
    routines = Routines(address[0], address[1], address[2], address[3])
    return Problem(X, y, ard > 0, mean > 0, jitter, chosen, routines)


@numba.njit(fastmath={"contract"}, error_model="numpy", nogil=True)
def distances(z: Array, q: Array) -> None:
    """Squared distances between all columns of ``z``, packed by rows of the upper triangle."""
    p, n = z.shape
    begin = 0
    for j in range(n - 1):
        row = q[begin : begin + n - 1 - j]
        begin += n - 1 - j
        for k in range(p):
            here, others = z[k, j], z[k, j + 1 :]
            if k == 0:
                for i in range(len(row)):
                    row[i] = (others[i] - here) ** 2
            else:
                for i in range(len(row)):
                    row[i] += (others[i] - here) ** 2


@numba.njit(error_model="numpy", nogil=True)
def scale_inputs(problem: Problem, theta: Array, X: Array, z: Array) -> None:
    """Divide inputs by their lengthscales."""
    for k in range(len(X)):
        length = math.exp(theta[k if problem.ard else 0])
        for i in range(X.shape[1]):
            z[k, i] = X[k, i] / length


@numba.njit(error_model="numpy", nogil=True)
def order_and_table(
    problem: Problem, theta: Array, constants: Array, q: Array, rows: int
) -> tuple[float, int, Array]:
    """Order of the correlation at a point, and its table: made for the distances that occur."""
    correlation = problem.correlation
    if correlation.kind != FREE:
        return correlation.nu, correlation.first, correlation.table
    nu = math.exp(theta[(len(problem.X) if problem.ard else 1) + 2])
    first, table = table_for(nu, constants, q, rows)
    return nu, first, table


@numba.njit(error_model="numpy", nogil=True)
def covariance(
    problem: Problem, theta: Array, constants: Array, z: Array, K: Array, fields: Array, rows: int
) -> float:
    """Fill the upper triangle of ``K``, and ``rows`` fields with the correlation's functions.

    Distances are computed in the last of the fields: if there are more fields than rows they are
    there still. The order ``nu`` is returned.
    """
    n, lengths = len(problem.y), len(problem.X) if problem.ard else 1
    scale, noise = math.exp(theta[lengths]), math.exp(theta[lengths + 1])
    if problem.correlation.kind == FREE and not 0.1 <= math.exp(theta[lengths + 2]) <= 100:
        K[:] = np.nan  # far outside of the table's range: there is no covariance
        return np.nan
    scale_inputs(problem, theta, problem.X, z)
    q = fields[-1]
    distances(z, q)
    nu, first, table = order_and_table(problem, theta, constants, q, rows)
    correlate(problem.correlation.kind, nu, first, table, q, fields[:rows])
    begin = 0
    for j in range(n):
        K[j, j] = scale * (1 + problem.jitter) + noise
        count = n - 1 - j
        row, value = K[j, j + 1 :], fields[0, begin : begin + count]
        for i in range(count):
            row[i] = scale * value[i]
        begin += count
    return nu


@numba.njit(error_model="numpy", nogil=True)
def residual_of(problem: Problem, theta: Array) -> Array:
    """Outputs less the mean, a fresh array ``(n,)``."""
    return problem.y - theta[-1] if problem.mean else problem.y.copy()
