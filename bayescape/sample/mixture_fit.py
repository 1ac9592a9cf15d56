"""Refitting a superposition to weighted points: components where mass is lacking, then EM."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from bayescape.landscape.harmonic import shares
from bayescape.sample.superposition import DEGREES, WIDE, Superposition
from bayescape.targets.target import Target

__all__ = ["grow", "insert", "maximise"]

Array = NDArray[np.float64]

NEAR = 10  # a share of one in so many of the points shapes a new component, but no more than
ENOUGH = 20  # so many by squared coordinate: where there are many points, the lack is local
STIFFEST = 1e10  # curvature in a starts' unit that a shape may have: more has no inverse in doubles
GROWN_WEIGHT = 0.18  # what all begin with, before expectation maximisation decides
DEFENSIVE_WIDTH = 2.0
TAILS = np.array([3.0, 4.0, 5.0, 7.0])  # degrees of freedom that are tried
SUPPORT = 10  # effective points per coordinate behind a component before its tails are touched


def grow(
    target: Target,
    present: Superposition,
    anchors: Superposition,
    theta: Array,
    weights: Array,
    most: int,
) -> tuple[Superposition, Superposition]:
    """Add components where points weigh most, at so many places at most, two at each.

    One is shaped by the points near by. Few lie where mass is lacking, so their spread says little;
    the other is shaped by the Hessian: along stiff directions as narrow as it says, along the
    others as wide as the target's starts, so that a tail which the prior alone bounds is covered
    from one point of it.

    Returns
    -------
    tuple of Superposition
        The larger mixture, and the larger set of shapes that refits are drawn towards. New
        components stand before the last two, which guard.
    """
    d = theta.shape[1]
    whiten = np.linalg.inv(np.linalg.cholesky(present.covariance()))
    near = max(min(len(theta) // NEAR, max(ENOUGH * d**2, 60)), 10 * d)
    free = weights.copy()
    tops, scales = [], []
    for _ in range(most):
        top = int(free.argmax())
        if free[top] <= 1 / len(theta):  # nothing weighs more than its share
            break
        away = (((theta - theta[top]) @ whiten.T) ** 2).sum(axis=1)
        around = np.argpartition(away, near)[:near] if near < len(away) else np.arange(len(away))
        # Half by weight, half evenly: Raftery and Bao's compromise against a single heavy point.
        share = weights[around] + weights[around].mean()
        centred = theta[around] - theta[top]
        scale = (share[:, None] * centred).T @ centred / share.sum()
        tops.append(top)
        scales.append(scale + 1e-6 * present.scales[-1])
        free[around] = 0.0
    if not tops:
        return present, anchors
    means = theta[tops]
    stiff = _as_stiff(np.asarray(target.hessian(means), dtype=float), present.scales[-WIDE])
    known = np.flatnonzero(present.basins >= 0)
    basins = present.basins[known[present.component_log_prob(means)[:, known].argmax(axis=1)]]
    new = (
        np.concatenate([means, means]),
        np.concatenate([scales, stiff]),
        np.concatenate([basins, basins]),
        np.full(2 * len(means), GROWN_WEIGHT / (2 * len(means))),
    )
    return insert(present, *new), insert(anchors, *new)


def _as_stiff(hessians: Array, widest: Array) -> Array:
    """Scale matrices ``(B, d, d)`` of inverse Hessians, but in no direction wider than another."""
    factor = np.linalg.cholesky(widest)
    with np.errstate(over="ignore", invalid="ignore"):
        within = factor.T @ hessians @ factor
    whole = np.isfinite(within).all(axis=(1, 2), keepdims=True)
    curvatures, directions = np.linalg.eigh(np.where(whole, within, 0.0))
    axes = factor @ (directions / np.sqrt(np.clip(curvatures, 1.0, STIFFEST))[:, None, :])
    return np.asarray(axes @ axes.swapaxes(1, 2))


def insert(
    mixture: Superposition,
    means: ArrayLike,
    scales: ArrayLike,
    basins: ArrayLike,
    weights: ArrayLike,
) -> Superposition:
    """Put components before the guards, and take their weights from those before them."""
    means, weights = np.asarray(means, dtype=float), np.asarray(weights, dtype=float)
    present = mixture.weights[:-WIDE]
    body = present * (1 - weights.sum() / present.sum())
    degrees = np.full(len(means), DEGREES)

    def joined(part: NDArray[Any], new: ArrayLike) -> NDArray[Any]:
        return np.concatenate([part[:-WIDE], new, part[-WIDE:]])

    return dataclasses.replace(
        mixture,
        weights=np.concatenate([body, weights, mixture.weights[-WIDE:]]),
        means=joined(mixture.means, means),
        scales=joined(mixture.scales, scales),
        degrees=joined(mixture.degrees, degrees),
        basins=joined(mixture.basins, basins),
    )


def maximise(
    present: Superposition,
    anchors: Superposition,
    theta: Array,
    weights: Array,
    *,
    tails: bool = False,
) -> Superposition:
    """One step of expectation maximisation on weighted points.

    A component's scale is drawn towards its anchor's by as many imaginary points as it has free
    numbers, ``d (d + 1) / 2``, or by ``2 d``: what few points say of many numbers is soon taken for
    more than it is. The defensive component, the last, follows the points as a whole. With
    ``tails`` the degrees of freedom of well supported components are chosen anew, by the likelihood
    at fixed scales (the ECME step of C. Liu, D. B. Rubin, Biometrika 81, 633, 1994, on a grid).
    """
    d, degrees = theta.shape[1], present.degrees
    distances = present.distances(theta)
    share = weights[:, None] * shares(present.log_prob_at(distances))
    pull = share * (degrees + d) / (degrees + distances)
    mass, pulled = share.sum(axis=0), pull.sum(axis=0)
    # Effective number of points behind each component.
    count = mass**2 / np.maximum((share**2).sum(axis=0), 1e-300)

    means, scales, tail = present.means.copy(), present.scales.copy(), degrees.copy()
    for k in range(len(mass) - WIDE):
        if count[k] < 2:  # too few to move it: it keeps its shape and loses its weight
            continue
        if tails and count[k] > SUPPORT * d:
            tail[k] = _degrees(distances[:, k], share[:, k] * count[k] / mass[k], d)
        means[k] = pull[:, k] @ theta / pulled[k]
        centred = theta - means[k]
        spread = (pull[:, k, None] * centred).T @ centred / mass[k]
        prior = max(2.0 * d, 0.5 * d * (d + 1))
        scales[k] = (count[k] * spread + prior * anchors.scales[k]) / (count[k] + prior)
    means[-1] = weights @ theta
    around = theta - means[-1]
    scales[-1] = DEFENSIVE_WIDTH**2 * (weights[:, None] * around).T @ around
    scales[-1] += 1e-3 * anchors.scales[-1]  # proper even when a single point weighs
    kept, known = mass[:-WIDE] / mass[:-WIDE].sum(), anchors.weights[:-WIDE]
    # A sliver of the first weights stays, so that no basin of the map is ever given up.
    kept = known.sum() * (0.98 * kept + 0.02 * known / known.sum())
    return dataclasses.replace(
        present,
        weights=np.append(kept, anchors.weights[-WIDE:]),
        means=means,
        scales=scales,
        degrees=tail,
    )


def _degrees(distances: Array, share: Array, d: int) -> float:
    """Degrees of freedom of the greatest likelihood, less half the logarithm of each.

    The penalty is that of a density which falls as ``1 / sqrt``: without reasons, heavy tails.
    """
    nu = TAILS[:, None]
    constant = gammaln(0.5 * (nu + d)) - gammaln(0.5 * nu) - 0.5 * d * np.log(nu)
    density = constant - 0.5 * (nu + d) * np.log1p(distances / nu)
    return float(TAILS[(density @ share - 0.5 * np.log(TAILS)).argmax()])
