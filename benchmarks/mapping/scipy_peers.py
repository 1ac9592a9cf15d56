"""SciPy's global optimisers and plain multistart, asked for every minimum that they pass through.

They are meant for the lowest minimum, so their local minimiser is watched: every end of it that
converged is taken as a claim. None of them looks for transition states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from benchmarks.mapping.judge import distinct
from benchmarks.mapping.outcome import Metered, Outcome, Spent
from benchmarks.mapping.problems import Problem

__all__ = ["SCIPY_PEERS", "expected_minima", "run"]

Array = NDArray[np.float64]

TOLERANCE = 1e-5  # projected gradient, over the unit cube, at which a local minimisation ends
CONVERGED = 1e-2  # the same, below which the end of one that gave up is still a claim worth a look
STEPS = (0.15, 0.3, 0.5)  # basinhopping's, of the box's width: TopSearch's, halved as it does
TEMPERATURE = 100.0  # accepts nearly any step: all minima are wanted, not the lowest
SIMPLICIAL_FROM = 6  # coordinates from which triangulating a Sobol sequence takes too long
SAMPLES = 512  # shgo's first points


class Watched:
    """L-BFGS-B in the unit cube as a ``method`` of `scipy.optimize.minimize` that notes its ends.

    Parameters
    ----------
    metered
        The function.
    """

    def __init__(self, metered: Metered) -> None:
        self.metered = metered
        self.ends: list[Array] = []
        self.paid: list[float] = []

    def lower(self) -> str:
        """The name of the method, which shgo asks for."""
        return "l-bfgs-b"

    def __call__(self, fun: Any, x0: Array, **unused: Any) -> optimize.OptimizeResult:
        found = optimize.minimize(
            self.metered.value_and_gradient,
            np.clip(x0, 0, 1),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, 1)] * len(x0),
            options={"gtol": TOLERANCE, "ftol": 1e-14},
        )
        slope = np.where((found.x > 0) & (found.x < 1), found.jac, 0.0)
        if np.abs(slope).max() < max(CONVERGED, TOLERANCE):
            self.ends.append(found.x)
            self.paid.append(self.metered.gradient_equivalents)
        return found


def expected_minima(hits: list[int]) -> float:
    """Boender and Rinnooy Kan's estimate ``w (n - 1) / (n - w - 2)`` of the number of minima."""
    n, w = sum(hits), len(hits)
    return w * (n - 1) / (n - w - 2) if n > w + 2 else np.inf


def multistart(metered: Metered, local: Watched, problem: Problem, seed: int, _: float) -> str:
    """Local minimisations from the target's starts, until the rule says that all are found."""
    rng = np.random.default_rng(seed)
    width = np.ones(problem.d)
    kept: list[Array] = []
    hits: list[int] = []
    while not hits or expected_minima(hits) >= len(hits) + 0.5:
        before = len(local.ends)
        local(None, metered.unit(problem.target.starts(1, rng)[0]))
        for end in local.ends[before:]:
            near = [i for i, other in enumerate(kept) if np.linalg.norm(end - other) < 1e-3]
            if near:
                hits[near[0]] += 1
            else:
                kept.append(end)
                hits.append(1)
    assert len(distinct(np.array(kept), width)) == len(kept)
    return "no more minima are expected"


def basinhopping(metered: Metered, local: Watched, problem: Problem, seed: int, step: float) -> str:
    """One long chain, until the cap."""
    start = metered.unit(problem.target.starts(1, np.random.default_rng(seed))[0])
    found = optimize.basinhopping(
        metered.value,
        np.clip(start, 0, 1),
        niter=10**9,
        T=TEMPERATURE,
        stepsize=step,
        minimizer_kwargs={"method": local},
        rng=np.random.default_rng(seed),
    )
    return str(found.message)


def dual_annealing(metered: Metered, local: Watched, problem: Problem, seed: int, _: float) -> str:
    """With its own defaults."""
    found = optimize.dual_annealing(
        metered.value,
        [(0, 1)] * problem.d,
        minimizer_kwargs={"method": local},
        maxfun=10**9,
        rng=np.random.default_rng(seed),
    )
    return " ".join(found.message)


def shgo(metered: Metered, local: Watched, problem: Problem, seed: int, _: float) -> str:
    """Sobol points, or in many coordinates the corners of a simplicial complex."""
    few = problem.d < SIMPLICIAL_FROM
    found = optimize.shgo(
        metered.value,
        [(0, 1)] * problem.d,
        n=SAMPLES if few else None,
        iters=1,
        minimizer_kwargs={"method": local},
        sampling_method="sobol" if few else "simplicial",
    )
    return str(found.message)


SCIPY_PEERS: Mapping[str, tuple[Callable[..., str], tuple[float, ...]]] = {
    "multistart": (multistart, (0.0,)),
    "basinhopping": (basinhopping, STEPS),
    "dual_annealing": (dual_annealing, (0.0,)),
    "shgo": (shgo, (0.0,)),
}


def run(name: str, problem: Problem, seed: int, caps: Mapping[str, float]) -> Iterator[Outcome]:
    """Run a peer on a problem once for each of its step sizes.

    Parameters
    ----------
    name
        One of `SCIPY_PEERS`.
    problem, seed
        What to run on, and from which seed.
    caps
        Keyword arguments of `Metered`.
    """
    function, steps = SCIPY_PEERS[name]
    for step in steps:
        metered = Metered(problem.target, problem.box, **caps)
        local = Watched(metered)
        try:
            stopped, capped = function(metered, local, problem, seed, step), False
        except Spent as spent:
            stopped, capped = str(spent), True
        yield Outcome(
            method=name,
            setting=f"step {step:g}" if len(steps) > 1 else "",
            seed=seed,
            minima=metered.natural(np.array(local.ends).reshape(-1, problem.d)),
            states=np.empty((0, problem.d)),
            evaluations=metered.evaluations,
            seconds=metered.seconds,
            cpu=metered.cpu,
            stopped=stopped,
            capped=capped,
            paid=np.array(local.paid),
        )
