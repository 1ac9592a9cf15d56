"""What it costs to reach a model of another library through a target, as ratios in one run.

The first table is of PyMC models: a value and gradient through `bayescape.from_pymc`, in a batch
and point by point, over the same by PyMC's own ``logp_dlogp_function``, which is what its samplers
call. The second is of GPyTorch's most common model: the compiled likelihood that
`bayescape.from_gpytorch` recognises, over torch's derivatives of the model itself. Timings of a row
are taken in turns; medians are printed.
"""

from __future__ import annotations

import argparse
import time

import gpytorch
import numpy as np
import pymc as pm
import torch

import bayescape as bs

ROUNDS = 15
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


class Common(gpytorch.models.ExactGP):
    """Constant mean, scaled Matern 5/2 with a lengthscale for each of three inputs."""

    def __init__(self, X, y):
        super().__init__(X, y, gpytorch.likelihoods.GaussianLikelihood())
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(
            gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=3)
        )

    def forward(self, x):
        """Prior over the function at ``x``."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def gpytorch_table():
    """Rows of data, milliseconds by the compiled likelihood, how many times that torch takes."""
    print("GPyTorch: at a point of a batch, Matern 5/2 in 3 inputs with constant mean")
    print(
        f"{'rows':>8} {'gradient, ms':>13} {'torch/ours':>11} "
        f"{'Hessian, ms':>12} {'torch/ours':>11}"
    )
    for rows in (25, 50, 100, 200, 400):
        gpytorch_row(rows)


def gpytorch_row(rows):
    """One model."""
    rng = np.random.default_rng(0)
    X = torch.tensor(rng.uniform(-1, 1, (rows, 3)))
    model = Common(X, torch.sin(3 * X).sum(1) + 0.1 * torch.tensor(rng.normal(size=rows)))
    fast, slow = bs.from_gpytorch(model), bs.from_gpytorch(model, compiled=False)
    theta = fast.starts(BATCH, np.random.default_rng(0))
    found = in_turns(
        fast=lambda: fast.energy_and_gradient(theta),
        slow=lambda: slow.energy_and_gradient(theta),
        fast_hessian=lambda: fast.hessian(theta),
        slow_hessian=lambda: slow.hessian(theta),
    )
    print(
        f"{rows:>8} {1e3 * found['fast'] / BATCH:>13.3f} {found['slow'] / found['fast']:>11.1f} "
        f"{1e3 * found['fast_hessian'] / BATCH:>12.3f} "
        f"{found['slow_hessian'] / found['fast_hessian']:>11.1f}",
        flush=True,
    )


TABLES = {"pymc": pymc_table, "gpytorch": gpytorch_table}


def main():
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], default=[])
    for name in parser.parse_args().tables or TABLES:
        TABLES[name]()


if __name__ == "__main__":
    main()
