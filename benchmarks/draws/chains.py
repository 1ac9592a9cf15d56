"""Markov chains of others: PyMC's NUTS and nutpie on the compiled likelihood, and on PyMC's own."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from bayescape import GaussianProcess
from bayescape.evaluations import Evaluations
from bayescape.sample.nutpie_chains import model_of
from bayescape.sample.pymc_model import pymc_model
from benchmarks.draws.outcome import Capped, Clock, Drawn, Spent, Unavailable
from tests.reference.catalogue import Posterior
from tests.reference.catalogue.gaussian_processes import PROBLEMS, WIDE

__all__ = ["CHAINS", "TUNE", "nutpie_on_pymc", "nutpie_sampling", "pymc_sampling"]

Array = NDArray[np.float64]

CHAINS = 4
TUNE = 1000  # draws per chain that PyMC and nutpie adapt by, as they do unless told otherwise
# The graph is a single call of the likelihood: compiling C for it costs seconds and gains nothing.
INTERPRETED = {"mode": "FAST_COMPILE"}
OWN_KERNELS = {0.5: pm.gp.cov.Matern12, 1.5: pm.gp.cov.Matern32, 2.5: pm.gp.cov.Matern52}


def pymc_sampling(posterior: Posterior, draws: int, seed: int, most: float) -> Drawn:
    """PyMC's NUTS with its own adaptation, from points of the prior."""
    target = Capped(posterior.make(), most)
    rng = np.random.default_rng(seed)
    starts = target.starts(CHAINS, rng)
    logging.getLogger("pymc").setLevel(logging.ERROR)
    clock = Clock()
    try:
        with pymc_model(target):
            trace = pm.sample(
                draws=-(-draws // CHAINS),
                tune=TUNE,
                chains=CHAINS,
                cores=1,
                init="adapt_diag",
                initvals=[{"theta": start} for start in starts],
                random_seed=seed,
                progressbar=False,
                compute_convergence_checks=False,
                compile_kwargs=INTERPRETED,
            )
    except Spent as spent:
        return Drawn(None, target.evaluations, **clock.read(), stopped=str(spent))
    return Drawn(trace.posterior["theta"].values, target.evaluations, **clock.read())


def nutpie_sampling(posterior: Posterior, draws: int, seed: int, most: float) -> Drawn:
    """Nutpie's NUTS on the same compiled likelihood, from points of the prior."""
    nutpie = _nutpie()
    target = Capped(posterior.make(), most)
    starts = iter(target.starts(100 * CHAINS, np.random.default_rng(seed)))
    spent = ""

    def log_density(theta: Array) -> tuple[float, Array]:
        nonlocal spent
        try:
            energy, gradient = target.energy_and_gradient(theta[None])
        except Spent as reason:
            spent = str(reason)
            raise
        return -float(energy[0]), -gradient[0]

    model = model_of(log_density, starts, len(target.names))
    clock = Clock()
    try:
        trace = _run_nutpie(nutpie, model, draws, seed)
    except Exception as error:
        if not spent:
            raise
        return Drawn(None, target.evaluations, **clock.read(), stopped=spent or str(error))
    theta = trace.posterior["theta"].values if trace is not None else None
    return Drawn(theta, target.evaluations, **clock.read(), stopped=spent)


def nutpie_on_pymc(posterior: Posterior, draws: int, seed: int, most: float) -> Drawn:
    """Nutpie on a PyMC model with PyMC's own Gaussian process, as a modeller would write it.

    Its likelihood is not ours, so evaluations are counted by the lengths of its trajectories.
    """
    nutpie = _nutpie()
    target = posterior.make()
    assert isinstance(target, GaussianProcess)
    model = nutpie.compile_pymc_model(_written_out(posterior.name, target), backend="numba")
    clock = Clock()
    trace = _run_nutpie(nutpie, model, draws, seed)
    spent = clock.read()
    natural = trace.posterior
    theta = np.concatenate(
        [
            np.log(natural["lengthscale"].values),
            np.log(natural["outputscale"].values)[..., None],
            np.log(natural["noise"].values)[..., None],
        ],
        axis=2,
    )
    steps = int(trace.sample_stats["n_steps"].sum() + trace.warmup_sample_stats["n_steps"].sum())
    stopped = "" if steps <= most else "past the cap"
    return Drawn(theta, Evaluations(gradient=steps), stopped=stopped, **spent)


def _written_out(name: str, target: GaussianProcess) -> pm.Model:
    """The PyMC model of a target whose priors are the catalogue's wide ones."""
    wide = {p.name for p in PROBLEMS if p.priors is WIDE} | {"gp-reference", "gp-nile"}
    if name not in wide or target.kernel != "matern" or target.nu not in OWN_KERNELS:
        raise Unavailable("written only for log-normal priors and the closed Matern kernels")
    p = target.X.shape[1]
    with pm.Model() as model:
        lengths = pm.LogNormal("lengthscale", *WIDE["lengthscale"][1:], shape=p)
        scale = pm.LogNormal("outputscale", *WIDE["outputscale"][1:])
        noise = pm.LogNormal("noise", *WIDE["noise"][1:])
        kernel = scale * OWN_KERNELS[target.nu](p, ls=lengths)
        process = pm.gp.Marginal(cov_func=kernel)
        sigma = pt.sqrt(noise + target.jitter * scale)
        process.marginal_likelihood("y", X=target.X, y=target.y, sigma=sigma, jitter=0.0)
    return model


def _nutpie() -> Any:
    try:
        import nutpie
    except ImportError as error:
        raise Unavailable(
            "nutpie is not installed; `pip install nutpie` brings it, or leave it out by --methods"
        ) from error
    return nutpie


def _run_nutpie(nutpie: Any, model: Any, draws: int, seed: int) -> Any:
    return nutpie.sample(
        model,
        draws=-(-draws // CHAINS),
        tune=TUNE,
        chains=CHAINS,
        cores=1,
        seed=seed,
        progress_bar=False,
    )
