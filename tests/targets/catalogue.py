"""Every shipped target, by a name that says which setting it stands for."""

from __future__ import annotations

import itertools

import gpytorch
import numpy as np
import torch
from torch.distributions import (
    Gamma,
    HalfNormal,
    InverseGamma,
    LogNormal,
    Normal,
    Uniform,
)

from bayescape.targets import GaussianProcess
from bayescape.targets.surfaces import GaussianMixture, MuellerBrown, Schwefel, SixHumpCamel

from .densities import DENSITIES
from .gpytorch_models import GPYTORCH
from .networks import NETWORKS
from .pymc_models import PYMC


def data(n=18, p=2, seed=0):
    """A smooth function of ``p`` inputs with some noise."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3, 7, (n, p))
    y = 5 + 2 * np.sin(X[:, 0]) + 0.3 * X.sum(axis=1) + 0.2 * rng.normal(size=n)
    return X, y


WIDE = {
    "lengthscale": (1e-4, 1e4),
    "outputscale": (1e-4, 1e4),
    "noise": (1e-7, 1e2),
    "mean": (-20.0, 20.0),
}


def number(*values):
    """A double-precision tensor, scalar for one value."""
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def priors(kind, mean):
    """Keyword arguments of a prior setting."""
    if kind == "default":
        return {}
    if kind == "bounds":
        return {"priors": None, "bounds": {k: v for k, v in WIDE.items() if mean or k != "mean"}}
    chosen = {
        "lognormal": {
            "lengthscale": LogNormal(number(0.1, -0.4), number(1.5, 1.0)),
            "outputscale": LogNormal(number(0.0), number(2.0)),
            "noise": LogNormal(number(-2.4), number(3.0)),
            "mean": Normal(number(0.5), number(1.5)),
        },
        "gpytorch": {
            "lengthscale": gpytorch.priors.GammaPrior(number(3.0), number(6.0)),
            "outputscale": gpytorch.priors.HalfCauchyPrior(number(1.0)),
            "noise": gpytorch.priors.LogNormalPrior(number(-4.0), number(1.0)),
            "mean": gpytorch.priors.NormalPrior(number(0.0), number(1.0)),
        },
        "autograd": {
            "lengthscale": InverseGamma(number(2.0), number(1.0)),
            "outputscale": HalfNormal(number(2.0)),
            "noise": Uniform(number(0.0), number(50.0)),
            "mean": torch.distributions.StudentT(number(4.0)),
        },
        "gamma": {
            "lengthscale": Gamma(number(1.5, 2.0), number(0.5, 1.0)),
            "outputscale": Gamma(number(2.0), number(0.15)),
            "noise": Gamma(number(1.1), number(0.05)),
            "mean": Normal(number(0.0), number(1.0)),
        },
    }[kind]
    return {"priors": {k: v for k, v in chosen.items() if mean or k != "mean"}}


KERNELS = {
    "matern12": {"kernel": "matern", "nu": 0.5},
    "matern32": {"kernel": "matern", "nu": 1.5},
    "matern52": {"kernel": "matern", "nu": 2.5},
    "matern07": {"kernel": "matern", "nu": 0.7},
    "matern23": {"kernel": "matern", "nu": 2.3},
    "free": {"kernel": "matern", "nu": "free"},
    "rbf": {"kernel": "rbf"},
}
PRIORS = ("default", "bounds", "lognormal", "gpytorch", "autograd", "gamma")


def gaussian_process(kernel, mean, prior, ard=True, **changes):
    """A Gaussian process with one setting of each kind."""
    settings = KERNELS[kernel] | priors(prior, mean == "constant") | {"mean": mean, "ard": ard}
    X, y = data()
    if not ard and prior in ("lognormal", "gamma"):
        settings["priors"] = settings["priors"] | {
            "lengthscale": LogNormal(number(0.1), number(1.5))
        }
    return GaussianProcess(X, y, **(settings | changes))


PROCESSES = {
    f"{kernel}-{mean}-{prior}-{'ard' if ard else 'iso'}": (kernel, mean, prior, ard)
    for kernel, mean, prior, ard in itertools.product(
        KERNELS, ("zero", "constant"), PRIORS, (True, False)
    )
}

SURFACES = (
    {
        "mueller-brown": lambda: MuellerBrown(0.3),
        "six-hump-camel": SixHumpCamel,
        "schwefel": lambda: Schwefel(3),
        "mixture": lambda: GaussianMixture(
            [0.3, 0.7],
            [[0.0, 1.0], [2.0, -1.0]],
            [[[1.0, 0.4], [0.4, 0.5]], [[0.3, 0.0], [0.0, 2.0]]],
            log_evidence=2.5,
        ),
    }
    | DENSITIES
    | PYMC
    | GPYTORCH
    | NETWORKS
)


def target_named(name):
    """The target of a name in ``PROCESSES`` or ``SURFACES``."""
    return gaussian_process(*PROCESSES[name]) if name in PROCESSES else SURFACES[name]()


def points_of(name, target):
    """Random points; for a process also ones with lengthscales of 1e-3 and 1e3."""
    theta = target.starts(6, np.random.default_rng(3))
    if name not in PROCESSES:
        return theta
    lengths = sum("lengthscale" in label for label in target.names)
    extreme = theta[:4].copy()
    extreme[0, :lengths] = np.log(1e-3)
    extreme[1, :lengths] = np.log(1e3)
    extreme[2, :lengths] = np.log([1e-3, 1e3])[:lengths]
    extreme[3, :lengths] = np.log([1e3, 0.5])[:lengths]
    return np.concatenate([theta, extreme])
