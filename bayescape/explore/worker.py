"""Runs an exploration's tasks: here or in an executor, within a budget, kept in a checkpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bayescape.evaluations import Evaluations
from bayescape.explore.budget import Budget
from bayescape.explore.guard import Guarded
from bayescape.explore.journal import Journal, Recorded
from bayescape.explore.scales import Scales
from bayescape.explore.tasks import Limits, Result, Task, run
from bayescape.targets.target import Target

__all__ = ["Worker"]


class Worker:
    """Runs tasks in an order that does not show in what they give.

    Parameters
    ----------
    target
        What is explored.
    budget
        What it may cost.
    executor
        Where to run tasks; ``None`` for here.
    checkpoint
        File of results, or ``None``. Results in it are taken from there.
    settings
        Whatever else decides what the tasks are; a checkpoint made with others is refused.
    """

    def __init__(
        self,
        target: Target,
        budget: Budget,
        executor: Executor | None,
        checkpoint: str | os.PathLike[str] | None,
        settings: Mapping[str, Any],
    ) -> None:
        self.target, self.budget, self.executor = target, budget, executor
        self.scales = Scales.of(target)
        self._count = 0  # of tasks that were asked for
        self._paces: dict[type, tuple[float, int]] = {}
        self._before = 0.0  # seconds that earlier runs of the checkpoint took
        self._started = time.time()
        self._stored: dict[int, dict[str, Any]] = {}
        self._journal: Journal | None = None
        if checkpoint is not None:
            self._open(Path(checkpoint), settings)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._journal is not None:
            self._journal.close()

    @property
    def seconds(self) -> float:
        """Spent so far, with what earlier runs of the checkpoint spent."""
        return self._before + time.time() - self._started

    @property
    def seconds_left(self) -> float:
        """Of the budget."""
        return max(0.0, self.budget.seconds - self.seconds)

    def pace(self, kind: type) -> float:
        """Mean seconds of a task of a kind so far, 0 before the first."""
        total, count = self._paces.get(kind, (0.0, 0))
        return total / count if count else 0.0

    def run(self, tasks: Sequence[Task], *, spent: Evaluations) -> tuple[list[Result], str]:
        """Run tasks.

        Parameters
        ----------
        tasks
            None of which depends on another's result.
        spent
            By all that ran before.

        Returns
        -------
        list of Result
            In the order of the tasks; only of those that ran, when something ended them.
        str
            What ended the exploration: empty when nothing did.
        """
        first, self._count = self._count, self._count + len(tasks)
        left = self.budget.evaluations - spent.gradient_equivalents(len(self.target.names))
        limits = Limits(left / len(tasks), self._started + self.budget.seconds - self._before)
        results: dict[int, Result] = {
            i: Result.from_arrays(self._stored.pop(first + i))
            for i in range(len(tasks))
            if first + i in self._stored
        }
        todo = [i for i in range(len(tasks)) if i not in results]
        interrupted = False
        try:
            if self.executor is None:
                for i in todo:
                    if not interrupted:
                        self._keep(first, i, self._run(tasks[i], first + i, limits), results)
                        interrupted = results[i].interrupted
            else:
                self._submit(self.executor, tasks, todo, first, limits, results)
        except KeyboardInterrupt:
            interrupted = True
        done = [results[i] for i in sorted(results)]
        if interrupted or any(result.interrupted for result in done):
            return done, "interrupted"
        if any(result.cut for result in done):
            return done, f"the budget of {self.budget} was spent"
        return done, ""

    def _run(self, task: Task, number: int, limits: Limits) -> Result:
        started = time.time()
        result = run_recorded(self.target, task, self.scales, limits, self._side_file(number))
        total, count = self._paces.get(type(task), (0.0, 0))
        self._paces[type(task)] = total + time.time() - started, count + 1
        return result

    def _submit(
        self,
        executor: Executor,
        tasks: Sequence[Task],
        todo: Sequence[int],
        first: int,
        limits: Limits,
        results: dict[int, Result],
    ) -> None:
        started = time.time()
        futures: dict[Future[Result], int] = {}
        try:
            for i in todo:
                side = self._side_file(first + i)
                futures[
                    executor.submit(run_recorded, self.target, tasks[i], self.scales, limits, side)
                ] = i
            for future in as_completed(futures):
                self._keep(first, futures[future], future.result(), results)
        except BrokenExecutor as error:
            raise RuntimeError(
                "`executor` broke: one of its workers died. What was found is in the checkpoint, "
                "if there is one."
            ) from error
        finally:
            for future in futures:
                future.cancel()
        if todo:
            kind = type(tasks[todo[0]])
            total, count = self._paces.get(kind, (0.0, 0))
            self._paces[kind] = total + time.time() - started, count + len(todo)

    def _keep(self, first: int, i: int, result: Result, results: dict[int, Result]) -> None:
        results[i] = result
        # What was cut short would go further another time.
        if self._journal is not None and not result.cut:
            record = result.to_arrays()
            head = {"record": "task", "number": first + i, "seconds": self.seconds}
            self._journal.add(head | record)

    def _side_file(self, number: int) -> str | None:
        return None if self._journal is None else f"{self._journal.path}.task-{number}"

    def _open(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Open the checkpoint, and take what it holds if it is of the same exploration."""
        if path.is_dir():
            raise ValueError(f"`checkpoint`: {path} is a folder, not a file")
        try:
            self._journal = Journal(path)
        except OSError as error:
            raise ValueError(f"`checkpoint`: {path} cannot be written: {error}") from error
        try:
            self._match(path, settings)
        except BaseException:
            self._journal.close()
            raise

    def _match(self, path: Path, settings: Mapping[str, Any]) -> None:
        assert self._journal is not None
        theta = np.asarray(self.target.starts(3, np.random.default_rng(0)), dtype=float)
        energy = Guarded(self.target).energy(theta)
        header: dict[str, Any] = {"record": "header", "names": list(self.target.names), **settings}
        if not self._journal.records:
            self._journal.add({**header, "theta": theta, "energy": energy})
            return
        stored = self._journal.records[0]
        for name in dict.fromkeys([*header, *stored]):
            if name not in ("theta", "energy") and stored.get(name) != header.get(name):
                raise ValueError(
                    f"`checkpoint`: {path} is of an exploration with {name} = "
                    f"{stored.get(name)!r}, not {header.get(name)!r}"
                )
        same = np.array_equal(stored["theta"], theta) and np.allclose(
            stored["energy"], energy, rtol=1e-9, atol=1e-9
        )
        if not same:
            raise ValueError(f"`checkpoint`: {path} is of another target: their energies differ")
        for record in self._journal.records[1:]:
            number, seconds = record.pop("number"), record.pop("seconds")
            record.pop("record")
            self._stored[number] = record
            self._before = max(self._before, seconds)


def run_recorded(
    target: Target, task: Task, scales: Scales, limits: Limits, side_file: str | None
) -> Result:
    """Run a task; keep its evaluations in a file while it runs, should it be slow."""
    if side_file is None:
        return run(target, task, scales, limits)
    recorded = Recorded(target, side_file)
    keep = True
    try:
        result = run(recorded, task, scales, limits)
        keep = result.cut
    finally:
        recorded.finish(keep=keep)
    return result
