"""Draws from the posterior that a landscape maps, by the method that the map decides on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pymc as pm
import xarray as xr

from bayescape.arguments import check_choice, check_kind, check_number, check_progress, check_whole
from bayescape.evaluations import Counted
from bayescape.explore import explore
from bayescape.landscape.record import Landscape
from bayescape.progress import reporter
from bayescape.sample import audit
from bayescape.sample.decision import COVERAGE_NEEDED, METHODS, POOL, Decision
from bayescape.sample.drawing import ENLARGEMENTS, Asked, begin, draw
from bayescape.sample.groups import further_groups, validate_groups
from bayescape.sample.late import in_order_of, renumbered
from bayescape.sample.nutpie_chains import require_nutpie
from bayescape.sample.result import posterior_tree, versions
from bayescape.sample.superposition import target_of
from bayescape.sample.tails import tail_warnings
from bayescape.sample.unmapped import chains_without_map, warnings_without_map
from bayescape.targets.given import target_given
from bayescape.targets.target import Target

__all__ = ["sample"]


def sample(
    landscape: Landscape | Target | pm.Model,
    draws: int = 1000,
    method: str = "auto",
    *,
    ess: float | None = None,
    seed: int = 0,
    chains: int = 4,
    nuts: str = "pymc",
    decision: Decision | None = None,
    groups: Sequence[str] | None = None,
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
    nuts
        Who runs NUTS for ``"hmc"``: ``"pymc"``, or ``"nutpie"``, which is faster and is installed
        by ``pip install bayescape[nutpie]``. Jumps are always run by PyMC.
    decision
        One already made, whose pilot is reused; by default it is made here for ``"auto"``.
    groups
        What to add for targets that have it: ``"log_likelihood"``, ``"posterior_predictive"``. By
        default the first up to 500 observations and the second up to 200: for a Gaussian process
        they cost as much as three and nine evaluations of each draw.
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
    ImportError
        If nutpie is asked for and not installed.
    ValueError
        If the method is unknown, the numbers are not positive, the map has no target, the model is
        none that `bayescape.from_pymc` takes, or chains run away from the map and do not come back,
        as those of a density without an integral do.

    Notes
    -----
    Where no minimum was found, or one whose basin has no width in double precision, the draws are
    by PyMC's NUTS from the target's starts, in coordinates in which its ``bounds`` are infinitely
    far away, and ``reliable`` is 0.

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
    check_choice("nuts", nuts, ("pymc", "nutpie"))
    if nuts == "nutpie":
        require_nutpie()
    if ess is not None:
        check_number("ess", ess, 0)
    if decision is not None:
        check_kind("decision", decision, Decision, "a Decision, as `decide` returns it")
    check_progress(progress)
    validate_groups(groups)
    landscape = _mapped(landscape, seed, progress)
    counted = Counted(target_of(landscape))
    wanted = POOL * draws if ess is None else ess
    asked = Asked(method, nuts, (chains, -(-draws // chains)), wanted, seed)
    if landscape.minima.sizes["minimum"] == 0:
        return _unmapped(landscape, counted, asked, groups, progress)
    rng = _generator(seed)
    with reporter(progress, "sampling") as report:
        report(stage="pilot")
        try:
            begun = begin(landscape, counted, asked, decision, rng)
        except np.linalg.LinAlgError:
            # A minimum at the end of a funnel: no width in some direction.
            return _unmapped(landscape, counted, asked, groups, progress)
        done = draw(landscape, counted, asked, begun, rng, report)

    given, drawn, members = landscape, done.drawn, done.members
    theta, basins = drawn.points[drawn.picked], members.basins[drawn.picked]
    occupied = audit.occupation_of_draws(basins, members, drawn.effective)
    found = tail_warnings(begun.slow)
    found += audit.map_warnings(done.landscape, members.unknown, COVERAGE_NEEDED)
    if done.more:
        found.append(
            f"Basins were found late {ENLARGEMENTS + 1} times: there may be more. Explore further."
        )
    if done.method == "superposition":
        found += audit.superposition_warnings(drawn.pilot, wanted)
        flat, names = theta.reshape(-1, theta.shape[-1]), given.names
        found += audit.draws_against_weights(flat, drawn.points, drawn.weights, names)
    else:
        diverging = drawn.stats.get("diverging")
        found += audit.chain_warnings(theta, diverging, done.landscape, drawn.pilot)
    if method == "auto" and done.decision is not None and not done.decision.valid:
        found.append("The decision found no method that it predicts to be right.")
    order = in_order_of(given, done.landscape)
    further, left_out = further_groups(counted.target, theta, groups, rng)
    return posterior_tree(
        counted.target,
        theta,
        {"basin": renumbered(basins, order), **drawn.stats},
        {
            "method": done.method,
            "decision": done.decision.asdict() if done.decision is not None else {},
            **drawn.attributes,
            "occupation": occupied.share[order].tolist(),
            "occupation_se": occupied.standard_error[order].tolist(),
            "evaluations": (counted.evaluations + begun.spent).asdict(),
            "mapping_evaluations": (given.evaluations + done.mapping).asdict(),
            "seconds": time.perf_counter() - started,
            "seed": seed,
            "versions": versions(),
            "reliable": int(not found),
            "warnings": found,
            "groups_left_out": left_out,
        },
        further=further,
        minima=done.landscape.minima.isel(minimum=order),
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


def _generator(seed: int) -> np.random.Generator:
    """Random numbers of its own for sampling: the exploration has the same seed."""
    return np.random.default_rng(np.random.SeedSequence([seed, 2]))


def _unmapped(
    landscape: Landscape,
    target: Counted,
    asked: Asked,
    groups: Sequence[str] | None,
    progress: bool | Callable[..., None],
) -> xr.DataTree:
    """The posterior where there is no map to draw by: by NUTS alone, and said to be."""
    started = time.perf_counter()
    if asked.method not in ("auto", "hmc"):
        raise ValueError(
            "`method` must be 'auto' or 'hmc' where no minimum was found, or one without a width, "
            f"got {asked.method!r}. {' '.join(landscape.warnings)}"
        )
    rng = _generator(asked.seed)
    with reporter(progress, "sampling") as report:
        report(stage="hmc")
        run = chains_without_map(target, asked.shape, int(rng.integers(2**31)), rng, report)
    flat = run.theta.reshape(-1, run.theta.shape[-1])
    stats = {
        "energy": target.energy(flat).reshape(asked.shape),
        "basin": np.full(asked.shape, -1),
        **run.stats,
    }
    further, left_out = further_groups(target.target, run.theta, groups, rng)
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
            "seed": asked.seed,
            "versions": versions(),
            "reliable": 0,
            "warnings": warnings_without_map(landscape, run),
            "groups_left_out": left_out,
        },
        minima=landscape.minima,
        late=0,
        further=further,
    )
