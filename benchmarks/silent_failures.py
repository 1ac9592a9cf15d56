"""Is a result that is off ever called reliable? Over the catalogue of posteriors with known truth.

A silent failure is a result with ``reliable`` 1 of which something is off: a mean by more than 0.1
standard deviations and three standard errors, a standard deviation by more than 10%, an occupation
by more than 0.05, or the log evidence by more than 0.1 and three standard errors
(`tests.reference.catalogue.judge`). A false alarm is a result on a posterior that was not made to
fool anyone which is not called reliable, unless all that is said against it is true: that a
standard deviation is not known where the fourth moment does not exist. Both shares are printed, of
what is called reliable and of what is no false alarm.

Every run maps and samples afresh. What is done is kept beside the other draws' records, line by
line and under version control, so that a run that was stopped goes on where it was; after a change
to how maps or draws are made, delete ``benchmarks/draws/silent_failures.jsonl``. Printed: silent
failures in full, false alarms, a table by posterior, and the counts by method.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import time
from pathlib import Path
from typing import Any

# Without this folder, where this file's name is that of a package which others import.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import bayescape as bs
from benchmarks.draws.kept import run_missing
from tests.reference.catalogue import CATALOGUE, Posterior
from tests.reference.catalogue.judge import borne_out, mistakes

DRAWS = 4000  # with fewer, chance alone puts a deviation off by a tenth now and then
SEEDS = {"auto": 10, "superposition": 10, "hmc": 2, "jumps": 2}
RESULTS = Path(__file__).parent / "draws" / "silent_failures.jsonl"
BY_NAME = {posterior.name: posterior for posterior in CATALOGUE}


def run(posterior: Posterior, method: str, seed: int, draws: int) -> dict[str, Any]:
    """One map and one result, judged."""
    started = time.perf_counter()
    record: dict[str, Any] = {"adversarial": posterior.adversarial, "draws": draws}
    target = posterior.make()
    try:
        landscape = bs.explore(target, seed=seed, progress=False)
        result = bs.sample(landscape, draws, method=method, seed=seed, groups=(), progress=False)
    except ValueError as error:  # a refusal: nothing was claimed
        record |= {"refused": str(error)}
    else:
        attributes = result.attrs
        record |= {
            "used": attributes["method"],
            "minima": landscape.minima.sizes["minimum"],
            "late": int(result["minima"]["late"].sum()),
            "reliable": int(attributes["reliable"]),
            "warnings": json.loads(attributes["warnings"]),
            "mistakes": mistakes(posterior.truth(), result),
            "pareto_k": round(float(attributes["pareto_k"]), 3),
            "evaluations": json.loads(attributes["evaluations"]),
            "mapping_evaluations": json.loads(attributes["mapping_evaluations"]),
        }
    record["seconds"] = round(time.perf_counter() - started, 2)
    return record


def silent(record: dict[str, Any]) -> bool:
    """Whether something is off and nothing says so."""
    return bool(record.get("reliable") and record["mistakes"])


def false_alarm(record: dict[str, Any]) -> bool:
    """Whether a result on an honest posterior is not vouched for, and the truth shows no reason."""
    if record["adversarial"] or record.get("reliable"):
        return False
    posterior = BY_NAME[record["posterior"]]
    names, said = posterior.make().names, record.get("warnings", [])
    return not borne_out(posterior.truth(), names, said)


def verdict(record: dict[str, Any]) -> str:
    """A word on one record, and how long it took."""
    said = "SILENT" if silent(record) else record.get("reliable", "refused")
    return f"{said} {record['seconds']:.1f} s"


def report(records: list[dict[str, Any]]) -> None:
    """Print what the records show."""
    for record in records:
        if silent(record) or false_alarm(record):
            kind = "SILENT" if silent(record) else "alarm"
            said = record.get("refused") or "; ".join(record["warnings"])
            wrong = "; ".join(record.get("mistakes", []))
            used = record.get("used", "")
            print(
                f"{kind:6} {record['posterior']} {record['method']}({used}) seed {record['seed']}: "
                f"{wrong or 'nothing off'} | {said or 'no warning'}"
            )
    print(f"\n{'posterior':24} {'runs':>4} {'reliable':>8} {'off':>4} {'silent':>6} {'s':>7}")
    for name in dict.fromkeys(r["posterior"] for r in records):
        of = [r for r in records if r["posterior"] == name]
        print(
            f"{name:24} {len(of):4} {sum(r.get('reliable', 0) for r in of):8} "
            f"{sum(bool(r.get('mistakes')) for r in of):4} {sum(map(silent, of)):6} "
            f"{sum(r['seconds'] for r in of) / len(of):7.1f}"
        )
    print()
    for method in SEEDS:
        of = [r for r in records if r["method"] == method]
        honest = [r for r in of if not r["adversarial"]]
        if honest:
            sure = sum(r.get("reliable", 0) for r in honest)
            due = len(honest) - sure - sum(map(false_alarm, honest))
            used = collections.Counter(r.get("used", "refused") for r in of)
            print(
                f"{method}: {sum(map(silent, of))} silent failures in {len(of)} runs; reliable on "
                f"{sure} of {len(honest)} honest ones ({sure / len(honest):.1%}), and {due} were "
                f"warned of what is true ({(sure + due) / len(honest):.1%}); used {dict(used)}"
            )


def main() -> None:
    """Run what is not on record, and report."""
    names = list(BY_NAME)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posteriors", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=list(SEEDS), default=list(SEEDS))
    parser.add_argument("--seeds", type=int, help="at most so many by method")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    wanted = [
        {"posterior": name, "method": method, "seed": seed}
        for method in options.methods
        for seed in range(min(SEEDS[method], options.seeds or SEEDS[method]))
        for name in BY_NAME
        if name in options.posteriors
    ]

    def one(task: dict[str, Any]) -> dict[str, Any]:
        posterior = BY_NAME[task["posterior"]]
        return run(posterior, task["method"], task["seed"], options.draws)

    report(run_missing(options.out, wanted, one, verdict))


if __name__ == "__main__":
    main()
