"""Results that are off and called reliable, on posteriors that no constant was chosen on.

They are drawn at random (`benchmarks.draws.random_posteriors`), the harder the more unequal the
widths of their components, and the further apart and the more bent these are. Each is mapped and
sampled once, by ``"auto"``, and judged by its moments and its evidence as in
``benchmarks/silent_failures.py``. At a hardness of 1 a modeller would call them well-behaved; from
2 some components are narrow in several directions at once: needles.

Runs are kept line by line, under version control; after a change to how maps or draws are made,
delete ``benchmarks/draws/held_out.jsonl``. Printed: silent failures in full, and counts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

# Without this folder, where names of files are those of packages which others import.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.draws.kept import run_missing
from benchmarks.draws.random_posteriors import random_posterior
from benchmarks.mapping.report import table
from benchmarks.silent_failures import DRAWS, run, silent, verdict

RESULTS = Path(__file__).parent / "draws" / "held_out.jsonl"
SEEDS = {1.0: 200, 1.5: 175}  # by hardness


def one(task: dict[str, Any]) -> dict[str, Any]:
    """One posterior, mapped, sampled and judged."""
    posterior = random_posterior(task["seed"], task["hardness"])
    return {"posterior": posterior.name} | run(posterior, "auto", task["seed"], DRAWS)


def report(records: list[dict[str, Any]]) -> None:
    """Print what the records show."""
    for r in filter(silent, records):
        print(f"SILENT hardness {r['hardness']:g} {r['posterior']}: {'; '.join(r['mistakes'])}")
    rows = []
    for hardness in sorted({r["hardness"] for r in records}):
        of = [r for r in records if r["hardness"] == hardness]
        rows.append(
            {
                "hardness": hardness,
                "runs": len(of),
                "silent": sum(map(silent, of)),
                "reliable": sum(r.get("reliable", 0) for r in of),
                "off": sum(bool(r.get("mistakes")) for r in of),
                "right, not vouched for": sum(
                    not r["mistakes"] and not r["reliable"] for r in of if "used" in r
                ),
                "refused": sum("used" not in r for r in of),
                "median s": float(np.median([r["seconds"] for r in of])),
            }
        )
    print(table("posteriors drawn at random", rows))


def main() -> None:
    """Run what is not on record, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hardness", type=float, nargs="+", default=list(SEEDS))
    parser.add_argument("--seeds", type=int, help="at most so many by hardness")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    wanted = [
        {"hardness": hardness, "seed": seed}
        for hardness in options.hardness
        for seed in range(options.seeds or SEEDS.get(hardness, 50))
    ]
    report(run_missing(options.out, wanted, one, verdict))


if __name__ == "__main__":
    main()
