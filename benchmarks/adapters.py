"""What it costs to reach a model of another library through a target, as ratios in one run.

The first table is of PyMC models: a value and gradient through `bayescape.from_pymc`, in a batch
and point by point, over the same by PyMC's own ``logp_dlogp_function``, which is what its samplers
call. What is in common is timed in turns; medians are printed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pymc as pm

import bayescape as bs

ROUNDS = 30
BATCH = 10
SPEND = 0.02  # seconds on one timing


def in_turns(**functions):
    """Median seconds of each function, called by turns so that noise is noise to all."""
    often = {}
    for name, function in functions.items():
        function()  # compiled, and warm
        started = time.perf_counter()
        function()
        often[name] = max(1, int(SPEND / (time.perf_counter() - started)))
    taken = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            started = time.perf_counter()
            for _ in range(often[name]):
                function()
            taken[name].append((time.perf_counter() - started) / often[name])
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def regression(rows):
    """Logistic regression in five coordinates."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 5))
    y = (rng.uniform(size=rows) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 1, shape=5)
        pm.Bernoulli("y", logit_p=X @ slope, observed=y)
    return model


def pymc_table():
    """Rows of data, seconds by PyMC, ratios through the target."""
    print("PyMC: value and gradient at a point, logistic regression in 5 coordinates")
    print(f"{'rows':>8} {'PyMC, ms':>10} {'batch/PyMC':>11} {'single/PyMC':>12}")
    for rows in (100, 2_000, 20_000, 50_000):
        pymc_row(rows)


def pymc_row(rows):
    """One model."""
    model = regression(rows)
    target = bs.from_pymc(model)
    theta = target.starts(BATCH, np.random.default_rng(0))
    own = model.logp_dlogp_function(ravel_inputs=True)
    own.set_extra_values({})
    own._pytensor_function.trust_input = True
    found = in_turns(
        own=lambda: [own(point) for point in theta],
        batch=lambda: target.energy_and_gradient(theta),
        single=lambda: [target.energy_and_gradient(point[None]) for point in theta],
    )
    print(
        f"{rows:>8} {1e3 * found['own'] / BATCH:>10.3f} "
        f"{found['batch'] / found['own']:>11.3f} {found['single'] / found['own']:>12.3f}",
        flush=True,
    )


TABLES = {"pymc": pymc_table}


def main():
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], default=[])
    for name in parser.parse_args().tables or TABLES:
        TABLES[name]()


if __name__ == "__main__":
    main()
