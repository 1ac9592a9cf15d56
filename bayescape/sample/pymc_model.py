"""A target as a PyMC model: one flat vector, and the target's log density as a potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

__all__ = ["pymc_model"]

Array = NDArray[np.float64]


class Differentiable(Protocol):
    """What of a target, or of one in other coordinates, chains ask for."""

    @property
    def names(self) -> tuple[str, ...]:
        """One label per coordinate."""
        ...

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and its gradient, ``(B, d) -> (B,), (B, d)``."""
        ...


class LogDensity(Op):
    """A target's log density and its gradient at one point, as one PyTensor operation."""

    itypes = (pt.dvector,)
    otypes = (pt.dscalar, pt.dvector)

    def __init__(self, target: Differentiable) -> None:
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


def pymc_model(target: Differentiable) -> pm.Model:
    """Wrap a target as a PyMC model with the one free variable ``theta``.

    Parameters
    ----------
    target
        A `bayescape.targets.Target`, or what has its names, energy and gradient.

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
