"""One regression problem: its map, what is foretold and decided from that, and what comes true."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import bayescape as bs
from bayescape.predict.improvements import losses
from bayescape.predict.predictions import predictions_at, thinned_draws
from bayescape.sample.decision import _relaxation_draws
from benchmarks.seed.problems import Problem
from benchmarks.seed.scoring import funnels, gains, peaks, superposed

__all__ = ["by_order", "by_problem", "by_sampler"]

BARRIERS = (0.0, 1.0, 3.0)  # nats, above which two parts of a map are two funnels
QUENCHES = 200  # scattered starts at most: 5 and 6 inputs have maps without end


def by_problem(problem: Problem) -> dict[str, Any]:
    """Foretold and actual gains of ensembles, the decision, and what the superposition cost."""
    started = time.perf_counter()
    X, y, X_test, y_test = problem.data()
    landscape = _explored(bs.GaussianProcess(X, y, nu=problem.nu))
    decision = bs.decide(landscape, seed=problem.draw)
    rng = np.random.default_rng([1, problem.draw])
    predictions, pilot, values = superposed(landscape, decision.pilot, X_test, rng)
    foretold = bs.ensemble_gain(landscape)
    columns = ["ambiguity_percent", "improvement_rmse_percent", "improvement_nlpd"]
    scored = gains(landscape, X_test, y_test, {"superposition": predictions})
    return {
        "nu": problem.nu,
        "rows": problem.rows,
        "inputs": problem.inputs,
        "minima": landscape.minima.sizes["minimum"],
        "transition_states": landscape.transition_states.sizes["transition_state"],
        "coverage": landscape.coverage,
        "funnels": {barrier: funnels(landscape, barrier) for barrier in BARRIERS},
        "mapping": landscape.evaluations.gradient_equivalents(len(landscape.names)),
        "foretold": {str(kind): row.tolist() for kind, row in foretold[columns].iterrows()},
        **scored,
        "peaks": peaks(landscape)[:3],
        "decision": decision.asdict(),
        "relaxation": _relaxation_draws(landscape, decision.pilot.superposition),
        "superposition": {
            "values": decision.evaluations.value + values,
            "ess": pilot.weighted.ess,
            "pareto_k": pilot.weighted.pareto_k,
            "usable": pilot.weighted.usable,
        },
        "warnings": list(landscape.warnings),
        "seconds": time.perf_counter() - started,
    }


def by_order(problem: Problem, orders: tuple[float | str, ...]) -> dict[str, Any]:
    """Held-out scores of the posterior with the order fixed, and with the order sampled."""
    started = time.perf_counter()
    X, y, X_test, y_test = problem.data()
    result = {}
    for nu in orders:
        landscape = _explored(bs.GaussianProcess(X, y, nu=nu))
        pilot = bs.decide(landscape, seed=problem.draw).pilot
        rng = np.random.default_rng([2, problem.draw])
        predictions, pilot, values = superposed(landscape, pilot, X_test, rng)
        lost = losses(predictions, y_test)
        weighted = pilot.weighted
        result[str(nu)] = {
            "nlpd": float(lost["nlpd"].mean()),
            "rmse": float(np.sqrt(lost["rmse"].mean()) / y_test.std()),
            "best_nlpd": float(_of_best(landscape, X_test, y_test)),
            "minima": landscape.minima.sizes["minimum"],
            "mapping": landscape.evaluations.gradient_equivalents(len(landscape.names)),
            "values": values,
            "log_evidence": weighted.log_evidence,
            "ess": weighted.ess,
            "pareto_k": weighted.pareto_k,
        }
        if nu == "free":
            where = landscape.names.index("log_nu")
            order = np.argsort(pilot.theta[:, where])
            levels = np.cumsum(weighted.weights[order])
            picked = order[np.searchsorted(levels, [0.05, 0.5, 0.95])]
            result[str(nu)]["nu_quantiles"] = np.exp(pilot.theta[picked, where]).tolist()
    return {
        "orders": result,
        "rows": problem.rows,
        "inputs": problem.inputs,
        "seconds": time.perf_counter() - started,
    }


def by_sampler(problem: Problem) -> dict[str, Any]:
    """All samplers on one map: what they cost, and whether the basins have their due shares."""
    started = time.perf_counter()
    X, y, X_test, y_test = problem.data()
    landscape = _explored(bs.GaussianProcess(X, y, nu=problem.nu))
    decision = bs.decide(landscape, seed=problem.draw)
    result = {}
    for method in ("superposition", "hmc", "jumps"):
        posterior = bs.sample(landscape, 1000, method=method, seed=problem.draw, progress=False)
        attributes = posterior.attrs
        drawn = predictions_at(landscape.target, thinned_draws(posterior, 200), X_test)
        result[method] = {
            "reliable": attributes["reliable"],
            "occupation": attributes["occupation"],
            "occupation_se": attributes["occupation_se"],
            "evaluations": attributes["evaluations"],
            "nlpd": float(losses(drawn, y_test)["nlpd"].mean()),
            "seconds": attributes["seconds"],
        }
    return {
        "nu": problem.nu,
        "minima": landscape.minima.sizes["minimum"],
        "funnels": {barrier: funnels(landscape, barrier) for barrier in BARRIERS},
        "decision": decision.asdict(),
        "samplers": result,
        "seconds": time.perf_counter() - started,
    }


def _explored(target: bs.GaussianProcess) -> bs.Landscape:
    return bs.explore(target, seed=0, progress=False, max_quenches=QUENCHES)


def _of_best(landscape: bs.Landscape, X: np.ndarray, y: np.ndarray) -> float:
    best = predictions_at(landscape.target, landscape.minima["theta"].values[:1], X)
    return losses(best, y)["nlpd"].mean()
