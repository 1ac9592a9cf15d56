"""Can one know in advance what an ensemble of minima will gain? Foretold against actual gains.

Draws of Schwefel data are mapped; what `bayescape.ensemble_gain` foretells of every kind of
ensemble from the map and the training rows is compared with its gain on a thousand fresh rows.
Printed, by kind: rank correlations over the data sets of the gain with what was foretold, with the
ambiguity as a share of the members' error, and with the number of minima; and mean gains.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.pop(0)  # this folder, where a file's name is that of a package which others import
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

import bayescape as bs

FRESH = 1000


def schwefel(rows: int, inputs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random points of Schwefel's function, and its values."""
    X = rng.uniform(-500, 500, (rows, inputs))
    return X, 418.9829 * inputs - (X * np.sin(np.sqrt(np.abs(X)))).sum(axis=1)


def gains(rows: int, inputs: int, seed: int) -> pd.DataFrame | None:
    """Foretold and actual gains on one data set, by kind; ``None`` where there is one minimum."""
    target = bs.GaussianProcess(*schwefel(rows, inputs, np.random.default_rng(seed)))
    landscape = bs.explore(target, seed=0, progress=False)
    minima = landscape.minima.sizes["minimum"]
    if minima < 2:
        return None
    foretold = bs.ensemble_gain(landscape)
    fresh = schwefel(FRESH, inputs, np.random.default_rng([1, seed]))
    actual = bs.compare(landscape, None, *fresh)
    return pd.DataFrame(
        {
            "minima": minima,
            "ambiguity": foretold["ambiguity_percent"],
            "foretold_rmse": foretold["improvement_rmse_percent"],
            "rmse": actual["improvement_rmse_percent"],
            "foreseen_nlpd": foretold["foreseen_nlpd"],
            "foretold_nlpd": foretold["improvement_nlpd"],
            "nlpd": actual["improvement_nlpd"],
        }
    ).iloc[1:]


def summary(data: pd.DataFrame) -> pd.Series:
    """Rank correlations and means over the data sets of one kind."""

    def rank(a: str, b: str) -> float:
        return float(spearmanr(data[a], data[b]).statistic)

    return pd.Series(
        {
            "sets": len(data),
            "rmse~foretold": rank("rmse", "foretold_rmse"),
            "rmse~ambiguity": rank("rmse", "ambiguity"),
            "rmse~minima": rank("rmse", "minima"),
            "nlpd~foretold": rank("nlpd", "foretold_nlpd"),
            "nlpd~foreseen": rank("nlpd", "foreseen_nlpd"),
            "nlpd~minima": rank("nlpd", "minima"),
            "foretold rmse %": data["foretold_rmse"].mean(),
            "rmse %": data["rmse"].mean(),
            "nlpd": data["nlpd"].mean(),
        }
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Foretold against actual gains of ensembles.")
    parser.add_argument("--sets", type=int, default=40, help="data sets")
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--inputs", type=int, default=3)
    asked = parser.parse_args()
    found = [gains(asked.rows, asked.inputs, seed) for seed in range(asked.sets)]
    data = pd.concat([frame for frame in found if frame is not None])
    kinds = list(dict.fromkeys(data.index))
    table = pd.DataFrame({kind: summary(data.loc[[kind]]) for kind in kinds}).T
    print(f"{asked.rows} rows, {asked.inputs} inputs")
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
