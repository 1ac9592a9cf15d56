"""All minima of Schwefel data along the Matern order: followed, mapped afresh, and clustered."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

import bayescape as bs
from bayescape.evaluations import Evaluations
from benchmarks.seed.answers import branches_of_clusters
from benchmarks.seed.problems import FRESH, schwefel
from benchmarks.seed.scoring import funnels, gains, peaks, restarts, superposed

__all__ = ["GRID", "clustered", "draw_of", "family_of", "follow", "map_some", "misassigned"]

Array = NDArray[np.float64]

GRID = np.round(np.arange(0.5, 5.01, 0.1), 10)
BEGUN = (0, len(GRID) - 1)  # positions of the maps that following begins from
EVERY = 5  # points of the grid between those where restarts and posteriors are compared too
QUENCHES = 400  # scattered starts at most: in four dimensions they find ever more
SAME = 1e-3  # distance of two minima that are one, in logarithms of hyperparameters


def draw_of(inputs: int, rows: int, draw: int) -> tuple[Array, Array, Array, Array]:
    """Training and test rows of Schwefel's function, without noise."""
    rng = np.random.default_rng([inputs, rows, draw])
    X, fresh = rng.uniform(-500, 500, (rows, inputs)), rng.uniform(-500, 500, (FRESH, inputs))
    return X, schwefel(X), fresh, schwefel(fresh)


def family_of(X: Array, y: Array) -> Callable[[float], bs.GaussianProcess]:
    """The posterior by Matern order, under the default priors."""
    return lambda nu: bs.GaussianProcess(X, y, nu=nu)


def follow(inputs: int, rows: int, draw: int) -> dict[str, Any]:
    """Follow the minima of one draw of data over `GRID`, and score ensembles of them everywhere.

    Following begins from maps at both ends. Every order is mapped afresh as well, to compare cost
    and what is found; and once more from another seed, which says how much of what a map finds is
    luck.
    """
    started = time.perf_counter()
    X, y, X_test, y_test = draw_of(inputs, rows, draw)
    target_of, d = family_of(X, y), inputs + 2
    maps, again = (
        [bs.explore(target_of(float(nu)), seed=seed, progress=False) for nu in GRID]
        for seed in (0, 1)
    )
    continuation, numbers = _compared(target_of, maps, BEGUN)
    branches = continuation.branches.isel(
        branch=np.flatnonzero(continuation.branches["index"].values == 0)
    )
    theta = branches["theta"].values
    labels = clustered(theta)
    mse, scores = np.full(theta.shape[:2], np.nan), []
    for k, nu in enumerate(GRID):
        there = np.flatnonzero(np.isfinite(theta[:, k, 0]))
        there = there[np.argsort(branches["energy"].values[there, k], kind="stable")]
        landscape = _map_of(target_of(float(nu)), theta[there, k])
        beside = k % EVERY == 0
        scores.append(_scored(landscape, X_test, y_test, [inputs, rows, draw, k], beside=beside))
        mse[there, k] = scores[-1].pop("mse")
        scores[-1]["nu"] = nu
    return {
        "mapped": {
            "cost": sum(m.evaluations.gradient_equivalents(d) for m in maps),
            "evaluations": sum(m.evaluations.total for m in maps),
            "minima": [m.minima.sizes["minimum"] for m in maps],
            "again_lacks": [
                _lacked(_minima(other), _minima(landscape))
                for landscape, other in zip(maps, again, strict=True)
            ],
            "following": numbers,
        },
        "energy": branches["energy"].values,
        "mse": mse,
        "clusters": labels,
        "misassigned": misassigned(labels),
        "folds": continuation.folds["value"].values,
        "fold_indices": continuation.folds["indices"].values,
        "fold_gradient": continuation.folds["gradient_norm"].values.max(initial=0),
        "fold_eigenvalue": np.abs(continuation.folds["smallest_eigenvalue"].values).max(initial=0),
        "warnings": list(continuation.warnings),
        "scores": scores,
        "seconds": time.perf_counter() - started,
    }


def map_some(inputs: int, rows: int, draw: int) -> dict[str, Any]:
    """Map one draw of data afresh at every tenth order of `GRID`, and score ensembles there."""
    started = time.perf_counter()
    X, y, X_test, y_test = draw_of(inputs, rows, draw)
    target_of, scores = family_of(X, y), []
    for k in range(0, len(GRID), 2 * EVERY):
        landscape = bs.explore(
            target_of(float(GRID[k])), seed=0, progress=False, max_quenches=QUENCHES
        )
        scored = _scored(landscape, X_test, y_test, [inputs, rows, draw, k], beside=True)
        minima = landscape.minima.sizes["minimum"]
        scores.append(
            scored | {"nu": GRID[k], "minima": minima, "funnels": funnels(landscape, 3.0)}
        )
    return {"mapped": None, "scores": scores, "seconds": time.perf_counter() - started}


def _scored(
    landscape: bs.Landscape, X: Array, y: Array, seeds: list[int], *, beside: bool
) -> dict[str, Any]:
    """Gains of ensembles, and ``beside`` these of random restarts and of the superposition."""
    others = {}
    if beside:
        rng = np.random.default_rng(seeds)
        random = restarts(landscape, X, rng)
        others = {} if random is None else {"restarts": random}
        pilot = bs.decide(landscape, seed=seeds[2]).pilot
        others["superposition"] = superposed(landscape, pilot, X, rng)[0]
    return gains(landscape, X, y, others) | {"peaks": peaks(landscape)[:2]}


def clustered(theta: Array) -> NDArray[np.int_]:
    """Labels by k-means of all minima ``(N, K, d)`` at all orders together, as in the talk.

    There are as many clusters as the greatest number of minima at one order; -1 where none is.
    """
    there = np.isfinite(theta[..., 0])
    labels = np.full(there.shape, -1)
    k = there.sum(axis=0).max()
    labels[there] = KMeans(k, n_init=10, random_state=0).fit_predict(theta[there])
    return labels


def misassigned(labels: NDArray[np.int_]) -> dict[str, Any]:
    """How often clusters ``(N, K)`` are not the branches, the rows.

    ``wrong``: minima outside of the one branch that their cluster stands for, clusters and branches
    being paired so that there are fewest such. ``wrong_at_best``: of these, those that no labels
    could have got right, for there are more branches than clusters. ``sharing``: minima that have a
    cluster in common with another minimum of the same order, so that certainly one is wrong.
    """
    there = labels >= 0
    clusters = labels.max() + 1
    right = sum((labels[b] == c).sum() for c, b in branches_of_clusters(labels).items())
    sharing = sum(
        int((np.bincount(column[column >= 0])[column[column >= 0]] > 1).sum())
        for column in labels.T
    )
    sizes = np.sort(there.sum(axis=1))[::-1]
    return {
        "points": int(there.sum()),
        "clusters": int(clusters),
        "branches": int(there.any(axis=1).sum()),
        "wrong": int(there.sum() - right),
        "wrong_at_best": int(sizes[clusters:].sum()),
        "sharing": sharing,
    }


def _compared(
    target_of: Callable[[float], bs.GaussianProcess],
    maps: list[bs.Landscape],
    begun: tuple[int, ...],
) -> tuple[bs.Continuation, dict[str, Any]]:
    """Follow from some of the maps; cost, and minima that either way lacks at some order."""
    given = {float(GRID[k]): maps[k] for k in begun}
    continuation = bs.continue_minima(
        target_of, GRID, explorations=0, landscapes=given, progress=False
    )
    spent = continuation.evaluations
    for landscape in given.values():
        spent += landscape.evaluations
    theta = continuation.branches["theta"].values[continuation.branches["index"].values == 0]
    lacked: dict[str, list[int]] = {"followed_lacks": [], "mapped_lacks": []}
    for k, landscape in enumerate(maps):
        followed, mapped = theta[np.isfinite(theta[:, k, 0]), k], _minima(landscape)
        lacked["followed_lacks"].append(_lacked(followed, mapped))
        lacked["mapped_lacks"].append(_lacked(mapped, followed))
    d = theta.shape[-1]
    return continuation, {
        "cost": spent.gradient_equivalents(d),
        "evaluations": spent.total,
        **spent.asdict(),
        "seconds": continuation.seconds,
        **lacked,
    }


def _minima(landscape: bs.Landscape) -> Array:
    return np.asarray(landscape.minima["theta"].values)


def _lacked(found: Array, sought: Array) -> int:
    """How many of the minima ``(S, d)`` are not among those found, ``(F, d)``."""
    return int((cdist(found, sought).min(axis=0, initial=np.inf) > SAME).sum())


def _map_of(target: bs.GaussianProcess, theta: Array) -> bs.Landscape:
    """A map of known minima, without transition states."""
    d = theta.shape[1]
    return bs.Landscape.from_arrays(
        names=target.names,
        minima=theta,
        energies=target.energy(theta),
        hessians=target.hessian(theta),
        hits=np.ones(len(theta), dtype=int),
        transition_states=np.empty((0, d)),
        transition_energies=[],
        transition_hessians=np.empty((0, d, d)),
        joins=np.empty((0, 2)),
        coverage=1.0,
        evaluations=Evaluations(),
        target=target,
    )
