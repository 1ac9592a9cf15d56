"""Transition states by eigenvector following: uphill along one mode, downhill along the rest."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.captors import Captors
from bayescape.explore.lockstep import in_lockstep
from bayescape.explore.quench import FLAT
from bayescape.explore.scales import Scales, scales_of
from bayescape.explore.secant import bofill
from bayescape.targets.target import Target, bounds_of

__all__ = ["SaddleStatus", "Saddles", "classify", "follow", "wales_step"]

Array = NDArray[np.float64]

LONGEST, SHORTEST = 0.5, 0.02  # steps, in length scales: a mode keeps its identity over the longest
MARGIN = 0.1  # share of the starts' box by which a search may leave it
WRONG = 0.8  # relative error of the foretold change of the gradient that is bad


class SaddleStatus(enum.IntEnum):
    """How a search for a transition state ended; ``text`` says it in words."""

    TRANSITION_STATE = 0
    WRONG_INDEX = 1
    AT_BOUND = 2
    RAN_OFF = 3
    FAILED = 4
    CAPTURED = 5
    OUTSIDE = 6
    CUT_SHORT = 7

    @property
    def text(self) -> str:
        """The outcome in words."""
        return {
            SaddleStatus.TRANSITION_STATE: "transition state",
            SaddleStatus.WRONG_INDEX: "saddle search ended at another kind of point",
            SaddleStatus.AT_BOUND: "saddle search ran into a bound",
            SaddleStatus.RAN_OFF: "saddle search left the region of the starts",
            SaddleStatus.FAILED: "saddle search did not converge",
            SaddleStatus.CAPTURED: "transition state found again",
            SaddleStatus.OUTSIDE: "saddle search began where the energy is not finite",
            SaddleStatus.CUT_SHORT: "saddle search cut short",
        }[self]


@dataclasses.dataclass(frozen=True, slots=True)
class Saddles:
    """Ends of a batch of searches.

    Attributes
    ----------
    theta, energy, gradient_norm, hessian
        Shapes ``(B, d)``, ``(B,)``, ``(B,)``, ``(B, d, d)``; the Hessian is exact at transition
        states and other stationary points, NaN elsewhere.
    status
        `SaddleStatus` of each, ``(B,)``.
    """

    theta: Array
    energy: Array
    gradient_norm: Array
    hessian: Array
    status: NDArray[np.int_]


def follow(
    target: Target,
    theta: Array,
    modes: Array,
    *,
    models: Array | None = None,
    gradient_tolerance: float = 1e-6,
    max_steps: int = 40,
    scales: Array | Scales | None = None,
    known: Captors | None = None,
    patience: int = 1,
    mates: bool = False,
) -> Saddles:
    """Search for transition states from a batch of points in lockstep.

    Each point climbs the eigenvector that overlaps most with the mode it followed last, until that
    curvature is negative and the lowest of all, and descends along the others. In a mode with
    slope ``F`` and curvature ``b`` the step is ``2 F / (|b| (1 + sqrt(1 + 4 F^2 / b^2)))``. The
    Hessian is a model that learns from the gradients; the target's own is asked for where the model
    keeps foretelling badly, and where a search has converged.

    Parameters
    ----------
    target
        Where to search.
    theta
        Starting points, ``(B, d)``.
    modes
        Directions to climb first, ``(B, d)``, of any length.
    models
        First guesses of the Hessians, ``(B, d, d)``; by default the target's at ``theta``.
    gradient_tolerance
        Largest gradient norm of a converged point.
    max_steps
        Evaluations of the gradient per point, at most.
    scales
        Unit of step lengths by coordinate, ``(d,)``, or `Scales`; by default those of the target.
    known
        Transition states that end a search early by capturing it.
    patience
        Steps in a row that the model foretold badly before the Hessian is asked for.
    mates
        Whether transition states that other searches of the batch have come to capture too.

    Returns
    -------
    Saddles
        A transition state has a gradient norm under the tolerance and exactly one negative
        eigenvalue.

    References
    ----------
    C. J. Cerjan, W. H. Miller, J. Chem. Phys. 75, 2800 (1981); D. J. Wales, J. Chem. Phys. 101,
    3750 (1994), equation 15.
    """
    theta = np.array(theta, dtype=float)
    known = Captors.none(theta.shape[1]) if known is None else known
    climb = _Climb(target, theta, modes, models, scales_of(target, scales), known, patience, mates)
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
        self,
        target: Target,
        theta: Array,
        modes: Array,
        models: Array | None,
        box: Scales,
        known: Captors,
        patience: int,
        mates: bool,
    ) -> None:
        self.target, self.box, self.known, self.unit = target, box, known, box.unit
        self.low, self.high = bounds_of(target)
        count, d = theta.shape
        self.theta, self.models, self.patience, self.mates = theta, models, patience, mates
        self.mode = modes / self.unit
        self.mode /= np.maximum(np.linalg.norm(self.mode, axis=1, keepdims=True), 1e-300)
        self.energy, self.gradient = np.full(count, np.inf), np.full((count, d), np.nan)
        self.model = np.tile(np.eye(d), (count, 1, 1))
        self.exact = np.zeros(count, dtype=bool)
        self.doubts = np.zeros(count, dtype=int)
        self.longest = LONGEST * box.reach
        self.radius = np.full(count, self.longest)
        self.status = np.full(count, -1)

    @property
    def active(self) -> NDArray[np.intp]:
        """Rows that still search."""
        return np.flatnonzero(self.status < 0)

    def begin(self) -> None:
        """Evaluate the starts, and the Hessians there unless guesses are given."""
        self.energy, self.gradient = self.target.energy_and_gradient(self.theta)
        usable = np.isfinite(self.energy) & np.isfinite(self.gradient).all(axis=1)
        self.status[~usable] = SaddleStatus.OUTSIDE
        if self.models is None:
            self.ask(self.active)
        else:
            self.model = self.models * np.outer(self.unit, self.unit)

    def turn(self, tolerance: float) -> None:
        """End the searches that have come somewhere, and take a step with the others."""
        self.settle(tolerance)
        self.step()

    def ask(self, rows: NDArray[np.intp]) -> None:
        """Evaluate the Hessian at some points."""
        if len(rows):
            hessian = self.target.hessian(self.theta[rows])
            usable = np.all(np.isfinite(hessian), axis=(1, 2))
            self.status[rows[~usable]] = SaddleStatus.FAILED
            hessian = np.where(usable[:, None, None], hessian, 0.0)
            self.model[rows] = hessian * np.outer(self.unit, self.unit)
            self.exact[rows], self.doubts[rows] = True, 0

    def settle(self, tolerance: float) -> None:
        """Classify the points that have converged, were captured or ran off."""
        rows = self.active
        caught = self.known.catch(self.theta[rows], self.energy[rows], self.gradient[rows]) >= 0
        self.status[rows[caught]] = SaddleStatus.CAPTURED
        rows = rows[~caught]
        off = self.box.outside(self.theta[rows], MARGIN)
        self.status[rows[off]] = SaddleStatus.RAN_OFF
        rows = rows[~off]
        converged = np.linalg.norm(self.gradient[rows], axis=1) < tolerance
        self.ask(rows[(converged | (self.doubts[rows] >= self.patience)) & ~self.exact[rows]])
        rows = rows[converged]
        rows = rows[self.status[rows] < 0]
        self.status[rows] = classify(self.model[rows])
        for row in rows[self.status[rows] == SaddleStatus.TRANSITION_STATE].tolist():
            place = self.theta[[row]], self.energy[[row]]
            if self.mates and not self.known.same(*place).any():
                hessian = self.model[row] / np.outer(self.unit, self.unit)
                self.known = self.known.with_point(self.theta[row], self.energy[row], hessian)

    def step(self) -> None:
        """Take one step from every point that still searches."""
        rows = self.active
        if not rows.size:
            return
        values, vectors = np.linalg.eigh(self.model[rows])
        overlap = np.abs(np.einsum("bik,bi->bk", vectors, self.mode[rows]))
        climbed = np.where(values[:, 0] < 0, 0, overlap.argmax(axis=1))
        each = np.arange(len(rows))
        self.mode[rows] = vectors[each, :, climbed]
        slope = np.einsum("bik,bi->bk", vectors, self.gradient[rows] * self.unit)
        along = -wales_step(slope, values)
        along[each, climbed] *= -1
        # On a ridge's floor the slope along the mode is nothing: climb by a fixed stride instead.
        flat = (values[each, climbed] > 0) & (np.abs(slope[each, climbed]) < 1e-8)
        along[each[flat], climbed[flat]] = self.longest
        length = np.linalg.norm(along, axis=1, keepdims=True)
        along *= np.minimum(1.0, self.radius[rows][:, None] / np.maximum(length, 1e-300))
        move = np.einsum("bik,bk->bi", vectors, along)
        trial = self.theta[rows] + move * self.unit
        walled = ((trial <= self.low) | (trial >= self.high)).any(axis=1)
        self.status[rows[walled]] = SaddleStatus.AT_BOUND
        rows, move, trial = rows[~walled], move[~walled], trial[~walled]
        if not rows.size:
            return
        energy, gradient = self.target.energy_and_gradient(trial)

        finite = np.isfinite(energy) & np.isfinite(gradient).all(axis=1)
        self.radius[rows[~finite]] /= 4
        self.status[rows[self.radius[rows] < SHORTEST / 100]] = SaddleStatus.FAILED
        rows, move, trial = rows[finite], move[finite], trial[finite]
        energy, gradient = energy[finite], gradient[finite]
        foretold = np.einsum("bij,bj->bi", self.model[rows], move)
        change = (gradient - self.gradient[rows]) * self.unit
        missed = np.linalg.norm(change - foretold, axis=1)
        error = missed / np.maximum(np.linalg.norm(foretold, axis=1), 1e-300)
        self.model[rows] = bofill(self.model[rows], move, change)
        self.exact[rows] = False
        self.doubts[rows] = np.where(error > WRONG, self.doubts[rows] + 1, 0)
        radius = self.radius[rows]
        radius = np.where(error < 0.3, np.minimum(1.5 * radius, self.longest), radius)
        self.radius[rows] = np.where(error > 1.0, np.maximum(radius / 2, SHORTEST), radius)
        self.theta[rows], self.energy[rows], self.gradient[rows] = trial, energy, gradient

    def ends(self) -> Saddles:
        """What the batch has come to."""
        hessian = self.model / np.outer(self.unit, self.unit)
        stationary = [SaddleStatus.TRANSITION_STATE, SaddleStatus.WRONG_INDEX]
        hessian[~np.isin(self.status, stationary)] = np.nan
        norms = np.linalg.norm(self.gradient, axis=1)
        return Saddles(self.theta, self.energy, norms, hessian, self.status)


def classify(hessians: Array) -> NDArray[np.int_]:
    """Tell transition states from other stationary points by Hessians in scaled units, ``(B,)``."""
    values = np.linalg.eigvalsh(np.where(np.isfinite(hessians), hessians, 0.0))
    index_one = (values[:, 0] < -FLAT) & (values[:, 1:] > FLAT).all(axis=1)
    return np.where(index_one, SaddleStatus.TRANSITION_STATE, SaddleStatus.WRONG_INDEX)


def wales_step(slope: Array, curvature: Array) -> Array:
    """Length of the step in each mode, signed as the slope; Wales (1994), equation 15."""
    b = np.maximum(np.abs(curvature), 1e-12)
    return 2 * slope / (b * (1 + np.sqrt(1 + 4 * (slope / b) ** 2)))
