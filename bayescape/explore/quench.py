"""Quench: a batch of points walked downhill in lockstep, each to where it belongs."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.captors import Captors, same_point
from bayescape.explore.descent import ByGradients, ByHessian, Descent, lowest_on_the_way
from bayescape.explore.lockstep import in_lockstep
from bayescape.explore.scales import MANY, Scales, scales_of
from bayescape.targets.target import Target, bounds_of

__all__ = ["QuenchStatus", "Quenched", "quench", "same_point"]

Array = NDArray[np.float64]

FLAT = 1e-6  # curvature, in nats per squared length scale, below which a direction is flat
LARGEST_RADIUS = 0.5  # in length scales: small enough to stay in a basin
SMALLEST_RADIUS = 1e-14
FAR = 100.0  # length scales from the start beyond which a point has run off
ESCAPES = 3  # pushes off a saddle before it is reported as one
DOUBTS = 6  # steps that the model foretold badly before the Hessian is asked for


class QuenchStatus(enum.IntEnum):
    """How a quench ended; ``text`` says it in words."""

    MINIMUM = 0
    AT_BOUND = 1
    FLAT = 2
    SADDLE = 3
    FAILED = 4
    CAPTURED = 5
    OUTSIDE = 6
    STUCK = 7
    CUT_SHORT = 8

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
            QuenchStatus.OUTSIDE: "quench began where the energy is not finite",
            QuenchStatus.STUCK: "quench stuck where no step lowers the energy",
            QuenchStatus.CUT_SHORT: "quench cut short",
        }[self]


@dataclasses.dataclass(frozen=True, slots=True)
class _Steps:
    """How bold steps are: the first one's length, and which falls make a step acceptable."""

    first_radius: float  # in length scales
    least: float  # share of the fall foretold
    most: float
    close: float  # relative error of the fall foretold up to which steps may grow


USUAL = _Steps(first_radius=0.3, least=0.1, most=4.0, close=0.5)
# From a transition state into a basin that may be tiny beside the length scale.
CAREFUL = _Steps(first_radius=0.005, least=0.5, most=2.0, close=0.25)


@dataclasses.dataclass(frozen=True, slots=True)
class Quenched:
    """Ends of a batch of quenches.

    Attributes
    ----------
    theta, energy, gradient_norm, hessian
        Shapes ``(B, d)``, ``(B,)``, ``(B,)``, ``(B, d, d)``; the norm is over coordinates that are
        not held at a wall. The Hessian is exact at minima, at walls, on flats and at saddles, and
        NaN elsewhere.
    status
        `QuenchStatus` of each, ``(B,)``.
    captor
        What captured each, ``(B,)``: a position among the ``M`` known minima, or ``M`` plus the row
        of another quench of the batch which ended in a minimum; -1 for none.
    direction
        Where a quench ended in a flat direction, that direction with unit length, ``(B, d)``;
        NaN elsewhere.
    """

    theta: Array
    energy: Array
    gradient_norm: Array
    hessian: Array
    status: NDArray[np.int_]
    captor: NDArray[np.int_]
    direction: Array


def quench(
    target: Target,
    theta: Array,
    *,
    gradient_tolerance: float = 1e-6,
    max_steps: int | None = None,
    scales: Array | Scales | None = None,
    known: tuple[Array, Array, Array] | Captors | None = None,
    mates: bool = False,
    models: Array | None = None,
    careful: bool = False,
    by_gradients: bool | None = None,
) -> Quenched:
    """Walk points downhill by trust-region steps in a model that learns the curvature.

    The model is a Hessian updated by the symmetric rank-one formula; the target's own is asked for
    where the model keeps foretelling badly, and where a walk has converged, to tell what it has
    converged to. Steps follow the model's path of steepest descent and are short against the
    starts' spread: a quench ends in the basin that it began in. In many coordinates, where a matrix
    is dear, limited-memory quasi-Newton steps take the model's place, and the Hessian is asked for
    at the end alone. Hard walls hold the coordinates that press against them. A point whose energy
    is not finite fails alone.

    Parameters
    ----------
    target
        What to walk on.
    theta
        Shape ``(B, d)``.
    gradient_tolerance
        Largest gradient norm of a converged point, nats per unit of the coordinates.
    max_steps
        Evaluations of the gradient per point, at most; by default 300, or 3,000 by gradients.
    scales
        Unit of step lengths by coordinate, ``(d,)``, or `Scales`; by default those of the target.
    known
        Points, energies and Hessians of minima that end a quench early by capturing it; see
        `bayescape.explore.captors`.
    mates
        Whether minima that other quenches of the batch have come to capture too. It saves
        evaluations, at the price that a point's path is no longer its own affair.
    models
        First guesses of the Hessians, ``(B, d, d)``; by default the identity, in units of the
        scales. They are of no use to walks by gradients.
    careful
        Whether to begin with very short steps, and take only those whose fall was well foretold:
        closer to steepest descent, for some more evaluations.
    by_gradients
        Whether to do without matrices; by default in more than 50 coordinates.

    Returns
    -------
    Quenched

    References
    ----------
    J. Nocedal, S. J. Wright, *Numerical Optimization*, Springer (2006), chapters 4, 6.2 and 7.2.
    """
    theta = np.array(theta, dtype=float)
    count, d = theta.shape
    box = scales_of(target, scales)
    if known is None:
        known = Captors.none(d)
    known = known if isinstance(known, Captors) else Captors(*known)
    descent: Descent
    if d > MANY if by_gradients is None else by_gradients:
        descent, most = ByGradients(count, d), 3000
    elif models is None:
        descent, most = ByHessian(np.tile(np.eye(d), (count, 1, 1))), 300
    else:
        descent, most = ByHessian(models * np.outer(box.unit, box.unit)), 300
    walk = _Walk(target, theta, box, known, mates, CAREFUL if careful else USUAL, descent)
    in_lockstep(
        walk,
        most if max_steps is None else max_steps,
        gradient_tolerance,
        failed=QuenchStatus.FAILED,
        cut_short=QuenchStatus.CUT_SHORT,
    )
    return walk.ends()


class _Walk:
    """The state of a batch of quenches, in units of the length scales."""

    def __init__(
        self,
        target: Target,
        theta: Array,
        box: Scales,
        known: Captors,
        mates: bool,
        steps: _Steps,
        descent: Descent,
    ) -> None:
        self.target, self.box, self.unit = target, box, box.unit
        self.low, self.high = bounds_of(target)
        self.steps, self.descent = steps, descent
        count, d = theta.shape
        self.theta = np.clip(theta, self.low, self.high)
        self.begun = self.theta.copy()
        self.energy, self.gradient = np.full(count, np.inf), np.full((count, d), np.nan)
        self.hessians: dict[int, Array] = {}  # of rows that have not moved since, scaled
        self.doubts = np.zeros(count, dtype=int)
        self.radius = np.full(count, steps.first_radius)
        self.escapes = np.zeros(count, dtype=int)
        self.status = np.full(count, -1)
        self.captor = np.full(count, -1)
        self.direction = np.full((count, d), np.nan)
        self.known, self.given = known, len(known)
        self.mates: list[int] | None = [] if mates else None  # rows added to the known minima

    @property
    def active(self) -> NDArray[np.intp]:
        """Rows that still walk."""
        return np.flatnonzero(self.status < 0)

    def begin(self) -> None:
        """Evaluate the starts."""
        energy, gradient = self.target.energy_and_gradient(self.theta)
        usable = np.isfinite(energy) & np.isfinite(gradient).all(axis=1)
        self.energy, self.gradient = np.where(usable, energy, np.inf), gradient
        self.status[~usable] = QuenchStatus.OUTSIDE

    def turn(self, tolerance: float) -> None:
        """End the walks that have come somewhere, and take a step with the others."""
        self.capture()
        self.settle(tolerance)
        self.step()

    def held(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Coordinates at a wall that the energy presses them against."""
        theta, gradient = self.theta[rows], self.gradient[rows]
        return ((theta <= self.low) & (gradient > 0)) | ((theta >= self.high) & (gradient < 0))

    def free_gradient(self, rows: NDArray[np.intp]) -> tuple[Array, NDArray[np.bool_]]:
        """Gradient with the held coordinates' part taken out, and which these are."""
        held = self.held(rows)
        return np.where(held, 0.0, self.gradient[rows]), held

    def capture(self) -> None:
        """End the quenches that a known minimum's quadratic region holds."""
        rows = self.active
        caught = self.known.catch(self.theta[rows], self.energy[rows], self.gradient[rows])
        rows, caught = rows[caught >= 0], caught[caught >= 0]
        names = [*range(self.given), *(self.given + row for row in self.mates or ())]
        self.captor[rows] = np.array(names, dtype=int)[caught]
        self.status[rows] = QuenchStatus.CAPTURED

    def ask(self, rows: NDArray[np.intp]) -> None:
        """Evaluate the Hessians where they are not known, and begin again with them."""
        new = np.array([row for row in rows.tolist() if row not in self.hessians], dtype=int)
        if len(new):
            hessian = self.target.hessian(self.theta[new]) * np.outer(self.unit, self.unit)
            usable = np.isfinite(hessian).all(axis=(1, 2))
            self.status[new[~usable]] = QuenchStatus.FAILED
            self.hessians.update(zip(new[usable].tolist(), hessian[usable], strict=True))
        self.renew(rows[self.status[rows] < 0])

    def renew(self, rows: NDArray[np.intp]) -> None:
        """Let the model begin again."""
        if len(rows):
            known = (
                [self.hessians[row] for row in rows.tolist()] if self.descent.uses_hessians else []
            )
            self.descent.renew(rows, np.array(known))
            self.doubts[rows] = 0

    def settle(self, tolerance: float) -> None:
        """Classify the points that have converged or run off."""
        rows = self.active
        off = (np.abs(self.theta[rows] - self.begun[rows]) > FAR * self.unit).any(axis=1)
        for row in rows[off]:
            self._is_flat(row, self.theta[row] - self.begun[row])
        rows = self.active
        gradient, held = self.free_gradient(rows)
        converged = np.linalg.norm(gradient, axis=1) < tolerance
        doubtful = self.doubts[rows] >= DOUBTS
        if self.descent.uses_hessians:
            self.ask(rows[converged | doubtful])
        else:
            self.ask(rows[converged])
            self.renew(rows[doubtful & ~converged])
        converged &= self.status[rows] < 0
        for row, free in zip(rows[converged].tolist(), ~held[converged], strict=True):
            if free.all() and _is_positive(self.hessians[row]):
                self._is_minimum(row)
                continue
            values, vectors = np.linalg.eigh(self.hessians[row][np.ix_(free, free)])
            if len(values) and values[0] < -FLAT:
                self._escape(row, free, vectors[:, 0])
            elif not free.all():
                self.status[row] = QuenchStatus.AT_BOUND
            elif values[0] < FLAT:
                self._is_flat(row, vectors[:, 0] * self.unit)
            else:
                self._is_minimum(row)

    def _is_flat(self, row: int, direction: Array) -> None:
        self.status[row] = QuenchStatus.FLAT
        self.direction[row] = direction / np.linalg.norm(direction)

    def _is_minimum(self, row: int) -> None:
        hessian = self.hessians[row] / np.outer(self.unit, self.unit)
        self.status[row] = QuenchStatus.MINIMUM
        if self.mates is None:
            return
        if not self.known.same(self.theta[[row]], self.energy[[row]]).any():
            self.known = self.known.with_point(self.theta[row], self.energy[row], hessian)
            self.mates.append(int(row))

    def _escape(self, row: int, free: NDArray[np.bool_], direction: Array) -> None:
        """Push a point off a saddle along its most negative mode, or give it up."""
        if self.escapes[row] >= ESCAPES:
            self.status[row] = QuenchStatus.SADDLE
            return
        self.escapes[row] += 1
        push = np.zeros(len(free))
        push[free] = 0.05 * direction * self.unit[free]
        trial = np.clip(self.theta[row] + push, self.low, self.high)
        energy, gradient = self.target.energy_and_gradient(trial[None])
        if np.isfinite(energy[0]) and np.isfinite(gradient).all():
            self.theta[row], self.energy[row], self.gradient[row] = trial, energy[0], gradient[0]
            del self.hessians[row]

    def step(self) -> None:
        """Try one step from every point that still walks, and keep it where the energy falls."""
        rows = self.active
        if not rows.size:
            return
        slope, held = self.free_gradient(rows)
        move, predicted = self.descent.steps(rows, slope * self.unit, held, self.radius[rows])
        length = np.linalg.norm(move, axis=1)
        move *= self.unit
        trial = np.clip(self.theta[rows] + move, self.low, self.high)
        energy, gradient = self.target.energy_and_gradient(trial)

        drop = self.energy[rows] - energy
        finite = np.isfinite(energy) & np.isfinite(gradient).all(axis=1)
        # Near the bottom the fall drowns in rounding: there the slopes at both ends tell of it.
        level = np.abs(drop) <= 1e-11 * (1 + np.abs(self.energy[rows]))
        with np.errstate(invalid="ignore", divide="ignore"):
            made = trial - self.theta[rows]
            here, there = ((g * made).sum(axis=1) for g in (self.gradient[rows], gradient))
            drop = np.where(level, -0.5 * (here + there), drop)
            share = drop / predicted
            good = finite & (drop > 0) & (share > self.steps.least) & (share < self.steps.most)
            close = good & (np.abs(share - 1) < self.steps.close)
            poor = finite & (np.abs(share - 1) > 0.75)
        step = np.where(finite[:, None], made / self.unit, 0.0)
        change = np.where(finite[:, None], (gradient - self.gradient[rows]) * self.unit, 0.0)
        self.descent.learn(rows, step, change)
        self.doubts[rows] += poor

        moved = rows[good]
        self.theta[moved], self.energy[moved] = trial[good], energy[good]
        self.gradient[moved] = gradient[good]
        for row in moved.tolist():
            self.hessians.pop(row, None)
        # Beyond the starts there is no neighbour to keep clear of: what runs off may run.
        afar = self.box.outside(self.theta[rows], 1.0)
        largest = np.where(afar, np.inf, LARGEST_RADIUS * self.box.reach)
        wider = np.minimum(2 * self.radius[rows], largest)
        bound = length > 0.9 * self.radius[rows]
        self.radius[rows] = np.where(close & bound, wider, self.radius[rows])
        shorter = length * lowest_on_the_way(here, there, drop)
        self.radius[rows] = np.where(good, self.radius[rows], shorter)
        self.status[rows[self.radius[rows] < SMALLEST_RADIUS]] = QuenchStatus.STUCK

    def ends(self) -> Quenched:
        """What the batch has come to."""
        classified = [
            QuenchStatus.MINIMUM,
            QuenchStatus.AT_BOUND,
            QuenchStatus.FLAT,
            QuenchStatus.SADDLE,
        ]
        d = len(self.unit)
        hessian = np.full((len(self.theta), d, d), np.nan)
        for row, known in self.hessians.items():
            if self.status[row] in classified:
                hessian[row] = known / np.outer(self.unit, self.unit)
        norms = np.linalg.norm(self.free_gradient(np.arange(len(self.theta)))[0], axis=1)
        return Quenched(
            self.theta, self.energy, norms, hessian, self.status, self.captor, self.direction
        )


def _is_positive(hessian: Array) -> bool:
    """Whether all curvatures are above `FLAT`: a tenth of the work of telling what they are."""
    try:
        np.linalg.cholesky(hessian - FLAT * np.eye(len(hessian)))
    except np.linalg.LinAlgError:
        return False
    return True
