"""The loop that makes a map: quenches until the rule says stop, then transition states."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.budget import Budget
from bayescape.explore.coverage import expected_coverage, expected_minima, quenches_to_settle
from bayescape.explore.moves import kicks, ways_up
from bayescape.explore.pairs import choose_pairs, metric_distances
from bayescape.explore.pool import Pool
from bayescape.explore.symmetry import Symmetry
from bayescape.explore.tasks import Climbs, Pair, Quenches, Result, Task
from bayescape.explore.worker import Worker
from bayescape.landscape.record import Landscape
from bayescape.progress import Report, reporter
from bayescape.targets.target import Target

__all__ = ["explore"]

Array = NDArray[np.float64]
T = TypeVar("T")

FIRST = 8  # quenches of the first sweep
CHUNK = 24  # quenches in a task, side by side
HOPELESS = 64  # quenches that ended in no minimum
SEARCHED = 6  # minima that are searched from in a task, side by side
NEGLIGIBLE = 1e-6  # harmonic occupation of a minimum
WORTH = 0.01  # harmonic occupation of a minimum that scattered quenches are to confirm
CONFIRMED = 4  # hits by them
PATIENCE = 4  # how many times the quenches that the stopping rule asks for are spent on it
LEAST = 30  # quenches before the rule is believed, for it sees no basin smaller than their number
MOST_TASKS = 16  # at once


def explore(
    target: Target,
    *,
    seed: int = 0,
    progress: bool | Callable[..., None] = True,
    budget: float | str | datetime.timedelta | None = None,
    max_quenches: int = 2000,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Landscape:
    """Map a target: its minima, its transition states, and what joins what.

    Quenches from scattered starts until the expected number of minima, by Boender and Rinnooy Kan's
    rule, is less than half a minimum above the number found. Then transition states, double-ended
    between minima that are not joined and between neighbours, along straight lines and relaxed
    strings, and single-ended up the softest modes of every minimum; then basin hopping from every
    minimum. A minimum that any of these leads to is taken up and searched from in its turn; of
    those that no scattered quench hit and whose harmonic occupation is negligible, only as many as
    there are others.

    Parameters
    ----------
    target
        Anything that satisfies `bayescape.targets.Target`. Symmetries that it declares by an
        attribute ``symmetries``, orthogonal matrices of shape ``(G, d, d)`` which leave the energy
        alone, are made use of: what is found is entered with all its images.
    seed
        The same seed gives the same map, bit for bit, with any executor and with none.
    progress
        ``True`` for a line on the terminal, ``False``, or a callable given ``minima``,
        ``transition_states``, ``coverage``, ``evaluations`` and ``seconds_left``, an estimate.
    budget
        What to spend at most: gradient equivalents (a value counts one half, a Hessian ``d + 1``),
        or a time, as text such as ``"10 min"`` or as a timedelta; ``None`` for no limit.
    max_quenches
        Scattered starts, at most; a map that stops there says so.
    executor
        Where to run the searches, `concurrent.futures.Executor` or one with its interface, such as
        Dask's ``client.get_executor()``; by default they run here.
    checkpoint
        A file in which to keep what is found, while it is found. If it is there, from a run that
        was stopped in whatever way, the exploration goes on from it.

    Returns
    -------
    Landscape
        Of what was found, also after Ctrl-C. Its ``warnings`` say what is wrong with it.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the checkpoint is of something else.

    References
    ----------
    C. G. E. Boender, A. H. G. Rinnooy Kan, Math. Program. 37, 59 (1987); D. J. Wales,
    J. P. K. Doye, J. Phys. Chem. A 101, 5111 (1997); see also the modules of `bayescape.explore`.
    """
    limits = Budget.of(budget)
    if max_quenches < 1:
        raise ValueError(f"`max_quenches` must be at least 1, got {max_quenches}")
    settings = {"seed": int(seed), "max_quenches": int(max_quenches)}
    with (
        Worker(target, limits, executor, checkpoint, settings) as worker,
        reporter(progress, "mapping") as report,
    ):
        search = _Search(target, worker, report, max_quenches, seed)
        stopped = search.run()
        return search.landscape(stopped)


class _Stopped(Exception):
    """No search may begin any more; the message says why."""


class _Search:
    """An exploration under way."""

    def __init__(
        self, target: Target, worker: Worker, report: Report, max_quenches: int, seed: int
    ) -> None:
        self.target, self.worker, self.report, self.seed = target, worker, report, seed
        self.d = len(target.names)
        self.scales = worker.scales
        self.symmetry = Symmetry(target)
        self.pool = Pool(self.symmetry)
        self.max_quenches = max_quenches
        self.warnings: list[str] = []
        self.quenches = 0
        self.chunks = 0
        self.hopped: set[int] = set()  # minima that have been searched from
        self.climbed: set[int] = set()
        self.tried: set[tuple[int, int, str]] = set()

    def run(self) -> str:
        """Search until there is nothing left to try; return why it stopped."""
        try:
            if not self._sweep():
                return "no quench ended in a minimum"
            while self._connect() | self._climb() | self._hop() | self._confirm():
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
        quenches = min(self._wanted(), self.max_quenches - self.quenches)
        pace = self.worker.pace
        searches = sum(len(self._waiting(done)) for done in (self.hopped, self.climbed))
        left = pace(Quenches) * quenches / CHUNK + pace(Climbs) * searches / SEARCHED
        return min(left, self.worker.seconds_left)

    def _wanted(self) -> int:
        """How many quenches more the rule asks for if they end in no new minimum."""
        return max(0, self._needed() - int(self._hits().sum()))

    def _needed(self) -> int:
        """How many quenches the rule asks for, given the minima that they hit so far."""
        least = min(LEAST, self.max_quenches)
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
            return f"all minima expected are found, after {self.quenches} quenches"
        self.warnings.append(
            f"The stopping rule expects {expected_minima(hits):.1f} minima after {self.quenches} "
            f"quenches, but {(hits > 0).sum()} were found: raise `max_quenches`."
        )
        return f"the limit of {self.max_quenches} quenches was reached"

    def _scatter(self, count: int) -> None:
        """Quenches from scattered starts, as many as the limits allow."""
        count = min(count, self.max_quenches - self.quenches, self._affordable())
        tasks = []
        for part in np.array_split(np.arange(count), -(-count // CHUNK)):
            rng = np.random.default_rng([self.seed, 0, self.chunks])
            starts = np.asarray(self.target.starts(len(part), rng), dtype=float)
            tasks.append(Quenches(starts, self.pool.minima))
            self.chunks += 1
        self.quenches += count
        self._do(tasks, independent=True)

    def _confirm(self) -> bool:
        """More scattered quenches, while a minimum worth having was hit by fewer than two.

        What the starts hardly see has company that no search has come upon: the rule counts
        quenches, and knows nothing of how much probability a basin holds.
        """
        most = min(self.max_quenches, PATIENCE * self._needed())
        doubtful = self._wanted() or len(self.pool.unconfirmed(WORTH, CONFIRMED))
        if not doubtful or self.quenches >= most:
            return False
        self._scatter(min(max(CHUNK, self.quenches // 2), most - self.quenches))
        return True

    def _affordable(self) -> int:
        """How many quenches the budget still pays for, one at least."""
        spent = self.pool.evaluations.gradient_equivalents(self.d)
        each = spent / self.quenches if self.quenches else 30.0 + 2 * (self.d + 1)
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
        """Basin hopping from each new minimum."""
        new = self._waiting(self.hopped)
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
        while attempts := self._attempts():
            batch = attempts[: _batch_size(len(attempts))]
            self.tried.update(self._key(attempt) for attempt in batch)
            self._do([self._pair(*attempt) for attempt in batch])
            any_made = True
        return any_made

    def _key(self, attempt: tuple[int, int, str]) -> tuple[int, int, str]:
        """The same for all images of a pair."""
        a, b, method = attempt
        images = np.sort(self.pool.permutation[:, [a, b]], axis=1)
        first = images[np.lexsort(images.T[::-1])[0]]
        return int(first[0]), int(first[1]), method

    def _attempts(self) -> list[tuple[int, int, str]]:
        pool = self.pool
        if len(pool.minima) < 2:
            return []
        attempts = choose_pairs(
            points=pool.minima.points / self.scales.unit,
            distances=metric_distances(pool.minima.points, pool.minima.hessians),
            joins=pool.joins,
            state_energies=pool.states.energies,
            energies=pool.minima.energies,
            occupation=pool.occupation(),
            matters=np.flatnonzero(np.isin(pool.orbit, self._matters())).tolist(),
            tried=lambda attempt: self._key(attempt) in self.tried,
        )
        return list({self._key(attempt): attempt for attempt in reversed(attempts)}.values())[::-1]

    def _pair(self, a: int, b: int, method: str) -> Pair:
        minima = self.pool.minima
        rng = np.random.default_rng([self.seed, 2, a, b])
        along = (minima.points[b] - minima.points[a]) / self.scales.unit
        aside = rng.standard_normal(self.d)
        aside -= (aside @ along) / (along @ along) * along
        length = 0.5 * np.linalg.norm(along) / max(float(np.linalg.norm(aside)), 1e-300)
        bend = length * aside * self.scales.unit
        return Pair((a, b), method, bend, minima, self.pool.states)

    def landscape(self, stopped: str) -> Landscape:
        """The map as it stands."""
        pool = self.pool
        self.warnings += pool.warnings(self.target.names)
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
            coverage=self._coverage(),
            evaluations=pool.evaluations,
            ends=dict(pool.ends),
            stopped=stopped,
            warnings=self.warnings,
            seconds=self.worker.seconds,
            seed=self.seed,
            target=self.target,
        )


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
