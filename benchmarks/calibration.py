"""Simulation-based calibration: whether draws are as wide as they should be, over many data sets.

Hyperparameters are drawn from their priors, data from the Gaussian process that they define, and
the posterior is mapped and sampled under ``"auto"``. If everything is right, the rank of each true
hyperparameter among its draws is uniform (Talts, Betancourt, Simpson, Vehtari, Gelman, "Validating
Bayesian inference algorithms with simulation-based calibration", arXiv:1804.06788, 2018). Printed:
for every hyperparameter the p-value of a Kolmogorov-Smirnov test, the same for draws pulled towards
their mean by a fifth and by two fifths, which shows what the test can see, and how many
results were called reliable. All results count, reliable or not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

# Without this folder, where this file's name is that of a package which others import.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits
from torch.distributions import LogNormal

import bayescape as bs

ROWS = 20
DRAWS = 400
THINNED = 99  # draws among which a truth is ranked
MARGINS = {"lengthscale": (np.log(0.5), 1.0), "outputscale": (0.0, 1.0), "noise": (-2.0, 1.5)}
PULLED = (0.0, 0.2, 0.4)
RESULTS = Path(__file__).parent / "results" / "calibration.json"


def data_set(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True coordinates, inputs and outputs of one data set, Matern 5/2 written out here."""
    truth = np.array([rng.normal(*margin) for margin in MARGINS.values()])
    length, scale, noise = np.exp(truth)
    x = np.sort(rng.uniform(-1, 1, ROWS))
    r = np.sqrt(5) * np.abs(x[:, None] - x) / length
    covariance = scale * ((1 + r + r**2 / 3) * np.exp(-r)) + (noise + 1e-6 * scale) * np.eye(ROWS)
    return truth, x[:, None], np.linalg.cholesky(covariance) @ rng.standard_normal(ROWS)


def ranks(truth: np.ndarray, draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rank of each true coordinate among thinned draws, in (0, 1), for every amount of pulling."""
    chosen = draws[rng.choice(len(draws), THINNED, replace=False)]
    mean = draws.mean(axis=0)
    below = [((mean + (1 - p) * (chosen - mean)) < truth).sum(axis=0) for p in PULLED]
    return (np.array(below) + rng.uniform(size=len(truth))) / (THINNED + 1)


def main() -> None:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    started = time.perf_counter()
    found, reliable, methods = [], 0, []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(options.data_sets):
            rng = np.random.default_rng([options.seed, i])
            truth, x, y = data_set(rng)
            target = bs.GaussianProcess(
                x,
                y,
                nu=2.5,
                standardise=False,
                priors={name: LogNormal(*margin) for name, margin in MARGINS.items()},
            )
            result = bs.sample(target, DRAWS, seed=i, progress=False)
            theta = result["unconstrained_posterior"]["theta"].values.reshape(-1, len(truth))
            found.append(ranks(truth, theta, rng))
            reliable += int(result.attrs["reliable"])
            methods.append(str(result.attrs["method"]))
            if (i + 1) % 25 == 0:
                print(f"{i + 1} data sets, {time.perf_counter() - started:.0f} s", file=sys.stderr)
    ranked = np.array(found)  # (data set, pulling, coordinate)
    table = {
        str(pulled): {
            name: float(stats.kstest(ranked[:, k, j], "uniform").pvalue)
            for j, name in enumerate(MARGINS)
        }
        for k, pulled in enumerate(PULLED)
    }
    print(f"{len(ranked)} data sets; {reliable} reliable; ", end="")
    print(", ".join(f"{m}: {methods.count(m)}" for m in sorted(set(methods))))
    print("pulled " + "".join(f"{name:>14}" for name in MARGINS))
    for pulled, row in table.items():
        print(f"{pulled:6} " + "".join(f"{p:14.2g}" for p in row.values()))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps({"reliable": reliable, "p": table, "ranks": ranked[:, 0].tolist()}) + "\n"
    )


if __name__ == "__main__":
    main()
