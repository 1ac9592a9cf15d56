"""Hessian of a Gaussian process's likelihood, in compiled code.

``E_ab = 1/2 tr(K^-1 K_ab) - 1/2 alpha' K_ab alpha - 1/2 tr(K^-1 K_a K^-1 K_b)
+ alpha' K_a K^-1 K_b alpha``,

the derivative of what `bayescape.targets.first_order` computes. It takes one product of matrices
for every lengthscale (and ``nu``): those for outputscale and noise are ``I - noise K^-1`` and
``noise K^-1``.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import FREE, GAUSSIAN
from bayescape.kernels.lapack import factorise, invert, multiply, solve
from bayescape.kernels.matern_table import TINY
from bayescape.targets.covariance import Packed, Problem, covariance, residual_of, unpack
from bayescape.targets.first_order import contract, first_order, weighted_sum

__all__ = ["hessians_at"]

Array = NDArray[np.float64]

TILE = 32  # rows and columns at once where a matrix meets its transpose


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
def _derivative_matrix(field: Array, factor: float, z: Array, inputs: Array, out: Array) -> None:
    """The symmetric matrix ``factor field_ij sum of (z_i - z_j)^2`` over some inputs; all, if none.

    With ``inputs = [-1]`` it is ``factor field_ij`` itself.
    """
    n = z.shape[1]
    begin = 0
    for j in range(n):
        count = n - 1 - j
        values, row = field[begin : begin + count], out[j, j + 1 :]
        begin += count
        out[j, j] = 0.0
        if inputs[0] < 0:
            for i in range(count):
                row[i] = factor * values[i]
        else:
            for i in range(count):
                row[i] = 0.0
            for k in inputs:
                here, there = z[k, j], z[k, j + 1 :]
                for i in range(count):
                    row[i] += (there[i] - here) ** 2
            for i in range(count):
                row[i] *= factor * values[i]
    _mirror(out)


@numba.njit(nogil=True)
def _mirror(a: Array) -> None:
    """Copy the upper triangle to the lower, tile by tile."""
    n = len(a)
    for top in range(0, n, TILE):
        for left in range(top, n, TILE):
            for j in range(top, min(top + TILE, n)):
                for i in range(max(left, j + 1), min(left + TILE, n)):
                    a[i, j] = a[j, i]


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, nogil=True)
def _trace_of_product(a: Array, b: Array) -> float:
    """``tr(a b)``, tile by tile."""
    n = len(a)
    total = 0.0
    for top in range(0, n, TILE):
        for left in range(0, n, TILE):
            for j in range(top, min(top + TILE, n)):
                for i in range(left, min(left + TILE, n)):
                    total += a[j, i] * b[i, j]
    return total


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, nogil=True)
def _sum_of_product(a: Array, b: Array) -> float:
    """Sum of all ``a_ij b_ij``."""
    total = 0.0
    for j in range(len(a)):
        for i in range(a.shape[1]):
            total += a[j, i] * b[j, i]
    return total


@numba.njit(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
def _curvature_by_inputs(
    inverse: Array, alpha: Array, z: Array, curve: Array, work: Array, out: Array
) -> None:
    """``sum of (K^-1 - alpha alpha')_ij curve_ij u_k u_l`` over pairs, with ``u = (z_i - z_j)^2``.

    ``work`` has one row more than there are inputs, and is overwritten.
    """
    p, n = z.shape
    out[:] = 0.0
    begin = 0
    for j in range(n):
        count = n - 1 - j
        row, others, c = inverse[j, j + 1 :], alpha[j + 1 :], curve[begin : begin + count]
        begin += count
        weight = work[p]
        for i in range(count):
            weight[i] = (row[i] - alpha[j] * others[i]) * c[i]
        for k in range(p):
            here, there, u = z[k, j], z[k, j + 1 :], work[k]
            for i in range(count):
                u[i] = (there[i] - here) ** 2
        for k in range(p):
            for m in range(k + 1):
                u, v = work[k], work[m]
                total = 0.0
                for i in range(count):
                    total += weight[i] * u[i] * v[i]
                out[k, m] += total
    for k in range(p):
        for m in range(k):
            out[m, k] = out[k, m]


@numba.njit(fastmath={"contract"}, error_model="numpy", nogil=True)
def _curve(kind: int, nu: float, q: Array, fields: Array) -> None:
    """``4 d2k/dq2`` in place of the distances ``q``."""
    for i in range(len(q)):
        if kind == GAUSSIAN:
            q[i] = fields[0, i]
        else:
            there = q[i] >= TINY
            value = 2 * (nu * fields[0, i] - (nu - 1) * fields[1, i]) / q[i]
            q[i] = value if there else 0.0


@numba.njit(error_model="numpy", nogil=True)
def _traces(
    inverse: Array, products: Array, coordinates: Array, scale: int, noise: float, out: Array
) -> None:
    """``tr(K^-1 K_a K^-1 K_b)``, where the coordinate ``scale`` is the outputscale's."""
    n = len(inverse)
    of_inverse, of_square = np.trace(inverse), _sum_of_product(inverse, inverse)
    out[scale, scale] = n - 2 * noise * of_inverse + noise**2 * of_square
    out[scale, scale + 1] = out[scale + 1, scale] = noise * of_inverse - noise**2 * of_square
    out[scale + 1, scale + 1] = noise**2 * of_square
    for i, a in enumerate(coordinates):
        for j in range(i + 1):
            b = coordinates[j]
            out[a, b] = out[b, a] = _trace_of_product(products[i], products[j])
        with_noise = noise * _sum_of_product(products[i], inverse)
        out[a, scale] = out[scale, a] = np.trace(products[i]) - with_noise
        out[a, scale + 1] = out[scale + 1, a] = with_noise


@numba.njit(error_model="numpy", nogil=True)
def _add_curvature(
    problem: Problem,
    nu: float,
    scale: float,
    inverse: Array,
    alpha: Array,
    z: Array,
    fields: Array,
    gradient: Array,
    hessian: Array,
) -> None:
    """Add ``1/2 tr((K^-1 - alpha alpha') K_ab)``; the fields' distances are overwritten."""
    n, p = len(problem.y), len(problem.X)
    k = p if problem.ard else 1
    by_input, by_inputs, work = np.empty(p), np.empty((p, p)), np.empty((p + 1, n))
    _curve(problem.correlation.kind, nu, fields[-1], fields)
    _curvature_by_inputs(inverse, alpha, z, fields[-1], work, by_inputs)
    for i in range(p):
        for j in range(p):
            hessian[i if problem.ard else 0, j if problem.ard else 0] += scale * by_inputs[i, j]
    for a in range(k):
        hessian[a, a] -= 2 * gradient[a]
        hessian[a, k] += gradient[a]
        hessian[k, a] += gradient[a]
    hessian[k, k] += gradient[k]
    hessian[k + 1, k + 1] += gradient[k + 1]
    if problem.correlation.kind == FREE:
        order = k + 2
        hessian[order, k] += gradient[order]
        hessian[k, order] += gradient[order]
        bent = scale * nu**2 * weighted_sum(inverse, alpha, fields[3])
        hessian[order, order] += gradient[order] + bent
        contract(inverse, alpha, z, fields[4], work[0], by_input)
        for i in range(p):
            mixed = scale * nu * by_input[i]
            hessian[order, i if problem.ard else 0] += mixed
            hessian[i if problem.ard else 0, order] += mixed


@numba.njit(cache=True, error_model="numpy", nogil=True)
def hessians_at(
    packed: Packed, theta: Array, constants: Array, K: Array, fields: Array, hessians: Array
) -> int:
    """Hessians ``(B, d, d)`` of points ``(B, d)``; NaN where there is no covariance.

    How often there was none is returned.
    """
    problem = unpack(packed)
    failures = 0
    n, p = len(problem.y), len(problem.X)
    free = problem.correlation.kind == FREE
    k = p if problem.ard else 1  # the outputscale's coordinate, after the lengthscales
    d = k + 2 + free  # coordinates but the mean
    own = np.arange(k + free)  # coordinates by which K has a derivative that is a matrix of its own
    if free:
        own[k] = k + 2
    z, derivative = np.empty(problem.X.shape), np.empty((n, n))
    products = np.empty((len(own), n, n))
    by_input, gradient = np.empty(p), np.empty(theta.shape[1])
    pulled, solved, traces = np.empty((d, n)), np.empty((d, n)), np.empty((d, d))
    for b in range(len(theta)):
        hessian = hessians[b]
        hessian[:] = np.nan
        failures += 1
        nu = covariance(problem, theta[b], constants[b], z, K, fields, len(fields) - 1)
        if not factorise(problem.address, K):
            continue
        scale, noise = math.exp(theta[b, k]), math.exp(theta[b, k + 1])
        residual = residual_of(problem, theta[b])
        alpha = residual.copy()
        solve(problem.address, K, alpha, False)
        solve(problem.address, K, alpha, True)
        invert(problem.address, K)
        first_order(problem, theta[b], nu, K, alpha, residual, z, fields, by_input, gradient)
        _mirror(K)

        # K^-1 K_a, and K_a alpha (pulled) and K^-1 K_a alpha (solved).
        for i, a in enumerate(own):
            if a > k:
                _derivative_matrix(fields[2], scale * nu, z, np.array([-1]), derivative)
            elif problem.ard:
                _derivative_matrix(fields[1], scale, z, np.array([a]), derivative)
            else:
                _derivative_matrix(fields[1], scale, z, np.arange(p), derivative)
            multiply(problem.address, K, derivative, products[i])
            pulled[a] = derivative @ alpha
            solved[a] = K @ pulled[a]
        again = K @ alpha
        for i in range(n):
            pulled[k, i], solved[k, i] = residual[i] - noise * alpha[i], alpha[i] - noise * again[i]
            pulled[k + 1, i], solved[k + 1, i] = noise * alpha[i], noise * again[i]

        _traces(K, products, own, k, noise, traces)
        half = pulled @ solved.T - 0.5 * traces
        _add_curvature(problem, nu, scale, K, alpha, z, fields, gradient, half)
        for row in range(d):
            for column in range(d):
                hessian[row, column] = 0.5 * (half[row, column] + half[column, row])
        if problem.mean:
            for row in range(d):
                hessian[row, d] = hessian[d, row] = solved[row].sum()
            hessian[d, d] = K.sum()
        if np.isfinite(hessian).all():
            failures -= 1
        else:
            hessian[:] = np.nan
    return failures
