"""Predictions as mixtures of Gaussians: one component per draw, or per minimum.

Given hyperparameters, a Gaussian process predicts a Gaussian at every input. Several draws, or
several minima with weights, therefore predict a mixture of Gaussians, and everything that a reader
wants of it (moments, quantiles, density) follows without sampling once more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr, ndtri

from bayescape.arguments import check_whole
from bayescape.predict.validate import Predicts, validate_posterior

__all__ = ["MAXIMUM_DRAWS", "Predictions", "blocks", "predictions_at", "thinned_draws"]

Array = NDArray[np.float64]

MAXIMUM_DRAWS = 500
"""Draws used to predict with. The CRPS of a mixture costs their square, and 500 draws already put
the Monte Carlo error of a mean at 4 % of the posterior's spread, far below that of test errors."""

_BLOCK = 2**20  # elements of a (components, points) array worked on at once: 8 MiB
_SMALLEST_SD = 1e-100  # so that a component without variance divides nothing by zero
_COVARIANCES = 2**23  # elements of all covariances of points theta handed over at once: 64 MiB
_CHUNK = 32  # at most so many points theta at once: beyond, batching gains nothing


@dataclasses.dataclass(frozen=True, slots=True)
class Predictions:
    """A mixture of Gaussians at each of ``m`` test points, with ``S`` components.

    Attributes
    ----------
    means, variances
        Shapes ``(S, m)``, in the units of ``y`` and their square.
    weights
        Shape ``(S,)``, not negative, summing to one.

    Raises
    ------
    ValueError
        If the shapes disagree, a value is not finite, a variance or weight is negative, or the
        weights do not sum to one.
    """

    means: Array
    variances: Array
    weights: Array

    def __post_init__(self) -> None:
        """Check what the class promises."""
        if self.means.ndim != 2 or self.means.shape != self.variances.shape:
            raise ValueError(
                f"`means` and `variances` must both have shape (S, m), "
                f"got {self.means.shape} and {self.variances.shape}"
            )
        if self.weights.shape != self.means.shape[:1]:
            raise ValueError(
                f"`weights` must have shape {self.means.shape[:1]}, got {self.weights.shape}"
            )
        if not (np.isfinite(self.means).all() and np.isfinite(self.variances).all()):
            raise ValueError("`means` and `variances` must be finite")
        if (self.variances < 0).any():
            raise ValueError(f"`variances` must not be negative, got {self.variances.min()}")
        if not (self.weights >= 0).all() or abs(self.weights.sum() - 1) > 1e-9:
            raise ValueError(f"`weights` must sum to one, got {self.weights.sum()}")

    @property
    def mean(self) -> Array:
        """Mean of the mixture, shape ``(m,)``."""
        return self.weights @ self.means

    @property
    def variance(self) -> Array:
        """Variance of the mixture, within and between components, shape ``(m,)``."""
        return self.weights @ (self.variances + (self.means - self.mean) ** 2)

    def cdf(self, y: ArrayLike) -> Array:
        """Probability of a value of at most ``y`` ``(m,)`` at each point, shape ``(m,)``."""
        z = (np.asarray(y, dtype=float) - self.means) / self._sd()
        return self.weights @ ndtr(z)

    def log_density(self, y: ArrayLike) -> Array:
        """Log density of the mixture at ``y`` ``(m,)``, nats, shape ``(m,)``."""
        sd = self._sd()
        z = (np.asarray(y, dtype=float) - self.means) / sd
        parts = -0.5 * z**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
        return logsumexp(parts, axis=0, b=self.weights[:, None])

    def quantile(self, levels: ArrayLike) -> Array:
        """Quantiles of the mixture, by Newton's method kept inside a shrinking bracket.

        Parameters
        ----------
        levels
            Shape ``(Q,)``, strictly between 0 and 1.

        Returns
        -------
        numpy.ndarray
            Shape ``(Q, m)``, the units of ``y``.

        Raises
        ------
        ValueError
            If a level is not strictly between 0 and 1.

        Notes
        -----
        The quantile of a mixture lies between the least and the greatest quantile of its
        components at the same level, which is the bracket to start from. About ten evaluations of
        the ``S m`` component distributions per level.
        """
        levels = np.atleast_1d(np.asarray(levels, dtype=float))
        if not ((levels > 0) & (levels < 1)).all():
            raise ValueError(f"`levels` must lie strictly between 0 and 1, got {levels}")
        used = self.weights > 0
        weights, result = self.weights[used], np.empty((len(levels), self.means.shape[1]))
        for points in blocks(self.means.shape[1], len(weights)):
            means, sd = self.means[used, points], self._sd()[used, points]
            for i, level in enumerate(levels):
                result[i, points] = _mixture_quantile(means, sd, weights, level)
        return result

    def _sd(self) -> Array:
        return np.maximum(np.sqrt(self.variances), _SMALLEST_SD)


def predictions_at(
    target: Predicts,
    theta: Array,
    X: Array,
    *,
    weights: ArrayLike | None = None,
    noise: bool = True,
) -> Predictions:
    """Predict at ``X`` from weighted points ``theta``, a few at a time.

    Parameters
    ----------
    target
        What predicts.
    theta
        Points in unconstrained coordinates, shape ``(S, d)``.
    X
        Test inputs, shape ``(m, p)``, raw units.
    weights
        Shape ``(S,)``, not negative; scaled to sum to one. Equal by default.
    noise
        Predict a new observation (the default) or the noise-free function.

    Returns
    -------
    Predictions
        Components of weight zero are left out, and are not computed.

    Raises
    ------
    ValueError
        If there is no point, or the target's predictions are not finite.
    """
    theta = np.asarray(theta, dtype=float)
    w = np.ones(len(theta)) if weights is None else np.asarray(weights, dtype=float)
    if not len(theta) or w.shape != (len(theta),) or not w.sum() > 0:
        raise ValueError(
            f"`theta` must hold at least one point with a positive weight, "
            f"got {len(theta)} points and weights of shape {w.shape}"
        )
    theta, w = theta[w > 0], w[w > 0]
    chunk = _chunk(target, len(X))
    parts = [
        target.predict(theta[i : i + chunk], X, noise=noise) for i in range(0, len(theta), chunk)
    ]
    means = np.concatenate([np.asarray(mean, dtype=float) for mean, _ in parts])
    variances = np.concatenate([np.asarray(variance, dtype=float) for _, variance in parts])
    return Predictions(means, variances, w / w.sum())


def thinned_draws(posterior: xr.DataTree, maximum: int = MAXIMUM_DRAWS) -> Array:
    """At most ``maximum`` draws of ``theta``, evenly spaced over all chains, shape ``(S, d)``.

    Parameters
    ----------
    posterior
        Equally weighted draws, as `sample` returns them.
    maximum
        How many to keep; all of them when there are fewer. The choice is deterministic.
    """
    check_whole("maximum_draws", maximum, 1)
    theta = validate_posterior(posterior)["unconstrained_posterior"]["theta"]
    draws = theta.transpose("chain", "draw", "coordinate").values
    draws = draws.reshape(-1, draws.shape[-1])
    return draws[even_positions(len(draws), maximum)]


def even_positions(count: int, maximum: int) -> NDArray[np.intp]:
    """At most ``maximum`` distinct positions below ``count``, evenly spaced, in order."""
    kept = min(count, maximum)
    return (((np.arange(kept) + 0.5) * count) / max(kept, 1)).astype(np.intp)


def blocks(points: int, components: int) -> Iterator[slice]:
    """Cut ``points`` columns into slices, so that each holds some 8 MiB of components."""
    size = max(1, _BLOCK // max(components, 1))
    for start in range(0, points, size):
        yield slice(start, min(start + size, points))


def _chunk(target: Predicts, points: int) -> int:
    """How many points theta to predict with at once, given the covariances that each needs."""
    data = len(getattr(target, "X", ()))
    return int(np.clip(_COVARIANCES // max(data * (data + points), 1), 1, _CHUNK))


def _mixture_quantile(means: Array, sd: Array, weights: Array, level: float) -> Array:
    component = means + sd * ndtri(level)
    low, high = component.min(axis=0), component.max(axis=0)
    x = weights @ component
    tolerance = max(1e-13 * min(level, 1 - level), 4 * np.finfo(float).eps)
    for iteration in range(200):
        z = (x - means) / sd
        excess = weights @ ndtr(z) - level
        width = 4 * np.finfo(float).eps * np.maximum(np.abs(low), np.abs(high))
        open_ = (np.abs(excess) > tolerance) & (high - low > width)
        if not open_.any():
            break
        low = np.where(open_ & (excess < 0), x, low)
        high = np.where(open_ & (excess >= 0), x, high)
        density = weights @ (np.exp(-0.5 * z**2) / sd) / np.sqrt(2 * np.pi)
        short = density * (high - low) > np.abs(excess)  # else the step would leave the bracket
        step = np.divide(excess, density, out=np.full_like(x, np.inf), where=short)
        proposal = x - step
        # Every third step halves the bracket, which bounds the work on flats between components.
        inside = (proposal > low) & (proposal < high) & (iteration % 3 < 2)
        x = np.where(open_, np.where(inside, proposal, 0.5 * (low + high)), x)
    return x
