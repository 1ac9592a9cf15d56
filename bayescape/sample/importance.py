"""Importance weights: smoothing, evidence with its error, and equally weighted draws from them."""

from __future__ import annotations

import dataclasses

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy.special import logsumexp

__all__ = ["Weighted", "errors_of_sd_by_weights", "khat_limit", "resample", "weigh"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Weighted:
    """Points drawn from a proposal, and what they weigh under the target.

    Attributes
    ----------
    log_ratio
        Log of unnormalised target over proposal, shape ``(N,)``, nats; ``-inf`` outside the domain.
    weights
        Pareto-smoothed weights, shape ``(N,)``, summing to one.
    pareto_k
        Shape of the fitted tail: good below 0.5, usable below `khat_limit`, ``+inf`` when too few
        points lie in the domain to fit one.
    ess
        Effective sample size ``1 / sum w^2`` of the smoothed weights.
    log_evidence, log_evidence_se
        Log of the mean ratio, and its standard error by the delta method, nats.
    """

    log_ratio: Array
    weights: Array
    pareto_k: float
    ess: float
    log_evidence: float
    log_evidence_se: float

    @property
    def efficiency(self) -> float:
        """Effective draws per point."""
        return self.ess / len(self.weights)

    @property
    def unseen(self) -> float:
        """Share of the whole weight that the fitted tail foretells beyond the largest, roughly.

        One point in as many as there are lies there, and those of a Pareto tail of shape k weigh
        ``1 / (1 - k)`` times the largest on average; where k is not below one, without bound. A
        tail may be as heavy as any in shape and hold next to nothing.
        """
        if not self.pareto_k < 1:
            return np.inf
        return float(self.weights.max() / (1 - max(self.pareto_k, 0.0)))

    @property
    def usable(self) -> bool:
        """Whether the tail is light enough for the estimates and their errors to be believed."""
        return self.pareto_k < khat_limit(len(self.weights))


def khat_limit(count: int) -> float:
    """Largest Pareto k at which ``count`` points give reliable estimates.

    ``min(1 - 1 / log10(count), 0.7)``, Vehtari et al. (2024), equation 13 and section 3.2.4.
    """
    return float(min(1 - 1 / np.log10(count), 0.7)) if count > 10 else 0.0


def weigh(log_ratio: Array) -> Weighted:
    """Smooth importance weights and estimate the evidence.

    Parameters
    ----------
    log_ratio
        Shape ``(N,)``: log target minus log proposal at points drawn from the proposal.

    Returns
    -------
    Weighted
        The evidence and its error come of the raw ratios, which are unbiased; the weights are
        smoothed, which lowers their variance.

    References
    ----------
    A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry, "Pareto smoothed importance sampling",
    J. Mach. Learn. Res. 25, 72 (2024).
    """
    count = len(log_ratio)
    inside = np.isfinite(log_ratio)
    if inside.sum() < 25:  # too few for a tail: say so by an infinite k
        weights = np.where(inside, 1.0, 0.0) / max(inside.sum(), 1)
        return Weighted(log_ratio, weights, np.inf, float(inside.sum()), -np.inf, np.inf)

    smoothed = np.full(count, -np.inf)
    smoothed[inside], k = _smooth(log_ratio[inside])
    weights = np.exp(smoothed - logsumexp(smoothed))

    log_mean = logsumexp(log_ratio[inside]) - np.log(count)
    relative = np.exp(np.where(inside, log_ratio, -np.inf) - log_mean)
    se = float(relative.std(ddof=1) / np.sqrt(count))
    return Weighted(
        log_ratio=log_ratio,
        weights=weights,
        pareto_k=float(k),
        ess=float(1 / (weights**2).sum()),
        log_evidence=float(log_mean),
        log_evidence_se=se,
    )


def errors_of_sd_by_weights(points: Array, weights: Array) -> Array:
    """Relative standard errors of the standard deviations of weighted points, ``(d,)``.

    By the delta method; NaN where they are not finite.

    Parameters
    ----------
    points, weights
        Shapes ``(N, d)`` and ``(N,)``, the latter summing to one.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        square = (points - weights @ points) ** 2
        variance = weights @ square
        return np.sqrt(weights**2 @ (square - variance) ** 2) / (2 * variance)


def _smooth(log_ratio: Array) -> tuple[Array, float]:
    """Pareto-smoothed log weights and k; a tail of equal weights is as light as can be, k = 0."""
    largest = np.sort(log_ratio)[-max(len(log_ratio) // 5, 5) :]
    if np.ptp(largest) < 1e-12:
        return log_ratio, 0.0
    with np.errstate(all="ignore"):  # a tail of many ties divides by zero, and then k is NaN
        # ArviZ smooths as for leave-one-out: its argument is the negative log of the ratios.
        log_weights, k = array_stats.psislw(-log_ratio)
    if not np.isfinite(k) or not np.isfinite(log_weights).all():
        return log_ratio, np.inf  # a tail that spans more than doubles hold has no shape either
    return log_weights, float(k)


def resample(
    weights: Array, order: Array, draws: int, rng: np.random.Generator
) -> NDArray[np.int_]:
    """Positions of equally weighted draws, by systematic resampling along an order.

    Parameters
    ----------
    weights
        Shape ``(N,)``, summing to one.
    order
        Shape ``(N,)``: sorting by it puts points that are alike next to one another, so that every
        region is given its due number of draws, not merely on average.
    draws
        How many.
    rng
        Source of the offset and of the final shuffling.

    Returns
    -------
    numpy.ndarray
        Positions into ``weights``, shape ``(draws,)``, in random order.
    """
    along = np.argsort(order, kind="stable")
    cumulative = np.cumsum(weights[along])
    ticks = (np.arange(draws) + rng.uniform()) / draws * cumulative[-1]
    picked = np.minimum(np.searchsorted(cumulative, ticks), len(weights) - 1)
    return rng.permutation(along[picked])
