"""The log marginal likelihood of an exact Gaussian process, with gradient and Hessian.

In the coordinates (log lengthscales, log outputscale, log noise[, log nu][, mean]), for the
covariance ``K = outputscale (R + jitter I) + noise I``. With ``alpha = K^-1 (y - mean)`` and
``K_a`` the derivative of ``K``, the negative log likelihood ``E`` has

``E_a  = 1/2 tr(K^-1 K_a) - 1/2 alpha' K_a alpha`` and
``E_ab = 1/2 tr(K^-1 K_ab) - 1/2 alpha' K_ab alpha - 1/2 tr(K^-1 K_a K^-1 K_b)
+ alpha' K_a K^-1 K_b alpha``

(Rasmussen & Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), equations 5.8 to
5.9, and their derivative). Outputscale and noise need no matrix of their own: the derivatives by
their logarithms are ``K - noise I`` and ``noise I``.

A value takes a Cholesky factor, a gradient also the inverse, a Hessian one product of matrices for
every lengthscale (and ``nu``) more. Everything that belongs to pairs of rows is kept packed, one
number for each pair ``i < j``, and the triangles of matrices in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import (
    FREE,
    GAUSSIAN,
    Correlation,
    constants_of,
    correlate,
    table_for,
)
from bayescape.kernels.lapack import (
    Routines,
    factorise,
    invert,
    multiply,
    routines,
    solve,
)
from bayescape.kernels.matern_table import TINY
from bayescape.kernels.threads import run_in_chunks, threads

__all__ = ["MarginalLikelihood"]

Array = NDArray[np.float64]

LARGE = 400  # rows from which a matrix keeps all of BLAS's threads busy by itself
WORTHWHILE = 20_000  # points times rows squared from which starting threads pays
PAIRS = 65536  # pairs of new and old rows at once in predictions: bounds the memory
TILE = 32  # rows and columns at once where a matrix meets its transpose


class Problem(NamedTuple):
    """What compiled code needs to know: data ``(p, n)``, ``(n,)`` and the model's form."""

    X: Array
    y: Array
    ard: bool
    mean: bool
    jitter: float
    correlation: Correlation
    address: Routines


class MarginalLikelihood:
    """Negative log marginal likelihood of some data under a stationary kernel.

    All methods take a batch of points ``(B, d)``. Where the covariance is not positive definite
    the energy is ``+inf`` and the derivatives are NaN; ``failures`` counts how often that was so.
    The jitter is part of the model and never changed on the way: a density that shifts by what a
    factorisation happens to need would be no density.

    Parameters
    ----------
    correlation
        The correlation.
    X, y
        Data in the model's units, ``(n, p)``, ``(n,)``.
    ard
        Whether every input has a lengthscale of its own.
    mean
        Whether a constant mean is the last coordinate (else the mean is zero).
    jitter
        Added to the correlation's diagonal, so relative to the outputscale.
    """

    def __init__(
        self, correlation: Correlation, X: Array, y: Array, *, ard: bool, mean: bool, jitter: float
    ) -> None:
        self.problem = Problem(
            np.ascontiguousarray(X.T),
            np.ascontiguousarray(y),
            ard,
            mean,
            float(jitter),
            correlation,
            routines(),
        )
        self.correlation = correlation
        self.lengths = X.shape[1] if ard else 1
        self.failures = 0

    def __getstate__(self) -> dict[str, object]:
        # Addresses are good for one process only.
        return self.__dict__ | {"problem": self.problem._replace(address=Routines(0, 0, 0, 0))}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.problem = self.problem._replace(address=routines())

    def energy(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``, nats."""
        energies = np.empty(len(theta))
        self._run(_energies, theta, energies)
        self.failures += int(np.isinf(energies).sum())
        return energies

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        energies, gradients = np.empty(len(theta)), np.empty(theta.shape)
        self._run(_gradients, theta, energies, gradients)
        self.failures += int(np.isinf(energies).sum())
        return energies, gradients

    def hessian(self, theta: Array) -> Array:
        """Second derivatives, ``(B, d) -> (B, d, d)``."""
        hessians = np.empty((*theta.shape, theta.shape[1]))
        self._run(_hessians, theta, hessians)
        self.failures += int(np.isnan(hessians).any(axis=(1, 2)).sum())
        return hessians

    def predict(self, theta: Array, X_new: Array) -> tuple[Array, Array]:
        """Mean and variance of the latent function at new inputs ``(m, p)``: ``(B, m)`` each.

        Rasmussen & Williams, equations 2.25 and 2.26. NaN where the covariance is not positive
        definite.
        """
        means, variances = np.empty((2, len(theta), len(X_new)))
        inputs = np.ascontiguousarray(X_new.T)
        self._run(_predictions, theta, means, variances, X_new=inputs)
        return means, variances

    def _run(
        self, function: Callable[..., None], theta: Array, *outs: Array, **more: Array
    ) -> None:
        """Call compiled code on all points, in threads where that pays."""
        theta = np.ascontiguousarray(theta, dtype=float)
        constants = np.zeros((len(theta), 3))
        if self.problem.correlation.kind == FREE:
            constants = constants_of(np.exp(theta[:, self.lengths + 2]))

        def work(part: slice) -> None:
            here = (out[part] for out in outs)
            function(self.problem, theta[part], constants[part], *here, *more.values())

        count, n = len(theta), len(self.problem.y)
        if count > 1 and n < LARGE and count * n * n >= WORTHWHILE and threads() > 1:
            run_in_chunks(work, count)
        else:
            work(slice(None))


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy", nogil=True)
def _distances(z: Array, q: Array) -> None:
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


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _scale_inputs(problem: Problem, theta: Array, X: Array, z: Array) -> None:
    """Divide inputs by their lengthscales."""
    for k in range(len(X)):
        length = math.exp(theta[k if problem.ard else 0])
        for i in range(X.shape[1]):
            z[k, i] = X[k, i] / length


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _order_and_table(
    problem: Problem, theta: Array, constants: Array, q: Array, rows: int
) -> tuple[float, int, Array]:
    """Order of the correlation at a point, and its table: made for the distances that occur."""
    correlation = problem.correlation
    if correlation.kind != FREE:
        return correlation.nu, correlation.first, correlation.table
    nu = math.exp(theta[(len(problem.X) if problem.ard else 1) + 2])
    first, table = table_for(nu, constants, q, rows)
    return nu, first, table


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _covariance(
    problem: Problem, theta: Array, constants: Array, z: Array, fields: Array, K: Array
) -> float:
    """Fill the upper triangle of ``K``, and ``fields`` with the correlation's functions by pair.

    The last of the fields are the distances. The order ``nu`` is returned.
    """
    n, lengths = len(problem.y), len(problem.X) if problem.ard else 1
    scale, noise = math.exp(theta[lengths]), math.exp(theta[lengths + 1])
    if problem.correlation.kind == FREE and not 0.1 <= math.exp(theta[lengths + 2]) <= 100:
        K[:] = np.nan  # far outside of the table's range: there is no covariance
        return np.nan
    _scale_inputs(problem, theta, problem.X, z)
    q = fields[-1]
    _distances(z, q)
    nu, first, table = _order_and_table(problem, theta, constants, q, len(fields) - 1)
    correlate(problem.correlation.kind, nu, first, table, q, fields[:-1])
    begin = 0
    for j in range(n):
        K[j, j] = scale * (1 + problem.jitter) + noise
        count = n - 1 - j
        row, value = K[j, j + 1 :], fields[0, begin : begin + count]
        for i in range(count):
            row[i] = scale * value[i]
        begin += count
    return nu


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _half_log_determinant(factor: Array) -> float:
    total = 0.0
    for j in range(len(factor)):
        total += math.log(factor[j, j])
    return total


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _residual(problem: Problem, theta: Array) -> Array:
    return problem.y - theta[-1] if problem.mean else problem.y.copy()


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _energy_of(problem: Problem, factor: Array, residual: Array) -> float:
    """The energy by the Cholesky factor; ``residual`` becomes ``L^-1`` of itself."""
    solve(problem.address, factor, residual, False)
    energy = 0.5 * (residual @ residual) + _half_log_determinant(factor)
    return energy + 0.5 * len(residual) * math.log(2 * math.pi)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _energies(problem: Problem, theta: Array, constants: Array, energies: Array) -> None:
    n = len(problem.y)
    z, K = np.empty(problem.X.shape), np.empty((n, n))
    fields = np.empty((2, n * (n - 1) // 2))
    for b in range(len(theta)):
        _covariance(problem, theta[b], constants[b], z, fields, K)
        energies[b] = np.inf
        if factorise(problem.address, K):
            energy = _energy_of(problem, K, _residual(problem, theta[b]))
            if np.isfinite(energy):
                energies[b] = energy


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
def _contract(
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


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
def _weighted_sum(inverse: Array, alpha: Array, field: Array) -> float:
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


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _first_order(
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
    trace = _contract(inverse, alpha, z, fields[1], np.empty(n), by_input)
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
        gradient[lengths + 2] = scale * nu * _weighted_sum(inverse, alpha, fields[2])
    if problem.mean:
        gradient[-1] = -alpha.sum()
    return trace


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _gradients(
    problem: Problem, theta: Array, constants: Array, energies: Array, gradients: Array
) -> None:
    n = len(problem.y)
    rows = 3 if problem.correlation.kind == FREE else 2
    z, K, by_input = np.empty(problem.X.shape), np.empty((n, n)), np.empty(len(problem.X))
    fields = np.empty((rows + 1, n * (n - 1) // 2))
    for b in range(len(theta)):
        energies[b], gradients[b] = np.inf, np.nan
        nu = _covariance(problem, theta[b], constants[b], z, fields, K)
        if not factorise(problem.address, K):
            continue
        residual = _residual(problem, theta[b])
        alpha = residual.copy()
        energy = _energy_of(problem, K, alpha)
        solve(problem.address, K, alpha, True)
        invert(problem.address, K)
        _first_order(problem, theta[b], nu, K, alpha, residual, z, fields, by_input, gradients[b])
        if np.isfinite(energy) and np.isfinite(gradients[b]).all():
            energies[b] = energy
        else:
            gradients[b] = np.nan


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
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


@numba.njit(cache=True, nogil=True)
def _mirror(a: Array) -> None:
    """Copy the upper triangle to the lower, tile by tile."""
    n = len(a)
    for top in range(0, n, TILE):
        for left in range(top, n, TILE):
            for j in range(top, min(top + TILE, n)):
                for i in range(max(left, j + 1), min(left + TILE, n)):
                    a[i, j] = a[j, i]


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, nogil=True)
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


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, nogil=True)
def _sum_of_product(a: Array, b: Array) -> float:
    """Sum of all ``a_ij b_ij``."""
    total = 0.0
    for j in range(len(a)):
        for i in range(a.shape[1]):
            total += a[j, i] * b[j, i]
    return total


@numba.njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", nogil=True)
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


@numba.njit(cache=True, fastmath={"contract"}, error_model="numpy", nogil=True)
def _curve(kind: int, nu: float, q: Array, fields: Array) -> None:
    """``4 d2k/dq2`` in place of the distances ``q``."""
    for i in range(len(q)):
        if kind == GAUSSIAN:
            q[i] = fields[0, i]
        else:
            there = q[i] >= TINY
            value = 2 * (nu * fields[0, i] - (nu - 1) * fields[1, i]) / q[i]
            q[i] = value if there else 0.0


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _hessians(problem: Problem, theta: Array, constants: Array, hessians: Array) -> None:
    n, p = len(problem.y), len(problem.X)
    free = problem.correlation.kind == FREE
    lengths = p if problem.ard else 1
    matrices = lengths + free  # derivatives of K that are matrices of their own
    d = lengths + 2 + free  # coordinates but the mean
    rows = 5 if free else 2
    z, K, derivative = np.empty(problem.X.shape), np.empty((n, n)), np.empty((n, n))
    products, work = np.empty((matrices, n, n)), np.empty((p + 1, n))
    fields = np.empty((rows + 1, n * (n - 1) // 2))
    by_input, by_inputs = np.empty(p), np.empty((p, p))
    pulled, solved = np.empty((d, n)), np.empty((d, n))  # K_a alpha, K^-1 K_a alpha
    traces, half = np.zeros((d, d)), np.zeros((d, d))
    for b in range(len(theta)):
        hessian = hessians[b]
        hessian[:] = np.nan
        nu = _covariance(problem, theta[b], constants[b], z, fields, K)
        if not factorise(problem.address, K):
            continue
        scale, noise = math.exp(theta[b, lengths]), math.exp(theta[b, lengths + 1])
        residual = _residual(problem, theta[b])
        alpha = residual.copy()
        solve(problem.address, K, alpha, False)
        solve(problem.address, K, alpha, True)
        invert(problem.address, K)
        gradient = np.empty(theta.shape[1])
        _first_order(problem, theta[b], nu, K, alpha, residual, z, fields, by_input, gradient)
        _mirror(K)

        # K^-1 K_a, and K_a alpha from the left and the right, where K_a is a matrix of its own.
        for a in range(matrices):
            if a == lengths:
                _derivative_matrix(fields[2], scale * nu, z, np.array([-1]), derivative)
            elif problem.ard:
                _derivative_matrix(fields[1], scale, z, np.array([a]), derivative)
            else:
                _derivative_matrix(fields[1], scale, z, np.arange(p), derivative)
            multiply(problem.address, K, derivative, products[a])
            index = a if a < lengths else lengths + 2
            pulled[index] = derivative @ alpha
            solved[index] = K @ pulled[index]
        again = K @ alpha
        pulled[lengths] = residual - noise * alpha
        solved[lengths] = alpha - noise * again
        pulled[lengths + 1] = noise * alpha
        solved[lengths + 1] = noise * again

        # tr(K^-1 K_a K^-1 K_b)
        of_inverse = np.trace(K)
        of_square = _sum_of_product(K, K)
        traces[lengths, lengths] = n - 2 * noise * of_inverse + noise**2 * of_square
        traces[lengths, lengths + 1] = noise * of_inverse - noise**2 * of_square
        traces[lengths + 1, lengths + 1] = noise**2 * of_square
        for a in range(matrices):
            index = a if a < lengths else lengths + 2
            for c in range(a + 1):
                other = c if c < lengths else lengths + 2
                traces[index, other] = _trace_of_product(products[a], products[c])
                traces[other, index] = traces[index, other]
            with_noise = noise * _sum_of_product(products[a], K)
            traces[index, lengths] = np.trace(products[a]) - with_noise
            traces[index, lengths + 1] = with_noise
            traces[lengths, index] = traces[index, lengths]
            traces[lengths + 1, index] = with_noise
        traces[lengths + 1, lengths] = traces[lengths, lengths + 1]

        # 1/2 sum of (K^-1 - alpha alpha')_ij (K_ab)_ij
        half[:] = 0.0
        q = fields[-1]
        _curve(problem.correlation.kind, nu, q, fields)
        _curvature_by_inputs(K, alpha, z, q, work, by_inputs)
        if problem.ard:
            half[:lengths, :lengths] = scale * by_inputs
        else:
            half[0, 0] = scale * by_inputs.sum()
        for a in range(lengths):
            half[a, a] -= 2 * gradient[a]
            half[a, lengths] = half[lengths, a] = gradient[a]
        half[lengths, lengths] = gradient[lengths]
        half[lengths + 1, lengths + 1] = gradient[lengths + 1]
        if free:
            order = lengths + 2
            half[order, lengths] = half[lengths, order] = gradient[order]
            by_order = scale * nu**2 * _weighted_sum(K, alpha, fields[3])
            half[order, order] = gradient[order] + by_order
            _contract(K, alpha, z, fields[4], work[0], by_input)
            if problem.ard:
                half[order, :lengths] = scale * nu * by_input
            else:
                half[order, 0] = scale * nu * by_input.sum()
            half[:lengths, order] = half[order, :lengths]

        hessian[:d, :d] = half - 0.5 * traces + pulled @ solved.T
        if problem.mean:
            for a in range(d):
                hessian[a, d] = hessian[d, a] = solved[a].sum()
            hessian[d, d] = K.sum()
        if np.isfinite(hessian).all():
            hessian[:] = 0.5 * (hessian + hessian.T)
        else:
            hessian[:] = np.nan


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _predictions(
    problem: Problem, theta: Array, constants: Array, means: Array, variances: Array, X_new: Array
) -> None:
    n, m, lengths = len(problem.y), X_new.shape[1], len(problem.X) if problem.ard else 1
    z, K = np.empty(problem.X.shape), np.empty((n, n))
    new, fields = np.empty(X_new.shape), np.empty((2, n * (n - 1) // 2))
    block = max(1, PAIRS // n)
    q, cross = np.empty(block * n), np.empty((1, block * n))
    for b in range(len(theta)):
        means[b], variances[b] = np.nan, np.nan
        nu = _covariance(problem, theta[b], constants[b], z, fields, K)
        if not factorise(problem.address, K):
            continue
        scale = math.exp(theta[b, lengths])
        alpha = _residual(problem, theta[b])
        solve(problem.address, K, alpha, False)
        solve(problem.address, K, alpha, True)
        _scale_inputs(problem, theta[b], X_new, new)
        for begin in range(0, m, block):
            count = min(block, m - begin)
            here = q[: count * n]
            for i in range(count):
                row = here[i * n : (i + 1) * n]
                row[:] = 0.0
                for k in range(len(z)):
                    row += (z[k] - new[k, begin + i]) ** 2
            _, first, table = _order_and_table(problem, theta[b], constants[b], here, len(cross))
            correlate(problem.correlation.kind, nu, first, table, here, cross)
            for i in range(count):
                row = scale * cross[0, i * n : (i + 1) * n]
                means[b, begin + i] = row @ alpha + (theta[b, -1] if problem.mean else 0.0)
                solve(problem.address, K, row, False)
                variances[b, begin + i] = max(scale - float(row @ row), 0.0)
