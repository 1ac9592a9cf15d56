"""Posteriors over the hyperparameters of Gaussian processes, with one to four basins.

The truth of each is stored in ``gaussian_processes.json``: `gp_truth` made it, by quadrature or by
nautilus, and checked the energy that it used against `gp_energy`, which is written apart. The first
two are the ones of `tests.reference.gp_posteriors`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution, Gamma, InverseGamma, LogNormal, Normal

from bayescape import GaussianProcess
from tests.reference import gp_posteriors
from tests.reference.catalogue import gp_data
from tests.reference.catalogue.gp_energy import Energy, Prior, default_priors
from tests.reference.catalogue.posterior import Posterior, Truth
from tests.reference.gp_targets import target_of

__all__ = ["GAUSSIAN_PROCESSES", "PROBLEMS", "Problem", "stored"]

FOLDER = Path(__file__).parent
STORED = FOLDER / "gaussian_processes.json"
STORED_BEFORE = FOLDER.parent / "gp_posteriors.json"
# Normal over the logarithms, as for the first two: wide enough for signal and noise to trade.
WIDE: Mapping[str, Prior] = {
    "lengthscale": ("lognormal", np.log(0.5), 1.5),
    "outputscale": ("lognormal", 0.0, 2.0),
    "noise": ("lognormal", 2 * np.log(0.3), 3.0),
}
WALLS = {"lengthscale": (0.05, 20.0), "outputscale": (0.05, 50.0), "noise": (1e-4, 5.0)}
DISTRIBUTIONS: Mapping[str, Callable[..., Distribution]] = {
    "lognormal": LogNormal,
    "normal": Normal,
    "gamma": Gamma,
    "inverse-gamma": InverseGamma,
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """A Gaussian process on standardised data, as bayescape's target and as an energy apart.

    Attributes
    ----------
    name, catches, adversarial
        As in `Posterior`.
    data
        Returns inputs ``(n, p)`` and outputs ``(n,)``.
    kernel, nu, mean
        As in `GaussianProcess`.
    priors
        By hyperparameter; ``"default"`` for the documented ones, ``None`` for none.
    bounds
        By hyperparameter, in natural units.
    """

    name: str
    catches: str
    data: Callable[[], gp_data.Data]
    kernel: str = "matern"
    nu: float | str = 2.5
    mean: str = "zero"
    priors: Mapping[str, Prior] | str | None = dataclasses.field(default_factory=lambda: WIDE)
    bounds: Mapping[str, tuple[float, float]] | None = None
    adversarial: bool = False

    def target(self) -> GaussianProcess:
        """Bayescape's."""
        priors: Any = self.priors
        if isinstance(priors, Mapping):
            priors = {
                # Torch would make 32-bit numbers of Python's floats.
                name: DISTRIBUTIONS[kind](*torch.tensor([a, b], dtype=torch.float64))
                for name, (kind, a, b) in priors.items()
            }
        return GaussianProcess(
            *self.data(),
            kernel=self.kernel,
            nu=self.nu,
            mean=self.mean,
            priors=priors,
            bounds=self.bounds,
        )

    def energy(self) -> Energy:
        """The same density in plain NumPy."""
        inputs, outputs = self.data()
        p = inputs.shape[1]
        names = ["lengthscale"] * p + ["outputscale", "noise"]
        names += ["nu"] * (self.nu == "free") + ["mean"] * (self.mean == "constant")
        priors: Any = default_priors(p) if self.priors == "default" else self.priors or {}
        walls = {"nu": (0.2, 50.0)} | dict(self.bounds or {})
        edges = [np.log(walls[name]) if name in walls else (-np.inf, np.inf) for name in names]
        return Energy(
            (inputs - inputs.mean(axis=0)) / inputs.std(axis=0),
            (outputs - outputs.mean()) / outputs.std(),
            self.kernel,
            self.nu,
            tuple(priors.get(name) for name in names),
            np.array(edges).T,
            self.mean == "constant",
        )


PROBLEMS: tuple[Problem, ...] = (
    Problem(
        "gp-signal-or-noise",
        "two modes of equal weight, one that calls a sine of 15 points signal and one, noise",
        lambda: gp_data.sine(15, 0, 0.4, waves=2),
        kernel="rbf",
    ),
    Problem(
        "gp-eight-points",
        "one basin that the prior shapes more than eight points do: long, skewed tails",
        lambda: gp_data.sine(8, 3, 0.3),
        nu=1.5,
        priors="default",
    ),
    Problem(
        "gp-walk",
        "a random walk in noise, rough kernel: one basin with a ridge between signal and noise",
        lambda: gp_data.walk(40, 0, 1.0),
        nu=0.5,
    ),
    Problem(
        "gp-carbon-dioxide",
        "a mode of a thousandth of the mass, six nats up, that must not be given more",
        gp_data.carbon_dioxide,
        kernel="rbf",
    ),
    Problem(
        "gp-carbon-dioxide-as-a-walk",
        "a ridge along which lengthscale and outputscale grow together until their priors end it",
        gp_data.carbon_dioxide,
        nu=0.5,
    ),
    Problem(
        "gp-sunspots",
        "real data that oscillate: one basin, of little noise, with a long tail towards none",
        lambda: gp_data.sunspots(2),
        nu=1.5,
    ),
    Problem(
        "gp-ocean",
        "three modes of real data, of short, long and no lengthscale, of which two hold a third",
        gp_data.ocean,
        kernel="rbf",
    ),
    Problem(
        "gp-walled",
        "a posterior without priors that its walls cut off: mass beyond them must not be counted",
        lambda: gp_data.sine(10, 1, 0.3),
        nu=2.3,
        priors=None,
        bounds=WALLS,
    ),
    Problem(
        "gp-much-data",
        "much data, so a narrow posterior under wide priors: a superposition that starts too wide",
        lambda: gp_data.schwefel(100, 1, 0),
    ),
    Problem(
        "gp-sunspots-with-a-mean",
        "a free mean, whose coordinate is no logarithm",
        lambda: gp_data.sunspots(2),
        nu=1.5,
        mean="constant",
        priors="default",
    ),
    Problem(
        "gp-schwefel-two-inputs",
        "two modes of nearly equal energy in four coordinates",
        lambda: gp_data.schwefel(30, 2, 4),
    ),
    Problem(
        "gp-schwefel-four-modes",
        "four modes, two of them of a few percent each",
        lambda: gp_data.schwefel(30, 2, 11),
    ),
)


@functools.cache
def stored(name: str) -> Mapping[str, Any]:
    """What is on file of a posterior: its truth, the truth's errors, and its minima."""
    before = {"gp-reference": "schwefel", "gp-nile": "nile"}
    if name in before:
        return json.loads(STORED_BEFORE.read_text())[before[name]]
    return json.loads(STORED.read_text())[name]


def _truth(name: str) -> Truth:
    on_file = stored(name)
    return Truth(
        np.array(on_file["mean"]),
        np.array(on_file["sd"]),
        on_file["log_evidence"],
        np.array(on_file["minima"]),
        np.array(on_file["occupation"]),
    )


def _posterior(problem: Problem) -> Posterior:
    d = problem.energy().d
    return Posterior(
        problem.name,
        problem.target,
        functools.partial(_truth, problem.name),
        QUADRATURE if d <= BY_QUADRATURE else NAUTILUS,
        problem.catches,
        problem.adversarial,
    )


BY_QUADRATURE = 4  # coordinates, at most
QUADRATURE = "quadrature on two grids that agree; steepest descent of 4,000 of their points"
NAUTILUS = "60,000 effective draws by nautilus; steepest descent of at least 4,000 of them"
GAUSSIAN_PROCESSES: tuple[Posterior, ...] = (
    Posterior(
        "gp-reference",
        lambda: target_of(gp_posteriors.schwefel()),
        functools.partial(_truth, "gp-reference"),
        NAUTILUS,
        "four modes with barriers that no chain crosses within a thousand draws",
    ),
    Posterior(
        "gp-nile",
        lambda: target_of(gp_posteriors.nile()),
        functools.partial(_truth, "gp-nile"),
        NAUTILUS,
        "a basin of a quarter of the mass behind a barrier of 0.002 nats",
    ),
    *map(_posterior, PROBLEMS),
)
