"""Results kept line by line, so that a long benchmark which was stopped goes on where it was."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["run_missing"]

Record = dict[str, Any]


def run_missing(
    path: Path,
    wanted: Sequence[Record],
    run: Callable[[Record], Record],
    verdict: Callable[[Record], str],
) -> list[Record]:
    """Run what is not on record, on one thread, and return all records that are wanted.

    Parameters
    ----------
    path
        One JSON object a line; made if it is not there.
    wanted
        What is to be done, each by the fields that tell it from the others.
    run
        Makes the rest of a record.
    verdict
        A word or two of a record, for whoever watches.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text().splitlines() if path.exists() else []
    fields = list(wanted[0]) if wanted else []
    done = {tuple(r[k] for k in fields): r for r in map(json.loads, lines)}
    with path.open("a") as file, threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for task in wanted:
            key = tuple(task.values())
            if key not in done:
                done[key] = task | run(task)
                file.write(json.dumps(done[key]) + "\n")
                file.flush()
                print(*key, verdict(done[key]), file=sys.stderr, flush=True)
    return [done[tuple(task.values())] for task in wanted]
