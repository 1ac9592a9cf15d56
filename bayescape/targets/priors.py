"""Priors over hyperparameters as densities over coordinates, with two derivatives.

A prior is a torch distribution over natural units (GPyTorch's are such). A positive hyperparameter
``v = exp(t)`` has the log density ``log p(exp t) + t`` over its coordinate ``t``: the Jacobian is
included. The common distributions have closed forms; any other goes through torch's autograd.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch.distributions import Distribution, Gamma, LogNormal, Normal

__all__ = ["CoordinatePrior", "default_priors", "describe", "in_double_precision"]

Array = NDArray[np.float64]

UNIT_VARIANCE = 0.5 * np.log(12.0)  # log width of a uniform distribution with unit variance


def default_priors(inputs: int) -> dict[str, Distribution]:
    """Weakly informative priors for standardised data.

    * ``lengthscale``: the dimension-scaled ``LogNormal(sqrt 2 + log(inputs) / 2, sqrt 3)`` of
      Hvarfner et al. (2024), BoTorch's default, stated for inputs that fill the unit cube. Inputs
      of unit variance fill a cube ``sqrt 12`` wide, so the location is shifted by its logarithm.
    * ``noise``: ``LogNormal(-4, 1)``, BoTorch's default beside it.
    * ``outputscale``: ``Gamma(2, 0.15)`` (shape, rate), Eriksson & Jankowiak (2021).
    * ``mean``: ``Normal(0, 1)``, as there.

    Parameters
    ----------
    inputs
        Number of input columns, at least 1.

    References
    ----------
    C. Hvarfner, E. O. Hellsten, L. Nardi, "Vanilla Bayesian optimization performs great in high
    dimensions", ICML (2024), arXiv:2402.02229; D. Eriksson, M. Jankowiak, "High-dimensional
    Bayesian optimization with sparse axis-aligned subspaces", UAI (2021), arXiv:2103.00349.
    """

    def number(x: float) -> torch.Tensor:
        return torch.tensor(x, dtype=torch.float64)

    location = np.sqrt(2) + 0.5 * np.log(inputs) + UNIT_VARIANCE
    return {
        "lengthscale": LogNormal(number(location), number(np.sqrt(3))),
        "outputscale": Gamma(number(2.0), number(0.15)),
        "noise": LogNormal(number(-4.0), number(1.0)),
        "mean": Normal(number(0.0), number(1.0)),
    }


@dataclasses.dataclass(frozen=True)
class CoordinatePrior:
    """A distribution over a hyperparameter, seen from its coordinates.

    Attributes
    ----------
    distribution
        Over natural units; scalar, or with one entry per coordinate of the hyperparameter.
    logarithmic
        Whether the coordinate is the hyperparameter's logarithm (or the hyperparameter itself).
    """

    distribution: Distribution
    logarithmic: bool

    def log_density(self, t: Array) -> Array:
        """Log density of each coordinate, ``(B, k) -> (B, k)``, ``-inf`` outside the support."""
        return self.derivatives(t, order=0)[0]

    def derivatives(self, t: Array, order: int = 2) -> tuple[Array, ...]:
        """Log density of each coordinate and its derivatives up to ``order``, each ``(B, k)``."""
        closed = self._closed_form(t)
        return closed[: order + 1] if closed is not None else self._by_autograd(t, order)

    def _closed_form(self, t: Array) -> tuple[Array, Array, Array] | None:
        d = self.distribution
        if (isinstance(d, LogNormal) and self.logarithmic) or (
            isinstance(d, Normal) and not self.logarithmic
        ):
            loc, scale = _numbers(d.loc), _numbers(d.scale)
            away = (t - loc) / scale
            value = -0.5 * away**2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
            return value, -away / scale, np.broadcast_to(-1 / scale**2, t.shape)
        if isinstance(d, Gamma) and self.logarithmic:
            shape, rate = _numbers(d.concentration), _numbers(d.rate)
            with np.errstate(over="ignore"):
                weight = rate * np.exp(t)
            value = shape * (t + np.log(rate)) - weight - gammaln(shape)
            return value, shape - weight, -weight
        return None

    def _by_autograd(self, t: Array, order: int) -> tuple[Array, ...]:
        with np.errstate(over="ignore"):
            natural = torch.tensor(np.exp(t) if self.logarithmic else t, dtype=torch.float64)
        support: Any = self.distribution.support  # torch types it as perhaps missing
        inside = torch.broadcast_to(support.check(natural), natural.shape) & natural.isfinite()
        # A point outside is moved to one inside before it meets the distribution's own checks.
        anchor = torch.as_tensor(self.distribution.mean, dtype=torch.float64)
        anchor = torch.where(support.check(anchor) & anchor.isfinite(), anchor, 1.0)
        safe = torch.where(inside, natural, anchor)
        x = (safe.log() if self.logarithmic else safe).requires_grad_(order > 0)
        value = self.distribution.log_prob(x.exp() if self.logarithmic else x)
        if self.logarithmic:
            value = value + x
        found = [torch.where(inside, value, -torch.inf).detach().numpy()]
        current = value
        for _ in range(order):
            (current,) = (
                torch.autograd.grad(
                    current.sum(), x, create_graph=True, materialize_grads=True, allow_unused=True
                )
                if current.requires_grad
                else (torch.zeros_like(x),)
            )
            found.append(current.detach().numpy())
        return tuple(np.asarray(f, dtype=float) for f in found)


def in_double_precision(distribution: Distribution) -> Distribution:
    """A copy of a distribution whose parameters, and so its arithmetic, are in 64 bits.

    Torch makes 32-bit parameters of Python's floats, and its densities then compute their constants
    in 32 bits.
    """
    doubled = copy.deepcopy(distribution)
    if isinstance(doubled, torch.nn.Module):
        doubled.double()
    for name, value in list(vars(doubled).items()):
        if isinstance(value, Distribution):
            vars(doubled)[name] = in_double_precision(value)
        elif isinstance(value, torch.Tensor) and value.is_floating_point():
            vars(doubled)[name] = value.double()
    return doubled


def describe(distribution: Distribution) -> str:
    """A distribution with its parameters, also where torch's own form leaves them out."""
    parameters = []
    for name in dict(distribution.arg_constraints):
        value = getattr(distribution, name, None)
        if isinstance(value, torch.Tensor):
            numbers = np.atleast_1d(_numbers(value))
            plain = ", ".join(f"{x:.4g}" for x in numbers)
            parameters.append(f"{name}: {plain if len(numbers) == 1 else f'[{plain}]'}")
    return f"{type(distribution).__name__}({', '.join(parameters)})"


def _numbers(value: torch.Tensor) -> Array:
    return np.asarray(value.detach().numpy(), dtype=float)
