"""Markov chains by PyMC on a target: NUTS, started and scaled from the map, with jumps or not."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pymc.step_methods.hmc.quadpotential import QuadPotentialFull

from bayescape.sample.jumps import SuperpositionJump
from bayescape.sample.pymc_model import pymc_model
from bayescape.sample.superposition import Superposition
from bayescape.targets.target import Target

__all__ = ["Chains", "run_chains"]

Array = NDArray[np.float64]

# PyTensor's interpreter: the graph is a single call of the target, so compiling C gains nothing and
# costs seconds.
COMPILE = {"mode": "FAST_COMPILE"}
KEPT_STATS = (
    "diverging",
    "n_steps",
    "tree_depth",
    "step_size",
    "acceptance_rate",
    "energy_error",
    "reached_max_treedepth",
    "jump_accepted",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Chains:
    """Kept draws of some Markov chains.

    Attributes
    ----------
    theta
        Shape ``(chain, draw, d)``.
    stats
        Sampler statistics by PyMC's names, each ``(chain, draw)``.
    """

    theta: Array
    stats: dict[str, Array]


def run_chains(
    target: Target,
    superposition: Superposition,
    starts: Array,
    *,
    draws: int,
    tune: int,
    jumps: bool,
    seed: int,
    attempts: int = 2,
    report: Callable[..., None] | None = None,
) -> Chains:
    """Run NUTS on a target, one chain per start.

    Parameters
    ----------
    target
        What to sample.
    superposition
        Gives the metric (the components' average covariance), and the jumps' proposals.
    starts
        Shape ``(chains, d)``.
    draws, tune
        Kept and discarded draws per chain. Only the step size is tuned.
    jumps
        Whether a superposition jump follows every NUTS draw.
    seed
        For PyMC.
    attempts
        Jump proposals per draw.
    report
        Called with ``draws=`` as they are made.

    Raises
    ------
    KeyboardInterrupt
        When interrupted: chains cut short are not a result.
    """
    model = pymc_model(target)
    total = len(starts) * (draws + tune)
    made = 0

    def count(**_: object) -> None:
        nonlocal made
        made += 1
        if report is not None and (made % 10 == 0 or made == total):
            report(draws=f"{made}/{total}")

    # PyMC announces each run at INFO; the report above is the reader's progress.
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with model:
            steps = [
                pm.NUTS(
                    potential=QuadPotentialFull(superposition.within_covariance(), rng=seed),
                    target_accept=0.85,
                    rng=seed,
                    **COMPILE,
                )
            ]
            if jumps:
                steps.append(
                    SuperpositionJump(
                        superposition=superposition,
                        attempts=attempts,
                        rng=seed,
                        compile_kwargs=COMPILE,
                    )
                )
            trace = pm.sample(
                draws=draws,
                tune=tune,
                chains=len(starts),
                cores=1,
                step=steps if jumps else steps[0],
                initvals=[{"theta": start} for start in starts],
                random_seed=seed,
                progressbar=False,
                compute_convergence_checks=False,
                callback=lambda trace, draw: count(),
            )
    finally:
        logger.setLevel(level)
    theta = np.asarray(trace.posterior["theta"].values)
    if made < total or theta.shape[:2] != (len(starts), draws):
        raise KeyboardInterrupt
    stats = trace.sample_stats
    return Chains(
        theta=theta,
        stats={k: np.asarray(stats[k].values) for k in KEPT_STATS if k in stats},
    )
