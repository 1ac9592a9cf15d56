"""Priors over hyperparameters as densities over coordinates, with two derivatives.

A prior is a torch distribution over natural units (GPyTorch's are such). A positive hyperparameter
``v = exp(t)`` has the log density ``log p(exp t) + t`` over its coordinate ``t``: the Jacobian is
included. The common distributions have closed forms; any other goes through torch's autograd.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch.distributions import Distribution, Gamma, InverseGamma, LogNormal, Normal

__all__ = ["CoordinatePrior", "JointPrior", "default_priors", "describe", "in_double_precision"]

Array = NDArray[np.float64]

UNIT_VARIANCE = 0.5 * np.log(12.0)  # log width of a uniform distribution with unit variance


def default_priors(inputs: int) -> dict[str, Distribution]:
    """Weakly informative priors for standardised data.

    * ``lengthscale``: the dimension-scaled ``LogNormal(sqrt 2 + log(inputs) / 2, sqrt 3)`` of
      Hvarfner et al. (2024), BoTorch's default, stated for inputs that fill the unit cube. Inputs
      of unit variance fill a cube ``sqrt 12`` wide, so the location is shifted by its logarithm.
    * ``noise``: ``LogNormal(-4, 1)``, BoTorch's default beside it.
    * ``outputscale``: ``Gamma(2, 0.15)`` (shape, rate), Eriksson & Jankowiak (2021).
    * ``nu``, if it is free: ``InverseGamma(1.5, 2)`` (shape, scale), ours. Over ``log nu`` it is
      highest at 4/3 and about one nat lower at 1/2 and at 5; it vanishes towards 0, where
      functions are no longer continuous and the lengthscale loses its meaning.
    * ``mean``: ``Normal(0, 1)``, as for the outputscale.

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
        "nu": InverseGamma(number(1.5), number(2.0)),
        "mean": Normal(number(0.0), number(1.0)),
    }


class ClosedForm(NamedTuple):
    """Log densities ``c + a t - b exp(t) - b' exp(-t) - p (t - m)^2 / 2`` of coordinates.

    Normal, log-normal, gamma and inverse gamma densities are such.
    """

    constant: Array
    centre: Array
    precision: Array
    slope: Array
    rate: Array
    inverse_rate: Array

    def derivatives(self, t: Array, order: int) -> tuple[Array, ...]:
        """Value and derivatives up to ``order``, each of the shape of ``t``."""
        away = t - self.centre
        pull = self.precision * away
        with np.errstate(over="ignore"):
            value = self.constant + self.slope * t - 0.5 * pull * away
        weight: Array | float = 0.0
        if self.rate.any():
            # At 709 the density is zero already, and the exponential still finite.
            weight = self.rate * np.exp(np.minimum(t, 709.0))
            value = value - weight
        inverse: Array | float = 0.0
        if self.inverse_rate.any():
            inverse = self.inverse_rate * np.exp(np.minimum(-t, 709.0))
            value = value - inverse
        if order == 0:
            return (value,)
        first = self.slope - weight + inverse - pull
        if order == 1:
            return value, first
        return value, first, np.zeros(t.shape) - self.precision - weight - inverse


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
        closed = self.closed_form()
        return closed.derivatives(t, order) if closed is not None else self._by_autograd(t, order)

    def closed_form(self) -> ClosedForm | None:
        """The density as numbers, if it is one of the common ones."""
        d = self.distribution
        if (isinstance(d, LogNormal) and self.logarithmic) or (
            isinstance(d, Normal) and not self.logarithmic
        ):
            loc, scale = _numbers(d.loc), _numbers(d.scale)
            constant = -np.log(scale) - 0.5 * np.log(2 * np.pi)
            flat = 0.0 * loc
            return ClosedForm(constant, loc, 1 / scale**2, flat, flat, flat)
        if isinstance(d, Gamma) and self.logarithmic:
            shape, rate = _numbers(d.concentration), _numbers(d.rate)
            constant = shape * np.log(rate) - gammaln(shape)
            flat = 0.0 * shape
            return ClosedForm(constant, flat, flat, shape, rate, flat)
        if isinstance(d, InverseGamma) and self.logarithmic:
            shape, scale = _numbers(d.concentration), _numbers(d.rate)
            constant = shape * np.log(scale) - gammaln(shape)
            flat = 0.0 * shape
            return ClosedForm(constant, flat, flat, -shape, flat, scale)
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


class JointPrior:
    """Independent priors of all coordinates of a target at once.

    Parameters
    ----------
    priors
        For ranges of coordinates; a coordinate without one is flat.
    d
        Number of coordinates.
    """

    def __init__(self, priors: Sequence[tuple[slice, CoordinatePrior]], d: int) -> None:
        joined = np.zeros((6, d))
        self.others = []
        for part, prior in priors:
            closed = prior.closed_form()
            if closed is None:
                self.others.append((part, prior))
            else:
                for row, numbers in zip(joined, closed, strict=True):
                    row[part] = numbers
        self.closed = ClosedForm(*joined)

    def derivatives(self, theta: Array, order: int) -> tuple[Array, ...]:
        """Log density ``(B,)``, then its first and second derivatives ``(B, d)`` up to ``order``.

        The density is ``-inf`` outside the support.
        """
        value, *rest = self.closed.derivatives(theta, order)
        total = value.sum(axis=1)
        for part, prior in self.others:
            more, *slopes = prior.derivatives(theta[:, part], order)
            total += more.sum(axis=1)
            for target, slope in zip(rest, slopes, strict=True):
                target[:, part] = slope
        total[np.isnan(total)] = -np.inf
        return (total, *rest)


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
