"""What an effective draw costs, ours beside others', on Gaussian processes with known truth.

Participants: `bayescape.explore` and `bayescape.sample` by each method, the map included; PyMC's
NUTS; nutpie; the neural nested sampler nautilus; and dynesty. All of these call the same compiled
likelihood, on one thread. ``pymc+nutpie`` is what a modeller would do: nutpie on PyMC's own
Gaussian process. Packages that are not installed are named and left out.

Everybody is asked for the same effective sample size. Chains begin with 1,000 draws each (ours:
with twice what is asked for in all); one that has too few runs once more, longer in proportion,
where that is within the cap, and is charged for the longer run alone. Nested samplers and the
superposition are stopped by their own count of effective draws.

Costs are counted in gradient equivalents: a value is one half, a Hessian in d coordinates d + 1.
Speed is effective draws per second of processor time, which a busy machine changes less than it
does wall time.
Printed for each method are medians over the seeds, the errors against the truth among them
(`benchmarks.draws.judge`), ratios to ours, and the two bars on the reference posterior.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Without this folder, where names of files are those of packages which others import.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.draws import chains, nested, ours
from benchmarks.draws.judge import errors, largest_rhat, smallest_ess
from benchmarks.draws.outcome import Drawn, Unavailable
from benchmarks.mapping.report import machine, table
from tests.reference.catalogue import Posterior
from tests.reference.catalogue.gaussian_processes import GAUSSIAN_PROCESSES

RESULTS = Path("benchmarks/results")
REFERENCE = "gp-reference"
# Per effective draw and second, ours over theirs on the reference posterior.
BARS = {"pymc+nutpie": 500.0, "nautilus": 10.0}
CAP = 300_000  # gradient equivalents of any one run of a peer
LONGER = 1.2  # times as many draws as the last run's effective sample size suggests
DEFAULT_DRAWS = 1000 * chains.CHAINS
CHAIN_PEERS: dict[str, Callable[..., Drawn]] = {
    "pymc": chains.pymc_sampling,
    "nutpie": chains.nutpie_sampling,
    "pymc+nutpie": chains.nutpie_on_pymc,
}
NESTED_PEERS: dict[str, Callable[..., Drawn]] = {
    "nautilus": nested.nautilus_sampling,
    "dynesty": nested.dynesty_sampling,
}
METHODS = (*ours.OURS, *CHAIN_PEERS, *NESTED_PEERS)


def long_enough(
    run: Callable[[int], Drawn], draws: int, wanted: float, cap: float, d: int
) -> Drawn:
    """A run with the effective sample size, or with what the cap allows."""
    drawn = run(draws)
    ess = smallest_ess(drawn)
    if drawn.theta is None or ess >= wanted:
        return drawn
    more = LONGER * wanted / max(ess, 1.0)
    if more * drawn.evaluations.gradient_equivalents(d) > cap:
        return drawn
    return run(round(more * draws))


def drawn_by(
    method: str, posterior: Posterior, wanted: float, seed: int, cap: float, d: int
) -> Drawn:
    """One run of one method."""
    if method in NESTED_PEERS:
        return NESTED_PEERS[method](posterior, wanted, seed, cap)
    if method in CHAIN_PEERS:
        peer = functools.partial(CHAIN_PEERS[method], posterior)
        return long_enough(lambda draws: peer(draws, seed, cap), DEFAULT_DRAWS, wanted, cap, d)

    def run(draws: int) -> Drawn:
        return ours.run(method, posterior, wanted, draws, seed)

    return long_enough(run, round(2 * wanted), wanted, cap, d)


def record(
    method: str, posterior: Posterior, wanted: float, seed: int, cap: float
) -> dict[str, Any]:
    """One run, its cost, and its errors."""
    target = posterior.make()
    d = len(target.names)
    drawn = drawn_by(method, posterior, wanted, seed, cap, d)
    ess, cost = smallest_ess(drawn), drawn.evaluations.gradient_equivalents(d)
    return {
        "method": method,
        "seed": seed,
        "ess": ess,
        "rhat": largest_rhat(drawn),
        "values": drawn.evaluations.value,
        "gradients": drawn.evaluations.gradient,
        "Hessians": drawn.evaluations.hessian,
        "cost": cost,
        "cost/draw": cost / ess if ess else None,
        "seconds": drawn.seconds,
        "cpu": drawn.cpu,
        "draws/s": ess / drawn.cpu,
        "reached": bool(ess >= wanted),
        "stopped": drawn.stopped,
        **drawn.said,
        "off": errors(drawn, posterior.truth(), target),
    }


def summary(runs: list[dict[str, Any]], baseline: dict[str, float] | None) -> dict[str, Any]:
    """One row of the table: medians over seeds, and ratios to ours."""

    def middle(of: Callable[[dict[str, Any]], float | None]) -> float | None:
        found = [value for value in map(of, runs) if value is not None]
        return float(np.median(found)) if found else None

    numbers = (
        "ess",
        "rhat",
        "values",
        "gradients",
        "Hessians",
        "cost",
        "cost/draw",
        "seconds",
        "cpu",
    )
    row: dict[str, Any] = {"method": runs[0]["method"]}
    row |= {name: middle(lambda r, name=name: r[name]) for name in (*numbers, "draws/s")}
    for name in ("mean", "sd", "occupation", "evidence"):
        row[f"{name} off" if name != "sd" else "sd ratio"] = middle(
            lambda r, name=name: r["off"][name]
        )
    if baseline is not None and row["cost/draw"] and row["draws/s"]:
        row["cost/ours"] = row["cost/draw"] / baseline["cost/draw"]
        row["speed of ours"] = baseline["draws/s"] / row["draws/s"]
    reached = sum(r["reached"] for r in runs)
    row["reached"] = f"{reached}/{len(runs)}"
    return row


def warm_up(posterior: Posterior) -> None:
    """Compile what will be timed."""
    for method in ours.OURS[1:]:
        ours.run(method, posterior, 50, 50, 0)


def compare(
    posterior: Posterior,
    methods: list[str],
    wanted: float,
    seeds: int,
    cap: float,
    keep: Callable[[dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """Everybody on one posterior: prints the table, and returns its rows.

    ``keep`` is told all runs so far after every method, so that a run cut short leaves them.
    """
    warm_up(posterior)
    runs: dict[str, list[dict[str, Any]]] = {}
    for method in methods:
        try:
            runs[method] = [record(method, posterior, wanted, s, cap) for s in range(seeds)]
        except Unavailable as reason:
            print(f"{method} is left out on {posterior.name}: {reason}", file=sys.stderr)
            continue
        keep(runs)
        last = runs[method][-1]
        sys.stderr.write(
            f"{posterior.name} {method}: {last['ess']:,.0f} in {last['seconds']:.1f} s\n"
        )
    first = next((m for m in methods if m in ours.OURS and m in runs), None)
    baseline = summary(runs[first], None) if first else None
    rows = [summary(of, baseline if m not in ours.OURS else None) for m, of in runs.items()]
    d = len(posterior.make().names)
    title = (
        f"{posterior.name}: {d} coordinates, effective sample size {wanted:g}, medians of {seeds}"
    )
    print(table(f"{title}; ours is {first}", rows), flush=True)
    return rows


def bars(rows: list[dict[str, Any]]) -> None:
    """Say whether the bars on the reference posterior are cleared."""
    speeds = {row["method"]: row.get("speed of ours") for row in rows}
    for peer, bar in BARS.items():
        if speeds.get(peer) is not None:
            verdict = "cleared" if speeds[peer] >= bar else "missed"
            print(
                f"effective draws per second over {peer}'s: {speeds[peer]:,.1f} "
                f"(bar {bar:g}: {verdict})"
            )
        else:
            print(f"effective draws per second over {peer}'s: not measured")


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    names = [posterior.name for posterior in GAUSSIAN_PROCESSES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posteriors", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--ess", type=float, default=1000.0, help="effective sample size asked for")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=1, help="runs of every method")
    parser.add_argument("--cap", type=float, default=CAP, help="gradient equivalents of one run")
    parser.add_argument("--out", type=Path, default=RESULTS / "sampling.json")
    return parser.parse_args()


def main() -> None:
    """Compare, print, write."""
    asked = arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    written: dict[str, Any] = {
        "machine": machine() | {"threads": 1},
        "ess": asked.ess,
        "cap": asked.cap,
        "posteriors": {},
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)

    def keep(name: str, runs: dict[str, Any]) -> None:
        written["posteriors"][name] = runs
        asked.out.write_text(json.dumps(written, indent=1) + "\n")

    with threadpool_limits(1):
        for posterior in GAUSSIAN_PROCESSES:
            if posterior.name in asked.posteriors:
                rows = compare(
                    posterior,
                    asked.methods,
                    asked.ess,
                    asked.seeds,
                    asked.cap,
                    functools.partial(keep, posterior.name),
                )
                if posterior.name == REFERENCE:
                    bars(rows)
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
