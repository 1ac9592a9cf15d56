"""Proper scores of predictions, and the coverage of their intervals.

Every function takes `Predictions` at ``m`` points and the answers ``y`` ``(m,)``, and returns the
score at each point, so that predictors can be compared pair by pair. Smaller is better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from bayescape.predict.predictions import Predictions, blocks

__all__ = ["covered", "crps", "negative_log_density", "squared_error"]

Array = NDArray[np.float64]


def squared_error(predictions: Predictions, y: ArrayLike) -> Array:
    """Squared error of the mixture's mean, shape ``(m,)``, in the square of the units of ``y``."""
    return (predictions.mean - np.asarray(y, dtype=float)) ** 2


def negative_log_density(predictions: Predictions, y: ArrayLike) -> Array:
    """Negative log density of the mixture at ``y``, shape ``(m,)``, nats."""
    return -predictions.log_density(y)


def crps(predictions: Predictions, y: ArrayLike) -> Array:
    """Continuous ranked probability score of the mixture, in closed form.

    ``sum_i w_i A(y - mu_i, s_i^2) - 1/2 sum_ij w_i w_j A(mu_i - mu_j, s_i^2 + s_j^2)``, where
    ``A(mu, s^2) = 2 s phi(mu / s) + mu (2 Phi(mu / s) - 1)`` is the mean of ``|X|`` for a Gaussian
    ``X``.

    Parameters
    ----------
    predictions
        ``S`` components at ``m`` points.
    y
        Shape ``(m,)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(m,)``, the units of ``y``.

    Notes
    -----
    ``S (S + 1) / 2`` evaluations per point, in blocks of points of bounded memory.

    References
    ----------
    E. P. Grimit, T. Gneiting, V. J. Berrocal, N. A. Johnson, "The continuous ranked probability
    score for circular variables and its application to mesoscale forecast ensemble verification",
    Q. J. R. Meteorol. Soc. 132, 2925 (2006), equation 5; doi:10.1256/qj.05.235.
    """
    y = np.asarray(y, dtype=float)
    result = np.empty(y.shape)
    for points in blocks(len(y), len(predictions.weights)):
        result[points] = _mixture_crps(
            predictions.means[:, points],
            predictions.variances[:, points],
            predictions.weights,
            y[points],
        )
    return result


def covered(predictions: Predictions, y: ArrayLike, level: float) -> NDArray[np.bool_]:
    """Whether ``y`` lies in the central interval of probability ``level``, shape ``(m,)``.

    Parameters
    ----------
    predictions, y
        As in `crps`.
    level
        Probability of the interval, between 0 and 1; its ends are quantiles of the mixture.
    """
    low, high = predictions.quantile([0.5 - level / 2, 0.5 + level / 2])
    y = np.asarray(y, dtype=float)
    return (low <= y) & (y <= high)


def _mixture_crps(means: Array, variances: Array, weights: Array, y: Array) -> Array:
    to_answer = weights @ _mean_absolute(y - means, variances)
    # The pairs' matrix is symmetric: its diagonal once, each pair above it twice.
    between = weights**2 @ _mean_absolute(np.zeros_like(means), 2 * variances)
    for i in range(len(weights) - 1):
        rest = slice(i + 1, None)
        part = _mean_absolute(means[i] - means[rest], variances[i] + variances[rest])
        between += 2 * weights[i] * (weights[rest] @ part)
    return to_answer - 0.5 * between


def _mean_absolute(mean: Array, variance: Array) -> Array:
    """``E|X|`` for Gaussian ``X``: ``2 s phi(z) + mu erf(z / sqrt 2)`` with ``z = mu / s``."""
    sd = np.maximum(np.sqrt(variance), 1e-100)
    z = mean / (np.sqrt(2) * sd)
    return sd * np.sqrt(2 / np.pi) * np.exp(-(z**2)) + mean * erf(z)
