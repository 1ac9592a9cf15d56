"""What single minima, ensembles of them and posteriors are worth on fresh rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import bayescape as bs
from bayescape.evaluations import Counted
from bayescape.explore.quench import quench
from bayescape.landscape.harmonic import occupation
from bayescape.landscape.passes import disconnectivity_tree
from bayescape.predict.ensembles import ENSEMBLES
from bayescape.predict.improvements import improvements, losses
from bayescape.predict.predictions import Predictions, predictions_at
from bayescape.sample.adapt import draw_until
from bayescape.sample.importance import resample
from bayescape.sample.pilot import Pilot

__all__ = ["funnels", "gains", "of_minima", "peaks", "restarts", "superposed"]

Array = NDArray[np.float64]

DRAWS = 200  # of the superposition, to predict with
SAME = 1e-3  # distance of two ends of a quench that are one, in logarithms of hyperparameters


def gains(
    landscape: bs.Landscape, X: Array, y: Array, others: dict[str, Predictions] | None = None
) -> dict[str, Any]:
    """What each kind of ensemble gains over the single best minimum, and each minimum's loss.

    Returns ``gains`` by predictor: the reduction of the RMSE in per cent, of the NLPD in nats and
    of the CRPS in per cent, the RMSE being the means' and the others the mixtures'; and ``mse``,
    the mean squared error of every minimum as a share of the variance of ``y``.
    """
    each = of_minima(landscape, X)
    best = losses(_weighted(each, bs.ensemble_weights(landscape, "best")), y)
    found = {name: _weighted(each, weights) for name, weights in _weights(landscape).items()} | (
        others or {}
    )
    columns = ("improvement_rmse_percent", "improvement_nlpd", "improvement_crps_percent")
    result = {}
    for name, predictions in found.items():
        gained = improvements(losses(predictions, y), best)
        result[name] = [gained[column] for column in columns]
    mse = ((each.means - y) ** 2).mean(axis=1) / y.var()
    return {"gains": result, "mse": mse.tolist()}


def of_minima(landscape: bs.Landscape, X: Array) -> Predictions:
    """Predictions of all minima, alike."""
    return predictions_at(landscape.target, landscape.minima["theta"].values, X)


def peaks(landscape: bs.Landscape) -> list[dict[str, Any]]:
    """Peaks of the heat capacity, highest first, and the minima that they lead from and to.

    ``share`` is how much of the occupation that changes there goes by these two alone.
    """
    found = bs.thermodynamics(landscape, np.geomspace(0.01, 100, 241))
    heat, slopes = found["heat_capacity"].values, found["occupation_slope"].values
    at = np.flatnonzero((heat[1:-1] > heat[:-2]) & (heat[1:-1] > heat[2:])) + 1
    result = []
    for k in sorted(at, key=lambda k: -heat[k]):
        slope = slopes[k]
        moved = np.abs(slope).sum()
        result.append(
            {
                "temperature": float(found["temperature"].values[k]),
                "excess": float(heat[k] - 0.5 * len(landscape.names)),
                "from": int(slope.argmin()),
                "to": int(slope.argmax()),
                "share": float((slope.max() - slope.min()) / moved) if moved > 0 else 1.0,
            }
        )
    return result


def funnels(landscape: bs.Landscape, barrier: float) -> dict[str, float]:
    """How multi-funnelled a map is, by its disconnectivity tree.

    ``count``: parts that are left where a superbasin that a barrier of less than ``barrier`` nats
    separates from a deeper one is one with it; ``effective``: the exponential of the entropy of
    their harmonic occupations, so how many of them matter. With no barrier the parts are minima.
    """
    tree = disconnectivity_tree(landscape)
    energies = landscape.minima["energy"].values
    funnel = list(range(len(energies)))  # by minimum: the lowest of its funnel
    for node in tree[len(energies) :]:
        low, high = (min(tree[child].minima) for child in node.children)
        if node.energy - energies[high] < barrier:
            # Only what is still one with its own lowest minimum goes: deep parts below it stay.
            funnel = [low if own == high else own for own in funnel]
    shares = occupation(energies, landscape.minima["hessian"].values)
    parts = np.array([shares[np.array(funnel) == own].sum() for own in sorted(set(funnel))])
    parts = parts[parts > 0]
    return {"count": len(set(funnel)), "effective": float(np.exp(-(parts * np.log(parts)).sum()))}


def restarts(landscape: bs.Landscape, X: Array, rng: np.random.Generator) -> Predictions | None:
    """A uniform ensemble of as many optimisations from random starts as the map has minima.

    What one would do without a map: each runs to a minimum, and they may come to the same one.
    """
    target, count = landscape.target, landscape.minima.sizes["minimum"]
    ends = quench(target, target.starts(3 * count, rng))
    good = ends.theta[np.asarray(ends.status) == 0][:count]
    return predictions_at(target, good, X) if len(good) else None


def superposed(
    landscape: bs.Landscape, pilot: Pilot, X: Array, rng: np.random.Generator, ess: float = 1000
) -> tuple[Predictions, Pilot, int]:
    """Predictions of the superposition posterior, its final pilot, and values it cost beyond."""
    counted = Counted(landscape.target)
    pilot = draw_until(counted, pilot, ess, 40_000, rng)
    weights = pilot.weighted.weights
    picked = resample(weights, np.arange(len(weights), dtype=float), DRAWS, rng)
    predictions = predictions_at(landscape.target, pilot.theta[picked], X)
    return predictions, pilot, counted.evaluations.value


def _weights(landscape: bs.Landscape) -> dict[str, Array]:
    """Weights of every kind, at temperature 1 or as their name says."""
    found = {kind: bs.ensemble_weights(landscape, kind) for kind in ENSEMBLES if kind != "best"}
    for method in ("cross_validation", "heat_capacity"):
        found[f"occupation_{method}"] = bs.ensemble_weights(
            landscape, "occupation", temperature=method
        )
    pair = np.zeros(landscape.minima.sizes["minimum"])
    highest = peaks(landscape)[:1]
    pair[[highest[0]["from"], highest[0]["to"]] if highest else [0]] = 1.0
    return found | {"pair_at_peak": pair / pair.sum()}


def _weighted(each: Predictions, weights: Array) -> Predictions:
    used = weights > 0
    return Predictions(each.means[used], each.variances[used], weights[used])
