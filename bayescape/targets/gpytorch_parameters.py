"""The trainable parameters of a GPyTorch model as coordinates, and what is known of them a priori.

A parameter above a bound is the exponential of its coordinate above it, one below a bound
likewise, one in an interval a logistic function of it, and one without a constraint is its
coordinate. GPyTorch does this with a softplus, and BoTorch leaves its bounds to the optimiser; a
constraint's transform is a matter of coordinates only, and in logarithms posteriors are closer to
normal.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.constraints import GreaterThan, Interval, LessThan
from gpytorch.utils.transforms import inv_sigmoid
from torch import Tensor
from torch.distributions import Distribution, Gamma, LogNormal, Normal

from bayescape.targets.priors import default_priors

__all__ = ["Parameter", "default_prior", "parameters_of", "rebase"]

WIDE = 2.0  # of a log-normal prior, where nothing is known but where the model begins
SLIGHTLY = 1e-3  # of an interval, or of a single bound: what is at it is moved as far off
AT_ZERO = 1e-6  # taken for the size of a bound at zero
WIDER = 10.0  # of a normal one, in standard deviations of the outputs, if above one


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One trainable parameter.

    Attributes
    ----------
    path
        As of ``model.named_parameters()``.
    label
        The shortest end of the path, without ``raw_``, that no other parameter has.
    shape
        Of the parameter.
    part
        Its coordinates.
    constraint
        GPyTorch's, after `rebase`, or ``None``.
    """

    path: str
    label: str
    shape: torch.Size
    part: slice
    constraint: Any

    @property
    def kind(self) -> str:
        """``"above"``, ``"below"``, ``"between"`` or ``"free"``."""
        if self.constraint is None:
            return "free"
        if isinstance(self.constraint, LessThan):
            return "below"
        return "above" if isinstance(self.constraint, GreaterThan) else "between"

    def names(self) -> list[str]:
        """Labels of the coordinates."""
        prefix = {"above": "log_", "below": "minus_log_gap_", "between": "logit_", "free": ""}
        label = prefix[self.kind] + self.label
        shape = [size for size in self.shape if size > 1]
        if not shape:
            return [label]
        return [f"{label}[{', '.join(map(str, i))}]" for i in np.ndindex(*shape)]

    def natural(self, t: Tensor) -> Tensor:
        """The parameter's value in natural units from its coordinates, both of its shape."""
        return t if self.constraint is None else self.constraint.transform(t)

    def coordinates(self, value: Tensor) -> Tensor:
        """The inverse of `natural`."""
        return value if self.constraint is None else self.constraint.inverse_transform(value)

    def log_jacobian(self, t: Tensor) -> Tensor:
        """Log derivative of the value by its coordinates, summed."""
        if self.kind == "free":
            return torch.zeros((), dtype=t.dtype)
        if self.kind == "between":
            width = (self.constraint.upper_bound - self.constraint.lower_bound).log()
            logistic = torch.nn.functional.logsigmoid
            return (width + logistic(t) + logistic(-t)).sum()
        return (t if self.kind == "above" else -t).sum()


def rebase(model: gpytorch.Module) -> None:
    """Exchange the transforms of a model's constraints, in place, and keep the values.

    Afterwards the raw parameters are the coordinates of this module's first lines. What can be
    trained and is at a bound, where an optimiser may leave it, is moved off it.
    """
    found = [
        (path, raw, constraint, constraint.transform(raw.detach()))
        for path, raw in model.named_parameters()
        if (constraint := model.constraint_for_parameter_name(path)) is not None
    ]
    for path, raw, constraint, value in found:
        if isinstance(constraint, (GreaterThan, LessThan)):
            pair = (torch.exp, torch.log)
        elif isinstance(constraint, Interval) and constraint._transform in (torch.sigmoid, None):
            pair = (torch.sigmoid, inv_sigmoid)
        else:
            raise ValueError(
                f"`model` has a constraint of a kind that is not known, {constraint!r} of {path!r}"
            )
        for name, function in zip(("_transform", "_inv_transform"), pair, strict=True):
            constraint._modules.pop(name, None)  # GPyTorch's softplus is a module
            setattr(constraint, name, function)
        kept = _off_bounds(constraint, value) if raw.requires_grad else value
        with torch.no_grad():
            raw.copy_(constraint.inverse_transform(kept))


def _off_bounds(constraint: Interval, value: Tensor) -> Tensor:
    """A value, moved inside where it is not."""
    low, high = constraint.lower_bound, constraint.upper_bound
    width = torch.where((high - low).isfinite(), high - low, _size(low) + _size(high))
    value = torch.where(value > low, value, low + SLIGHTLY * width)
    return torch.where(value < high, value, high - SLIGHTLY * width)


def _size(bound: Tensor) -> Tensor:
    """How large a bound is; nothing if it is none, and something if it is at zero."""
    return torch.where(bound.isfinite(), bound.abs().clamp(min=AT_ZERO), 0.0)


def parameters_of(model: gpytorch.Module) -> list[Parameter]:
    """The trainable parameters of a model, in GPyTorch's order.

    Raises
    ------
    ValueError
        If there is none.
    """
    trainable = [(path, raw) for path, raw in model.named_parameters() if raw.requires_grad]
    if not trainable:
        raise ValueError("`model` has no trainable parameters, so there is nothing to explore")
    labels = _shortest([path.replace("raw_", "") for path, _ in trainable])
    found, begin = [], 0
    for label, (path, raw) in zip(labels, trainable, strict=True):
        part = slice(begin, begin + raw.numel())
        begin = part.stop
        constraint = model.constraint_for_parameter_name(path)
        found.append(Parameter(path, label, raw.shape, part, constraint))
    return found


def default_prior(
    parameter: Parameter, model: gpytorch.models.ExactGP, X: Tensor, y: Tensor
) -> Distribution | None:
    """A weak prior over natural units for a parameter that comes without one.

    Those of `bayescape.targets.priors.default_priors`, in the units of the data, for lengthscales,
    outputscales, noises and constant means. For anything else that has one bound a log-normal
    about the value that the model has, with a standard deviation of 2; for what has none a normal
    about it, as wide as 10 standard deviations of the outputs, and 10 at least; for what is in an
    interval ``None``: it is uniform.

    Parameters
    ----------
    parameter, model
        The parameter, and the model that it is of.
    X, y
        The training data, ``(n, p)``, ``(n,)``.
    """
    if parameter.kind == "between":
        return None
    owner = model.get_submodule(parameter.path.rpartition(".")[0])
    role = parameter.path.rpartition(".")[2].removeprefix("raw_")
    deviation = float(y.std(correction=0)) or 1.0
    defaults: dict[str, Any] = dict(default_priors(X.shape[1]))
    if role == "lengthscale":
        inputs = X if owner.active_dims is None else X[:, owner.active_dims]
        spread = inputs.std(dim=0, correction=0)
        spread = torch.where(spread > 0, spread, 1.0)
        if parameter.shape[-1] == 1:
            spread = spread.square().mean().sqrt()
        base: Any = default_priors(inputs.shape[1])["lengthscale"]
        return LogNormal(base.loc + spread.log(), base.scale.expand(spread.shape))
    if role == "outputscale":
        base = defaults["outputscale"]
        return Gamma(base.concentration, base.rate / deviation**2)
    if role == "noise":
        base = defaults["noise"]
        return LogNormal(base.loc + 2 * math.log(deviation), base.scale)
    if role == "constant":
        centre = y.mean()
        return Normal(centre, torch.full_like(centre, deviation))
    with torch.no_grad():
        value = parameter.natural(model.get_parameter(parameter.path)).clone()
    if parameter.kind == "above" and bool((value > 0).all()):
        return LogNormal(value.log(), torch.full_like(value, WIDE))
    return Normal(value, torch.full_like(value, WIDER * max(deviation, 1.0)))


def _shortest(paths: Sequence[str]) -> list[str]:
    """Of each dotted path the shortest end that no other has, and that begins with a word."""
    found = []
    for path in paths:
        parts = path.split(".")
        ends = [".".join(parts[i:]) for i in reversed(range(len(parts)))]
        alone = [
            end
            for end in ends
            if sum(p == end or p.endswith(f".{end}") for p in paths) == 1
            and not end.split(".")[0].isdigit()
        ]
        found.append(alone[0] if alone else path)
    return found
