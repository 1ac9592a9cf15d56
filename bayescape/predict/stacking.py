"""Stacking: the weights with which predictors would have predicted each row left out best.

Pure functions over arrays. Both problems are convex over the simplex of weights, and what is
returned has been brought to a stated distance from the optimum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

__all__ = ["stack_densities", "stack_means"]

Array = NDArray[np.float64]

GAP = 1e-9  # nats per row (or share of the mean square) by which the optimum may be missed
SWEEPS = 20_000


def stack_densities(log_densities: ArrayLike) -> Array:
    """Weights of a mixture with the greatest mean log density.

    Parameters
    ----------
    log_densities
        Log density of every row, left out, by every predictor, ``(M, n)``, nats.

    Returns
    -------
    numpy.ndarray
        Weights ``(M,)``, not negative, summing to one.

    Notes
    -----
    With ``g_k`` the mean over rows of predictor ``k``'s density over the mixture's, no weights are
    better by more than ``max_k g_k - 1``, for the objective is concave. Sequential quadratic
    programming comes near; the expectation-maximisation step ``w_k <- w_k g_k`` does the rest.

    References
    ----------
    Y. Yao, A. Vehtari, D. Simpson, A. Gelman, "Using stacking to average Bayesian predictive
    distributions", Bayesian Anal. 13, 917 (2018), equation 4; doi:10.1214/17-BA1091.
    """
    logs = np.asarray(log_densities, dtype=float)
    densities = np.exp(logs - logs.max(axis=0))

    def shares(w: Array) -> Array:
        return np.asarray((densities / np.maximum(w @ densities, 1e-300)).mean(axis=1))

    def loss(w: Array) -> tuple[float, Array]:
        return -float(np.log(np.maximum(w @ densities, 1e-300)).mean()), -shares(w)

    w = _on_simplex(loss, len(logs))
    g = shares(w)
    if g.max() - 1 > GAP:  # a weight that was set to zero in error could not grow
        w = (1 - 1e-6) * w + 1e-6 / len(w)
    for _ in range(SWEEPS):
        g = shares(w)
        if g.max() - 1 <= GAP:
            break
        w = w * g
        w /= w.sum()
    return _tidy(w)


def stack_means(means: ArrayLike, y: ArrayLike) -> Array:
    """Weights whose mean prediction has the least squared error.

    Parameters
    ----------
    means
        Mean of every row, left out, by every predictor, ``(M, n)``.
    y
        What was observed, ``(n,)``.

    Returns
    -------
    numpy.ndarray
        Weights ``(M,)``, not negative, summing to one.

    References
    ----------
    L. Breiman, "Stacked regressions", Mach. Learn. 24, 49 (1996).
    """
    errors = np.asarray(means, dtype=float) - np.asarray(y, dtype=float)
    squares = errors @ errors.T / errors.shape[1]
    squares /= max(float(np.diagonal(squares).mean()), 1e-300)

    def loss(w: Array) -> tuple[float, Array]:
        slope = squares @ w
        return 0.5 * float(w @ slope), slope

    w = _on_simplex(loss, len(errors))
    for _ in range(SWEEPS):  # Frank and Wolfe's steps, towards or away from one predictor
        slope = squares @ w
        best = int(slope.argmin())
        worst = int(np.where(w > 0, slope, -np.inf).argmax())
        gap = float(slope @ w - slope[best])
        if gap <= GAP:
            break
        step = np.zeros(len(w))
        step[best], step[worst] = 1.0, -1.0
        curvature = max(float(step @ squares @ step), 1e-300)
        w = w + min(float(w[worst]), float(slope[worst] - slope[best]) / curvature) * step
    return _tidy(w)


def _on_simplex(loss: Callable[[Array], tuple[float, Array]], count: int) -> Array:
    """Near the least of a convex function of weights, which gives its gradient too."""
    if count == 1:
        return np.ones(1)
    found = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={
            "type": "eq",
            "fun": lambda w: w.sum() - 1,
            "jac": lambda w: np.ones_like(w),
        },
        options={"ftol": 1e-14, "maxiter": 200},
    )
    w = np.clip(found.x, 0.0, None)
    return w / w.sum() if np.isfinite(w).all() and w.sum() > 0 else np.full(count, 1 / count)


def _tidy(w: Array) -> Array:
    """The same without the weights that are zero but for rounding."""
    w = np.where(w < 1e-12, 0.0, w)
    return w / w.sum()
