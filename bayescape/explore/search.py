"""An exploration under way: what is found, what was tried, and what to try next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Evaluations
from bayescape.explore.attempts import Attempts
from bayescape.explore.coverage import expected_coverage, expected_minima, quenches_to_settle
from bayescape.explore.moves import hot_draws, kicks, ways_up
from bayescape.explore.pool import FLAT, Pool
from bayescape.explore.quench import QuenchStatus
from bayescape.explore.scales import MANY
from bayescape.explore.symmetry import Symmetry
from bayescape.explore.tasks import Climbs, Quenches, Result, Task
from bayescape.explore.worker import Worker
from bayescape.landscape.record import Landscape
from bayescape.progress import Report
from bayescape.targets.target import Target

__all__ = ["RULE", "Search"]

Array = NDArray[np.float64]
T = TypeVar("T")

RULE = "The stopping rule "  # how its warning begins
# How warnings begin of which an exploration that goes on judges afresh.
JUDGED = ("Of ", RULE, "The exploration ")
SETTLED = "all minima expected are found"
FIRST = 8  # quenches of the first sweep
CHUNK = 24  # quenches in a task, side by side,
ENDS = 25_000_000  # or fewer, for a task makes a Hessian of each: so many numbers
HOPELESS = 64  # quenches that ended in no minimum
SEARCHED = 6  # minima that are searched from in a task, side by side
NEGLIGIBLE = 1e-6  # harmonic occupation of a minimum
WORTH = 0.01  # harmonic occupation of a minimum that scattered quenches are to confirm
CONFIRMED = 4  # hits by them
PATIENCE = 8  # how many times the quenches that the stopping rule asks for are spent on it
LEAST = 48  # quenches before the rule is believed, for it sees no basin smaller than their number,
LEAST_BY_COORDINATE = 10  # or so many by coordinate: the more there are, the less starts see,
MOST_BY_COORDINATE = 200  # up to so many
FEW = 5  # coordinates; beyond, there mostly is something that the starts hardly see
WANDERING = 0.25, 2.0  # quenches off known minima over scattered ones, in few and in more
SCREENED = 24  # hot draws for each of them
HOT = (2.0, 8.0), (1.0, 4.0)  # temperatures of these, least and most, in few and in more: there
# what is warmer than the basin lies all outside of it
SCATTERED = 0.25  # scattered quenches beside each, where more effort is asked for
MOST_TASKS = 16  # at once
MEMORY = 4e9  # bytes that the points' Hessians, their modes and their copies in the map may take


class _Stopped(Exception):
    """No search may begin any more; the message says why."""


class Search:
    """An exploration under way."""

    def __init__(
        self,
        target: Target,
        worker: Worker,
        report: Report,
        max_quenches: int,
        seed: int,
        known: Landscape | None = None,
        effort: float = 1.0,
    ) -> None:
        self.target, self.worker, self.report, self.seed = target, worker, report, seed
        self.known = known
        self.d = len(target.names)
        self.chunk = int(np.clip(ENDS // self.d**2, SEARCHED, CHUNK))
        self.scales = worker.scales
        self.symmetry = Symmetry(target)
        self.pool = Pool(self.symmetry)
        self.attempts = Attempts(self.pool, self.scales, seed)
        self.max_quenches = max_quenches
        self.effort = effort
        self.wandered = 0
        self.warnings: list[str] = []
        self.quenches = 0
        self.chunks = 0
        self.hopped: set[int] = set()  # minima that have been searched from
        self.climbed: set[int] = set()
        if known is not None:
            self._take_up(known)

    def _take_up(self, known: Landscape) -> None:
        """Begin with what an earlier exploration found, and tried."""
        self.pool.enter(known)
        # Its scattered quenches count with new ones, from starts that it did not use.
        self.quenches = int(self.pool.hits.sum())
        self.chunks = known.evaluations.total  # more than it drew, for each cost an evaluation
        if known.stopped.startswith(SETTLED):
            self.wandered = self._beyond()
        minima = range(len(self.pool.minima))
        self.hopped, self.climbed = set(minima), set(minima)
        self.attempts.take_as_made()

    def run(self, suspected: Array) -> str:
        """Search until there is nothing left to try; return why it stopped.

        Parameters
        ----------
        suspected
            Points to quench before anything else, ``(B, d)``.
        """
        try:
            if len(suspected):
                self._do([Quenches(part, self.pool.minima) for part in _chunks(suspected)])
            if not self._sweep():
                return "no quench ended in a minimum"
            while self._connect() | self._climb() | self._hop() | self._confirm() | self._wander():
                pass
            return self._settled()
        except _Stopped as reason:
            return str(reason)

    def _do(self, tasks: Sequence[Task], *, independent: bool = False) -> list[Result]:
        """Run tasks and enter what they found, in their order."""
        known = np.arange(len(self.pool.minima))
        results, ended = self.worker.run(tasks, spent=self.pool.evaluations)
        for result in results:
            self.pool.merge(result, known, independent=independent)
        self._tell()
        points = len(self.pool.minima) + len(self.pool.states)
        if not ended and 24.0 * points * self.d**2 > MEMORY:
            ended = f"the Hessians of {points} points in {self.d} coordinates fill the memory"
        if ended:
            self.warnings.append(
                "The exploration was interrupted: the map is what it had found."
                if ended == "interrupted"
                else f"The exploration is not complete: {ended}."
            )
            raise _Stopped(ended)
        return results

    def _tell(self) -> None:
        """Say where things stand."""
        self.report(
            minima=len(self.pool.minima),
            transition_states=len(self.pool.states),
            coverage=self._coverage(),
            evaluations=self.pool.evaluations.total,
            seconds_left=self._seconds_left(),
        )

    def _hits(self) -> NDArray[np.int_]:
        return self.pool.orbit_counts(self.pool.hits)

    def _coverage(self) -> float:
        return expected_coverage(self._hits())

    def _seconds_left(self) -> float:
        """An estimate from the pace so far: of the quenches that the rule wants, and the rest."""
        quenches = min(self._wanted(), self.max_quenches - self.quenches) + self._further()
        pace = self.worker.pace
        searches = len(self._waiting(self.climbed))
        left = pace(Quenches) * quenches / CHUNK + pace(Climbs) * searches / SEARCHED
        return min(left, self.worker.seconds_left)

    def _wanted(self) -> int:
        """How many quenches more the rule asks for if they end in no new minimum."""
        return max(0, self._needed() - int(self._hits().sum()))

    def _needed(self) -> int:
        """How many quenches the rule asks for, given the minima that they hit so far."""
        by_size = min(LEAST_BY_COORDINATE * self.d, MOST_BY_COORDINATE)
        least = min(max(LEAST, by_size), self.max_quenches)
        return max(least, quenches_to_settle(int((self._hits() > 0).sum())))

    def _sweep(self) -> bool:
        """Independent quenches, until the number of minima is settled; whether there is any."""
        while self.quenches < self.max_quenches and self._wanted():
            # Few to begin with, for what they find captures; then up to as many as came before.
            count = FIRST if self.quenches == 0 else max(CHUNK, self.quenches)
            self._scatter(min(count, self._wanted()) if len(self._hits()) else count)
            if not len(self._hits()) and self.quenches >= HOPELESS:
                break
        if not len(self._hits()):
            ends = "; ".join(f"{text}: {count}" for text, count in self.pool.ends.most_common())
            self.warnings.append(f"None of {self.quenches} quenches ended in a minimum. {ends}.")
        return len(self._hits()) > 0

    def _settled(self) -> str:
        """Why the search ends here; what speaks against it goes to the warnings."""
        hits, unconfirmed = self._hits(), self.pool.unconfirmed(WORTH, CONFIRMED)
        if len(unconfirmed):
            held = self.pool.occupation()[unconfirmed].sum()
            self.warnings.append(
                f"Of {self.quenches} scattered quenches fewer than {CONFIRMED} hit "
                f"{len(unconfirmed)} of the minima, which hold {held:.1%} by harmonic occupation: "
                "the starts hardly see basins that matter, so there may be others."
            )
        if not self._wanted():
            return f"{SETTLED}, after {self.quenches} quenches"
        self.warnings.append(
            f"{RULE}expects {expected_minima(hits):.1f} minima after {self.quenches} "
            f"quenches, but {(hits > 0).sum()} were found: raise `max_quenches`."
        )
        return f"the limit of {self.max_quenches} quenches was reached"

    def _scatter(self, count: int) -> None:
        """Quenches from scattered starts, as many as the limits allow."""
        count = min(count, self.max_quenches - self.quenches, self._affordable())
        tasks = []
        for part in np.array_split(np.arange(count), -(-count // self.chunk)):
            rng = np.random.default_rng([self.seed, 0, self.chunks])
            starts = np.asarray(self.target.starts(len(part), rng), dtype=float)
            tasks.append(Quenches(starts, self.pool.minima))
            self.chunks += 1
        self.quenches += count
        self._do(tasks, independent=True)

    def _confirm(self) -> bool:
        """More scattered quenches, while a minimum worth having was hit by too few.

        What the starts hardly see has company that no search has come upon: the rule counts
        quenches, and knows nothing of how much probability a basin holds.
        """
        most = min(self.max_quenches, PATIENCE * self._needed())
        doubtful = self._wanted() or len(self.pool.unconfirmed(WORTH, CONFIRMED))
        if not doubtful or self.quenches >= most:
            return False
        self._scatter(min(max(FIRST, self.quenches // 4), most - self.quenches))
        return True

    def _further(self) -> int:
        """How many quenches are left of those off known minima."""
        more = int((self.effort - 1) * self._needed())
        return max(0, self._beyond() + more - self.wandered)

    def _beyond(self) -> int:
        """How many quenches off known minima are usual, where these are not too many to count."""
        share = WANDERING[self.d > FEW] if self._countable() else 0.0
        return int(share * min(self._needed(), self.quenches))

    def _countable(self) -> bool:
        """Whether the rule may be content: not in many coordinates, and before the limit."""
        return self.d <= MANY and not (self._wanted() and self.quenches >= self.max_quenches)

    def _wander(self) -> bool:
        """Quenches beyond the rule's, off known minima; more of them with more effort.

        What the starts hardly see lies nearer to these, and shows by values that they do not
        explain.
        """
        if not (further := self._further()):
            return False
        count = min(further, max(CHUNK, self.wandered), self._affordable())
        matters, minima = self._matters(), self.pool.minima
        off = hot_draws(
            minima.points[matters],
            np.array([minima.hessians[m] for m in matters]),
            self.scales.unit,
            HOT[self.d > FEW],
            count * (SCREENED if self.d <= MANY else 1),
            np.random.default_rng([self.seed, 4, self.chunks, self.wandered]),
        )
        self.wandered += count
        parts = np.array_split(off, -(-count // CHUNK))
        few = self.d <= MANY  # elsewhere all are kept, and no value is asked for
        self._do([Quenches(p, minima, -(-len(p) // SCREENED) if few else None) for p in parts])
        scattered = min(int(SCATTERED * count), self.max_quenches - self.quenches)
        if self.effort > 1 and scattered > 0:
            self._scatter(scattered)
        return True

    def _affordable(self) -> int:
        """How many quenches the budget still pays for, one at least."""
        spent = self.pool.evaluations.gradient_equivalents(self.d)
        before = self.known.evaluations.gradient_equivalents(self.d) if self.known else 0.0
        cost = spent + before
        each = cost / self.quenches if self.quenches and cost else 30.0 + 2 * (self.d + 1)
        left = (self.worker.budget.evaluations - spent) / each
        return int(np.clip(left, 1, MOST_TASKS * CHUNK))

    def _matters(self) -> list[int]:
        """Minima to search from, one of each orbit.

        Those that a quench hit or whose occupation is not negligible; of the others, which a rugged
        target may have without end, no more than as many.
        """
        if not len(self.pool.minima):
            return []
        reached = (self.pool.hits > 0) | (self.pool.occupation() > NEGLIGIBLE)
        first = np.unique(self.pool.orbit[reached])
        others = np.setdiff1d(self.pool.orbit, first)
        return [int(m) for m in np.sort(np.concatenate([first, others[: len(first)]]))]

    def _waiting(self, done: set[int]) -> list[int]:
        """The minima that have not been searched from yet, in order of their finding."""
        return [m for m in self._matters() if m not in done]

    def _hop(self) -> bool:
        """Basin hopping from each new minimum, where there is no wandering."""
        new = [] if self._countable() else self._waiting(self.hopped)
        for batch in _batches(new):
            rngs = [np.random.default_rng([self.seed, 1, m]) for m in batch]
            minima, unit = self.pool.minima, self.scales.unit
            starts = [
                kicks(minima.points[m], unit, rng) for m, rng in zip(batch, rngs, strict=True)
            ]
            self.hopped.update(batch)
            self._do([Quenches(np.concatenate(part), minima) for part in _parts(starts)])
        return bool(new)

    def _climb(self) -> bool:
        """Single-ended searches up both ends of the softest modes of each new minimum."""
        new = self._waiting(self.climbed)
        for batch in _batches(new):
            self.climbed.update(batch)
            self._do([self._climbs(part) for part in _parts(batch)])
        return bool(new)

    def _climbs(self, starting: Sequence[int]) -> Climbs:
        minima, unit = self.pool.minima, self.scales.unit
        ways = [ways_up(minima.points[m], minima.hessians[m], unit) for m in starting]
        points, modes = (np.concatenate(part) for part in zip(*ways, strict=True))
        each = len(points) // len(starting)
        return Climbs(points, modes, np.repeat(starting, each), minima, self.pool.states)

    def _connect(self) -> bool:
        """Double-ended searches, until no attempt is left that is worth making."""
        any_made = False
        while attempts := self.attempts.worth_making(self._matters()):
            batch = attempts[: _batch_size(len(attempts))]
            self._do([self.attempts.task(attempt) for attempt in batch])
            any_made = True
        return any_made

    def landscape(self, stopped: str) -> Landscape:
        """The map as it stands."""
        pool, known = self.pool, self.known
        ends = pool.ends + Counter(known.ends if known else {})
        said = pool.warnings(self.target.names, flat=ends[QuenchStatus.FLAT.text])
        before = [] if known is None else [w for w in known.warnings if not w.startswith(JUDGED)]
        if pool.flat:  # and those before are counted with them
            before = [warning for warning in before if FLAT not in warning]
        found = [*before, *self.warnings, *said]
        parts = len(pool.components()) if len(pool.minima) else 0
        if parts > 1:
            stopped += f"; the graph is in {parts} parts that no transition state found joins"
        return Landscape.from_arrays(
            names=self.target.names,
            minima=pool.minima.points,
            energies=pool.minima.energies,
            hessians=pool.minima.hessians,
            hits=pool.hits,
            transition_states=pool.states.points,
            transition_energies=pool.states.energies,
            transition_hessians=pool.states.hessians,
            joins=pool.joins,
            log_multiplicity=pool.log_multiplicities(),
            coverage=self._coverage(),
            evaluations=pool.evaluations + (known.evaluations if known else Evaluations()),
            ends=dict(ends),
            stopped=stopped,
            warnings=list(dict.fromkeys(found)),
            seconds=self.worker.seconds + (known.seconds if known else 0.0),
            seed=self.seed,
            target=self.target,
        )


def _chunks(points: Array) -> list[Array]:
    """Points by task."""
    return [points[i : i + CHUNK] for i in range(0, len(points), CHUNK)]


def _batch_size(count: int) -> int:
    """How many searches to make at once: a quarter, for each may spare the others work."""
    return min(max(1, count // 4), MOST_TASKS)


def _batches(waiting: Sequence[int]) -> list[list[int]]:
    """Minima to search from at once: no more than a task, or than a quarter of them."""
    size = max(SEARCHED, _batch_size(len(waiting)))
    return [list(waiting[i : i + size]) for i in range(0, len(waiting), size)]


def _parts(batch: Sequence[T]) -> list[Sequence[T]]:
    """What is to be searched from at once, by task."""
    return [batch[i : i + SEARCHED] for i in range(0, len(batch), SEARCHED)]
