"""Does the decision choose the cheapest method that is right? Over the catalogue of posteriors.

Every posterior is mapped, a decision is made, and then *every* method is run to the same effective
sample size. A method is right if nothing is off against the truth (`judge.mistakes`) by more than
is allowed and three standard errors. Its cost, in
gradient equivalents beyond the map's, is scaled to the effective size asked for, but for what tunes
chains; the pilot, which every method begins with, is part of it. Printed: the cost of each method,
the decision's regret (cost of the chosen method over that of the cheapest right one), and how many
NUTS draws a change of basin took, predicted and counted.

Runs are kept in the results file, line by line, so that a benchmark that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

# Without this folder, where this file's name is that of a package which others import.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

import bayescape as bs
from bayescape.evaluations import Evaluations
from bayescape.sample.convergence import smallest_ess
from bayescape.sample.decision import METHODS, TUNE
from benchmarks.draws.kept import run_missing
from benchmarks.mapping.report import table
from tests.reference.catalogue import CATALOGUE, Posterior
from tests.reference.catalogue.judge import mistakes

RESULTS = Path(__file__).parent / "results" / "decision.jsonl"
CHAINS = 4
MOST_DRAWS = 4  # times the effective size asked for: a chain that needs more is scaled


def run(posterior: Posterior, seed: int, ess: int) -> dict[str, Any]:
    """One map, one decision, and all methods."""
    started = time.perf_counter()
    target = posterior.make()
    try:
        landscape = bs.explore(target, seed=seed, progress=False)
        decision = bs.decide(landscape, ess=ess, seed=seed, chains=CHAINS)
    except (ValueError, np.linalg.LinAlgError) as error:  # no map to decide by
        return {"refused": str(error)}
    d = len(target.names)
    pilot = decision.evaluations.gradient_equivalents(d)
    methods = {}
    for method in METHODS:
        draws = round(ess * (min(MOST_DRAWS, _stretch(decision)) if method == "hmc" else 1.5))
        try:
            result = bs.sample(
                landscape,
                ess if method == "superposition" else draws,
                method,
                ess=ess,
                seed=seed,
                chains=CHAINS,
                decision=decision,
                groups=(),
                progress=False,
            )
        except ValueError as error:
            methods[method] = {"refused": str(error)}
            continue
        methods[method] = _measured(result, method, ess, d, pilot) | {
            "mistakes": mistakes(posterior.truth(), result, chance=3.0)
        }
    return {
        "adversarial": posterior.adversarial,
        "minima": landscape.minima.sizes["minimum"],
        "map": landscape.evaluations.gradient_equivalents(d),
        "pilot": pilot,
        "chosen": decision.method,
        "trusted": decision.valid,
        "predicted": decision.asdict()["costs"],
        "draws_per_change": decision.draws_per_change,
        "methods": methods,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _stretch(decision: bs.Decision) -> float:
    """How many times the effective size NUTS has to draw, as predicted."""
    draws = decision.draws_per_change
    return float(np.clip(2 * draws, 1.5, np.inf)) if np.isfinite(draws) else 1.5


def _measured(
    result: Any, method: str, ess: int, d: int, pilot: float
) -> dict[str, float | int | list[str]]:
    """What a result cost, scaled to the effective size asked for."""
    attributes = result.attrs
    spent = Evaluations(**json.loads(attributes["evaluations"])).gradient_equivalents(d)
    found: dict[str, Any] = {
        "reliable": int(attributes["reliable"]),
        "warnings": json.loads(attributes["warnings"]),
    }
    if method == "superposition":
        size, kept = float(attributes["ess"]), spent
    else:
        theta = result["unconstrained_posterior"]["theta"].values
        size = smallest_ess(theta)
        share = theta.shape[1] / (theta.shape[1] + TUNE)
        kept = spent * share
        basins = result["sample_stats"]["basin"].values
        changes = int((np.diff(basins, axis=1) != 0).sum())
        found |= {"changes": changes, "draws": int(theta.shape[0] * theta.shape[1])}
    return found | {"ess": size, "cost": pilot + spent - kept + kept * max(ess / size, 1.0)}


def regret(record: dict[str, Any]) -> float | None:
    """Cost of the chosen method over that of the cheapest right one; ``None`` without any."""
    costs = {
        name: m["cost"]
        for name, m in record["methods"].items()
        if "cost" in m and not m["mistakes"]
    }
    if record["chosen"] not in costs:
        return None
    return float(costs[record["chosen"]] / min(costs.values()))


def silently_wrong(record: dict[str, Any]) -> bool:
    """Whether the chosen method is wrong, and neither the decision nor the result says so."""
    chosen = record["methods"][record["chosen"]]
    return bool(record["trusted"] and chosen.get("reliable") and chosen.get("mistakes"))


def factor(record: dict[str, Any]) -> float | None:
    """Draws per change of basin, predicted over counted; infinite if it said that none can be told.

    ``None`` if there was no change.
    """
    chain = record["methods"]["hmc"]
    if not chain.get("changes") or record["minima"] < 2:
        return None
    return float(record["draws_per_change"] * chain["changes"] / chain["draws"])


def report(records: list[dict[str, Any]]) -> None:
    """Print what the records show."""
    mapped = [r for r in records if "methods" in r]
    rows = []
    for r in mapped:
        row: dict[str, Any] = {"posterior": r["posterior"], "seed": r["seed"]}
        row |= {"minima": r["minima"], "map": r["map"], "chosen": r["chosen"]}
        for name, m in r["methods"].items():
            row[name] = m.get("cost")
            row[f"right {name}"] = "" if m.get("mistakes") or "cost" not in m else "yes"
        rows.append(row | {"regret": regret(r), "changes": factor(r)})
    print(table("gradient equivalents to the same effective size", rows))
    trusted = [r for r in mapped if r["trusted"]]
    factors = [x for r in mapped if (x := factor(r)) is not None]
    pilots = [
        r["pilot"] / min(m["cost"] for m in r["methods"].values() if "cost" in m) for r in trusted
    ]
    for kind, of in (("decisions that it trusts", trusted), ("all of its decisions", mapped)):
        if regrets := [x for r in of if (x := regret(r)) is not None]:
            print(
                f"\nregret over {len(regrets)}, {kind}: median {np.median(regrets):.2f}, 95th "
                f"percentile {np.percentile(regrets, 95):.2f}, largest {max(regrets):.2f}"
            )
    if trusted:
        print(f"the pilot's share of the cheapest method: median {np.median(pilots):.0%}")
    wrong = [r["posterior"] for r in mapped if silently_wrong(r)]
    print(f"chosen, wrong and called reliable: {len(wrong)} of {len(mapped)} {wrong or ''}")
    if told := [x for x in factors if np.isfinite(x)]:
        close = np.abs(np.log(told)) < np.log(3)
        print(
            f"draws per change of basin: within a factor of 3 in {close.sum()} of {len(told)}, "
            f"median predicted over counted {np.median(told):.2f}; in {len(factors) - len(told)} "
            "more it said that they cannot be told"
        )
    print(f"no map to decide by: {[r['posterior'] for r in records if 'methods' not in r]}")


def main() -> None:
    """Run what is not on record, and report."""
    by_name = {posterior.name: posterior for posterior in CATALOGUE}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posteriors", nargs="+", choices=list(by_name), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ess", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    wanted = [
        {"posterior": name, "seed": seed, "ess": options.ess}
        for seed in range(options.seeds)
        for name in options.posteriors or by_name
    ]
    report(
        run_missing(
            options.out,
            wanted,
            lambda task: run(by_name[task["posterior"]], task["seed"], task["ess"]),
            lambda r: f"{r.get('chosen', 'refused')} {r.get('seconds', 0.0)} s",
        )
    )


if __name__ == "__main__":
    main()
