"""Draws from the posterior that a landscape maps, by the method that the map decides on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from bayescape.evaluations import Counted, Evaluations
from bayescape.explore import explore
from bayescape.explore.basins import assign_basins
from bayescape.landscape.record import Landscape
from bayescape.progress import reporter
from bayescape.sample import audit
from bayescape.sample.adapt import Pilot, fit
from bayescape.sample.chains import run_chains
from bayescape.sample.decision import (
    ATTEMPTS,
    COVERAGE_NEEDED,
    METHODS,
    POOL,
    TUNE,
    Decision,
    decide,
)
from bayescape.sample.importance import Weighted, resample, weigh
from bayescape.sample.result import posterior_tree, versions
from bayescape.sample.superposition import harmonic_superposition, target_of
from bayescape.targets.pymc_density import from_pymc
from bayescape.targets.target import Target

__all__ = ["sample"]

Array = NDArray[np.float64]

POOL_LIMIT = 200  # points drawn per draw asked for, at most: past it another method is the answer


def sample(
    landscape: Landscape | Target | pm.Model,
    draws: int = 1000,
    method: str = "auto",
    *,
    seed: int = 0,
    chains: int = 4,
    decision: Decision | None = None,
    progress: bool | Callable[..., None] = True,
) -> xr.DataTree:
    """Draw from the posterior, and say whether the draws can be relied on.

    Parameters
    ----------
    landscape
        A map with its target, by `bayescape.explore`. Or a target, or a PyMC model, which is
        explored first, with the same seed: ``sample(model)`` is what to call where one would call
        ``pm.sample(model=model)`` and fears that there are several modes.
    draws
        Draws in all, over the chains together, rounded up to a multiple of ``chains``.
    method
        ``"superposition"``: importance sampling from the fitted superposition, resampled to equal
        weights; ``"hmc"``: PyMC's NUTS, started and scaled from the map; ``"jumps"``: NUTS with
        superposition jumps; ``"auto"``: the method that `bayescape.decide` chooses.
    seed
        The same seed gives the same draws.
    chains
        Chains; for the superposition, whose draws are independent, merely how they are laid out.
    decision
        One already made, whose pilot is reused; by default it is made here for ``"auto"``.
    progress
        ``True``, ``False``, or a callable that is told what is going on.

    Returns
    -------
    xarray.DataTree
        ArviZ schema. ``posterior`` (natural units), ``unconstrained_posterior`` (``theta``),
        ``sample_stats`` (``energy`` in nats, ``basin``: the minimum that the draw quenches to, -1
        for none in the map, ``log_weight``: log target over superposition, and NUTS's own),
        ``observed_data``. Root attributes: ``method``, ``decision``, ``log_evidence`` and
        ``log_evidence_se`` (nats; by the superposition, NaN under the other methods),
        ``pareto_k``, ``occupation`` and ``occupation_se`` by minimum, ``evaluations`` by kind,
        ``seconds``, ``seed``, ``versions``, ``reliable`` (0 or 1) and ``warnings``; the composite
        ones in JSON.

    Raises
    ------
    ValueError
        If the method is unknown, the numbers are not positive, the map has no target or no
        minimum, or the model is none that `bayescape.from_pymc` takes.
    """
    started = time.perf_counter()
    if method not in (*METHODS, "auto"):
        raise ValueError(f"`method` must be one of {(*METHODS, 'auto')}, got {method!r}")
    if draws < 1 or chains < 1:
        raise ValueError(f"`draws` and `chains` must be at least 1, got {draws} and {chains}")
    landscape = _mapped(landscape, seed, progress)
    counted = Counted(target_of(landscape))
    per_chain = -(-draws // chains)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))

    with reporter(progress, "sampling") as report:
        report(stage="pilot")
        spent = Evaluations()
        if method == "auto" and decision is None:
            decision = decide(landscape, ess=draws, seed=seed, chains=chains)
            spent = decision.evaluations
        if decision is not None:
            pilot = decision.pilot
        else:
            pilot = fit(counted, harmonic_superposition(landscape), rng)
        chosen = decision.method if method == "auto" and decision is not None else method

        report(stage=chosen)
        if chosen == "superposition":
            theta, stats, attributes, effective, found = _superposition_draws(
                counted, pilot, per_chain * chains, rng
            )
            theta = theta.reshape(chains, per_chain, -1)
            stats = {name: value.reshape(chains, per_chain) for name, value in stats.items()}
        else:
            theta, stats, attributes = _chain_draws(
                counted, pilot, per_chain, chains, chosen == "jumps", seed, rng, report
            )
            effective, found = None, []

        report(stage="assigning basins")
        basins = assign_basins(counted, theta.reshape(-1, theta.shape[-1]), landscape)
        basins = basins.reshape(theta.shape[:2])
        if chosen != "superposition":
            found = audit.chain_warnings(theta, basins, stats.get("diverging"), landscape, pilot)
    occupied = audit.occupation_of_draws(basins, landscape.minima.sizes["minimum"], effective)
    found = audit.map_warnings(landscape, basins, COVERAGE_NEEDED) + found
    if method == "auto" and decision is not None and not decision.valid:
        found.append("The decision found no method that it predicts to be right.")
    return posterior_tree(
        counted.target,
        theta,
        {"basin": basins, **stats},
        {
            "method": chosen,
            "decision": decision.asdict() if decision is not None else {},
            **attributes,
            "occupation": occupied.share.tolist(),
            "occupation_se": occupied.standard_error.tolist(),
            "evaluations": (counted.evaluations + spent).asdict(),
            "mapping_evaluations": landscape.evaluations.asdict(),
            "seconds": time.perf_counter() - started,
            "seed": seed,
            "versions": versions(),
            "reliable": int(not found),
            "warnings": found,
        },
    )


def _mapped(
    given: Landscape | Target | pm.Model, seed: int, progress: bool | Callable[..., None]
) -> Landscape:
    """The map of whatever was given."""
    if isinstance(given, Landscape):
        return given
    target = from_pymc(given) if isinstance(given, pm.Model) else given
    if not isinstance(target, Target):
        raise ValueError(
            f"`landscape` must be a Landscape, a Target or a pymc.Model, got {type(given).__name__}"
        )
    landscape = explore(target, seed=seed, progress=progress)
    if landscape.minima.sizes["minimum"] == 0:
        raise ValueError(
            f"no minimum was found to draw from. {' '.join(landscape.warnings)} A density that "
            "rises without end has none: that of a hierarchical model in centred form does, "
            "towards a spread of zero; its non-centred form does not"
        )
    return landscape


def _superposition_draws(
    target: Counted, pilot: Pilot, draws: int, rng: np.random.Generator
) -> tuple[Array, dict[str, Array], dict[str, Any], float, list[str]]:
    """Importance sampling from the fitted mixture, which is fixed before the first point drawn.

    The pilot's points chose the mixture, so they are left out: what remains is independent of
    every choice, and the evidence is unbiased.
    """
    superposition, wanted = pilot.superposition, POOL * draws
    theta, energies = np.empty((0, pilot.theta.shape[1])), np.empty(0)
    efficiency = max(pilot.weighted.efficiency, 1e-3)
    weighted: Weighted | None = None
    while weighted is None or (weighted.ess < wanted and len(theta) < POOL_LIMIT * draws):
        missing = (wanted - (weighted.ess if weighted else 0)) / efficiency
        # A tenth more than predicted, and enough for a tail to be fitted.
        fresh = int(min(max(1.1 * missing, 200), POOL_LIMIT * draws))
        theta = np.concatenate([theta, superposition.sample(fresh, rng)])
        energies = np.concatenate([energies, target.energy(theta[-fresh:])])
        weighted = weigh(-energies - superposition.log_prob(theta))
        efficiency = max(weighted.efficiency, 1e-3)

    inside = np.isfinite(weighted.log_ratio)
    if not inside.any():
        raise ValueError("no point drawn from the superposition lies in the target's domain")
    # Alike: the same component, and a similar energy within it.
    component = superposition.component_log_prob(theta).argmax(axis=1)
    rank = np.argsort(np.argsort(np.where(inside, energies, np.inf))) / len(energies)
    picked = resample(weighted.weights, component + rank, draws, rng)
    stats = {"energy": energies[picked], "log_weight": weighted.log_ratio[picked]}
    effective = 1 / (1 / draws + 1 / weighted.ess)
    attributes = {
        "log_evidence": weighted.log_evidence,
        "log_evidence_se": weighted.log_evidence_se,
        "pareto_k": weighted.pareto_k,
        "ess": weighted.ess,
        "effective_draws": effective,
    }
    found = audit.superposition_warnings(weighted, pilot.weighted, draws)
    return theta[picked], stats, attributes, effective, found


def _chain_draws(
    target: Counted,
    pilot: Pilot,
    draws: int,
    chains: int,
    jumps: bool,
    seed: int,
    rng: np.random.Generator,
    report: Callable[..., None],
) -> tuple[Array, dict[str, Array], dict[str, Any]]:
    """NUTS, with jumps or without, from starts that the pilot's weights spread over the basins."""
    superposition = pilot.superposition
    component = superposition.component_log_prob(pilot.theta).argmax(axis=1)
    at = resample(pilot.weighted.weights, component.astype(float), chains, rng)
    run = run_chains(
        target,
        superposition,
        pilot.theta[at],
        draws=draws,
        tune=TUNE,
        jumps=jumps,
        seed=int(rng.integers(2**31)),
        attempts=ATTEMPTS,
        report=report,
    )
    flat = run.theta.reshape(-1, run.theta.shape[-1])
    energies = target.energy(flat)
    log_weight = -energies - superposition.log_prob(flat)
    stats = {
        "energy": energies.reshape(chains, draws),
        "log_weight": log_weight.reshape(chains, draws),
        **run.stats,
    }
    attributes = {
        "log_evidence": float("nan"),
        "log_evidence_se": float("nan"),
        "pareto_k": pilot.weighted.pareto_k,
    }
    return run.theta, stats, attributes
