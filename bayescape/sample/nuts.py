"""One run of PyMC's sampler on a target: counted, reported, and whole or interrupted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from bayescape.targets.pymc_quiet import quiet

__all__ = ["COMPILE", "Chains", "run_nuts"]

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


def run_nuts(
    model: pm.Model,
    starts: Sequence[Array],
    *,
    draws: int,
    tune: int,
    seed: int,
    report: Callable[..., None] | None = None,
    watch: Callable[[Array], None] | None = None,
    **how: Any,
) -> Chains:
    """Run ``pm.sample`` on a target's model, one chain per start.

    Parameters
    ----------
    model
        By `bayescape.sample.pymc_model.pymc_model`.
    starts
        Values of ``theta``, each ``(d,)``.
    draws, tune
        Kept and discarded draws per chain.
    seed
        For PyMC.
    report
        Called with ``draws=`` as they are made.
    watch
        Shown every draw, of tuning too; what it raises ends the run.
    how
        What else ``pm.sample`` is to be told.

    Raises
    ------
    KeyboardInterrupt
        When interrupted: chains cut short are not a result.
    """
    total = len(starts) * (draws + tune)
    made = 0

    def count(draw: Any, **_: object) -> None:
        nonlocal made
        made += 1
        if watch is not None:
            watch(draw.point["theta"])
        if report is not None and (made % 10 == 0 or made == total):
            report(draws=f"{made}/{total}")

    with model, quiet():
        trace = pm.sample(
            draws=draws,
            tune=tune,
            chains=len(starts),
            cores=1,
            initvals=[{"theta": start} for start in starts],
            random_seed=seed,
            progressbar=False,
            compute_convergence_checks=False,
            callback=count,
            **how,
        )
    theta = np.asarray(trace.posterior["theta"].values)
    if made < total or theta.shape[:2] != (len(starts), draws):
        raise KeyboardInterrupt
    stats = trace.sample_stats
    return Chains(theta, {k: np.asarray(stats[k].values) for k in KEPT_STATS if k in stats})
