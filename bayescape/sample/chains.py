"""Markov chains by PyMC on a target: NUTS, started and scaled from the map, with jumps or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pymc.step_methods.hmc.quadpotential import QuadPotentialFull

from bayescape.sample.jumps import SuperpositionJump
from bayescape.sample.nuts import COMPILE, Chains, run_nuts
from bayescape.sample.pymc_model import pymc_model
from bayescape.sample.runaway import watch
from bayescape.sample.superposition import Superposition
from bayescape.targets.target import Target

__all__ = ["run_chains"]

Array = NDArray[np.float64]


class _JumpOnTarget(SuperpositionJump):
    """A jump that asks the target for its values, all at once, and for no gradients."""

    def __init__(self, *, target: Target, **how: Any) -> None:
        self._target = target
        super().__init__(**how)

    def _log_densities(self, points: Array) -> Array:
        energy = self._target.energy(points)
        return np.where(np.isfinite(energy), -energy, -np.inf)


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
    ValueError
        If a chain runs away: the density seems to have no integral.
    KeyboardInterrupt
        When interrupted: chains cut short are not a result.
    """
    model = pymc_model(target)
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
                _JumpOnTarget(
                    target=target,
                    superposition=superposition,
                    attempts=attempts,
                    rng=seed,
                    compile_kwargs=COMPILE,
                )
            )
    return run_nuts(
        model,
        list(starts),
        draws=draws,
        tune=tune,
        seed=seed,
        report=report,
        watch=watch(superposition, target.names),
        step=steps if jumps else steps[0],
    )
