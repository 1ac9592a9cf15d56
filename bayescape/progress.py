"""Progress in the algorithm's own words, to a terminal, to a callable, or to nobody.

Display never raises into a run, and touches no random state.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

__all__ = ["Report", "reporter"]

Report = Callable[..., None]

logger = logging.getLogger(__name__)

INTERVAL = 0.1  # seconds between redraws


@contextlib.contextmanager
def reporter(progress: bool | Report, title: str) -> Iterator[Report]:
    """Give a function that is told what is going on, as named quantities.

    Parameters
    ----------
    progress
        ``True``: a line on standard error, rewritten in place, when that is a terminal; ``False``:
        nothing; a callable: called with the quantities themselves.
    title
        What is being done.

    Yields
    ------
    callable
        ``report(minima=4, coverage=0.98)``; quantities not named again keep their last value.
    """
    if callable(progress):
        yield _shielded(progress)
    elif progress and sys.stderr.isatty():
        line = _Line(title)
        try:
            yield _shielded(line.update)
        finally:
            _shielded(line.close)()
    else:
        yield lambda **_: None


def _shielded(show: Report) -> Report:
    """The same function, but an error in it is logged and never raised."""

    def report(**quantities: object) -> None:
        try:
            show(**quantities)
        except Exception:
            logger.debug("progress display failed", exc_info=True)

    return report


class _Line:
    """One line of a terminal, rewritten as quantities change."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.quantities: dict[str, object] = {}
        self.started = time.perf_counter()
        self.drawn = -INTERVAL
        self.width = 0

    def update(self, **quantities: object) -> None:
        self.quantities.update(quantities)
        if time.perf_counter() - self.drawn >= INTERVAL:
            self._draw()

    def close(self) -> None:
        self._draw()
        sys.stderr.write("\n")
        sys.stderr.flush()

    def _draw(self) -> None:
        self.drawn = time.perf_counter()
        parts = [f"{name.replace('_', ' ')} {_plain(v)}" for name, v in self.quantities.items()]
        text = f"{self.title}: {', '.join(parts)} ({self.drawn - self.started:.0f} s)"
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
