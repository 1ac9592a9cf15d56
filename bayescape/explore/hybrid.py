"""Transition states from gradients alone, where a Hessian costs as many gradients as coordinates.

Hybrid eigenvector following: the softest mode by Lanczos, up along it, and quasi-Newton steps down
across it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.captors import Captors
from bayescape.explore.limited_memory import LimitedMemory, across
from bayescape.explore.lockstep import in_lockstep
from bayescape.explore.saddle import Saddles, SaddleStatus, classify, wales_step
from bayescape.explore.scales import Scales, scales_of
from bayescape.explore.softest_mode import softest_modes
from bayescape.targets.target import Target, bounds_of

__all__ = ["follow_by_gradients"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LONGEST, SHORTEST = 0.5, 1e-3  # steps, in length scales
STRIDE = 0.1  # up a mode whose curvature is positive still
MARGIN = 0.1  # share of the starts' box by which a search may leave it
GROWN = 1.5  # growth of the force over a step that was too long


def follow_by_gradients(
    target: Target,
    theta: Array,
    modes: Array,
    *,
    gradient_tolerance: float = 1e-6,
    max_steps: int = 300,
    scales: Array | Scales | None = None,
    known: Captors | None = None,
) -> Saddles:
    """Search for transition states from a batch of points in lockstep, by gradients.

    While no curvature is negative a point climbs the direction that it was given and relaxes across
    it; then it follows the softest mode. The Hessian is asked for once, where a search has
    converged, to tell what it has converged to.

    Parameters
    ----------
    target, theta, modes, gradient_tolerance, scales, known
        As in `bayescape.explore.saddle.follow`.
    max_steps
        Steps of each point, at most; each costs two gradients or a few more.

    Returns
    -------
    Saddles

    References
    ----------
    L. J. Munro, D. J. Wales, "Defect migration in crystalline silicon", Phys. Rev. B 59, 3969
    (1999); the climb before a curvature is negative is that of R. Malek, N. Mousseau, Phys. Rev. E
    62, 7723 (2000).
    """
    theta = np.array(theta, dtype=float)
    known = Captors.none(theta.shape[1]) if known is None else known
    climb = _Climb(target, theta, modes, scales_of(target, scales), known)
    in_lockstep(
        climb,
        max_steps,
        gradient_tolerance,
        failed=SaddleStatus.FAILED,
        cut_short=SaddleStatus.CUT_SHORT,
    )
    return climb.ends()


class _Climb:
    """The state of a batch of searches, in units of the length scales."""

    def __init__(
        self, target: Target, theta: Array, modes: Array, box: Scales, known: Captors
    ) -> None:
        self.target, self.box, self.known, self.unit = target, box, known, box.unit
        self.low, self.high = bounds_of(target)
        count, d = theta.shape
        self.theta = theta
        self.mode = modes / self.unit
        self.mode /= np.maximum(np.linalg.norm(self.mode, axis=1, keepdims=True), 1e-300)
        self.curvature = np.full(count, np.inf)
        self.crossed = np.zeros(count, dtype=bool)  # where a curvature has been negative
        self.energy, self.gradient = np.full(count, np.inf), np.full((count, d), np.nan)
        self.memory = LimitedMemory(count, d)
        self.radius = np.full(count, LONGEST * box.reach)
        self.status = np.full(count, -1)
        self.hessians: dict[int, Array] = {}

    @property
    def active(self) -> Rows:
        """Rows that still search."""
        return np.flatnonzero(self.status < 0)

    def begin(self) -> None:
        """Evaluate the starts."""
        self.energy, gradient = self.target.energy_and_gradient(self.theta)
        self.gradient = gradient * self.unit
        usable = np.isfinite(self.energy) & np.isfinite(gradient).all(axis=1)
        self.status[~usable] = SaddleStatus.OUTSIDE

    def turn(self, tolerance: float) -> None:
        """End the searches that have come somewhere, and take a step with the others."""
        self.settle(tolerance)
        self.soften()
        self.step()

    def settle(self, tolerance: float) -> None:
        """Classify the points that have converged, were captured or ran off."""
        rows = self.active
        gradient = self.gradient[rows] / self.unit
        caught = self.known.catch(self.theta[rows], self.energy[rows], gradient) >= 0
        self.status[rows[caught]] = SaddleStatus.CAPTURED
        off = self.box.outside(self.theta[rows], MARGIN) & ~caught
        self.status[rows[off]] = SaddleStatus.RAN_OFF
        converged = np.linalg.norm(gradient, axis=1) < tolerance
        rows = rows[converged & ~caught & ~off]
        if len(rows):
            hessians = self.target.hessian(self.theta[rows])
            self.hessians.update(zip(rows.tolist(), hessians, strict=True))
            self.status[rows] = classify(hessians * np.outer(self.unit, self.unit))

    def soften(self) -> None:
        """Find the softest mode of every point that still searches, and turn to it if it is one."""
        rows = self.active
        if not rows.size:
            return
        value, mode = softest_modes(
            lambda x: self.target.energy_and_gradient(x * self.unit)[1] * self.unit,
            self.theta[rows] / self.unit,
            self.gradient[rows],
            self.mode[rows],
        )
        lost = ~np.isfinite(value)
        self.status[rows[lost]] = SaddleStatus.FAILED
        rows, value, mode = rows[~lost], value[~lost], mode[~lost]
        self.crossed[rows] |= value < 0
        follow = self.crossed[rows]
        # Across another mode the curvatures are others.
        turned = np.abs((mode * self.mode[rows]).sum(axis=1)) < 0.8
        self.memory.forget(rows[follow & turned])
        self.mode[rows[follow]] = mode[follow]
        self.curvature[rows] = value

    def step(self) -> None:
        """Take one step from every point that still searches."""
        rows = self.active
        if not rows.size:
            return
        mode, curvature = self.mode[rows], self.curvature[rows]
        slope = (self.gradient[rows] * mode).sum(axis=1)
        down = across(self.memory.downhill(rows, across(self.gradient[rows], mode)), mode)
        up = np.where(
            self.crossed[rows],
            wales_step(slope, curvature),
            # Up the way it was given, whatever the slope: from a minimum there is none.
            STRIDE * self.box.reach,
        )
        move = down + up[:, None] * mode
        length = np.linalg.norm(move, axis=1)
        move *= np.minimum(1.0, self.radius[rows] / np.maximum(length, 1e-300))[:, None]
        trial = self.theta[rows] + move * self.unit
        walled = ((trial <= self.low) | (trial >= self.high)).any(axis=1)
        self.status[rows[walled]] = SaddleStatus.AT_BOUND
        rows, move, trial, mode = rows[~walled], move[~walled], trial[~walled], mode[~walled]
        if not rows.size:
            return
        energy, gradient = self.target.energy_and_gradient(trial)
        gradient = gradient * self.unit
        finite = np.isfinite(energy) & np.isfinite(gradient).all(axis=1)
        self.radius[rows[~finite]] /= 4
        self.status[rows[self.radius[rows] < SHORTEST / 100]] = SaddleStatus.FAILED
        rows, move, trial, mode = rows[finite], move[finite], trial[finite], mode[finite]
        energy, gradient = energy[finite], gradient[finite]

        change = gradient - self.gradient[rows]
        self.memory.learn(rows, across(move, mode), across(change, mode))
        before = np.linalg.norm(across(self.gradient[rows], mode), axis=1)
        after = np.linalg.norm(across(gradient, mode), axis=1)
        worse = after > GROWN * before
        bound = np.linalg.norm(move, axis=1) > 0.9 * self.radius[rows]
        wider = np.where(bound & ~worse, 1.3 * self.radius[rows], self.radius[rows])
        narrower = np.maximum(self.radius[rows] / 2, SHORTEST)
        self.radius[rows] = np.where(worse, narrower, np.minimum(wider, LONGEST * self.box.reach))
        self.theta[rows], self.energy[rows], self.gradient[rows] = trial, energy, gradient

    def ends(self) -> Saddles:
        """What the batch has come to."""
        count, d = self.theta.shape
        hessian = np.full((count, d, d), np.nan)
        for row, known in self.hessians.items():
            hessian[row] = known
        norms = np.linalg.norm(self.gradient / self.unit, axis=1)
        return Saddles(self.theta, self.energy, norms, hessian, self.status)
