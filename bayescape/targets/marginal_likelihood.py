"""The log marginal likelihood of an exact Gaussian process, with gradient and Hessian.

One point at a time, in the coordinates (log lengthscales, log outputscale, log noise[, mean]), for
the covariance ``K = outputscale (R + jitter I) + noise I``. With ``alpha = K^-1 (y - mean)`` and
``K_a`` the derivative of ``K``, the negative log likelihood ``E`` has

``E_a  = 1/2 tr(K^-1 K_a) - 1/2 alpha' K_a alpha`` and
``E_ab = 1/2 tr(K^-1 K_ab) - 1/2 alpha' K_ab alpha - 1/2 tr(K^-1 K_a K^-1 K_b)
+ alpha' K_a K^-1 K_b alpha``

(Rasmussen & Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), equations 5.8 to
5.9, and their derivative). Outputscale and noise need no product of matrices: the derivatives by
their logarithms are ``K - noise I`` and ``noise I``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from bayescape.kernels.stationary import Stationary

__all__ = ["MarginalLikelihood"]

Array = NDArray[np.float64]


class MarginalLikelihood:
    """Negative log marginal likelihood of some data under a stationary kernel.

    Parameters
    ----------
    kernel
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
        self, kernel: Stationary, X: Array, y: Array, *, ard: bool, mean: bool, jitter: float
    ) -> None:
        self.kernel, self.X, self.y = kernel, X, y
        self.ard, self.mean, self.jitter = ard, mean, jitter
        n, p = X.shape
        squares = np.stack([(X[:, i, None] - X[None, :, i]) ** 2 for i in range(p)])
        if not ard:
            squares = squares.sum(axis=0, keepdims=True)
        self.squares = squares.reshape(len(squares), n * n)

    def energy(self, theta: Array) -> float:
        """Value at one point ``(d,)``; ``+inf`` where the covariance is not positive definite."""
        n = len(self.y)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            _, _, residual, factor = self._factor_at(theta)
            if factor is None:
                return np.inf
            alpha, _ = dpotrs(factor, residual, lower=1)
            value = 0.5 * residual @ alpha + np.log(np.diag(factor)).sum()
        return float(value + 0.5 * n * np.log(2 * np.pi)) if np.isfinite(value) else np.inf

    def energy_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient ``(d,)`` at one point; ``+inf`` and NaN outside the domain."""
        outside = np.inf, np.full(len(theta), np.nan)
        n, k = len(self.y), len(self.squares)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            lengths, scale, noise, residual = self._unpack(theta)
            q = lengths**-2 @ self.squares
            value, slope = self.kernel.first(q)
            signal = scale * value.reshape(n, n)
            factor = self._factorise(signal, scale, noise)
            if factor is None:
                return outside
            alpha, inverse = self._solve(factor, residual)
            energy = 0.5 * residual @ alpha + np.log(np.diag(factor)).sum()
            inner = inverse - np.outer(alpha, alpha)
            # E_a = 1/2 sum inner * K_a, with K_a = -2 scale (squares_i / l_i^2) k'(q).
            by_length = -scale * (self.squares @ (inner.ravel() * slope)) * lengths**-2
            trace = np.trace(inner)
            by_noise = 0.5 * noise * trace
            by_scale = 0.5 * ((inner * signal).sum() + self.jitter * scale * trace)
            gradient = np.concatenate([by_length, [by_scale, by_noise]])
            if self.mean:
                gradient = np.append(gradient, -alpha.sum())
        if not (np.isfinite(energy) and np.isfinite(gradient).all()):
            return outside
        assert len(gradient) == k + 2 + self.mean
        return float(energy + 0.5 * n * np.log(2 * np.pi)), gradient

    def hessian(self, theta: Array) -> Array:
        """Second derivatives ``(d, d)`` at one point; NaN outside the domain."""
        d, n, k = len(theta), len(self.y), len(self.squares)
        hessian = np.full((d, d), np.nan)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            lengths, scale, noise, residual = self._unpack(theta)
            scaled = self.squares * lengths[:, None] ** -2
            value, slope, curvature = self.kernel.second(scaled.sum(axis=0))
            signal = scale * value.reshape(n, n)
            factor = self._factorise(signal, scale, noise)
            if factor is None:
                return hessian
            alpha, inverse = self._solve(factor, residual)
        inner = inverse - np.outer(alpha, alpha)
        flat = inner.ravel()
        by_length = (-2 * scale * scaled * slope).reshape(k, n, n)
        signal[np.diag_indices(n)] += self.jitter * scale
        first = [*by_length, signal]  # noise, a multiple of the identity, is apart

        # 1/2 sum inner * K_ab
        half = np.zeros((k + 2, k + 2))
        half[:k, :k] = 2 * scale * (scaled * (flat * curvature)) @ scaled.T
        half[np.arange(k), np.arange(k)] += 2 * scale * scaled @ (flat * slope)
        half[k, :k] = half[:k, k] = 0.5 * np.einsum("kij,ij->k", by_length, inner)
        half[k, k] = 0.5 * (inner * signal).sum()
        half[k + 1, k + 1] = 0.5 * noise * np.trace(inner)

        # alpha' K_a K^-1 K_b alpha - 1/2 tr(K^-1 K_a K^-1 K_b)
        products = [inverse @ matrix for matrix in first] + [noise * inverse]
        pulled = np.array([matrix @ alpha for matrix in first] + [noise * alpha])
        solved = np.array([product @ alpha for product in products])
        traces = np.array([[(a * b.T).sum() for b in products] for a in products])
        hessian[: k + 2, : k + 2] = half + pulled @ solved.T - 0.5 * traces
        if self.mean:
            ones = inverse.sum(axis=0)
            hessian[-1, :-1] = hessian[:-1, -1] = solved.sum(axis=1)
            hessian[-1, -1] = ones.sum()
        return 0.5 * (hessian + hessian.T)

    def predict(self, theta: Array, X_new: Array) -> tuple[Array, Array]:
        """Mean and variance of the latent function at new inputs ``(m, p)``: ``(m,)``, ``(m,)``.

        Rasmussen & Williams, equations 2.25 and 2.26. NaN where the covariance is not positive
        definite.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            lengths, scale, residual, factor = self._factor_at(theta)
            if factor is None:
                return np.full(len(X_new), np.nan), np.full(len(X_new), np.nan)
            lengths = np.broadcast_to(lengths, self.X.shape[1])
            between = (X_new[:, None, :] - self.X[None, :, :]) / lengths
            cross = scale * self.kernel.value((between**2).sum(axis=2))
            solved, _ = dpotrs(factor, np.column_stack([residual, cross.T]), lower=1)
        offset = theta[-1] if self.mean else 0.0
        variance = scale - (cross * solved[:, 1:].T).sum(axis=1)
        return offset + cross @ solved[:, 0], np.maximum(variance, 0.0)

    def _unpack(self, theta: Array) -> tuple[Array, float, float, Array]:
        k = len(self.squares)
        residual = self.y - theta[-1] if self.mean else self.y
        return np.exp(theta[:k]), float(np.exp(theta[k])), float(np.exp(theta[k + 1])), residual

    def _factor_at(self, theta: Array) -> tuple[Array, float, Array, Array | None]:
        """Lengthscales, outputscale, residual and Cholesky factor where no slope is asked for."""
        n = len(self.y)
        lengths, scale, noise, residual = self._unpack(theta)
        signal = scale * self.kernel.value(lengths**-2 @ self.squares).reshape(n, n)
        return lengths, scale, residual, self._factorise(signal, scale, noise)

    def _factorise(self, signal: Array, scale: float, noise: float) -> Array | None:
        """Lower Cholesky factor of the covariance, or ``None`` where there is none."""
        covariance = signal.copy()
        covariance[np.diag_indices(len(signal))] += self.jitter * scale + noise
        if not np.isfinite(covariance).all():
            return None
        factor, failed = dpotrf(covariance, lower=1)
        return None if failed else factor

    @staticmethod
    def _solve(factor: Array, residual: Array) -> tuple[Array, Array]:
        """``alpha`` and the whole symmetric inverse."""
        alpha, _ = dpotrs(factor, residual, lower=1)
        lower, _ = dpotri(factor, lower=1)
        lower = np.tril(lower)
        return alpha, lower + np.tril(lower, -1).T
