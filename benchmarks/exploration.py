"""What a map costs beside what others pay for theirs, all in one run.

Participants: `bayescape.explore`; IBM's TopSearch (basin hopping, nudged elastic bands, hybrid
eigenvector following), in an environment of its own that is made on first use; SciPy's
basinhopping, dual_annealing and shgo; and plain multistart. All call the same compiled function, on
one thread. Claims are judged alike: every point is polished by Newton steps that nobody is charged
for, and counts once if it is what it was claimed to be.

Every transition state of every map of ours is checked: its gradient, its one negative eigenvalue,
and, by an ODE solver that knows nothing of the explorer, the two minima that steepest descent from
its two sides comes to. The run fails if any of that does not hold.

Costs are counted in gradient equivalents: a value is one half, a Hessian in d coordinates d + 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import bayescape as bs
from bayescape.targets.surfaces import MuellerBrown
from benchmarks.mapping import scipy_peers, topsearch_peer
from benchmarks.mapping.judge import faults, match, paid_for_last, stationary, union
from benchmarks.mapping.outcome import Outcome
from benchmarks.mapping.problems import PROBLEMS, Problem, problem
from benchmarks.mapping.report import machine, table

RESULTS = Path("benchmarks/results")
OURS, TOPSEARCH = "bayescape", "topsearch"
PEERS = (TOPSEARCH, *scipy_peers.SCIPY_PEERS)
LEAST_CAP = 10_000  # gradient equivalents that any of SciPy's may spend, or ours if that is more
TOPSEARCH_CAP = 300_000  # evaluations of one run of TopSearch
SECONDS_CAP = 60.0  # of any one run of a peer
BAR = 3000  # gradient equivalents that a map of the reference posterior may cost
ENERGY_DIGITS = 0.011  # the known energies are given to two digits


@dataclasses.dataclass(frozen=True)
class Judged:
    """A run with what its claims are worth: the minima and transition states that are such."""

    outcome: Outcome
    minima: np.ndarray
    states: np.ndarray

    @classmethod
    def of(cls, outcome: Outcome, on: Problem) -> Judged:
        """Polish the claims of a run."""
        return cls(
            outcome,
            stationary(on.target, outcome.minima, on.box, 0),
            stationary(on.target, outcome.states, on.box, 1),
        )


def explored(on: Problem, seed: int) -> tuple[Outcome, list[str]]:
    """Our map as an outcome, and what is wrong with it."""
    begun = time.process_time()
    landscape = bs.explore(on.target, seed=seed, progress=False)
    cpu = time.process_time() - begun
    outcome = Outcome(
        method=OURS,
        setting="",
        seed=seed,
        minima=landscape.minima["theta"].values,
        states=landscape.transition_states["theta"].values,
        evaluations=landscape.evaluations,
        seconds=landscape.seconds,
        cpu=cpu,
        stopped=landscape.stopped,
    )
    return outcome, faults(landscape, on.target)


def warm_up(on: Problem) -> None:
    """Compile and import what will be timed."""
    bs.explore(MuellerBrown(), seed=0, progress=False)
    theta = on.target.starts(4, np.random.default_rng(0))
    for part in (theta, theta[:1]):
        on.target.energy(part)
        on.target.energy_and_gradient(part)
        on.target.hessian(part)


def by_peers(
    on: Problem,
    peers: Sequence[str],
    seed: int,
    cap: float,
    python: Path | None,
    hops: int | None,
) -> Iterator[Outcome]:
    """The runs of the peers asked for; one that cannot run is named and left out."""
    changes = {} if hops is None else {"hops": hops}
    caps = {"most_equivalents": cap, "most_seconds": SECONDS_CAP}
    for name in peers:
        try:
            if name != TOPSEARCH:
                yield from scipy_peers.run(name, on, seed, caps)
            elif python is not None:
                yield from topsearch_peer.run(
                    python,
                    on,
                    seed,
                    most_evaluations=TOPSEARCH_CAP,
                    most_seconds=SECONDS_CAP * (1 if hops is None else 10),
                    **changes,
                )
        except topsearch_peer.Unavailable as reason:
            print(f"{name} is left out on {on.name}: {reason}", file=sys.stderr)


def known_points(on: Problem, runs: Sequence[Judged]) -> tuple[np.ndarray, np.ndarray]:
    """All minima and transition states: the known ones, else what all runs found together."""
    minima = union([run.minima for run in runs], on.box)
    states = union([run.states for run in runs], on.box)
    if on.minima is not None:
        minima = stationary(on.target, on.minima, on.box, 0)
        assert len(minima) == len(on.minima), f"{on.name}: the known minima are not minima"
    if on.states is not None:
        states = stationary(on.target, on.states, on.box, 1)
        assert len(states) == len(on.states), f"{on.name}: known transition states are not such"
    return minima, states


def best_setting(runs: Sequence[Judged], on: Problem, minima, states) -> Judged:
    """The run with most minima, then most transition states, then the least cost."""

    def merit(run: Judged) -> tuple[int, int, float]:
        found = match(run.minima, minima, on.box), match(run.states, states, on.box)
        return (*found, -run.outcome.gradient_equivalents())

    return max(runs, key=merit)


def rows(on: Problem, runs: Sequence[Judged]) -> list[dict[str, Any]]:
    """One row of the table for each run; ours comes first, and ratios are to it."""
    minima, states = known_points(on, runs)
    ours = runs[0].outcome
    best = {
        method: best_setting(
            [run for run in runs if run.outcome.method == method], on, minima, states
        )
        for method in {run.outcome.method for run in runs}
    }
    found = []
    for run in runs:
        o, several = run.outcome, bool(run.outcome.setting)
        looks_for_states = o.method in (OURS, TOPSEARCH)
        last = None
        if o.paid is not None:
            last = paid_for_last(run.minima, o.minima, o.paid, on.box)
        ratios: dict[str, float | None] = {"cost/ours": None, "cpu/ours": None}
        if o is not ours:
            ratios = {
                "cost/ours": o.gradient_equivalents() / ours.gradient_equivalents(),
                "cpu/ours": o.cpu / ours.cpu,
            }
        found.append(
            {
                "method": o.method,
                "setting": o.setting + (" *" if several and best[o.method] is run else ""),
                "minima": f"{match(run.minima, minima, on.box)}/{len(minima)}",
                "states": f"{match(run.states, states, on.box)}/{len(states)}"
                if looks_for_states
                else "-",
                "values": o.evaluations.value,
                "gradients": o.evaluations.gradient,
                "Hessians": o.evaluations.hessian,
                "cost": o.gradient_equivalents(),
                "last new at": last,
                "seconds": o.seconds,
                "cpu s": o.cpu,
                **ratios,
                "cap": "hit" if o.capped else "",
            }
        )
    return found


def compare(
    on: Problem, peers: Sequence[str], seed: int, python: Path | None, hops: int | None
) -> tuple[dict[str, Any], list[str]]:
    """Run everybody on one problem; return what is to be written, and the faults of our map."""
    warm_up(on)
    ours, wrong = explored(on, seed)
    cap = max(LEAST_CAP, ours.gradient_equivalents())
    runs = [Judged.of(ours, on)]
    runs += [Judged.of(outcome, on) for outcome in by_peers(on, peers, seed, cap, python, hops)]
    printed = rows(on, runs)
    print(table(f"{on.name}: {on.d} coordinates, seed {seed}", printed), flush=True)
    record = [run.outcome.asdict() | row for run, row in zip(runs, printed, strict=True)]
    return {"runs": record, "cap": cap, "faults": wrong}, wrong


def over_seeds(on: Problem, count: int) -> tuple[dict[str, Any], list[str]]:
    """Our maps of one problem from many seeds; what is to be written, and the maps' faults."""
    warm_up(on)
    minima = stationary(on.target, on.minima, on.box, 0)
    lowest = on.target.energy(minima).min()
    found, wrong = [], []
    for seed in range(count):
        outcome, faulty = explored(on, seed)
        run = Judged.of(outcome, on)
        above = on.target.energy(run.states) - lowest if len(run.states) else np.empty(0)
        seen = [bool((np.abs(above - e) < ENERGY_DIGITS).any()) for e in on.state_energies]
        found.append(
            outcome.asdict()
            | {
                "minima": match(run.minima, minima, on.box),
                "states": len(run.states),
                "known_states": sum(seen),
            }
        )
        wrong += [f"seed {seed}: {fault}" for fault in faulty]
    cost = np.array([run["gradient_equivalents"] for run in found])
    cpu = np.array([run["cpu"] for run in found])
    summary = {
        "seeds": count,
        "all minima": sum(run["minima"] == len(minima) for run in found),
        "known states": sum(run["known_states"] == len(on.state_energies) for run in found),
        "median cost": float(np.median(cost)),
        "worst cost": float(cost.max()),
        f"cost <= {BAR}": int((cost <= BAR).sum()),
        "median cpu s": float(np.median(cpu)),
        "worst cpu s": float(cpu.max()),
    }
    print(table(f"{on.name}: ours from {count} seeds", [summary]), flush=True)
    return {"summary": summary, "runs": found, "faults": wrong}, wrong


def python_of_topsearch(peers: Sequence[str], folder: Path) -> Path | None:
    """The Python that has TopSearch; ``None``, and a word about it, where it cannot be had."""
    if TOPSEARCH not in peers:
        return None
    try:
        return topsearch_peer.environment(folder)
    except topsearch_peer.Unavailable as reason:
        print(f"{TOPSEARCH} is left out: {reason}", file=sys.stderr)
        return None


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="*", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--seed", type=int, default=0, help="of the comparison")
    parser.add_argument(
        "--hops", type=int, help="of TopSearch, instead of as few as do; 1000 in its own examples"
    )
    parser.add_argument(
        "--seeds", type=int, default=20, help="number of seeds of ours on the reference posterior"
    )
    parser.add_argument(
        "--topsearch-env",
        type=Path,
        default=Path(os.environ.get("BAYESCAPE_TOPSEARCH_ENV", RESULTS)),
        help="folder in which TopSearch's environment is made (BAYESCAPE_TOPSEARCH_ENV)",
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "exploration.json")
    return parser.parse_args()


def main() -> int:
    """Compare, print, write; return 1 if any map of ours is not what it says."""
    asked = arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    python = python_of_topsearch(asked.peers, asked.topsearch_env.resolve())
    wrong: list[str] = []
    record: dict[str, Any] = {"machine": machine(), "seed": asked.seed, "seeds": asked.seeds}
    record["machine"]["packages"] |= topsearch_peer.versions(python)
    with threadpool_limits(1):
        record["problems"] = {}
        for name in asked.problems:
            record["problems"][name], faulty = compare(
                problem(name), asked.peers, asked.seed, python, asked.hops
            )
            wrong += [f"{name}: {fault}" for fault in faulty]
        if asked.seeds:
            record["reference_seeds"], faulty = over_seeds(problem("reference"), asked.seeds)
            wrong += [f"reference, {fault}" for fault in faulty]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(
        f"\ncost in gradient equivalents; * the best of a method's settings\nwritten to {asked.out}"
    )
    for fault in wrong:
        print(f"FAILED {fault}", file=sys.stderr)
    if not wrong:
        print("every minimum and transition state of every map of ours is what the map says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
