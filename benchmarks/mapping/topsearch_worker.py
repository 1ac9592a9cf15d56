"""TopSearch on one problem, in an environment of its own: a task in JSON in, outcomes in JSON out.

Run as a script by `benchmarks.mapping.topsearch_peer`, where TopSearch, Numba and SciPy are
installed but bayescape is not: of that it loads just the modules that compute the function, so that
TopSearch calls the very same compiled code.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np
from topsearch.analysis.graph_properties import unconnected_component
from topsearch.data.coordinates import StandardCoordinates
from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
from topsearch.global_optimisation.basin_hopping import BasinHopping
from topsearch.global_optimisation.perturbations import StandardPerturbation
from topsearch.potentials.potential import Potential
from topsearch.sampling.exploration import NetworkSampling
from topsearch.similarity.similarity import StandardSimilarity
from topsearch.transition_states.hybrid_eigenvector_following import HybridEigenvectorFollowing
from topsearch.transition_states.nudged_elastic_band import NudgedElasticBand

PACKAGE = Path(__file__).parents[2] / "bayescape"
HIGH = 1e10  # what L-BFGS-B, which knows no infinity, is told where the energy is not finite


def open_package():
    """Let modules of bayescape be imported without running the ``__init__`` of their rooms.

    Those import the whole package, and torch with it.
    """
    for name in ("bayescape", "bayescape.kernels", "bayescape.targets"):
        module = types.ModuleType(name)
        module.__path__ = [str(PACKAGE.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module
    # The likelihood's second way, which repeated measurements alone go by.
    by_torch = types.ModuleType("bayescape.targets.torch_likelihood")
    by_torch.TorchLikelihood = None
    sys.modules[by_torch.__name__] = by_torch


class NormalPosterior:
    """bayescape's marginal likelihood with independent normal priors of the coordinates."""

    def __init__(self, spec):
        from bayescape.kernels.correlation import correlation
        from bayescape.targets.marginal_likelihood import MarginalLikelihood

        self.likelihood = MarginalLikelihood(
            correlation("matern", 2.5),
            np.array(spec["inputs"]),
            np.array(spec["y"]),
            ard=True,
            mean=False,
            jitter=spec["jitter"],
        )
        self.location, self.width = np.array(spec["location"]), np.array(spec["width"])
        self.constant = np.log(self.width).sum() + 0.5 * len(self.width) * np.log(2 * np.pi)

    def energy(self, theta):
        """Negative log density, ``(B,)``."""
        away = (theta - self.location) / self.width
        return self.likelihood.energy(theta) + 0.5 * (away**2).sum(axis=1) + self.constant

    def energy_and_gradient(self, theta):
        """Energy and gradient."""
        away = (theta - self.location) / self.width
        energy, gradient = self.likelihood.energy_and_gradient(theta)
        prior = 0.5 * (away**2).sum(axis=1) + self.constant
        return energy + prior, gradient + away / self.width

    def hessian(self, theta):
        """Second derivatives."""
        return self.likelihood.hessian(theta) + np.diag(self.width**-2)


def target_of(spec):
    """The function that a problem's ``spec`` describes."""
    if spec["kind"] == "posterior":
        return NormalPosterior(spec)
    if spec["kind"] == "network":
        from numpy_network import TanhNetwork  # beside this script

        return TanhNetwork(spec)
    from bayescape.targets import surfaces

    return getattr(surfaces, spec["name"])(**spec["arguments"])


class Spent(Exception):
    """A cap was reached."""


class Counting(Potential):
    """The target as TopSearch wants it, counted by kind, with caps."""

    def __init__(self, target, most_evaluations, most_seconds):
        super().__init__()
        self.target = target
        self.most_evaluations, self.most_seconds = most_evaluations, most_seconds
        self.counts = {"value": 0, "gradient": 0, "hessian": 0}
        self.begun = time.perf_counter()

    def count(self, kind):
        """Count one evaluation, or raise if a cap is reached."""
        if sum(self.counts.values()) >= self.most_evaluations:
            raise Spent(f"the cap of {self.most_evaluations:,.0f} evaluations was reached")
        if time.perf_counter() - self.begun > self.most_seconds:
            raise Spent(f"the cap of {self.most_seconds:g} s was reached")
        self.counts[kind] += 1

    def function(self, position):
        """The energy."""
        self.count("value")
        energy = float(self.target.energy(np.array(position)[None])[0])
        return energy if np.isfinite(energy) else HIGH

    def function_gradient(self, position):
        """Energy and gradient by one evaluation."""
        self.count("gradient")
        energy, gradient = self.target.energy_and_gradient(np.array(position)[None])
        if not (np.isfinite(energy[0]) and np.isfinite(gradient[0]).all()):
            return HIGH, np.zeros(len(position))
        return float(energy[0]), gradient[0]

    def gradient(self, position, displacement=None):
        """The gradient, exact, in place of TopSearch's differences."""
        return self.function_gradient(position)[1]

    def hessian(self, position, displacement=None):
        """Second derivatives, exact, in place of TopSearch's differences."""
        self.count("hessian")
        return self.target.hessian(np.array(position)[None])[0]


def explore(task, target, step):
    """TopSearch's usual way: basin hopping, then bands between neighbours and their summits."""
    random.seed(task["seed"])
    np.random.seed(task["seed"])  # noqa: NPY002  TopSearch draws from the global state
    recipe, bounds = task["recipe"], [tuple(pair) for pair in zip(*task["box"], strict=True)]
    potential = Counting(target, task["most_evaluations"], task["most_seconds"])
    coords = StandardCoordinates(ndim=len(bounds), bounds=bounds)
    comparer = StandardSimilarity(recipe["distance"], recipe["energy"], proportional_distance=True)
    network = KineticTransitionNetwork()
    hopping = BasinHopping(
        ktn=network,
        potential=potential,
        similarity=comparer,
        step_taking=StandardPerturbation(step, proportional_distance=True),
    )
    following = HybridEigenvectorFollowing(
        potential=potential,
        ts_conv_crit=recipe["ts_tolerance"],
        ts_steps=75,
        pushoff=recipe["pushoff"],
    )
    band = NudgedElasticBand(
        potential=potential,
        force_constant=recipe["force_constant"],
        image_density=recipe["image_density"],
        max_images=recipe["max_images"],
        neb_conv_crit=1e-2,
    )
    explorer = NetworkSampling(
        ktn=network,
        coords=coords,
        global_optimiser=hopping,
        single_ended_search=following,
        double_ended_search=band,
        similarity=comparer,
    )
    stopped, capped = "its own recipe came to its end", False
    begun, cpu_begun = time.perf_counter(), time.process_time()
    try:
        explorer.get_minima(
            coords, recipe["hops"], recipe["tolerance"], recipe["temperature"], test_valid=True
        )
        explorer.get_transition_states(
            "ClosestEnumeration", recipe["neighbours"], remove_bounds_minima=True
        )
        if network.n_minima and unconnected_component(network):
            explorer.get_transition_states("ConnectUnconnected", 2, remove_bounds_minima=True)
    except Spent as spent:
        stopped, capped = str(spent), True
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu_begun
    graph = network.G
    return {
        "setting": f"step {step:g}",
        "minima": [graph.nodes[i]["coords"].tolist() for i in graph.nodes],
        "states": [edge["coords"].tolist() for _, _, edge in graph.edges(data=True)],
        "evaluations": potential.counts,
        "seconds": seconds,
        "cpu": cpu,
        "stopped": stopped,
        "capped": capped,
    }


def check_same(target, probe):
    """Compare the function, and so compile it, with what it was in the other process."""
    theta = np.array(probe["theta"])
    energy, gradient = target.energy_and_gradient(theta)
    np.testing.assert_allclose(energy, probe["energy"], rtol=1e-9)
    np.testing.assert_allclose(gradient, probe["gradient"], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(target.energy(theta), probe["energy"], rtol=1e-9)
    target.energy(theta[:1]), target.energy_and_gradient(theta[:1]), target.hessian(theta[:1])


def main():
    """Read a task, run it for every step size, write the outcomes."""
    source, out = (Path(name).resolve() for name in sys.argv[1:3])
    task = json.loads(source.read_text())
    open_package()
    target = target_of(task["spec"])
    check_same(target, task["probe"])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # TopSearch keeps a log file where it is run
        outcomes = [explore(task, target, step) for step in task["steps"]]
        os.chdir(out.parent)
    out.write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main()
