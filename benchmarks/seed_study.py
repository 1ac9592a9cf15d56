"""The talk's figures 3 to 5 and its questions, over many draws of data: the study behind them.

Every part is a list of tasks. What is done is kept in ``benchmarks/seed/results``, one line of JSON
for each task beside its seeds, so that a run that was stopped goes on where it was; these files are
under version control, and the notebooks and the page "The talk's questions" are made of them. To
make them again: delete them and run ``python benchmarks/seed_study.py``.

* ``following``: Schwefel data, 100 rows. With 3 inputs all minima at 46 orders of the kernel, by
  branch, by k-means and mapped afresh, with 4 inputs maps at five orders; what ensembles gain.
* ``foretelling``: 102 problems: gains foretold and come true, decisions, cost of the superposition.
* ``orders``: the order fixed at 1/2, 3/2, 5/2, and sampled, on eleven data sets.
* ``samplers``: superposition, NUTS and NUTS with jumps on two of the same maps.

Printed: what was done, and how long it took.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Without this folder, where a file's name is that of a package which others import.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from threadpoolctl import threadpool_limits

import bayescape as bs
from benchmarks.seed.following import follow, map_some
from benchmarks.seed.foretelling import by_order, by_problem, by_sampler
from benchmarks.seed.problems import catalogue

RESULTS = Path(__file__).parent / "seed" / "results"
DRAWS = 5  # of Schwefel data
DIGITS = 7
ORDERS: tuple[float | str, ...] = (0.5, 1.5, 2.5, "free")

Task = tuple[str, Callable[[], dict[str, Any]]]


def following() -> Iterator[Task]:
    """Figures 3 and 4."""
    for draw in range(DRAWS):
        yield (
            f"schwefel-3 n=100 draw={draw}",
            lambda r=draw: {"inputs": 3} | follow(3, 100, r),
        )
        yield (
            f"schwefel-4 n=100 draw={draw}",
            lambda r=draw: {"inputs": 4} | map_some(4, 100, r),
        )


def foretelling() -> Iterator[Task]:
    """Figure 5, and what can be known in advance."""
    for problem in catalogue():
        yield f"{problem.label} nu={problem.nu:g}", lambda p=problem: by_problem(p)


def orders() -> Iterator[Task]:
    """Orders fixed and free, in up to three dimensions."""
    for problem in catalogue(draws=1):
        if problem.inputs <= 3:
            yield problem.label, lambda p=problem: by_order(p, ORDERS)


def samplers() -> Iterator[Task]:
    """All samplers, on two problems: an illustration."""
    for problem in catalogue(draws=1)[:2]:
        yield f"{problem.label} nu={problem.nu:g}", lambda p=problem: by_sampler(p)


PARTS: dict[str, Callable[[], Iterator[Task]]] = {
    "following": following,
    "foretelling": foretelling,
    "orders": orders,
    "samplers": samplers,
}


def rounded(value: Any) -> Any:
    """Plain types of few digits: what these numbers are worth, in a tenth of the space."""
    if isinstance(value, dict):
        return {str(key): rounded(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [rounded(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def main() -> None:
    """Do what is not done yet, part by part."""
    parser = argparse.ArgumentParser(description="The study behind the talk's figures, redone.")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part")
    parser.add_argument("--most", type=int, help="tasks of a part, at most")
    asked = parser.parse_args()
    made_by = (
        f"bayescape {bs.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    )
    RESULTS.mkdir(exist_ok=True)
    for part in asked.part or PARTS:
        path = RESULTS / f"{part}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        done = {json.loads(line)["task"] for line in lines}
        for label, task in list(PARTS[part]())[: asked.most]:
            if label in done:
                continue
            with warnings.catch_warnings(), threadpool_limits(1):
                warnings.simplefilter("ignore")  # of PyMC's and ArviZ's progress and convergence
                record = task()
            head = {"task": label, "command": f"benchmarks/seed_study.py --part {part}"}
            line = json.dumps(head | {"made_by": made_by} | rounded(record))
            with path.open("a") as file:
                file.write(line + "\n")
            print(f"{part}: {label}: {record['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
