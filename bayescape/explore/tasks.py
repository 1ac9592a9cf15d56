"""Pieces of an exploration: each a pure function of the target and what was known at its start.

A task may run here or in any worker, in any order, and gives the same result.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Evaluations
from bayescape.explore.captors import Captors
from bayescape.explore.guard import CutShort, Guarded
from bayescape.explore.hybrid import follow_by_gradients
from bayescape.explore.path import line_summits, relax_string, summits
from bayescape.explore.quench import Quenched, QuenchStatus, quench
from bayescape.explore.saddle import SaddleStatus, follow
from bayescape.explore.scales import MANY, Scales, by_gradients
from bayescape.explore.unexplained import unexplained
from bayescape.targets.target import Target, bounds_of

__all__ = ["PAIR_METHODS", "Climbs", "Limits", "Pair", "Quenches", "Result", "Task", "run"]

Array = NDArray[np.float64]
Rows = NDArray[np.int_]

#: Ways to look for a pass between two minima, cheapest first.
PAIR_METHODS = ("line", "string", "bent string")

# Steps, and steps foretold badly in a row before a Hessian is worth its price: of the many climbs
# most lead nowhere.
CLIMB, PAIR = (30, 5), (40, 1)
SUMMITS = 3  # of a path, at most, from which a search begins


@dataclasses.dataclass(frozen=True)
class Quenches:
    """Walk points downhill.

    Attributes
    ----------
    theta
        Starts, ``(B, d)``.
    minima
        Those known.
    keep
        How many to walk down: those whose energies the minima explain least; all by default.
    """

    theta: Array
    minima: Captors
    keep: int | None = None


@dataclasses.dataclass(frozen=True)
class Climbs:
    """Search single-ended from near minima, up some of their modes.

    Attributes
    ----------
    theta, modes
        Starts and directions, ``(B, d)``.
    begun
        Which of ``minima`` each begins at, ``(B,)``.
    minima, states
        Those known.
    """

    theta: Array
    modes: Array
    begun: Rows
    minima: Captors
    states: Captors


@dataclasses.dataclass(frozen=True)
class Pair:
    """Search double-ended between two minima: to the nearest image of the second, if it has any.

    Attributes
    ----------
    ends
        Positions of the two among ``minima``.
    method
        One of `PAIR_METHODS`.
    bend
        How far to move the middle of the first path aside, ``(d,)``, for the bent string.
    minima, states
        Those known.
    """

    ends: tuple[int, int]
    method: str
    bend: Array
    minima: Captors
    states: Captors


Task = Quenches | Climbs | Pair


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a task may spend: gradient equivalents, and the time (`time.time`) at which it ends."""

    allowance: float = np.inf
    deadline: float = np.inf


@dataclasses.dataclass(frozen=True)
class Result:
    """What a task found.

    Attributes
    ----------
    theta, energy, hessian
        New minima, ``(K, d)``, ``(K,)``, ``(K, d, d)``. Together with those known at the task's
        start, of which there were ``M``, they are numbered: the known first, then these.
    quenched
        Minimum, so numbered, that each quench ended in, ``(B,)``; -1 for none.
    quench_status
        `QuenchStatus` of each, ``(B,)``.
    quench_end
        Energies of their ends, ``(B,)``.
    flat
        Directions of those that ended in flat ones, ``(F, d)``.
    states, state_energy, state_hessian, joins
        New transition states, ``(S, d)``, ``(S,)``, ``(S, d, d)``, and the two minima, so numbered,
        ``(S, 2)``; -1 for a downhill path that leads to none.
    saddle_status
        `SaddleStatus` of each search.
    evaluations
        What it cost.
    errors
        What the target raised, to how often.
    cut
        Whether the budget or an interrupt cut it short.
    interrupted
        Whether it was an interrupt.
    """

    theta: Array
    energy: Array
    hessian: Array
    quenched: Rows
    quench_status: Rows
    quench_end: Array
    flat: Array
    states: Array
    state_energy: Array
    state_hessian: Array
    joins: Rows
    saddle_status: Rows
    evaluations: Evaluations
    errors: Mapping[str, int]
    cut: bool
    interrupted: bool

    def to_arrays(self) -> dict[str, Any]:
        """Plain arrays and numbers by name, from which `from_arrays` makes the same result."""
        arrays = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        arrays["evaluations"] = self.evaluations.asdict()
        arrays["errors"] = dict(self.errors)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Result:
        """The inverse of `to_arrays`."""
        return cls(**{**arrays, "evaluations": Evaluations(**arrays["evaluations"])})


def run(target: Target, task: Task, scales: Scales, limits: Limits) -> Result:
    """Do one task.

    Parameters
    ----------
    target
        What is explored.
    task
        What to do.
    scales
        Of the target's starts.
    limits
        After which the task ends with what it has.
    """
    guarded = Guarded(target, allowance=limits.allowance, deadline=limits.deadline)
    scales = scales.around(task.minima.points)
    gathered = _Gathered(guarded, scales, task.minima)
    try:
        if isinstance(task, Quenches):
            gathered.walk_down(_chosen(guarded, task), count=True)
        else:
            points, modes, models = _starts(guarded, task, scales)
            effort = CLIMB if isinstance(task, Climbs) else PAIR
            gathered.search(points, modes, models, task.states, *effort)
    except CutShort:
        gathered.cut = True
    return gathered.result()


def _chosen(target: Guarded, task: Quenches) -> Array:
    """The points to walk down from."""
    if task.keep is None:
        return task.theta
    theta = np.clip(task.theta, *bounds_of(target))
    known = task.minima.points, task.minima.energies, task.minima.hessians
    return theta[unexplained(theta, target.energy(theta), *known, task.keep)]


def _starts(
    target: Guarded, task: Climbs | Pair, scales: Scales
) -> tuple[Array, Array, Array | None]:
    """Where a search for transition states begins, which way, and with which Hessians."""
    if isinstance(task, Climbs):
        many = task.theta.shape[1] > MANY
        models = None if many else np.array([task.minima.hessians[m] for m in task.begun])
        return np.clip(task.theta, *bounds_of(target)), task.modes, models
    a, b = task.ends
    start, (end, end_hessian) = task.minima.points[a], task.minima.aligned(a, b)
    if task.method == "line":
        energies = (float(task.minima.energies[a]), float(task.minima.energies[b]))
        points, modes = line_summits(target, start, end, energies)
    else:
        bend = task.bend if task.method == "bent string" else None
        curvatures = (task.minima.hessians[a], end_hessian)
        string, levels = relax_string(target, start, end, scales.unit, models=curvatures, bend=bend)
        points, modes = summits(string, levels)
    return points[:SUMMITS], modes[:SUMMITS], None


class _Gathered:
    """What a task has found so far."""

    def __init__(self, target: Guarded, scales: Scales, minima: Captors) -> None:
        self.target, self.scales = target, scales
        self.minima, self.known = minima, len(minima)
        d = minima.points.shape[1]
        self.quenched: list[int] = []
        self.quench_status: list[int] = []
        self.quench_end: list[float] = []
        self.flat = np.empty((0, d))
        self.states = Captors.none(d, minima.equivalence)
        self.joins: list[tuple[int, int]] = []
        self.saddle_status: list[int] = []
        self.cut = False

    def walk_down(
        self,
        theta: Array,
        *,
        models: Array | None = None,
        careful: bool = False,
        count: bool = False,
    ) -> list[int]:
        """Quench points; give the minimum of each. ``count`` whether their ends are of interest."""
        ends = quench(
            self.target,
            theta,
            scales=self.scales,
            known=self.minima,
            mates=True,
            models=models,
            careful=careful,
        )
        before = len(self.minima)
        found: dict[int, int] = {}
        self.cut |= bool((ends.status == QuenchStatus.CUT_SHORT).any())
        for row in np.flatnonzero(ends.status == QuenchStatus.MINIMUM).tolist():
            found[row] = self._minimum(ends, row)
        numbers = []
        for row, captor in enumerate(ends.captor.tolist()):
            by_mate = captor >= before
            numbers.append(found[captor - before] if by_mate else found.get(row, captor))
        if count:
            self.quenched += numbers
            self.quench_status += ends.status.tolist()
            self.quench_end += ends.energy.tolist()
            self.flat = np.concatenate(
                [self.flat, ends.direction[ends.status == QuenchStatus.FLAT]]
            )
        return numbers

    def _minimum(self, ends: Quenched, row: int) -> int:
        same = self.minima.same(ends.theta[[row]], ends.energy[[row]])[0]
        if same.any():
            return int(same.argmax())
        self.minima = self.minima.with_point(
            ends.theta[row], float(ends.energy[row]), ends.hessian[row]
        )
        return len(self.minima) - 1

    def search(
        self,
        theta: Array,
        modes: Array,
        models: Array | None,
        known: Captors,
        max_steps: int,
        patience: int,
    ) -> None:
        """Follow eigenvectors to transition states, and walk down both sides of each new one."""
        if by_gradients(self.target):
            ends = follow_by_gradients(self.target, theta, modes, scales=self.scales, known=known)
        else:
            if theta.shape[1] > MANY:
                models, max_steps, patience = None, 2 * max_steps, 1
            ends = follow(
                self.target,
                theta,
                modes,
                models=models,
                scales=self.scales,
                known=known,
                max_steps=max_steps,
                patience=patience,
                mates=True,
            )
        self.cut |= bool((ends.status == SaddleStatus.CUT_SHORT).any())
        for row, status in enumerate(ends.status):
            if status == SaddleStatus.TRANSITION_STATE:
                place = ends.theta[[row]], ends.energy[[row]]
                if known.same(*place).any() or self.states.same(*place).any():
                    status = SaddleStatus.CAPTURED
                else:
                    self.states = self.states.with_point(
                        ends.theta[row], float(ends.energy[row]), ends.hessian[row]
                    )
            self.saddle_status.append(int(status))
        if len(self.states):
            below = np.concatenate([self._sides(s) for s in range(len(self.states))])
            many = theta.shape[1] > MANY
            models = None if many else np.repeat(self.states.hessians, 2, axis=0)
            ends_of = self.walk_down(below, models=models, careful=True)
            self.joins = list(zip(ends_of[::2], ends_of[1::2], strict=True))

    def _sides(self, s: int) -> Array:
        """Two points beside a transition state, down either way, ``(2, d)``."""
        unit = self.scales.unit
        values, vectors = np.linalg.eigh(self.states.hessians[s] * np.outer(unit, unit))
        # Down by a ten-thousandth of a nat, or a tenth of a length scale.
        push = min(np.sqrt(2e-4 / -values[0]), 0.1) * vectors[:, 0] * unit
        return self.states.points[s] + np.stack([push, -push])

    def result(self) -> Result:
        """All of it, frozen."""
        joined = len(self.joins)  # a search that was cut short has states not walked down from
        return Result(
            theta=self.minima.points[self.known :],
            energy=self.minima.energies[self.known :],
            hessian=_stacked(self.minima.hessians[self.known :], self.minima),
            quenched=np.array(self.quenched, dtype=int),
            quench_status=np.array(self.quench_status, dtype=int),
            quench_end=np.array(self.quench_end, dtype=float),
            flat=self.flat,
            states=self.states.points[:joined],
            state_energy=self.states.energies[:joined],
            state_hessian=_stacked(self.states.hessians[:joined], self.minima),
            joins=np.array(self.joins, dtype=int).reshape(-1, 2),
            saddle_status=np.array(self.saddle_status, dtype=int),
            evaluations=self.target.evaluations,
            errors=dict(Counter(self.target.errors)),
            cut=self.cut,
            interrupted=self.target.interrupted,
        )


def _stacked(hessians: Sequence[Array] | Array, of: Captors) -> Array:
    """Matrices as one array ``(K, d, d)``, which may be empty."""
    d = of.points.shape[1]
    return np.reshape(hessians, (len(hessians), d, d))
