"""Mean and variance of a Gaussian process at new inputs, or at each row without it, compiled.

Rasmussen & Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), equations 2.25
and 2.26, and 5.12 for what is left out.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import correlate
from bayescape.kernels.lapack import factorise, invert, solve
from bayescape.targets.covariance import (
    Packed,
    covariance,
    order_and_table,
    residual_of,
    scale_inputs,
    unpack,
)

__all__ = ["left_out_at", "predictions_at"]

Array = NDArray[np.float64]

PAIRS = 65536  # pairs of new and old rows at once: bounds the memory


@numba.njit(cache=True, error_model="numpy", nogil=True)
def predictions_at(
    packed: Packed,
    theta: Array,
    constants: Array,
    K: Array,
    fields: Array,
    means: Array,
    variances: Array,
    X_new: Array,
) -> int:
    """Means and variances ``(B, m)`` at inputs ``(p, m)``; NaN where there is no covariance."""
    problem = unpack(packed)
    failures = 0
    n, m, lengths = len(problem.y), X_new.shape[1], len(problem.X) if problem.ard else 1
    z, new = np.empty(problem.X.shape), np.empty(X_new.shape)
    block = max(1, PAIRS // n)
    q, cross = np.empty(block * n), np.empty((1, block * n))
    for b in range(len(theta)):
        means[b], variances[b] = np.nan, np.nan
        covariance(problem, theta[b], constants[b], z, K, fields, len(fields))
        if not factorise(problem.address, K):
            failures += 1
            continue
        scale = math.exp(theta[b, lengths])
        alpha = residual_of(problem, theta[b])
        solve(problem.address, K, alpha, False)
        solve(problem.address, K, alpha, True)
        scale_inputs(problem, theta[b], X_new, new)
        for begin in range(0, m, block):
            count = min(block, m - begin)
            here = q[: count * n]
            for i in range(count):
                row = here[i * n : (i + 1) * n]
                row[:] = 0.0
                for k in range(len(z)):
                    row += (z[k] - new[k, begin + i]) ** 2
            nu, first, table = order_and_table(problem, theta[b], constants[b], here, len(cross))
            correlate(problem.correlation.kind, nu, first, table, here, cross)
            for i in range(count):
                row = scale * cross[0, i * n : (i + 1) * n]
                means[b, begin + i] = row @ alpha + (theta[b, -1] if problem.mean else 0.0)
                solve(problem.address, K, row, False)
                variances[b, begin + i] = max(scale - float(row @ row), 0.0)
    return failures


@numba.njit(cache=True, error_model="numpy", nogil=True)
def left_out_at(
    packed: Packed,
    theta: Array,
    constants: Array,
    K: Array,
    fields: Array,
    means: Array,
    variances: Array,
) -> int:
    """Means and variances ``(B, n)`` of every row given the others; NaN without a covariance.

    With ``alpha = K^-1 (y - mean)``, the mean is ``y_i - alpha_i / (K^-1)_ii`` and the variance,
    of an observation, ``1 / (K^-1)_ii``.
    """
    problem = unpack(packed)
    failures = 0
    z = np.empty(problem.X.shape)
    for b in range(len(theta)):
        means[b], variances[b] = np.nan, np.nan
        covariance(problem, theta[b], constants[b], z, K, fields, len(fields))
        if not factorise(problem.address, K):
            failures += 1
            continue
        alpha = residual_of(problem, theta[b])
        solve(problem.address, K, alpha, False)
        solve(problem.address, K, alpha, True)
        invert(problem.address, K)
        for i in range(len(alpha)):
            variances[b, i] = 1 / K[i, i]
            means[b, i] = problem.y[i] - alpha[i] / K[i, i]
        if not (np.isfinite(means[b]).all() and np.isfinite(variances[b]).all()):
            means[b], variances[b] = np.nan, np.nan
    return failures
