"""Quench: a batch of points walked downhill in lockstep, each to where it belongs."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.target import Target, bounds_of

__all__ = ["QuenchStatus", "Quenched", "length_scales", "quench", "same_point"]

Array = NDArray[np.float64]

FLAT = 1e-6  # curvature, in nats per squared length scale, below which a direction is flat
FIRST_RADIUS, LARGEST_RADIUS = 0.25, 0.5  # in length scales: small enough to stay in a basin
FAR = 100.0  # length scales from the start beyond which a point has run off
ESCAPES = 3  # pushes off a saddle before it is reported as one


class QuenchStatus(enum.IntEnum):
    """How a quench ended; ``text`` says it in words."""

    MINIMUM = 0
    AT_BOUND = 1
    FLAT = 2
    SADDLE = 3
    FAILED = 4
    CAPTURED = 5

    @property
    def text(self) -> str:
        """The outcome in words."""
        return {
            QuenchStatus.MINIMUM: "minimum",
            QuenchStatus.AT_BOUND: "quench ended at a bound",
            QuenchStatus.FLAT: "quench ended in a flat direction",
            QuenchStatus.SADDLE: "quench stuck at a saddle",
            QuenchStatus.FAILED: "quench did not converge",
            QuenchStatus.CAPTURED: "captured by a known minimum",
        }[self]


@dataclasses.dataclass(frozen=True, slots=True)
class Quenched:
    """Ends of a batch of quenches.

    Attributes
    ----------
    theta, energy, gradient_norm, hessian
        Shapes ``(B, d)``, ``(B,)``, ``(B,)``, ``(B, d, d)``; the norm is over coordinates that are
        not held at a wall.
    status
        `QuenchStatus` of each, ``(B,)``.
    captor
        Which of the known minima captured each, ``(B,)``; -1 for none.
    """

    theta: Array
    energy: Array
    gradient_norm: Array
    hessian: Array
    status: NDArray[np.int_]
    captor: NDArray[np.int_]


def length_scales(target: Target) -> Array:
    """The spread of a target's starts by coordinate, ``(d,)``: the unit in which steps are limited.

    The interquartile range over 1.35 (a normal distribution's standard deviation), of 256 starts
    drawn with a fixed seed, so that a target always has the same.
    """
    starts = target.starts(256, np.random.default_rng(0))
    low, high = np.quantile(starts, [0.25, 0.75], axis=0)
    scales = (high - low) / 1.35
    return np.where(scales > 0, scales, 1.0)


def same_point(
    theta: Array, energy: Array, points: Array, energies: Array, hessians: Array
) -> NDArray[np.bool_]:
    """Which of some stationary points each point is, ``(B, d)`` and ``(M, d)`` to ``(B, M)``.

    Two are the same when they are closer than a hundredth of a thermal width in the metric of the
    Hessian's magnitude, and as high.
    """
    if len(points) == 0:
        return np.zeros((len(theta), 0), dtype=bool)
    values, vectors = np.linalg.eigh(hessians)
    along = np.einsum("bmi,mik->bmk", theta[:, None] - points, vectors)
    away = (np.abs(values) * along**2).sum(axis=2)
    level = np.abs(energy[:, None] - energies) < 1e-5 * (1 + 1e-3 * np.abs(energies))
    return (away < 1e-4) & level


def quench(
    target: Target,
    theta: Array,
    *,
    gradient_tolerance: float = 1e-6,
    max_steps: int = 200,
    scales: Array | None = None,
    known: tuple[Array, Array, Array] | None = None,
) -> Quenched:
    """Walk points downhill by trust-region Newton steps with exact Hessians.

    Negative curvature is taken by its magnitude, so that steps lead away from saddles. Steps are
    short against the starts' spread: a quench ends in the basin that it began in. Hard walls hold
    the coordinates that press against them. A point whose energy is not finite fails alone.

    Parameters
    ----------
    target
        What to walk on.
    theta
        Shape ``(B, d)``.
    gradient_tolerance
        Largest gradient norm of a converged point, nats per unit of the coordinates.
    max_steps
        Evaluations of the gradient per point, at most.
    scales
        Unit of step lengths by coordinate, ``(d,)``; by default `length_scales`.
    known
        Points, energies and Hessians of minima that end a quench early by capturing it: a point
        within half a thermal width of one, as high as its parabola says, is in its basin.

    Returns
    -------
    Quenched

    References
    ----------
    J. Nocedal, S. J. Wright, *Numerical Optimization*, Springer (2006), chapter 4; for the
    magnitude of negative curvature Y. Dauphin et al., NeurIPS (2014), arXiv:1406.2572.
    """
    walk = _Walk(target, np.array(theta, dtype=float), scales)
    for _ in range(max_steps):
        active = np.flatnonzero(walk.status < 0)
        if len(active) == 0:
            break
        walk.refresh_hessians(active)
        if known is not None:
            walk.capture(active, *known)
        walk.settle(active, gradient_tolerance)
        active = active[walk.status[active] < 0]
        if len(active):
            walk.step(active)
    walk.status[walk.status < 0] = QuenchStatus.FAILED
    norms = np.linalg.norm(walk.free_gradient(np.arange(len(theta))), axis=1)
    return Quenched(walk.theta, walk.energy, norms, walk.hessian, walk.status, walk.captor)


class _Walk:
    """The state of a batch of quenches: where each point is, and what is known there."""

    def __init__(self, target: Target, theta: Array, scales: Array | None) -> None:
        self.target = target
        self.low, self.high = bounds_of(target)
        self.scales = length_scales(target) if scales is None else scales
        self.theta = np.clip(theta, self.low, self.high)
        self.begun = self.theta.copy()
        count, d = theta.shape
        self.energy, self.gradient = target.energy_and_gradient(self.theta.copy())
        self.hessian = np.full((count, d, d), np.nan)
        self.stale = np.ones(count, dtype=bool)
        self.radius = np.full(count, FIRST_RADIUS)
        self.escapes = np.zeros(count, dtype=int)
        self.status = np.full(count, -1)
        self.captor = np.full(count, -1)
        lost = ~(np.isfinite(self.energy) & np.isfinite(self.gradient).all(axis=1))
        self.status[lost] = QuenchStatus.FAILED

    def refresh_hessians(self, active: NDArray[np.int_]) -> None:
        """Evaluate the Hessian where the point has moved since the last one."""
        moved = active[self.stale[active]]
        if len(moved):
            self.hessian[moved] = self.target.hessian(self.theta[moved])
            self.stale[moved] = False
            lost = ~np.isfinite(self.hessian[moved]).all(axis=(1, 2))
            self.status[moved[lost]] = QuenchStatus.FAILED

    def held(self, which: NDArray[np.int_]) -> NDArray[np.bool_]:
        """Coordinates at a wall that the energy presses them against."""
        theta, gradient = self.theta[which], self.gradient[which]
        return ((theta <= self.low) & (gradient > 0)) | ((theta >= self.high) & (gradient < 0))

    def free_gradient(self, which: NDArray[np.int_]) -> Array:
        """Gradient with the held coordinates' part taken out."""
        return np.where(self.held(which), 0.0, self.gradient[which])

    def capture(
        self, active: NDArray[np.int_], points: Array, energies: Array, hessians: Array
    ) -> None:
        """End the quenches that a known minimum's quadratic region holds."""
        active = active[self.status[active] < 0]
        away = self.theta[active][:, None] - points
        rise = 0.5 * np.einsum("bmi,mij,bmj->bm", away, hessians, away)
        real = self.energy[active][:, None] - energies
        near = (rise < 0.125) & (np.abs(real - rise) < 0.25 * rise + 1e-6)
        caught = near.any(axis=1)
        self.captor[active[caught]] = np.where(near, rise, np.inf).argmin(axis=1)[caught]
        self.status[active[caught]] = QuenchStatus.CAPTURED

    def settle(self, active: NDArray[np.int_], tolerance: float) -> None:
        """Classify the points that have converged or run off."""
        active = active[self.status[active] < 0]
        gradient, held = self.free_gradient(active), self.held(active)
        for i, b in enumerate(active):
            if (np.abs(self.theta[b] - self.begun[b]) > FAR * self.scales).any():
                self.status[b] = QuenchStatus.FLAT
            elif np.linalg.norm(gradient[i]) < tolerance:
                free = ~held[i]
                scaled = self.hessian[b] * self.scales[:, None] * self.scales[None, :]
                values, vectors = np.linalg.eigh(scaled[np.ix_(free, free)])
                if len(values) and values[0] < -FLAT:
                    self._escape(b, free, vectors[:, 0])
                elif not free.all():
                    self.status[b] = QuenchStatus.AT_BOUND
                elif values[0] < FLAT:
                    self.status[b] = QuenchStatus.FLAT
                else:
                    self.status[b] = QuenchStatus.MINIMUM

    def _escape(self, b: int, free: NDArray[np.bool_], direction: Array) -> None:
        """Push a point off a saddle along its most negative mode, or give it up."""
        if self.escapes[b] >= ESCAPES:
            self.status[b] = QuenchStatus.SADDLE
            return
        self.escapes[b] += 1
        push = np.zeros(len(free))
        push[free] = 0.05 * direction * self.scales[free]
        trial = np.clip(self.theta[b] + push, self.low, self.high)
        energy, gradient = self.target.energy_and_gradient(trial[None].copy())
        if np.isfinite(energy[0]) and np.isfinite(gradient).all():
            self.theta[b], self.energy[b], self.gradient[b] = trial, energy[0], gradient[0]
            self.stale[b] = True

    def step(self, active: NDArray[np.int_]) -> None:
        """Try one step from every active point, and keep it where the energy falls."""
        free = ~self.held(active)
        both = free[:, :, None] & free[:, None, :]
        unit = self.scales
        hessian = np.where(both, self.hessian[active] * unit[:, None] * unit[None, :], 0.0)
        gradient = self.free_gradient(active) * unit
        values, vectors = np.linalg.eigh(hessian)
        slope = np.einsum("bik,bi->bk", vectors, gradient)
        stiff = np.maximum(np.abs(values), FLAT)
        along = -slope / stiff
        length = np.linalg.norm(along, axis=1)
        shrink = np.minimum(1.0, self.radius[active] / np.maximum(length, 1e-300))
        along *= shrink[:, None]
        predicted = -(slope * along + 0.5 * values * along**2).sum(axis=1)
        move = np.einsum("bik,bk->bi", vectors, along) * unit
        trial = np.clip(self.theta[active] + move, self.low, self.high)
        energy, new_gradient = self.target.energy_and_gradient(trial.copy())

        drop = self.energy[active] - energy
        finite = np.isfinite(energy) & np.isfinite(new_gradient).all(axis=1)
        # Near the bottom the fall drowns in rounding: there a smaller gradient decides.
        rounding = 1e-11 * (1 + np.abs(self.energy[active]))
        flatter = np.linalg.norm(new_gradient, axis=1) < np.linalg.norm(
            self.gradient[active], axis=1
        )
        with np.errstate(invalid="ignore"):
            good = finite & ((drop > rounding) | ((np.abs(drop) <= rounding) & flatter))
            close = good & (drop > 0.5 * predicted)
        moved = active[good]
        self.theta[moved], self.energy[moved] = trial[good], energy[good]
        self.gradient[moved] = new_gradient[good]
        self.stale[moved] = True
        self.radius[active[close]] = np.minimum(2 * self.radius[active[close]], LARGEST_RADIUS)
        shorter = np.minimum(self.radius[active], np.linalg.norm(along, axis=1)) / 4
        self.radius[active[~good]] = shorter[~good]
        stuck = active[self.radius[active] < 1e-14]
        self.status[stuck] = QuenchStatus.FAILED
