"""Draws from the posterior that a landscape maps, by the method that the map decides on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from bayescape.arguments import check_choice, check_kind, check_number, check_progress, check_whole
from bayescape.evaluations import Counted, Evaluations
from bayescape.explore import explore
from bayescape.landscape.record import Landscape
from bayescape.progress import reporter
from bayescape.sample import audit
from bayescape.sample.adapt import Pilot, draw_until, settle
from bayescape.sample.chains import run_chains
from bayescape.sample.decision import (
    ATTEMPTS,
    COVERAGE_NEEDED,
    METHODS,
    POOL,
    TUNE,
    Decision,
    decide,
    judge,
)
from bayescape.sample.groups import GROUPS, further_groups, validate_groups
from bayescape.sample.importance import resample
from bayescape.sample.late import enlarge, in_order_of, renumbered, take_in, unknown_points
from bayescape.sample.membership import membership
from bayescape.sample.result import posterior_tree, versions
from bayescape.sample.superposition import harmonic_superposition, target_of
from bayescape.sample.unmapped import chains_without_map, warnings_without_map
from bayescape.targets.given import target_given
from bayescape.targets.target import Target

__all__ = ["sample"]

Array = NDArray[np.float64]

ENLARGEMENTS = 2  # of the map, by basins found late
POOL_LIMIT = 200  # points drawn per draw asked for, at most: past it another method is the answer


def sample(
    landscape: Landscape | Target | pm.Model,
    draws: int = 1000,
    method: str = "auto",
    *,
    ess: float | None = None,
    seed: int = 0,
    chains: int = 4,
    decision: Decision | None = None,
    groups: Sequence[str] = GROUPS,
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
    ess
        Effective sample size of the weighted points that the superposition's draws are chosen from,
        at least; by default twice ``draws``, so that choosing adds little error. What the points
        know, such as ``log_evidence`` and ``occupation``, has this size.
    seed
        The same seed gives the same draws.
    chains
        Chains; for the superposition, whose draws are independent, merely how they are laid out.
    decision
        One already made, whose pilot is reused; by default it is made here for ``"auto"``.
    groups
        What to add for targets that have it: ``"log_likelihood"``, ``"posterior_predictive"``.
    progress
        ``True``, ``False``, or a callable that is told what is going on.

    Returns
    -------
    xarray.DataTree
        ArviZ schema. ``posterior`` (natural units), ``unconstrained_posterior`` (``theta``),
        ``sample_stats`` (``energy`` in nats, ``basin``: the minimum that the draw quenches to, -1
        for none in the map, ``log_weight``: log target over superposition, and NUTS's own),
        ``minima`` (``theta``, ``energy``, ``late``: the minima that basins are numbered by, those
        of the map first and then any that were only found while sampling; give them to
        `bayescape.explore` as ``suspected`` to have them in the map too), ``observed_data``.
        Root attributes: ``method``, ``decision``, ``log_evidence`` and
        ``log_evidence_se`` (nats; by the superposition, NaN under the other methods),
        ``pareto_k``, ``occupation`` and ``occupation_se`` by minimum, ``evaluations`` by kind,
        ``seconds``, ``seed``, ``versions``, ``reliable`` (0 or 1) and ``warnings``; the composite
        ones in JSON.

    Raises
    ------
    ValueError
        If the method is unknown, the numbers are not positive, the map has no target, or the model
        is none that `bayescape.from_pymc` takes.

    Notes
    -----
    Where no minimum was found, or one whose basin has no width in double precision, the draws are
    by NUTS from the target's starts, and ``reliable`` is 0.

    ``log_likelihood`` and ``posterior_predictive`` are what ``pm.compute_log_likelihood`` and
    ``pm.sample_posterior_predictive`` give for a PyMC model; as there, its potentials are no part
    of them. For a Gaussian process they are the log densities of the rows each given all others,
    which is what leave-one-out cross-validation weighs, and measurements repeated at the same
    inputs. A group that the model cannot give is left out; the root's ``groups_left_out`` says why.
    """
    started = time.perf_counter()
    check_choice("method", method, (*METHODS, "auto"))
    for name, value, least in (("draws", draws, 1), ("chains", chains, 1), ("seed", seed, 0)):
        check_whole(name, value, least)
    if ess is not None:
        check_number("ess", ess, 0)
    if decision is not None:
        check_kind("decision", decision, Decision, "a Decision, as `decide` returns it")
    check_progress(progress)
    asked = validate_groups(groups)
    landscape = _mapped(landscape, seed, progress)
    counted = Counted(target_of(landscape))
    shape = (chains, -(-draws // chains))
    if landscape.minima.sizes["minimum"] == 0:
        return _unmapped(landscape, counted, shape, method, asked, seed, progress)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    wanted, d = POOL * draws if ess is None else ess, len(landscape.names)

    with reporter(progress, "sampling") as report:
        report(stage="pilot")
        spent = Evaluations()
        try:
            if method == "auto" and decision is None:
                decision = decide(landscape, ess=round(wanted), seed=seed, chains=chains)
                spent = decision.evaluations
            if decision is not None:
                pilot = decision.pilot
            else:
                pilot = settle(counted, harmonic_superposition(landscape), rng, ess=wanted)
        except (
            np.linalg.LinAlgError
        ):  # a minimum at the end of a funnel: no width in some direction
            return _unmapped(landscape, counted, shape, method, asked, seed, progress)
        given, mapping = landscape, Evaluations()
        for attempt in range(ENLARGEMENTS + 1):
            chosen = decision.method if method == "auto" and decision is not None else method
            report(stage=chosen)
            if chosen == "superposition":
                drawn = _by_superposition(counted, pilot, shape, wanted, rng)
            else:
                drawn = _by_chains(counted, pilot, shape, chosen == "jumps", seed, rng, report)
            pilot = drawn.pilot
            report(stage="looking for more basins")
            cost = landscape.evaluations + spent + counted.evaluations
            cheaply = unknown_points(counted, landscape, pilot, cost.gradient_equivalents(d), rng)
            larger = enlarge(landscape, cheaply)
            if larger is landscape or attempt == ENLARGEMENTS:
                report(stage="assigning basins")
                members = membership(
                    counted, drawn.points, drawn.weights, landscape, pilot.superposition, rng
                )
                stray = members.quenched & (members.basins < 0)
                larger = enlarge(landscape, drawn.points[stray]) if larger is landscape else larger
            if larger is landscape or attempt == ENLARGEMENTS:
                break
            mapping += larger.evaluations - landscape.evaluations
            pilot = take_in(counted, pilot, landscape, larger, rng)
            landscape = larger
            if decision is not None:
                decision = judge(landscape, pilot, round(wanted), chains, spent)

    theta, basins = drawn.points[drawn.picked], members.basins[drawn.picked]
    occupied = audit.occupation_of_draws(basins, members, drawn.effective)
    found = audit.map_warnings(landscape, members.unknown, COVERAGE_NEEDED)
    if larger is not landscape:
        found.append(
            f"Basins were found late {ENLARGEMENTS + 1} times: there may be more. Explore further."
        )
    if chosen == "superposition":
        found += audit.superposition_warnings(pilot, wanted)
    else:
        found += audit.chain_warnings(theta, drawn.stats.get("diverging"), landscape, pilot)
    if method == "auto" and decision is not None and not decision.valid:
        found.append("The decision found no method that it predicts to be right.")
    order = in_order_of(given, landscape)
    further, left_out = further_groups(counted.target, theta, asked, rng)
    return posterior_tree(
        counted.target,
        theta,
        {"basin": renumbered(basins, order), **drawn.stats},
        {
            "method": chosen,
            "decision": decision.asdict() if decision is not None else {},
            **drawn.attributes,
            "occupation": occupied.share[order].tolist(),
            "occupation_se": occupied.standard_error[order].tolist(),
            "evaluations": (counted.evaluations + spent).asdict(),
            "mapping_evaluations": (given.evaluations + mapping).asdict(),
            "seconds": time.perf_counter() - started,
            "seed": seed,
            "versions": versions(),
            "reliable": int(not found),
            "warnings": found,
            "groups_left_out": left_out,
        },
        further=further,
        minima=landscape.minima.isel(minimum=order),
        late=len(order) - given.minima.sizes["minimum"],
    )


def _mapped(
    given: Landscape | Target | pm.Model, seed: int, progress: bool | Callable[..., None]
) -> Landscape:
    """The map of whatever was given."""
    if isinstance(given, Landscape):
        return given
    target = target_given(given, "landscape", "a Landscape, a Target")
    return explore(target, seed=seed, progress=progress)


def _unmapped(
    landscape: Landscape,
    target: Counted,
    shape: tuple[int, int],
    method: str,
    asked: Sequence[str],
    seed: int,
    progress: bool | Callable[..., None],
) -> xr.DataTree:
    """The posterior where there is no map to draw by: by NUTS alone, and said to be."""
    started = time.perf_counter()
    if method not in ("auto", "hmc"):
        raise ValueError(
            "`method` must be 'auto' or 'hmc' where no minimum was found, or one without a width, "
            f"got {method!r}. {' '.join(landscape.warnings)}"
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    with reporter(progress, "sampling") as report:
        report(stage="hmc")
        run = chains_without_map(target, shape, int(rng.integers(2**31)), rng, report)
    flat = run.theta.reshape(-1, run.theta.shape[-1])
    stats = {"energy": target.energy(flat).reshape(shape), "basin": np.full(shape, -1), **run.stats}
    further, left_out = further_groups(target.target, run.theta, asked, rng)
    unknown = float("nan")
    return posterior_tree(
        target.target,
        run.theta,
        stats,
        {
            "method": "hmc",
            "decision": {},
            "log_evidence": unknown,
            "log_evidence_se": unknown,
            "pareto_k": unknown,
            "occupation": [],
            "occupation_se": [],
            "evaluations": target.evaluations.asdict(),
            "mapping_evaluations": landscape.evaluations.asdict(),
            "seconds": time.perf_counter() - started,
            "seed": seed,
            "versions": versions(),
            "reliable": 0,
            "warnings": warnings_without_map(landscape, run),
            "groups_left_out": left_out,
        },
        minima=landscape.minima,
        late=0,
        further=further,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Drawn:
    """What a method drew: points ``(N, d)``, their weights, and those picked, ``(chain, draw)``.

    ``effective`` is the effective number of the points, ``None`` where it differs by question.
    """

    points: Array
    weights: Array
    picked: NDArray[np.int_]
    stats: dict[str, Array]
    attributes: dict[str, Any]
    effective: float | None
    pilot: Pilot


def _by_superposition(
    target: Counted, pilot: Pilot, shape: tuple[int, int], wanted: float, rng: np.random.Generator
) -> _Drawn:
    """Equally weighted draws from all points that the adaptation has paid for, and goes on to."""
    draws = shape[0] * shape[1]
    pilot = draw_until(target, pilot, wanted, round(POOL_LIMIT * max(wanted, draws)), rng)
    weighted, theta, energies = pilot.weighted, pilot.theta, pilot.energies
    inside = np.isfinite(weighted.log_ratio)
    if not inside.any():
        raise ValueError("no point drawn from the superposition lies in the target's domain")
    # Alike: the same component, and a similar energy within it.
    superposition = pilot.superposition
    component = superposition.component_log_prob(theta).argmax(axis=1)
    rank = np.argsort(np.argsort(np.where(inside, energies, np.inf))) / len(energies)
    picked = resample(weighted.weights, component + rank, draws, rng).reshape(shape)
    log_density = superposition.log_prob(theta[picked.ravel()]).reshape(shape)
    return _Drawn(
        points=theta,
        weights=weighted.weights,
        picked=picked,
        stats={"energy": energies[picked], "log_weight": -energies[picked] - log_density},
        attributes={
            "log_evidence": weighted.log_evidence,
            "log_evidence_se": weighted.log_evidence_se,
            "pareto_k": weighted.pareto_k,
            "ess": weighted.ess,
            "effective_draws": 1 / (1 / draws + 1 / weighted.ess),
        },
        effective=weighted.ess,
        pilot=pilot,
    )


def _by_chains(
    target: Counted,
    pilot: Pilot,
    shape: tuple[int, int],
    jumps: bool,
    seed: int,
    rng: np.random.Generator,
    report: Callable[..., None],
) -> _Drawn:
    """NUTS, with jumps or without, from starts that the pilot's weights spread over the basins."""
    chains, draws = shape
    superposition, theta = pilot.superposition, pilot.theta
    component = superposition.component_log_prob(theta).argmax(axis=1)
    at = resample(pilot.weighted.weights, component.astype(float), chains, rng)
    run = run_chains(
        target,
        superposition,
        theta[at],
        draws=draws,
        tune=TUNE,
        jumps=jumps,
        seed=int(rng.integers(2**31)),
        attempts=ATTEMPTS,
        report=report,
    )
    points = run.theta.reshape(chains * draws, -1)
    energies = target.energy(points)
    log_weight = -energies - superposition.log_prob(points)
    return _Drawn(
        points=points,
        weights=np.full(len(points), 1 / len(points)),
        picked=np.arange(len(points)).reshape(shape),
        stats={
            "energy": energies.reshape(shape),
            "log_weight": log_weight.reshape(shape),
            **run.stats,
        },
        attributes={
            "log_evidence": float("nan"),
            "log_evidence_se": float("nan"),
            "pareto_k": pilot.weighted.pareto_k,
        },
        effective=None,
        pilot=pilot,
    )
