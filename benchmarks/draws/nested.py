"""Nested samplers of others, on the compiled likelihood: nautilus and dynesty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.draws.outcome import Capped, Clock, Drawn, Spent, Unavailable
from tests.reference import gp_posteriors
from tests.reference.catalogue import Posterior
from tests.reference.catalogue.gaussian_processes import PROBLEMS
from tests.reference.catalogue.gp_truth import from_prior

__all__ = ["dynesty_sampling", "nautilus_sampling"]

Array = NDArray[np.float64]


def nautilus_sampling(posterior: Posterior, wanted: float, seed: int, most: float) -> Drawn:
    """Nautilus with its own settings, until it has the effective sample size."""
    try:
        import nautilus
    except ImportError as error:
        raise Unavailable(
            "nautilus is not installed; `pip install nautilus-sampler` brings it, or leave it out "
            "by --methods"
        ) from error
    target = Capped(posterior.make(), most)
    transform, volume = unit_cube(posterior.name)
    clock = Clock()
    sampler = nautilus.Sampler(
        transform,
        target.log_likelihood,
        len(target.names),
        vectorized=True,
        seed=seed,
    )
    try:
        whole = sampler.run(n_eff=wanted, n_like_max=round(2 * most))
    except Spent as spent:
        return Drawn(None, target.evaluations, **clock.read(), stopped=str(spent))
    theta, log_w, _ = sampler.posterior()
    return Drawn(
        _equal(theta, log_w, wanted, seed),
        target.evaluations,
        **clock.read(),
        effective=float(sampler.n_eff),
        log_evidence=float(sampler.log_z) + volume,
        stopped="" if whole else "the cap on evaluations was reached",
    )


def dynesty_sampling(posterior: Posterior, wanted: float, seed: int, most: float) -> Drawn:
    """Dynesty's dynamic sampler with its own settings, until it has the effective sample size."""
    try:
        import dynesty
    except ImportError as error:
        raise Unavailable(
            "dynesty is not installed; `pip install dynesty` brings it, or leave it out by "
            "--methods"
        ) from error
    target = Capped(posterior.make(), most)
    transform, volume = unit_cube(posterior.name)
    clock = Clock()
    sampler = dynesty.DynamicNestedSampler(
        lambda x: float(target.log_likelihood(np.asarray(x)[None])[0]),
        transform,
        len(target.names),
        rstate=np.random.default_rng(seed),
    )
    try:
        sampler.run_nested(n_effective=round(wanted), print_progress=False)
    except Spent as spent:
        return Drawn(None, target.evaluations, **clock.read(), stopped=str(spent))
    results = sampler.results
    log_w = results.logwt - results.logz[-1]
    weights = np.exp(log_w)
    return Drawn(
        _equal(results.samples, log_w, wanted, seed),
        target.evaluations,
        **clock.read(),
        effective=float(weights.sum() ** 2 / (weights**2).sum()),
        log_evidence=float(results.logz[-1]) + volume,
        log_evidence_se=float(results.logzerr[-1]),
    )


def unit_cube(name: str) -> tuple[Callable[[Array], Array], float]:
    """Prior draws from uniform ones, and what a flat prior between walls adds to log evidence."""
    known: dict[str, Any] = {"gp-reference": gp_posteriors.schwefel, "gp-nile": gp_posteriors.nile}
    if name in known:
        before = known[name]()
        return lambda u: before.location + before.width * special.ndtri(u), 0.0
    (problem,) = (p for p in PROBLEMS if p.name == name)
    energy = problem.energy()
    flat = [i for i, prior in enumerate(energy.priors) if prior is None]
    widths = energy.walls[1, flat] - energy.walls[0, flat]
    return lambda u: from_prior(energy, np.asarray(u)), float(np.log(widths).sum())


def _equal(theta: Array, log_w: Array, wanted: float, seed: int) -> Array:
    """Equally weighted draws as one chain ``(1, draw, d)``, by systematic resampling."""
    weights = np.exp(log_w - log_w.max())
    cumulative = np.cumsum(weights / weights.sum())
    count = round(4 * wanted)
    ranks = (np.arange(count) + np.random.default_rng(seed).uniform()) / count
    return theta[np.searchsorted(cumulative, ranks).clip(max=len(theta) - 1)][None]
