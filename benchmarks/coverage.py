"""Is the stated coverage true, and does the rule stop in time? On random surfaces of known minima.

The coverage of a map is the probability that a fresh quench from the target's starts which ends in
a minimum ends in one that the map has. Here it is measured with 2,000 fresh quenches on every
surface of `tests.reference.random_surfaces`, where all minima and their occupations are known, and
compared with what the map states: of the complete run, and of runs cut off after 8 to 64 quenches
or by a budget, where coverage is far from one and a statement is worth something.

Printed: stated and true coverage by family, dimension, stage and bin; runs that stopped by the rule
and missed a minimum with an occupation above 1%, with what was missed and how well hidden it was;
evaluations. A minimum that the truth lacks is an error of the truth, and ends the program with an
error. Everything goes to a JSON file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

# Without this folder, where this file's name is that of a package which others import.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from threadpoolctl import threadpool_limits

import bayescape as bs
from bayescape.explore.quench import QuenchStatus, quench, same_point
from tests.reference.random_surfaces import RandomSurface, random_surface

FRESH = 2000  # quenches that measure the true coverage
PLAIN = 100  # of them done again without captors, on every tenth surface
STAGES = (8, 16, 32, 64)  # quenches after which a run is cut off
SHARES = (0.125, 0.25, 0.5)  # of the complete run's evaluations, given as budgets
WORTH = 0.01  # occupation of a minimum that must not be missed
STOPPERS = ("max_quenches", "budget", "scattered")  # in the warnings of maps the rule did not stop
BINS = (0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
RESULTS = Path(__file__).parent / "results" / "coverage.json"


def positions(surface: RandomSurface, theta: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Which of the surface's minima each point is; -1 for none."""
    same = same_point(theta, energy, surface.minima, surface.energies, surface.hessians)
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def fresh_ends(surface: RandomSurface, theta: np.ndarray, *, captors: bool) -> np.ndarray:
    """The minimum that each quench ends in; -1 for none at all, -2 for one the truth lacks."""
    known = (surface.minima, surface.energies, surface.hessians) if captors else None
    ends = quench(surface.target, theta, known=known)
    settled = ends.status == QuenchStatus.MINIMUM
    found = ends.captor.copy()
    found[settled] = positions(surface, ends.theta[settled], ends.energy[settled])
    found[settled & (found < 0)] = -2
    return found


def explored(surface: RandomSurface, **limits: Any) -> tuple[dict[str, Any], bs.Landscape]:
    """Explore, and say what the map states and which of the surface's minima it has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        landscape = bs.explore(surface.target, seed=surface.seed, progress=False, **limits)
    minima = landscape.minima
    found = positions(surface, minima["theta"].values, minima["energy"].values)
    limit = any(word in w for w in landscape.warnings for word in STOPPERS)
    return {
        "stated": landscape.coverage,
        "found": sorted({int(f) for f in found if f >= 0}),
        "unknown": minima["theta"].values[found < 0].tolist(),
        "twice": int((found >= 0).sum() - len(set(found[found >= 0].tolist()))),
        "by_rule": not limit,
        "quenches": int(minima["hits"].values.sum()),
        "evaluations": landscape.evaluations.gradient_equivalents(len(surface.target.names)),
        "seconds": landscape.seconds,
        "stopped": landscape.stopped,
        "warnings": list(landscape.warnings),
    }, landscape


def barrier_to(surface: RandomSurface, missed: int, found: list[int]) -> float:
    """An upper bound of the barrier from a missed minimum to a found one, by straight lines."""
    if not found:
        return float("inf")
    share = np.linspace(0, 1, 101)[:, None]
    heights = [
        surface.target.energy(
            (1 - share) * surface.minima[missed] + share * surface.minima[f]
        ).max()
        for f in found
    ]
    return float(min(heights) - surface.energies[missed])


def missed(surface: RandomSurface, found: list[int], shares: np.ndarray) -> list[dict[str, float]]:
    """The minima worth having that a map lacks, and how well hidden each is."""
    out = []
    for m in np.flatnonzero(surface.occupations > WORTH):
        if m in found:
            continue
        away = surface.minima[found] - surface.minima[m]
        # In thermal widths of the missed minimum.
        far = np.sqrt(np.einsum("fi,ij,fj->f", away, surface.hessians[m], away))
        out.append(
            {
                "occupation": float(surface.occupations[m]),
                "share_of_starts": float(shares[m]),
                "widths_away": float(far.min()) if len(far) else float("inf"),
                "barrier_below": barrier_to(surface, int(m), found),
            }
        )
    return out


def study(task: tuple[int, bool, float]) -> dict[str, Any]:
    """All there is to know of one seed."""
    seed, early, effort = task
    with threadpool_limits(1):
        surface = random_surface(seed)
        rng = np.random.default_rng([seed, 7])
        theta = surface.target.starts(FRESH, rng)
        begun = time.perf_counter()
        ends = fresh_ends(surface, theta, captors=True)
        fresh_seconds = time.perf_counter() - begun
        counts = np.bincount(ends[ends >= 0], minlength=len(surface.minima))
        shares = counts / max(counts.sum(), 1)
        out: dict[str, Any] = {
            "seed": seed,
            "family": surface.family,
            "d": len(surface.target.names),
            "minima": len(surface.minima),
            "worth": int((surface.occupations > WORTH).sum()),
            "smallest_share_worth": float(shares[surface.occupations > WORTH].min()),
            "fresh_in_no_minimum": int((ends == -1).sum()),
            "fresh_unknown": int((ends == -2).sum()),
            "fresh_seconds": fresh_seconds,
        }
        if seed % 10 == 0:
            plain = fresh_ends(surface, theta[:PLAIN], captors=False)
            out["plain_agrees"] = float((plain == ends[:PLAIN]).mean())
            out["fresh_unknown"] += int((plain == -2).sum())
        complete, _ = explored(surface, effort=effort)
        runs = {"complete": complete}
        if early:
            runs |= cut_off(surface, complete)
        for run in runs.values():
            run["true"] = float(shares[run["found"]].sum())
        complete["missed"] = missed(surface, complete["found"], shares)
        return out | {"runs": runs}


def cut_off(surface: RandomSurface, complete: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Runs of the same seed under limits that end them early."""
    runs = {}
    for quenches in STAGES:
        # The budget ends what follows the quenches: searches from minima that were found.
        run, _ = explored(surface, max_quenches=quenches, budget=complete["evaluations"])
        runs[f"{quenches} quenches"] = run
    for share in SHARES:
        run, _ = explored(surface, budget=share * complete["evaluations"])
        runs[f"budget {share:g}"] = run
    return runs


def compared(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Mean stated and true coverage, and their difference with its standard error."""
    stated, true = (np.array([run[k] for run in runs]) for k in ("stated", "true"))
    gap = stated - true
    return {
        "runs": len(runs),
        "stated": float(stated.mean()),
        "true": float(true.mean()),
        "difference": float(gap.mean()),
        "standard_error": float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else np.nan,
        "mean_absolute": float(np.abs(gap).mean()),
    }


def row(label: str, surfaces: list[dict[str, Any]]) -> dict[str, Any]:
    """Print and return the figures of complete runs on some surfaces."""
    runs = [s["runs"]["complete"] for s in surfaces]
    by_rule = [run for run in runs if run["by_rule"]]
    misses = sum(bool(run["missed"]) for run in by_rule)
    figures = compared(runs) | {
        "by_rule": len(by_rule),
        "missing": misses,
        "missing_share": misses / max(len(by_rule), 1),
        "median_evaluations": float(np.median([run["evaluations"] for run in runs])),
        "median_seconds": float(np.median([run["seconds"] for run in runs])),
        "median_quenches": float(np.median([run["quenches"] for run in runs])),
    }
    print(
        f"{label:12s} {figures['runs']:4d} {figures['stated']:7.4f} {figures['true']:7.4f} "
        f"{figures['difference']:+8.4f} ({figures['standard_error']:.4f}) {len(by_rule):5d} "
        f"{misses:4d} {100 * figures['missing_share']:6.1f}% {figures['median_quenches']:7.0f} "
        f"{figures['median_evaluations']:9,.0f} {figures['median_seconds']:6.2f}"
    )
    return figures


def stages(surfaces: list[dict[str, Any]]) -> dict[str, Any]:
    """Print and return the calibration of every stage and of every bin of stated coverage."""
    out: dict[str, Any] = {"stages": {}, "bins": []}
    print(f"\n{'stage':14s} runs  stated    true  difference (error)  mean absolute")
    for name in surfaces[0]["runs"]:
        figures = compared([s["runs"][name] for s in surfaces])
        out["stages"][name] = figures
        print(
            f"{name:14s} {figures['runs']:4d} {figures['stated']:7.4f} {figures['true']:7.4f} "
            f"{figures['difference']:+9.4f} ({figures['standard_error']:.4f}) "
            f"{figures['mean_absolute']:9.4f}"
        )
    print(f"\n{'stated, all':14s} runs  stated    true  difference (error)  mean absolute")
    runs = [run for s in surfaces for run in s["runs"].values()]
    for low, high in itertools.pairwise(BINS):
        within = [r for r in runs if low <= r["stated"] < high or r["stated"] == high == 1.0]
        if within:
            figures = compared(within) | {"low": low, "high": high}
            out["bins"].append(figures)
            print(
                f"{low:5.2f} to {high:5.2f} {len(within):4d} {figures['stated']:7.4f} "
                f"{figures['true']:7.4f} {figures['difference']:+9.4f} "
                f"({figures['standard_error']:.4f}) {figures['mean_absolute']:9.4f}"
            )
    return out


def failures(surfaces: list[dict[str, Any]]) -> None:
    """Print what complete runs missed, and how each run ended that the rule did not stop."""
    print("\nmissed minima with an occupation above 1%")
    for s in surfaces:
        run = s["runs"]["complete"]
        for m in run["missed"]:
            print(
                f"  seed {s['seed']:4d} {s['family']:8s} d {s['d']} found "
                f"{len(run['found']):2d} of {s['minima']:2d}, {run['quenches']:4d} quenches"
                f"{'' if run['by_rule'] else ' (not by the rule)'}: "
                f"occupation {m['occupation']:.3f}, share of starts {m['share_of_starts']:.4f}, "
                f"{m['widths_away']:5.1f} widths away, barrier at most {m['barrier_below']:.2f}"
            )
    for s in surfaces:
        run = s["runs"]["complete"]
        if run["warnings"]:
            print(f"  seed {s['seed']:4d} {s['family']:8s} warns: {' '.join(run['warnings'])}")


def truth_errors(surfaces: list[dict[str, Any]]) -> int:
    """Print, loudly, where the truth or the comparison is wrong; return in how many places."""
    wrong = 0
    for s in surfaces:
        unknown = sum(len(run["unknown"]) for run in s["runs"].values())
        twice = sum(run["twice"] for run in s["runs"].values())
        agrees = s.get("plain_agrees", 1.0)
        if unknown or s["fresh_unknown"] or twice or agrees < 0.97:
            wrong += 1
            print(
                f"ERROR seed {s['seed']} {s['family']}: the truth lacks {unknown} minima of maps "
                f"and {s['fresh_unknown']} ends of fresh quenches; {twice} minima are twice in a "
                f"map; {agrees:.2f} of the quenches without captors end where those with them do"
            )
    return wrong


def main() -> int:
    """Run the surfaces asked for, print the tables, and write the JSON file."""
    parser = argparse.ArgumentParser(description="Stated against true coverage.")
    parser.add_argument("--count", type=int, default=200, help="how many surfaces")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, nargs="+", help="these seeds instead")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--no-early", action="store_true", help="complete runs only")
    parser.add_argument("--effort", type=float, default=1.0, help="of complete runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    options = parser.parse_args()
    seeds = options.seeds or list(range(options.first, options.first + options.count))
    begun = time.perf_counter()
    surfaces = []
    with ProcessPoolExecutor(options.workers) as pool:
        tasks = [pool.submit(study, (seed, not options.no_early, options.effort)) for seed in seeds]
        for done, task in enumerate(as_completed(tasks), 1):
            surfaces.append(task.result())
            if done % 20 == 0:
                elapsed = time.perf_counter() - begun
                print(f"{done} of {len(seeds)} surfaces, {elapsed:.0f} s", file=sys.stderr)
    surfaces.sort(key=lambda s: s["seed"])

    print(
        "complete    runs  stated    true difference (error)  rule miss  share "
        "quenches evaluations  s"
    )
    families = sorted({s["family"] for s in surfaces})
    dimensions = sorted({s["d"] for s in surfaces})
    tables: dict[str, Any] = {}
    for family in families:
        tables[family] = row(family, [s for s in surfaces if s["family"] == family])
    for d in dimensions:
        tables[f"d = {d}"] = row(f"d = {d}", [s for s in surfaces if s["d"] == d])
    tables["all"] = row("all", surfaces)
    calibration = stages(surfaces)
    failures(surfaces)
    wrong = truth_errors(surfaces)
    seconds = time.perf_counter() - begun
    print(f"{len(surfaces)} surfaces in {seconds:.0f} s; errors of the truth: {wrong}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps(
            {
                "version": bs.__version__,
                "seconds": seconds,
                "truth_errors": wrong,
                "tables": tables,
                "calibration": calibration,
                "surfaces": surfaces,
            },
            indent=1,
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
