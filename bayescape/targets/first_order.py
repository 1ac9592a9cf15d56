"""Energy and gradient of a Gaussian process's likelihood, in compiled code.

With ``alpha = K^-1 (y - mean)`` and ``K_a`` the derivative of ``K``, the negative log likelihood
has ``E_a = 1/2 tr(K^-1 K_a) - 1/2 alpha' K_a alpha`` (Rasmussen & Williams, *Gaussian Processes for
Machine Learning*, MIT Press (2006), equations 5.8 and 5.9). Outputscale and noise need no matrix of
their own: the derivatives by their logarithms are ``K - noise I`` and ``noise I``.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import FREE
from bayescape.kernels.lapack import factorise, invert, solve
from bayescape.targets.covariance import Packed, Problem, covariance, residual_of, unpack

__all__ = ["contract", "energies_at", "first_order", "gradients_at", "weighted_sum"]

Array = NDArray[np.float64]


@numba.njit(error_model="numpy", nogil=True)
def _half_log_determinant(factor: Array) -> float:
    n = len(factor)
    total = math.log(factor[n - 1, n - 1]) if n % 2 else 0.0
    for j in range(0, n - 1, 2):  # one logarithm for two, which is safe up to 1e154 each
        total += math.log(factor[j, j] * factor[j + 1, j + 1])
    return total


@numba.njit(error_model="numpy", nogil=True)
def _energy_of(problem: Problem, factor: Array, residual: Array) -> float:
    """The energy by the Cholesky factor; ``residual`` becomes ``L^-1`` of itself."""
    solve(problem.address, factor, residual, False)
    energy = 0.5 * (residual @ residual) + _half_log_determinant(factor)
    return energy + 0.5 * len(residual) * math.log(2 * math.pi)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def energies_at(
    packed: Packed, theta: Array, constants: Array, K: Array, fields: Array, energies: Array
) -> int:
    """Energies ``(B,)`` of points ``(B, d)``; ``+inf`` where there is no covariance.

    How often there was none is returned.
    """
    problem = unpack(packed)
    z = np.empty(problem.X.shape)
    failures = 0
    for b in range(len(theta)):
        covariance(problem, theta[b], constants[b], z, K, fields, len(fields))
        energies[b] = np.inf
        if factorise(problem.address, K):
            energy = _energy_of(problem, K, residual_of(problem, theta[b]))
            if np.isfinite(energy):
                energies[b] = energy
        failures += energies[b] == np.inf
    return failures


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
def contract(
    inverse: Array, alpha: Array, z: Array, slope: Array, weight: Array, gradient: Array
) -> float:
    """``sum of (K^-1 - alpha alpha')_ij h_ij (z_i - z_j)^2`` over pairs, by input.

    The trace of ``K^-1 - alpha alpha'`` is returned. ``weight`` is overwritten.
    """
    p, n = z.shape
    for k in range(p):
        gradient[k] = 0.0
    trace = 0.0
    begin = 0
    for j in range(n):
        trace += inverse[j, j] - alpha[j] * alpha[j]
        count = n - 1 - j
        row, others, h = inverse[j, j + 1 :], alpha[j + 1 :], slope[begin : begin + count]
        begin += count
        for i in range(count):
            weight[i] = (row[i] - alpha[j] * others[i]) * h[i]
        for k in range(p):
            here, there = z[k, j], z[k, j + 1 :]
            total = 0.0
            for i in range(count):
                total += weight[i] * (there[i] - here) ** 2
            gradient[k] += total
    return trace


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
def weighted_sum(inverse: Array, alpha: Array, field: Array) -> float:
    """``sum of (K^-1 - alpha alpha')_ij field_ij`` over pairs."""
    n = len(alpha)
    total = 0.0
    begin = 0
    for j in range(n):
        count = n - 1 - j
        row, others, values = inverse[j, j + 1 :], alpha[j + 1 :], field[begin : begin + count]
        begin += count
        for i in range(count):
            total += (row[i] - alpha[j] * others[i]) * values[i]
    return total


@numba.njit(error_model="numpy", nogil=True)
def first_order(
    problem: Problem,
    theta: Array,
    nu: float,
    inverse: Array,
    alpha: Array,
    residual: Array,
    z: Array,
    fields: Array,
    by_input: Array,
    gradient: Array,
) -> float:
    """The gradient; the trace of ``K^-1 - alpha alpha'`` is returned."""
    n, lengths = len(problem.y), len(problem.X) if problem.ard else 1
    scale, noise = math.exp(theta[lengths]), math.exp(theta[lengths + 1])
    trace = contract(inverse, alpha, z, fields[1], np.empty(n), by_input)
    gradient[0] = 0.0
    for k in range(len(by_input)):
        if problem.ard:
            gradient[k] = scale * by_input[k]
        else:
            gradient[0] += scale * by_input[k]
    # The derivative by log outputscale is K - noise I, whose product with K^-1 is known.
    gradient[lengths] = 0.5 * (n - alpha @ residual - noise * trace)
    gradient[lengths + 1] = 0.5 * noise * trace
    if problem.correlation.kind == FREE:
        gradient[lengths + 2] = scale * nu * weighted_sum(inverse, alpha, fields[2])
    if problem.mean:
        gradient[-1] = -alpha.sum()
    return trace


@numba.njit(cache=True, error_model="numpy", nogil=True)
def gradients_at(
    packed: Packed,
    theta: Array,
    constants: Array,
    K: Array,
    fields: Array,
    energies: Array,
    gradients: Array,
) -> int:
    """Energies ``(B,)`` and gradients ``(B, d)``; ``+inf`` and NaN where there is no covariance.

    How often there was none is returned.
    """
    problem = unpack(packed)
    z, by_input = np.empty(problem.X.shape), np.empty(len(problem.X))
    failures = 0
    for b in range(len(theta)):
        energies[b], gradients[b] = np.inf, np.nan
        failures += 1
        nu = covariance(problem, theta[b], constants[b], z, K, fields, len(fields))
        if not factorise(problem.address, K):
            continue
        residual = residual_of(problem, theta[b])
        alpha = residual.copy()
        energy = _energy_of(problem, K, alpha)
        solve(problem.address, K, alpha, True)
        invert(problem.address, K)
        first_order(problem, theta[b], nu, K, alpha, residual, z, fields, by_input, gradients[b])
        if np.isfinite(energy) and np.isfinite(gradients[b]).all():
            energies[b] = energy
            failures -= 1
        else:
            gradients[b] = np.nan
    return failures
