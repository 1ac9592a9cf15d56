"""Which hidden units of a network may change places or sign, from the network's own structure.

Units of a hidden layer may be permuted when what they compute goes through the same activation,
each on its own, and straight into the next linear layer; where the activation is odd a unit's sign
may change too, in what feeds it and in what it feeds. Whatever is not understood has no symmetry.

R. Hecht-Nielsen, "On the algebraic structure of feedforward network weight spaces", Advanced Neural
Computers (1990), 129.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bayescape.targets.equivalence import Exchange

__all__ = ["ELEMENTWISE", "hidden_units", "hooked", "plain_steps"]

SILENT = (nn.Identity, nn.Dropout, nn.AlphaDropout)  # in evaluation mode
ODD = (nn.Tanh, nn.Softsign, nn.Tanhshrink, nn.Softshrink, nn.Hardshrink)
SMOOTH = (nn.Sigmoid, nn.LogSigmoid, nn.Softplus, nn.SiLU, nn.GELU, nn.Mish)
KINKED = (nn.ELU, nn.SELU, nn.CELU, nn.ReLU, nn.ReLU6, nn.LeakyReLU)
HARD = (nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh)

#: Modules without parameters that act on each number alone, when in evaluation mode.
ELEMENTWISE: tuple[type[nn.Module], ...] = (*SILENT, *ODD, *SMOOTH, *KINKED, *HARD)

Places = Mapping[str, tuple[int, tuple[int, ...]]]


def plain_steps(module: nn.Module) -> list[tuple[str, nn.Module]] | None:
    """The steps of nested ``nn.Sequential``s, each with how the names of its parameters begin.

    ``None`` for any other module. A part that is used twice comes twice.
    """
    if type(module) is nn.Linear:
        return [("", module)]
    if type(module) is not nn.Sequential or hooked(module):
        return None
    steps: list[tuple[str, nn.Module]] = []
    for name, part in module._modules.items():
        if type(part) is nn.Sequential:
            within = plain_steps(part)
            if within is None:
                return None
            steps += [(f"{name}.{inner}", step) for inner, step in within]
        elif part is not None:
            steps.append((f"{name}.", part))
    return steps


def hidden_units(module: nn.Module, places: Places) -> tuple[list[Exchange], str]:
    """The exchanges of a network's hidden units, and what stands in the way of others.

    Parameters
    ----------
    module
        The network, in evaluation mode.
    places
        First coordinate and shape of each trainable parameter, by name.

    Returns
    -------
    list of Exchange
        One for each layer whose units may change places, from the inputs to the outputs.
    str
        What was not understood; empty when there is nothing.
    """
    steps = plain_steps(module)
    if steps is None:
        return [], f"{type(module).__name__} is not a plain nn.Sequential"
    linear = [i for i, (_, part) in enumerate(steps) if type(part) is nn.Linear]
    uses = Counter(id(p) for _, part in steps for p in part.parameters())
    layers, reasons = [], []
    for i, j in itertools.pairwise(linear):
        reason = _obstacle(steps[i : j + 1], places, uses)
        if reason:
            reasons.append(reason)
            continue
        units, incoming = _units(steps[i][0], steps[j][0], places)
        odd = all(_is_odd(part) for _, part in steps[i + 1 : j])
        layers.append(Exchange(units, incoming, odd))
    if len(linear) < 2:
        reasons.append("there is no linear layer between linear layers")
    return layers, "; ".join(dict.fromkeys(reasons))


def _obstacle(steps: list[tuple[str, nn.Module]], places: Places, uses: Mapping[int, int]) -> str:
    """Why the units between two linear layers may not change places; empty if they may."""
    for name, part in steps:
        shared = type(part) is nn.PReLU and part.num_parameters == 1
        if type(part) not in (nn.Linear, *ELEMENTWISE) and not shared:
            return f"{type(part).__name__} ({name[:-1]}) is not known to act on each unit alone"
        if hooked(part):
            return f"{type(part).__name__} ({name[:-1]}) has hooks"
    for name, part in (steps[0], steps[-1]):
        for kind, parameter in part.named_parameters():
            if f"{name}{kind}" not in places or uses[id(parameter)] > 1:
                return f"{name}{kind} is held fixed or shared"
    return ""


def _units(feeding: str, fed: str, places: Places) -> tuple[NDArray[np.intp], int]:
    """Coordinates of each unit between two layers, and how many of them feed it."""
    weight = _coordinates(places[f"{feeding}weight"])
    if f"{feeding}bias" in places:
        weight = np.column_stack([weight, _coordinates(places[f"{feeding}bias"])])
    return np.column_stack([weight, _coordinates(places[f"{fed}weight"]).T]), weight.shape[1]


def _coordinates(place: tuple[int, tuple[int, ...]]) -> NDArray[np.intp]:
    first, shape = place
    return (first + np.arange(math.prod(shape))).reshape(shape)


def _is_odd(part: nn.Module) -> bool:
    if type(part) is nn.Hardtanh:
        return part.min_val == -part.max_val
    return type(part) in SILENT + ODD


def hooked(part: nn.Module) -> bool:
    """Whether something else happens where a module is called."""
    return bool(part._forward_hooks or part._forward_pre_hooks)
