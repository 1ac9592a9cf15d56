"""What a likelihood costs beside its floor and beside its peers, all in one run.

The floor of a value is one Cholesky factor (LAPACK's potrf), that of a value and gradient also one
inverse (potri), called from compiled code on a matrix that is there already. Peers are GPyTorch (by
Cholesky factors), scikit-learn, and the closed form in plain NumPy, each at the same point of the
same posterior: three inputs, Matern 5/2, a lengthscale each, outputscale and noise.

Timings of one case are taken in turns, so that a noisy machine is noisy to all alike; medians are
printed, and written to a JSON file. The last table says where the time goes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path

import gpytorch
import numba
import numpy as np
import scipy
import sklearn
import torch
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from threadpoolctl import threadpool_limits

from bayescape.kernels import correlation
from bayescape.kernels.correlation import correlate
from bayescape.kernels.lapack import factorise, invert, routines, solve
from bayescape.kernels.threads import run_in_chunks
from bayescape.targets.covariance import covariance as build
from bayescape.targets.covariance import distances
from bayescape.targets.first_order import contract
from bayescape.targets.marginal_likelihood import LARGE, MarginalLikelihood

SIZES = (25, 50, 100, 200, 500, 1000, 2000)
POINT = np.array([-0.5, 0.0, 0.3, 0.0, -3.0])  # log lengthscales, outputscale, noise
JITTER = 1e-6
SPEND = 1.5  # seconds on one case
LONGEST = 2.0  # seconds: what takes longer is timed once only
MEMORY = 2000  # rows at which memory is measured


@numba.njit(nogil=True)
def factorise_often(address, matrix, work, count, inverse):
    """Cholesky factors, and inverses, of copies of a matrix; copies alone for ``inverse = -1``."""
    for _ in range(count):
        work[:] = matrix
        if inverse >= 0:
            factorise(address, work)
        if inverse == 1:
            invert(address, work)


def data(n):
    """Inputs and outputs of a smooth function with noise."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n, 3))
    return X, np.sin(3 * X).sum(axis=1) + 0.1 * rng.normal(size=n)


def likelihood(n, nu=2.5):
    """Ours."""
    return MarginalLikelihood(
        correlation("matern", nu), *data(n), ard=True, mean=False, jitter=JITTER
    )


def by_gpytorch(n):
    """A function that computes value and gradient by GPyTorch."""
    X, y = (torch.tensor(a) for a in data(n))

    class Model(gpytorch.models.ExactGP):
        def __init__(self):
            noise = gpytorch.constraints.GreaterThan(1e-8)
            super().__init__(X, y, gpytorch.likelihoods.GaussianLikelihood(noise_constraint=noise))
            self.mean_module = gpytorch.means.ZeroMean()
            self.covar_module = gpytorch.kernels.ScaleKernel(
                gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=3)
            )

        def forward(self, x):
            return gpytorch.distributions.MultivariateNormal(
                self.mean_module(x), self.covar_module(x)
            )

    model = Model().double().train()
    natural = torch.tensor(np.exp(POINT))
    model.covar_module.base_kernel.lengthscale = natural[:3]
    model.covar_module.outputscale = natural[3]
    model.likelihood.noise = natural[4] + JITTER
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)

    def run():
        model.zero_grad()
        with gpytorch.settings.fast_computations(False, False, False):
            value = -n * objective(model(X), y)
        value.backward()
        return value.item()

    return run


def by_sklearn(n):
    """A function that computes value and gradient by scikit-learn."""
    X, y = data(n)
    kernel = kernels.ConstantKernel(1.0) * kernels.Matern([1.0] * 3, nu=2.5)
    kernel = kernel + kernels.WhiteKernel(1.0)
    regressor = GaussianProcessRegressor(kernel, alpha=JITTER, optimizer=None).fit(X, y)
    theta = np.concatenate([POINT[3:4], POINT[:3], POINT[4:]])
    return lambda: -regressor.log_marginal_likelihood(theta, eval_gradient=True)[0]


def by_numpy(n):
    """A function that computes value and gradient in closed form by NumPy and LAPACK."""
    X, y = data(n)
    squares = np.stack([(X[:, k, None] - X[:, k]) ** 2 for k in range(3)]).reshape(3, n * n)

    def run():
        lengths, scale, noise = np.exp(POINT[:3]), np.exp(POINT[3]), np.exp(POINT[4])
        s = np.sqrt(5 * (lengths**-2 @ squares))
        decay = np.exp(-s)
        signal = (scale * (1 + s + s * s / 3) * decay).reshape(n, n)
        K = signal.copy()
        K[np.diag_indices(n)] += noise + JITTER * scale
        factor, _ = dpotrf(K, lower=1, overwrite_a=1)
        alpha, _ = dpotrs(factor, y, lower=1)
        energy = 0.5 * y @ alpha + np.log(np.diag(factor)).sum() + 0.5 * n * np.log(2 * np.pi)
        inverse, _ = dpotri(factor, lower=1)
        inverse = np.tril(inverse)
        inner = inverse + np.tril(inverse, -1).T - np.outer(alpha, alpha)
        weight = inner.ravel() * (5 / 3 * scale * (1 + s) * decay)
        trace = np.trace(inner)
        np.concatenate(
            [
                0.5 * (squares @ weight) / lengths**2,
                [0.5 * (inner * signal).sum() + 0.5 * JITTER * scale * trace, 0.5 * noise * trace],
            ]
        )
        return energy

    return run


def once(function):
    """Seconds of one call."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def in_turns(functions):
    """Median seconds of each function, called in turns."""
    for function in functions.values():
        function()  # compiled and warm before anything is timed
    repeats, kept, taken = {}, {}, {}
    for name, function in functions.items():
        first = once(function)
        if first >= LONGEST:
            taken[name] = [first]
            continue
        first = min(first, once(function), once(function))
        kept[name], taken[name] = function, []
        repeats[name] = max(1, int(2e-3 / max(first, 1e-6)))  # one timing takes 2 ms or more
    begun, rounds = time.perf_counter(), 0
    while rounds < 3 or (time.perf_counter() - begun < SPEND and rounds < 200):
        for name, function in kept.items():
            begin = time.perf_counter()
            for _ in range(repeats[name]):
                function()
            taken[name].append((time.perf_counter() - begin) / repeats[name])
        rounds += 1
    return {name: float(np.median(times)) for name, times in taken.items()}


def measure(n, batch, threads):
    """Microseconds per point of everything, for one size, batch and number of threads."""
    X, _ = data(n)
    rng = np.random.default_rng(1)
    theta = POINT + 0.05 * rng.normal(size=(batch, 5)) if batch > 1 else POINT[None]
    free = np.column_stack([theta, np.log(2.3) + 0.1 * rng.normal(size=batch)])
    closed, real, order = likelihood(n), likelihood(n, 2.3), likelihood(n, "free")
    away = (X[:, None] - X) / np.exp(POINT[:3])
    matrix = np.exp(-0.5 * (away**2).sum(axis=2)) + np.exp(POINT[4]) * np.eye(n)
    in_threads = batch > 1 and threads > 1 and n < LARGE

    def floor(inverse):
        def chunk(part):
            factorise_often(
                routines(), matrix, np.empty_like(matrix), len(range(batch)[part]), inverse
            )

        return lambda: run_in_chunks(chunk, batch) if in_threads else chunk(slice(None))

    functions = {
        "copy": floor(-1),
        "potrf": floor(0),
        "potrf+potri": floor(1),
        "value": lambda: closed.energy(theta),
        "gradient": lambda: closed.energy_and_gradient(theta),
        "gradient, nu = 2.3": lambda: real.energy_and_gradient(theta),
        "gradient, nu free": lambda: order.energy_and_gradient(free),
        "hessian": lambda: closed.hessian(theta),
    }
    if batch > 1 and n > 500:  # minutes, and nothing new: large matrices come one after the other
        for name in ("gradient, nu = 2.3", "gradient, nu free", "hessian"):
            del functions[name]
    if batch == 1:
        peers = {"gpytorch": by_gpytorch(n), "scikit-learn": by_sklearn(n), "numpy": by_numpy(n)}
        known = closed.energy(theta)[0]
        for name, peer in peers.items():
            assert abs(peer() - known) < 1e-6 * abs(known), (name, peer(), known)
        functions |= peers
    seconds = in_turns(functions)
    copying = seconds.pop("copy")
    for name in ("potrf", "potrf+potri"):
        seconds[name] -= copying
    return {name: 1e6 * s / batch for name, s in seconds.items()}


def ratios(row):
    """The figures that matter, from the microseconds of one case."""
    found = {
        "value / potrf": row["value"] / row["potrf"],
        "gradient / floor": row["gradient"] / row["potrf+potri"],
    }
    for name, label in (
        ("gradient, nu = 2.3", "nu = 2.3 / closed"),
        ("gradient, nu free", "nu free / closed"),
        ("hessian", "hessian / gradient"),
    ):
        if name in row:
            found[label] = row[name] / row["gradient"]
    for peer in ("gpytorch", "scikit-learn", "numpy"):
        if peer in row:
            found[f"{peer} / ours"] = row[peer] / row["gradient"]
    return found


def profile(n):
    """Microseconds of the parts of one value and gradient, on one thread."""
    model = likelihood(n)
    problem = model.problem
    z, K = np.empty(problem.X.shape), np.empty((n, n))
    fields = np.empty((3, n * (n - 1) // 2))
    kernel = problem.correlation
    theta, constants = POINT, np.zeros(3)
    build(problem, theta, constants, z, K, fields, 2)
    covariance = K.copy()
    factor = covariance.copy()
    factorise(routines(), factor)
    inverse = factor.copy()
    invert(routines(), inverse)
    alpha, weight, gradient = problem.y.copy(), np.empty(n), np.empty(3)
    q = fields[-1].copy()

    def copied(function, source):
        def run():
            K[:] = source
            function(routines(), K)

        return run

    seconds = in_turns(
        {
            "copy": lambda: K.__setitem__(slice(None), covariance),
            "distances": lambda: distances(z, q),
            "correlation": lambda: correlate(
                kernel.kind, kernel.nu, kernel.first, kernel.table, q, fields[:-1]
            ),
            "potrf": copied(factorise, covariance),
            "potri": copied(invert, factor),
            "two solves": lambda: [
                solve(routines(), factor, alpha, side) for side in (False, True)
            ],
            "contraction": lambda: contract(inverse, alpha, z, fields[1], weight, gradient),
            "all of it": lambda: model.energy_and_gradient(POINT[None]),
        }
    )
    copying = seconds.pop("copy")
    for name in ("potrf", "potri"):
        seconds[name] -= copying
    whole = seconds.pop("all of it")
    seconds["calls, copies, allocation"] = whole - sum(seconds.values())
    return {name: 1e6 * s for name, s in seconds.items()} | {"all of it": 1e6 * whole}


def peak_memory():
    """Doubles above the start that one value and gradient take at most, over ``n^2``.

    Runs in a process of its own; on Linux only.
    """
    likelihood(30).energy_and_gradient(POINT[None])
    model = likelihood(MEMORY)
    # Imports and compilers took more before: Linux forgets that peak when asked to.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    model.energy_and_gradient(POINT[None])
    print(json.dumps((resident("VmHWM") - before) / 8 / MEMORY**2))


def resident(what):
    """Bytes of this process in memory, now (VmRSS) or at the peak (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition(f"{what}:")[2].split()[0])


def table(title, rows):
    """Print ``{label: {column: number}}``."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    width = max(len(label) for label in rows) + 2
    print(f"\n{title}\n" + " " * width + "".join(f"{name:>{len(name) + 2}}" for name in columns))
    for label, row in rows.items():
        cells = (
            f"{row[c]:.4g}".rjust(len(c) + 2) if c in row else " " * (len(c) + 2) for c in columns
        )
        print(f"{label:{width}}" + "".join(cells))


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--threads", type=int, nargs="+", default=(1, 2))
    parser.add_argument("--batches", type=int, nargs="+", default=(1, 64))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/likelihood.json"))
    parser.add_argument("--peak-memory", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak_memory:
        peak_memory()
        return
    warnings.simplefilter("ignore")
    found = {}
    for threads in asked.threads:
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            for batch in asked.batches:
                rows = {}
                for n in asked.sizes:
                    rows[f"n = {n}"] = measure(n, batch, threads)
                    print(".", end="", file=sys.stderr, flush=True)
                label = f"{threads} thread{'s' * (threads > 1)}, batch {batch}"
                table(f"{label}: microseconds per point", rows)
                quotients = {name: ratios(row) for name, row in rows.items()}
                table(f"{label}: ratios", quotients)
                found[label] = {"microseconds": rows, "ratios": quotients}
    with threadpool_limits(1):
        parts = {f"n = {n}": profile(n) for n in asked.sizes if n <= 1000}
    table("one thread, batch 1: where the time of a value and gradient goes, microseconds", parts)
    memory = None
    if sys.platform == "linux":
        command = [sys.executable, __file__, "--peak-memory"]
        memory = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"\npeak memory of a value and gradient at n = {MEMORY}: {memory:.2f} n^2 doubles")
    machine = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {
            m.__name__: m.__version__ for m in (np, scipy, numba, torch, gpytorch, sklearn)
        },
    }
    record = {"machine": machine, "cases": found, "profile": parts, "peak_memory": memory}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"written to {asked.out}")


def processor():
    """The processor's name, as far as the system tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
