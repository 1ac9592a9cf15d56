"""The loop of all searches: a batch of points side by side, each until it has ended."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.guard import CutShort

__all__ = ["Search", "in_lockstep"]


class Search(Protocol):
    """The state of a batch of searches.

    Attributes
    ----------
    status
        How each ended, ``(B,)``; negative for one that goes on.
    """

    status: NDArray[np.int_]

    def begin(self) -> None:
        """Evaluate the starts."""
        ...

    def turn(self, tolerance: float) -> None:
        """Classify what has converged, by the gradient's norm, and take one step with the rest."""
        ...


def in_lockstep(
    search: Search, turns: int, tolerance: float, *, failed: int, cut_short: int
) -> None:
    """Search until all have ended.

    Parameters
    ----------
    search
        The batch; its ``status`` says at the end how each ended.
    turns
        At most.
    tolerance
        Largest gradient norm of a converged point.
    failed, cut_short
        Status of those that go on still after the last turn, and when no more may be evaluated.
    """
    try:
        search.begin()
        for _ in range(turns):
            if not (search.status < 0).any():
                break
            search.turn(tolerance)
        search.status[search.status < 0] = failed
    except CutShort:
        search.status[search.status < 0] = cut_short
