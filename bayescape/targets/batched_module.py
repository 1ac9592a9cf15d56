"""A torch module evaluated for many sets of its parameters at once, each a row of coordinates."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bayescape.targets.hidden_units import ELEMENTWISE, hooked, plain_steps
from bayescape.targets.layer_gradient import Layers, understood

__all__ = ["BatchedModule"]

Array = NDArray[np.float64]

VARIED = 0.1  # standard deviation of what an initialisation does not vary


class BatchedModule:
    """A module with its trainable parameters, one after another, as coordinates.

    It is copied, in double precision and in evaluation mode. A plain sequence of linear layers and
    elementwise activations is evaluated by products of whole batches of matrices; any other module
    by ``torch.vmap`` of ``torch.func.functional_call``.

    Parameters
    ----------
    module
        Takes inputs ``(N, ...)`` to outputs ``(N,)`` or ``(N, outputs)``.

    Attributes
    ----------
    places
        First coordinate and shape of each parameter, by name.
    names
        A label for each coordinate, such as ``"0.weight[3,1]"``.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = copy.deepcopy(module).double().eval().cpu()
        self.places: dict[str, tuple[int, tuple[int, ...]]] = {}
        names: list[str] = []
        for name, parameter in self.module.named_parameters():
            if parameter.requires_grad:
                self.places[name] = len(names), tuple(parameter.shape)
                names += _labels(name, parameter.shape)
        self.names = tuple(names)
        constants = {n: p for n, p in self.module.named_parameters() if n not in self.places}
        self._constants = {
            name: tensor.detach() for name, tensor in (*constants.items(), *_buffers(self.module))
        }
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)

    def outputs(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Outputs for coordinates ``(B, d)`` and inputs ``(N, ...)``, ``(B, outputs, N)``."""
        steps = self._plain(inputs)
        if steps is None:
            return self._mapped(theta, inputs)
        found = inputs.flatten(1).T
        for name, step in steps:
            if isinstance(step, nn.Linear):
                found = self._linear(theta, name, found)
            else:
                found = step(found)
        return found

    def layers(self, inputs: Tensor) -> Layers | None:
        """What differentiates a plain network layer by layer; ``None`` for any other."""
        steps = self._plain(inputs)
        return Layers(steps, self.places) if steps and understood(steps) else None

    def arrays(self, theta: Array) -> dict[str, Array]:
        """The parameters by name, ``(B, d)`` to ``(B, ...)`` each."""
        return {
            name: theta[:, first : first + math.prod(shape)].reshape(len(theta), *shape)
            for name, (first, shape) in self.places.items()
        }

    def drawn(self, count: int, rng: np.random.Generator) -> Array:
        """Coordinates as the module's own initialisation draws them, ``(count, d)``.

        What it sets to a constant, as the weights of a norm, is varied by a tenth. Parameters of a
        part that has no ``reset_parameters`` are normal, with the inverse root of the number of
        inputs of each for a standard deviation.
        """
        scratch = copy.deepcopy(self.module)
        theta = np.empty((count, len(self.names)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            for row in theta:
                for part in scratch.modules():
                    _reset(part)
                for name, parameter in scratch.named_parameters():
                    if name in self.places:
                        first, shape = self.places[name]
                        values = parameter.detach().numpy().ravel()
                        row[first : first + math.prod(shape)] = values
        return theta

    def size(self, inputs: Tensor) -> int:
        """How many numbers an evaluation of one row makes, about, and keeps for its gradient."""
        made: list[int] = []

        def count(part: nn.Module, given: object, found: object) -> None:
            made.append(found.numel() if isinstance(found, Tensor) else 0)

        hooks = [part.register_forward_hook(count) for part in self.module.modules()]
        try:
            with torch.no_grad():
                self.module(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return sum(made) + len(self.names)

    def _plain(self, inputs: Tensor) -> list[tuple[str, nn.Module]] | None:
        """The steps of a plain sequence; ``None`` for any other module."""
        steps = plain_steps(self.module)
        if steps and isinstance(steps[0][1], nn.Flatten):
            flat = steps[0][1]
            if (flat.start_dim, flat.end_dim) != (1, -1):
                return None
            steps = steps[1:]
        elif inputs.ndim != 2:
            return None
        if not steps or not isinstance(steps[0][1], nn.Linear):
            return None
        known = all(
            type(part) in (nn.Linear, *ELEMENTWISE) and not hooked(part) for _, part in steps
        )
        names = {f"{name}{kind}" for name, part in steps for kind, _ in part.named_parameters()}
        return steps if known and names == set(self.places) else None

    def _linear(self, theta: Tensor, name: str, given: Tensor) -> Tensor:
        weight = self._part(theta, f"{name}weight")
        if f"{name}bias" in self.places:
            bias = self._part(theta, f"{name}bias")[:, :, None]
        else:
            bias = weight.new_zeros(())
        if given.ndim == 3:
            return torch.baddbmm(bias, weight, given)
        # The inputs, which all rows share: one product of two matrices.
        shape = (*weight.shape[:2], given.shape[1])
        flat = bias.reshape(-1, 1) if bias.ndim else bias
        return torch.addmm(flat, weight.reshape(-1, weight.shape[2]), given).reshape(shape)

    def _part(self, theta: Tensor, name: str) -> Tensor:
        first, shape = self.places[name]
        return theta[:, first : first + math.prod(shape)].reshape(len(theta), *shape)

    def _mapped(self, theta: Tensor, inputs: Tensor) -> Tensor:
        def alone(parameters: dict[str, Tensor]) -> Tensor:
            everything = {**parameters, **self._constants}
            return torch.func.functional_call(self.module, everything, (inputs,))

        parameters = {name: self._part(theta, name) for name in self.places}
        mapped: Callable[[dict[str, Tensor]], Tensor] = torch.vmap(alone)
        found = mapped(parameters)
        return found[:, None] if found.ndim == 2 else found.transpose(1, 2)


def _buffers(module: nn.Module) -> list[tuple[str, Tensor]]:
    return list(module.named_buffers())


def _labels(name: str, shape: tuple[int, ...]) -> list[str]:
    if not shape:
        return [name]
    return [f"{name}[{','.join(map(str, place))}]" for place in np.ndindex(*shape)]


def _reset(part: nn.Module) -> None:
    """Initialise the parameters that a part of a module holds itself."""
    reset = getattr(part, "reset_parameters", None)
    if callable(reset):
        reset()
        with torch.no_grad():
            for parameter in part.parameters(recurse=False):
                if (parameter == parameter.flatten()[0]).all():
                    parameter.add_(VARIED * torch.randn_like(parameter))
        return
    for parameter in part.parameters(recurse=False):
        inputs = math.prod(parameter.shape[1:]) if parameter.ndim > 1 else 1
        nn.init.normal_(parameter, std=1 / math.sqrt(inputs))
