"""Do conserved weights matter, and are several minima better than one: four sets, many splits.

For each split in halves the loss of the training half is mapped and the other half is the test.
Three choices of weights are changed: those conserved within superbasins (where there are two of two
minima or more), the fifth of all weights that is most consistent over the minima, and the fifth
that is strongest (both as `bs.conserved` has them). Beside it stand as many random weights and as
many of the largest, changed by as much. Then class probabilities of ensembles of the minima and of
a deep ensemble of as many random restarts, and the pairs of minima that exchange their occupation
at the highest peak of the heat capacity.

What is done is kept in ``benchmarks/network_study.jsonl``, one line for each split, and maps in a
folder, so that a run that was stopped goes on; the summary is printed from the former:
``python benchmarks/network_study.py --splits 10 --folder maps``. The splits with ``--l2 0.01`` show
what a prior that is too weak does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from scipy.stats import t as student
from sklearn.model_selection import train_test_split

import bayescape as bs
from benchmarks.network_data import SETS, data, module

RESULTS = Path(__file__).parent / "network_study.jsonl"
L2 = 0.3  # by cross-validation: benchmarks/network_l2.py
PERMUTATIONS = 999
MOST_RESTARTS = 10


def halves(name, split):
    """Training and test half, standardised by the training half."""
    X, y = data(name)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=split)
    mean, sd = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)
    return (X - mean) / sd, (X_test - mean) / sd, y, y_test


def mapped(name, split, l2, folder):
    """The map of a split, from its file if it is there, and the test half."""
    X, X_test, y, y_test = halves(name, split)
    target = bs.NetworkLoss(module(name), X, y, l2=l2)
    path = folder / f"{name}-{l2:g}-{split}.nc"
    if not path.exists():
        found = bs.explore(target, seed=split, progress=False, max_quenches=24, budget=150_000)
        found.save(path)
    return bs.load_landscape(path, target), X_test, y_test


def restarts(target, count, seed):
    """Networks trained from fresh starts without the map, ``(count, d)``."""

    def of_one(theta):
        energy, gradient = target.energy_and_gradient(theta[None])
        return energy[0], gradient[0]

    starts = target.starts(count, np.random.default_rng(seed))
    options = {"maxiter": 5000, "maxfun": 10_000, "gtol": 1e-6}
    return np.array(
        [
            minimize(of_one, start, jac=True, method="L-BFGS-B", options=options).x
            for start in starts
        ]
    )


def choices(landscape):
    """The weights to change, by the name of how they were chosen."""
    count, d = landscape.minima["theta"].shape
    if count < 3:  # what they have in common cannot be told from chance
        return {}, {"grouped": False, "conserved": None, "common": None}
    try:
        found, grouped = bs.conserved(landscape, permutations=PERMUTATIONS), True
    except ValueError:  # no two superbasins of two minima
        pairs = [range(0, count, 2), range(1, count, 2)]
        found, grouped = bs.conserved(landscape, pairs, permutations=PERMUTATIONS), False
    fifth = d // 5
    chosen = {
        kind: found.table[kind].rank(ascending=False, method="first").to_numpy() <= fifth
        for kind in ("consistency", "strength")
    }
    if grouped and 0 < found.chosen.sum() < d:
        chosen["groups"] = found.chosen
    about = {
        "grouped": grouped,
        "conserved": int(found.chosen.sum()) if grouped else None,
        "common": int(found.common.sum()),
    }
    return chosen, about


def at_the_peak(landscape, X_test, y_test):
    """Disagreement of the two minima that exchange their occupation, and of the average pair.

    ``None`` where there is but one minimum.
    """
    if landscape.minima.sizes["minimum"] < 2:
        return None
    disagree = bs.error_disagreement(landscape, X_test, y_test).to_numpy()
    grid = np.geomspace(0.01, 100, 121)
    heat = bs.thermodynamics(landscape, grid)
    # The minima's own part: every harmonic well has d / 2 besides.
    peak = int(heat["heat_capacity"].values.argmax())
    slope = heat["occupation_slope"].values[peak]
    pair = disagree[slope.argmin(), slope.argmax()]
    others = disagree[np.triu_indices(len(disagree), 1)]
    excess = float(heat["heat_capacity"].values[peak] - len(landscape.names) / 2)
    return {
        "temperature": float(grid[peak]),
        "excess_heat_capacity": excess,
        "pair": float(pair),
        "average": float(others.mean()),
    }


def studied(name, split, l2, folder):
    """All that is measured of one split."""
    landscape, X_test, y_test = mapped(name, split, l2, folder)
    began = time.perf_counter()
    chosen, about = choices(landscape)
    changed = {}
    for kind, which in chosen.items():
        table = bs.perturb(landscape, which, X_test, y_test, seed=split)
        changed[kind] = {"coordinates": table.attrs["coordinates"]} | {
            f"{of} {score}": round(float(row["loss"]), 5) for (of, score), row in table.iterrows()
        }
    count = min(landscape.minima.sizes["minimum"], MOST_RESTARTS)
    fresh = restarts(landscape.target, count, split)
    compared = bs.compare_classifiers(landscape, X_test, y_test, restarts=fresh, seed=split)
    columns = ["accuracy", "log_loss", "calibration_error", "auc"]
    energies = landscape.minima["energy"].values
    return {
        "set": name,
        "split": split,
        "l2": l2,
        "minima": len(energies),
        "range_of_energies": round(float(np.ptp(energies)), 4),
        **about,
        "changed": changed,
        "compared": compared[columns].round(5).to_dict(orient="index"),
        "peak": at_the_peak(landscape, X_test, y_test),
        "seconds": round(time.perf_counter() - began, 1),
    }


def interval(values):
    """Mean and 95 % interval over splits, as text."""
    values = np.asarray([v for v in values if v is not None], dtype=float)
    if len(values) < 2:
        return f"{values.mean():+.4f} (one split)" if len(values) else "-"
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.4f} ({values.mean() - half:+.4f}, {values.mean() + half:+.4f})"


def summary(records):
    """Print means over splits, with intervals."""
    for name in dict.fromkeys(r["set"] for r in records):
        rows = [r for r in records if r["set"] == name]
        minima = [r["minima"] for r in rows]
        print(f"\n{name}: {len(rows)} splits, {min(minima)} to {max(minima)} minima")
        for kind in ("groups", "consistency", "strength"):
            some = [r["changed"][kind] for r in rows if kind in r["changed"]]
            if not some:
                print(f"  {kind}: in no split")
                continue
            print(f"  {kind}, {len(some)} splits; lost, and lost more than by changing others:")
            for score in ("accuracy", "auc", "log_loss"):
                own = [s[f"conserved {score}"] for s in some]
                text = f"    {score:>8}: {interval(own)}"
                for other in ("random", "largest"):
                    gap = [a - s[f"{other} {score}"] for a, s in zip(own, some, strict=True)]
                    text += f"; than {other} {interval(gap)}"
                print(text)
        labels = list(rows[0]["compared"])
        table = {
            label: {
                score: np.mean([r["compared"][label][score] for r in rows])
                for score in rows[0]["compared"][label]
            }
            | {
                "log_loss_gain": interval(
                    r["compared"]["single best minimum"]["log_loss"]
                    - r["compared"][label]["log_loss"]
                    for r in rows
                )
            }
            for label in labels
        }
        print(pd.DataFrame.from_dict(table, orient="index").round(4).to_string())
        gap = [r["peak"]["pair"] - r["peak"]["average"] for r in rows if r["peak"]]
        print(f"  disagreement at the peak less the average pair's: {interval(gap)}")


def main() -> None:
    """Do what is not done yet, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=list(SETS))
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--l2", type=float, default=L2)
    parser.add_argument("--folder", type=Path, default=Path("maps"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    records = [json.loads(r) for r in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    done = {(r["set"], r["split"], r["l2"]) for r in records}
    for split in range(given.splits):
        for name in given.sets:
            if (name, split, given.l2) not in done:
                record = studied(name, split, given.l2, given.folder)
                with RESULTS.open("a") as file:
                    file.write(json.dumps(record) + "\n")
                records.append(record)
                print(f"{name} {split}: {record['minima']} minima", flush=True)
    summary([r for r in records if r["l2"] == given.l2 and r["set"] in given.sets])


if __name__ == "__main__":
    main()
