"""Branches of stationary points on a grid of a parameter, followed until each has its two ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayescape.landscape.advance import Points, advance, index_of
from bayescape.landscape.curve import Trace, trace
from bayescape.landscape.family import Family
from bayescape.landscape.folds import Fold

__all__ = ["FOLD", "GRID", "Branch", "Branches"]

Array = NDArray[np.float64]

SAME = 1e-5  # distance of two points, in units of the coordinates, that are one
HIGHEST = 1  # Hessian index of the points that are followed
NOT_FOLLOWED = -1
GRID, FOLD = "grid", "fold"


@dataclasses.dataclass
class Branch:
    """One branch, as far as it is known; it is changed while it is followed.

    Attributes
    ----------
    index
        Its Hessian index.
    x, hessians
        ``(K, d)`` and ``(K, d, d)`` in the family's units, NaN where it is not or not yet known.
    ends
        How it ends towards smaller (-1) and greater (1) values, once that is known.
    """

    index: int
    x: Array
    hessians: Array
    ends: dict[int, str] = dataclasses.field(default_factory=dict)

    def at(self, k: int) -> bool:
        """Whether the branch is known at a position of the grid."""
        return bool(np.isfinite(self.x[k, 0]))


class Branches:
    """All branches of a family, and the folds between them.

    Parameters
    ----------
    family
        The targets.
    grid
        Increasing values of the parameter, ``(K,)``.
    report
        Called while branches are followed.
    """

    def __init__(self, family: Family, grid: Array, report: Callable[..., None]) -> None:
        self.family, self.grid, self.report = family, [float(p) for p in grid], report
        self.d = len(family.unit)
        self.branches: list[Branch] = []
        self.folds: list[Fold] = []
        self.joins: list[tuple[int, int]] = []
        self.indices: list[tuple[int, int]] = []
        self.warnings: list[str] = []
        self._agenda: set[tuple[int, int, int]] = set()  # branch, position, direction
        self._merged: dict[int, int] = {}  # branches that turned out to be another one's part

    def enter(self, x: Array, hessian: Array, k: int) -> int:
        """The branch that a stationary point is on: one that is known there, or a new one."""
        index = int(index_of(hessian[None])[0])
        if index > HIGHEST:
            return NOT_FOLLOWED
        known = self._match(x, index, k)
        if known is not None:
            return known
        new = self._add(index)
        self._put(new, k, x, hessian)
        self._agenda |= {(new, k, 1), (new, k, -1)}
        return new

    def follow(self) -> None:
        """Follow all branches that are not known to their ends, side by side where they can be."""
        while self._agenda:
            direction = 1 if any(step == 1 for _, _, step in self._agenda) else -1
            k = direction * min(direction * at for _, at, step in self._agenda if step == direction)
            here = sorted(item for item in self._agenda if item[1:] == (k, direction))
            self._agenda.difference_update(here)
            rows = sorted({self._resolve(branch) for branch, _, _ in here})
            rows = [row for row in rows if direction not in self.branches[row].ends]
            self._cross(rows, k, direction)
            self.report(parameter=self.grid[k], branches=len(self.branches), folds=len(self.folds))

    def points_at(self, k: int, index: int) -> Points:
        """The points of a Hessian index that branches have at a position of the grid."""
        rows = [
            i
            for i, branch in enumerate(self.branches)
            if i not in self._merged and branch.index == index and branch.at(k)
        ]
        return self._points(rows, k)

    def settled(self) -> tuple[list[Branch], NDArray[np.int_]]:
        """The branches, and for every fold the positions of its two among them."""
        kept = [i for i in range(len(self.branches)) if i not in self._merged]
        position = {old: new for new, old in enumerate(kept)} | {NOT_FOLLOWED: NOT_FOLLOWED}
        joins = [[position[self._resolve(i)] for i in pair] for pair in self.joins]
        return [self.branches[i] for i in kept], np.array(joins, dtype=int).reshape(-1, 2)

    def _cross(self, rows: list[int], k: int, direction: int) -> None:
        """Follow some branches over one interval of the grid."""
        end = k + direction
        if not 0 <= end < len(self.grid):
            for row in rows:
                self.branches[row].ends[direction] = GRID
            return
        behind = k - direction
        before = self._points(rows, behind) if 0 <= behind < len(self.grid) else None
        x, hessians, reached, good = advance(
            self.family, self._points(rows, k), self.grid[end], before
        )
        jumped = self._jumped(rows, x, good, k, end)
        for i, row in enumerate(rows):
            if good[i] and not jumped[i]:
                self._arrive(row, x[i], hessians[i], k, end)
        for i, row in enumerate(rows):
            # Another's trace may have come to this branch, and seen its fold, meanwhile.
            if (good[i] and not jumped[i]) or direction in self.branches[row].ends:
                continue
            point, p = (
                (self.branches[row].x[k], self.grid[k]) if jumped[i] else (x[i], float(reached[i]))
            )
            found = trace(self.family, point, p, (self.grid[k], self.grid[end]))
            self._take(row, found, k, direction)

    def _points(self, rows: list[int], k: int) -> Points:
        """Where some branches are at a position of the grid."""
        x = np.array([self.branches[row].x[k] for row in rows])
        hessians = np.array([self.branches[row].hessians[k] for row in rows])
        square = hessians.reshape(-1, self.d, self.d)
        return Points(x.reshape(-1, self.d), square, self.grid[k])

    def _jumped(
        self, rows: list[int], x: Array, good: NDArray[np.bool_], k: int, end: int
    ) -> NDArray[np.bool_]:
        """Which branches came to a point where another one, that was apart before, is too."""
        jumped = np.zeros(len(rows), dtype=bool)
        for i, row in enumerate(rows):
            index = self.branches[row].index
            for j in range(i):
                same = good[i] and good[j] and self.branches[rows[j]].index == index
                if same and np.linalg.norm(x[i] - x[j]) < SAME:
                    jumped[[i, j]] = True
            other = self._match(x[i], index, end) if good[i] else None
            if other is not None and other != row and self.branches[other].at(k):
                jumped[i] = True
        return jumped

    def _take(self, row: int, found: Trace, k: int, direction: int) -> None:
        """Enter what following a branch by its length has come to."""
        branch, turns = self.branches[row], len(found.folds)
        if found.stopped:
            self.warnings.append(
                f"A branch of index {branch.index} was followed to {found.parameter:.6g} only: "
                f"{found.stopped}"
            )
        if not turns:
            if found.stopped:
                branch.ends[direction] = found.stopped
            else:
                self._arrive(row, found.x, found.hessian, k, k + direction)
            return
        heading = direction * (-1) ** turns
        chain = [row]
        for index in found.indices[1:-1]:
            chain.append(self._add(index, {-1: FOLD, 1: FOLD}) if index <= HIGHEST else -1)
        if found.stopped:
            last = found.indices[-1]
            chain.append(self._add(last, {heading: found.stopped}) if last <= HIGHEST else -1)
        else:
            chain.append(self.enter(found.x, found.hessian, k + direction * (turns % 2 == 0)))
        branch.ends[direction] = FOLD
        if chain[-1] != NOT_FOLLOWED:
            self.branches[chain[-1]].ends[-heading] = FOLD
        for i, fold in enumerate(found.folds):
            self.folds.append(fold)
            self.joins.append((chain[i], chain[i + 1]))
            self.indices.append(found.indices[i : i + 2])  # type: ignore[arg-type]

    def _arrive(self, row: int, x: Array, hessian: Array, k: int, end: int) -> None:
        """Enter a branch at the next position, where it may turn out to be a known one."""
        direction = end - k
        branch = self.branches[row]
        other = self._match(x, branch.index, end)
        if other is not None and other != row:
            if self.branches[other].at(k):
                branch.ends[direction] = "it ran into another branch"
                self.warnings.append(
                    f"Two branches of index {branch.index} ran together between {self.grid[k]:g} "
                    f"and {self.grid[end]:g}: one of them was lost there"
                )
                return
            self._merge(row, other, direction)
        self._put(row, end, x, hessian)
        self._agenda.add((row, end, direction))

    def _merge(self, row: int, other: int, direction: int) -> None:
        """Make a branch that another one has run onto a part of that."""
        branch, part = self.branches[row], self.branches[other]
        known = np.isfinite(part.x[:, 0])
        branch.x[known], branch.hessians[known] = part.x[known], part.hessians[known]
        branch.ends.pop(direction, None)
        if direction in part.ends:
            branch.ends[direction] = part.ends[direction]
        self._merged[other] = row

    def _match(self, x: Array, index: int, k: int) -> int | None:
        for i, branch in enumerate(self.branches):
            if i not in self._merged and branch.index == index and branch.at(k):
                if np.linalg.norm(branch.x[k] - x) < SAME:
                    return i
        return None

    def _add(self, index: int, ends: dict[int, str] | None = None) -> int:
        points, d = len(self.grid), self.d
        nowhere = np.full((points, d), np.nan), np.full((points, d, d), np.nan)
        self.branches.append(Branch(index, *nowhere, dict(ends or {})))
        return len(self.branches) - 1

    def _put(self, row: int, k: int, x: Array, hessian: Array) -> None:
        self.branches[row].x[k], self.branches[row].hessians[k] = x, hessian

    def _resolve(self, row: int) -> int:
        while row in self._merged:
            row = self._merged[row]
        return row
