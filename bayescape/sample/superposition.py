"""The superposition: a heavy-tailed mixture over basins that reconstructs the density."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayescape.arguments import check_array, shown
from bayescape.landscape.harmonic import occupation, shares
from bayescape.landscape.record import Landscape, log_multiplicities
from bayescape.targets.target import Target, bounds_of

__all__ = ["DEGREES", "WIDE", "Superposition", "harmonic_superposition", "target_of"]

Array = NDArray[np.float64]

DEGREES = 3.0  # of freedom, at first and in guards: the fewest whole ones with a finite covariance,
# for what lies outside a mixture's reach is what goes wrong in silence
WIDE = 2  # components at a mixture's end that guard against what the others miss
GUARD = 0.05  # weight of each of these
STARTS = 512  # points that tell where a target's starts lie
BLOCK = 1024  # points at once in log_prob: bounds the memory at BLOCK * K * d numbers


@dataclasses.dataclass(frozen=True)
class Superposition:
    """A mixture of multivariate Student t distributions over unconstrained coordinates.

    Attributes
    ----------
    weights
        Shape ``(K,)``, non-negative, summing to one.
    means
        Shape ``(K, d)``.
    scales
        Scale matrices, shape ``(K, d, d)``, positive definite; a component's covariance is
        ``degrees / (degrees - 2)`` times its scale matrix.
    degrees
        Degrees of freedom, shape ``(K,)``, above 2; one number stands for all.
    basins
        Shape ``(K,)``: the minimum that a component was placed for, by position; -1 for one that
        belongs to none (a bridge at a transition state, a guard).
    """

    weights: Array
    means: Array
    scales: Array
    basins: NDArray[np.int_]
    degrees: Array = dataclasses.field(default_factory=lambda: np.array(DEGREES))

    def __post_init__(self) -> None:
        k, d = (*np.shape(self.means), 0, 0)[:2]
        shapes: dict[str, tuple[int, ...]] = {
            "means": (k, d),
            "weights": (k,),
            "scales": (k, d, d),
            "basins": (k,),
        }
        for name, shape in shapes.items():
            _of_shape(name, getattr(self, name), shape)
        degrees = check_array("degrees", self.degrees, f"a number or {k} of them")
        if degrees.shape not in ((), (k,)):
            raise ValueError(
                f"`degrees` must be a number or {k} of them, got shape {degrees.shape}"
            )
        object.__setattr__(self, "degrees", np.broadcast_to(degrees, (k,)))

    @cached_property
    def _factors(self) -> tuple[Array, Array]:
        """Inverse Cholesky factors of the scales, and the log normalising constants."""
        d = self.means.shape[1]
        cholesky = np.linalg.cholesky(self.scales)
        inverse = np.linalg.inv(cholesky)
        log_det = np.log(np.diagonal(cholesky, axis1=1, axis2=2)).sum(axis=1)
        nu = self.degrees
        constant = gammaln(0.5 * (nu + d)) - gammaln(0.5 * nu) - 0.5 * d * np.log(nu * np.pi)
        return inverse, constant - log_det

    def distances(self, theta: Array) -> Array:
        """Squared Mahalanobis distances to the components, ``(B, d) -> (B, K)``."""
        inverse, _ = self._factors
        k, d = self.means.shape
        # One product for all components: they are whitened about the first mean, then moved.
        rows = inverse.reshape(k * d, d)
        offset = np.einsum("kij,kj->ki", inverse, self.means - self.means[0])
        found = np.empty((len(theta), k))
        for begin in range(0, len(theta), BLOCK):
            block = slice(begin, begin + BLOCK)
            white = ((theta[block] - self.means[0]) @ rows.T).reshape(-1, k, d) - offset
            np.einsum("bki,bki->bk", white, white, out=found[block])
        return found

    def component_log_prob(self, theta: Array) -> Array:
        """Log of weight times density of every component, ``(B, d) -> (B, K)``."""
        return self.log_prob_at(self.distances(theta))

    def log_prob_at(self, distances: Array) -> Array:
        """`component_log_prob` at squared distances ``(B, K)`` from the components."""
        d, nu = self.means.shape[1], self.degrees
        _, constant = self._factors
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        parts = np.log(1 + distances / nu)  # several times as fast as log1p, and right to 1e-16
        parts *= -0.5 * (nu + d)
        parts += log_weights + constant
        return parts

    def log_prob(self, theta: Array) -> Array:
        """Normalised log density in nats, ``(B, d) -> (B,)``."""
        parts = self.component_log_prob(theta)
        highest = parts.max(axis=1)
        relative = np.exp(parts - highest[:, None])
        return np.asarray(highest + np.log(relative.sum(axis=1)))

    def responsibilities(self, theta: Array) -> Array:
        """Probability of each component given a point, ``(B, d) -> (B, K)``, rows summing to 1."""
        return shares(self.component_log_prob(theta))

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """Independent draws, shape ``(count, d)``, in random order of components."""
        d = self.means.shape[1]
        which = rng.choice(len(self.weights), size=count, p=self.weights)
        normal = rng.standard_normal((count, d))
        degrees = self.degrees[which]
        shrink = np.sqrt(rng.chisquare(degrees) / degrees)
        factors = np.linalg.cholesky(self.scales)[which]
        return self.means[which] + np.einsum("bij,bj->bi", factors, normal) / shrink[:, None]

    def within_covariance(self) -> Array:
        """Average covariance within the basins, ``(d, d)``: of components that belong to one."""
        of_basin = self.basins >= 0
        share = self.weights[of_basin] / self.weights[of_basin].sum()
        return np.einsum("k,kij->ij", share * self._factor[of_basin], self.scales[of_basin])

    def covariance(self) -> Array:
        """Covariance of the whole mixture, ``(d, d)``."""
        centred = self.means - self.weights @ self.means
        between = np.einsum("k,ki,kj->ij", self.weights, centred, centred)
        return between + np.einsum("k,kij->ij", self.weights * self._factor, self.scales)

    @property
    def _factor(self) -> Array:
        """Covariance of each component over its scale matrix, ``(K,)``."""
        return self.degrees / (self.degrees - 2)

    def __repr__(self) -> str:
        count, d = self.means.shape
        parts = ", ".join(
            f"minimum {m}: {self.weights[self.basins == m].sum():.3f}"
            for m in np.unique(self.basins[self.basins >= 0])
        )
        rest = self.weights[self.basins < 0].sum()
        return (
            f"<bayescape.Superposition: {count} Student t components ({self.degrees.min():.3g} to "
            f"{self.degrees.max():.3g} degrees of freedom) in {d} coordinates>\n"
            f"  weight by {parts}, elsewhere: {rest:.3f}"
        )


def harmonic_superposition(landscape: Landscape) -> Superposition:
    """First guess at the density, from the map alone.

    Every minimum has two components centred on it, one as wide as its Hessian says and one twice as
    wide, since basins are wider than their bottoms; every transition state has a bridging
    component. The last two guard against what the quadratic pictures miss: one as wide as the
    target's own starts, which carries flat directions as far as the prior or the walls do, and one
    four times as wide as the minima and their basins together. Weights are the harmonic ones, for a
    fitted mixture to improve on.

    Parameters
    ----------
    landscape
        A map with its target and at least one minimum.

    Returns
    -------
    Superposition
        ``2 M + S + 2`` components.

    Raises
    ------
    ValueError
        If the map has no target, no minimum, or a point without a Hessian.

    References
    ----------
    D. J. Wales, *Energy Landscapes*, Cambridge University Press (2003), section 7.1; T. Hesterberg,
    "Weighted average importance sampling and defensive mixture distributions", Technometrics 37,
    185 (1995).
    """
    minima, states = landscape.minima, landscape.transition_states
    if minima.sizes["minimum"] == 0:
        raise ValueError("`landscape` has no minimum, so there is nothing to superpose")
    target = target_of(landscape)
    if not all(np.isfinite(points["hessian"].values).all() for points in (minima, states)):
        raise ValueError(
            "`landscape` has points without a Hessian: read it with `target`, which supplies them"
        )
    starts = target.starts(STARTS, np.random.default_rng(0))
    spread = np.atleast_2d(np.cov(starts.T)) + 1e-12 * np.eye(starts.shape[1])
    ceiling = _variance_ceiling(target)
    centres = minima["theta"].values
    bottoms = _inverse(minima["hessian"].values, ceiling)
    occupied = occupation(minima["energy"].values, minima["hessian"].values)

    bridges = _bridge_scales(landscape, ceiling)
    height = minima["energy"].values[0] - states["energy"].values
    _, log_volume = np.linalg.slogdet(bridges) if len(bridges) else (None, np.empty(0))
    _, lowest_volume = np.linalg.slogdet(bottoms[0])
    bridge_weight = occupied[0] * np.exp(height + 0.5 * (log_volume - lowest_volume))
    bridge_share = min(0.2, float(bridge_weight.sum()))
    if bridge_share:
        bridge_weight = bridge_weight * (bridge_share / bridge_weight.sum())

    pooled = np.einsum("m,mij->ij", occupied, bottoms)
    middle = occupied @ centres
    pooled = pooled + np.einsum("m,mi,mj->ij", occupied, centres - middle, centres - middle)
    by_basin = 0.9 * occupied + 0.1 / len(occupied)  # no basin of the map starts with nothing
    body = np.concatenate([0.65 * by_basin, 0.35 * by_basin, bridge_weight])
    body *= (1 - WIDE * GUARD) / body.sum()
    wide_means, wide_scales = [starts.mean(axis=0), middle], [spread, 4 * pooled]
    known = np.arange(len(centres))
    elsewhere = np.full(len(bridges) + WIDE, -1)
    return Superposition(
        weights=np.append(body, np.full(WIDE, GUARD)),
        means=np.concatenate([centres, centres, states["theta"].values, wide_means]),
        scales=np.concatenate([bottoms, 4 * bottoms, bridges, wide_scales]),
        basins=np.concatenate([known, known, elsewhere]),
    )


def _of_shape(name: str, value: Any, shape: tuple[int, ...]) -> None:
    kinds = (
        "numbers" if isinstance(value, np.ndarray) and value.dtype.kind in "fi" else "no numbers"
    )
    if kinds == "no numbers" or value.shape != shape or (len(shape) == 2 and not value.size):
        raise ValueError(
            f"`{name}` must be an array of shape {shape}, got {shown(value)} of shape "
            f"{np.shape(value)}"
        )


def target_of(landscape: Landscape) -> Target:
    """The landscape's target, or an error that says why there are no draws to be had from it."""
    if landscape.target is None:
        raise ValueError(
            "`landscape` has no target to evaluate: load it with load_landscape(path, target)"
        )
    if log_multiplicities(landscape.minima).any():
        raise ValueError(
            "`landscape` has minima that stand for all their images under the target's "
            "`equivalence`, of which draws from the superposition would reach but one: use "
            "ensembles of the minima, or set `target.equivalence` to None and map again"
        )
    return landscape.target


def _variance_ceiling(target: Target) -> Array:
    """Largest standard deviation that makes sense by coordinate: half the width between walls."""
    low, high = bounds_of(target)
    return 0.5 * (high - low)


def _inverse(hessians: Array, ceiling: Array, floor: Array | None = None) -> Array:
    """Inverse of each Hessian with its eigenvalues made positive and no wider than the walls."""
    unit = np.where(np.isfinite(ceiling), ceiling, 1.0)
    values, vectors = np.linalg.eigh(hessians * unit[:, None] * unit[None, :])
    least = 1.0 if np.isfinite(ceiling).all() else 1e-12
    values = np.maximum(np.abs(values), least if floor is None else np.maximum(least, floor))
    inverse = np.einsum("mik,mk,mjk->mij", vectors, 1 / values, vectors)
    return inverse * unit[:, None] * unit[None, :]


def _bridge_scales(landscape: Landscape, ceiling: Array) -> Array:
    """Scale matrices at the transition states, ``(S, d, d)``.

    The Hessian's magnitude serves off the path; along it the component reaches half way to the
    minima that it joins, for the unstable mode's curvature says nothing about a width.
    """
    states = landscape.transition_states
    scales = []
    for s in range(states.sizes["transition_state"]):
        hessian = states["hessian"].values[s]
        ends = landscape.minima["theta"].values[states["joins"].values[s]]
        reach = np.linalg.norm(ends - states["theta"].values[s], axis=1).max() / 2
        values, vectors = np.linalg.eigh(hessian)
        width = 1 / np.sqrt(np.maximum(np.abs(values), 1e-12))
        width[0] = min(width[0], reach) if reach > 0 else width[0]
        scales.append((vectors * width**2) @ vectors.T)
    d = len(landscape.names)
    precision = np.linalg.inv(np.array(scales).reshape(-1, d, d))
    return _inverse(precision, ceiling)
