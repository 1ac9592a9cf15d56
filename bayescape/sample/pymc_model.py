"""A target as a PyMC model: one flat vector, and the target's log density as a potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from bayescape.targets.target import Target

__all__ = ["pymc_model"]


class LogDensity(Op):
    """A target's log density and its gradient at one point, as one PyTensor operation."""

    itypes = (pt.dvector,)
    otypes = (pt.dscalar, pt.dvector)

    def __init__(self, target: Target) -> None:
        self.target = target

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Evaluate both at once: the closed-form gradient shares all its work with the value."""
        theta = np.asarray(inputs[0], dtype=float)
        energy, gradient = self.target.energy_and_gradient(theta[None])
        inside = np.isfinite(energy[0])
        output_storage[0][0] = np.asarray(-energy[0] if inside else -np.inf)
        # Outside the domain any gradient does: the trajectory ends there.
        output_storage[1][0] = -gradient[0] if inside else np.zeros_like(theta)

    def L_op(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        output_grads: Sequence[Any],
    ) -> list[Any]:
        """Pull a cotangent of the value back through the gradient that was computed with it."""
        return [output_grads[0] * outputs[1]]

    pullback = L_op  # its name in later releases of PyTensor


def pymc_model(target: Target) -> pm.Model:
    """Wrap a target as a PyMC model with the one free variable ``theta``.

    Parameters
    ----------
    target
        Anything that satisfies `bayescape.targets.Target`.

    Returns
    -------
    pymc.Model
        Its log density at ``theta`` is ``-target.energy``; dim ``coordinate`` carries the names.
    """
    with pm.Model(coords={"coordinate": list(target.names)}) as model:
        theta = pm.Flat("theta", dims="coordinate")
        value, _ = LogDensity(target).make_node(theta).outputs
        pm.Potential("log_density", value)
    return model
