"""Sparse variational models of GPyTorch: their evidence lower bound at its best over ``q``.

The bound of an ``ApproximateGP`` depends on hyperparameters and on the normal distribution ``q`` of
the inducing values. Here ``q`` is not a coordinate: at every point it is the one at which the bound
is largest. That has the form of a prior times a normal factor for every row, of precision
``W >= 0`` and shift ``b``,

    q(v) ~ N(v; 0, I) prod_i exp(b_i g_i - W_i g_i^2 / 2),    g = A^T v,

with ``v`` the whitened inducing values, ``A = L^-1 K_zx`` and ``L L^T = K_zz``. Gaussian noise of
variance ``s_i`` and residuals ``r`` have ``W = 1 / s`` and ``b = r / s``, which makes the bound
that of Titsias (2009), with derivatives of any order. Otherwise the factors are found by natural
gradient steps (Khan & Lin 2017; Adam et al. 2021) from the expected log densities ``l_i`` under
``q``, of which they are ``W = -2 dl/dv`` and ``b = dl/dm + W g``: for a likelihood that is log-
concave in the function's value the bound is concave in ``q`` (Challis & Barber 2013), so there is
one maximum. At a maximum the bound's gradient is that with ``q``'s factors held (the envelope
theorem); second derivatives are differences of such gradients.

Sources
-------
M. Titsias, "Variational learning of inducing variables in sparse Gaussian processes", AISTATS 2009.
M. E. Khan & W. Lin, "Conjugate-computation variational inference", AISTATS 2017.
V. Adam, P. Chang, M. E. Khan & A. Solin, "Dual parameterization of sparse variational Gaussian
processes", NeurIPS 2021.
E. Challis & D. Barber, "Gaussian Kullback-Leibler approximate inference", JMLR 14, 2239, 2013.
"""

from __future__ import annotations

import dataclasses

import gpytorch
import numpy as np
import torch
from gpytorch.distributions import MultivariateNormal
from gpytorch.kernels import InducingPointKernel
from gpytorch.likelihoods import BernoulliLikelihood
from gpytorch.likelihoods.gaussian_likelihood import _GaussianLikelihoodBase
from gpytorch.variational import (
    CholeskyVariationalDistribution,
    UnwhitenedVariationalStrategy,
)
from gpytorch.variational._variational_distribution import _VariationalDistribution
from gpytorch.variational._variational_strategy import _VariationalStrategy
from linear_operator.operators import DiagLinearOperator
from torch import Tensor

from bayescape.targets.gpytorch_posterior import log_prior

__all__ = ["Profiled", "best_of", "hold_variational", "load_best"]

STEPS = 200  # natural gradient steps, of which some ten are needed
HALVINGS = 30
TOLERANCE = 1e-10  # of the factors, relative; the bound is off by its square, its gradient by it


@dataclasses.dataclass(frozen=True)
class Projection:
    """What the bound needs of a model at its data.

    Attributes
    ----------
    factor
        Cholesky factor of the inducing points' covariance, ``(m, m)``.
    across
        ``A`` of this module's first lines, ``(m, n)``.
    left
        Prior variance of every row given the inducing values, ``(n,)``.
    mean, inducing_mean
        Prior means, ``(n,)``, ``(m,)``.
    """

    factor: Tensor
    across: Tensor
    left: Tensor
    mean: Tensor
    inducing_mean: Tensor

    def detached(self) -> Projection:
        """The same without what it depends on."""
        return Projection(*(getattr(self, f.name).detach() for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Best:
    """A normal distribution of the whitened inducing values.

    Attributes
    ----------
    mean
        Shape ``(m,)``.
    factor
        Cholesky factor of its precision, ``(m, m)``.
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def of(cls, across: Tensor, W: Tensor, b: Tensor) -> Best:
        """That with the factors given."""
        precision = torch.eye(len(across), dtype=across.dtype) + (across * W) @ across.mT
        factor = torch.linalg.cholesky(precision)
        return cls(torch.cholesky_solve((across @ b)[:, None], factor)[:, 0], factor)

    def marginals(self, at: Projection) -> tuple[Tensor, Tensor]:
        """Mean and variance of the function at every row, each ``(n,)``."""
        spread = torch.linalg.solve_triangular(self.factor, at.across, upper=False)
        return at.mean + at.across.mT @ self.mean, at.left + spread.square().sum(dim=0)

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from the prior."""
        m = len(self.mean)
        identity = torch.eye(m, dtype=self.mean.dtype)
        root = torch.linalg.solve_triangular(self.factor, identity, upper=False)
        log_determinant = 2 * self.factor.diagonal().log().sum()
        return 0.5 * (root.square().sum() + self.mean.square().sum() - m + log_determinant)


class Profiled(torch.nn.Module):
    """The bound at its best ``q`` and the registered priors, at the parameters that a model has.

    Attributes
    ----------
    model
        Whose ``likelihood`` is its own.
    X, y
        The data, ``(n, p)``, ``(n,)``.
    """

    exact = False

    def __init__(self, model: gpytorch.models.ApproximateGP, X: Tensor, y: Tensor) -> None:
        super().__init__()
        self.model, self.X, self.y = model, X, y

    @property
    def likelihood(self) -> gpytorch.likelihoods.Likelihood:
        """The model's."""
        return self.model.likelihood

    @property
    def closed(self) -> bool:
        """Whether the best ``q`` is known in closed form."""
        return isinstance(self.likelihood, _GaussianLikelihoodBase)

    def forward(self) -> Tensor:
        """The log density over natural units."""
        at = projection(self.model, self.X)
        q = Best.of(at.across, *self.factors(at))
        value = self._expected(*q.marginals(at)).sum() - q.divergence()
        for term in self.model.added_loss_terms():
            value = value - term.loss()
        return value + log_prior(self.model)

    def factors(self, at: Projection) -> tuple[Tensor, Tensor]:
        """``W`` and ``b`` of the best ``q``, each ``(n,)``; not differentiable if not closed."""
        if self.closed:
            noise = self._noise()
            return 1 / noise, (self.y - at.mean) / noise
        with torch.enable_grad():
            return self._climb(at.detached())

    def _climb(self, at: Projection) -> tuple[Tensor, Tensor]:
        """Natural gradient steps from the prior, shortened where the bound would fall."""
        W, b = torch.zeros_like(at.mean), torch.zeros_like(at.mean)
        bound, aims = self._bound_and_aims(at, Best.of(at.across, W, b))
        for _ in range(STEPS):
            moves = [aim - old for aim, old in zip(aims, (W, b), strict=True)]
            size = max(
                float(move.abs().max() / (1 + aim.abs().max()))
                for move, aim in zip(moves, aims, strict=True)
            )
            if size < TOLERANCE:
                return W, b
            for length in 0.5 ** np.arange(HALVINGS):
                new_W, new_b = W + length * moves[0], b + length * moves[1]
                new_bound, new_aims = self._bound_and_aims(at, Best.of(at.across, new_W, new_b))
                if new_bound >= bound - 1e-10 * (1 + abs(bound)):
                    break
            W, b, bound, aims = new_W, new_b, new_bound, new_aims
        raise torch.linalg.LinAlgError("the variational distribution did not converge")

    def _bound_and_aims(self, at: Projection, q: Best) -> tuple[float, tuple[Tensor, Tensor]]:
        """The bound, and the factors that its gradient points to."""
        mean, variance = (part.detach().requires_grad_() for part in q.marginals(at))
        expected = self._expected(mean, variance).sum()
        by_mean, by_variance = torch.autograd.grad(expected, (mean, variance))
        bound = float(expected.detach() - q.divergence())
        # Of a log-concave likelihood it is positive, but for the quadrature's errors.
        new_W = (-2 * by_variance).clamp(min=0)
        return bound, (new_W, by_mean + new_W * (mean.detach() - at.mean))

    def _expected(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Expected log density of every row, ``(n,)``."""
        if self.closed:
            noise = self._noise()
            misfit = ((self.y - mean).square() + variance) / noise
            return -0.5 * (misfit + noise.log() + np.log(2 * np.pi))
        normal, likelihood = MultivariateNormal(mean, DiagLinearOperator(variance)), self.likelihood
        if isinstance(likelihood, BernoulliLikelihood):
            # GPyTorch's own logarithm of the normal integral (1.15) jumps by 0.002 at -1.
            signs = 2 * self.y - 1
            return likelihood.quadrature(lambda f: torch.special.log_ndtr(signs * f), normal)
        return likelihood.expected_log_prob(self.y, normal)

    def _noise(self) -> Tensor:
        """Noise variances, ``(n,)``."""
        return self.likelihood.noise.expand(len(self.y))


def projection(model: gpytorch.models.ApproximateGP, X: Tensor) -> Projection:
    """What a model has for rows ``(n, p)``, its inducing points' jitter included."""
    strategy = model.variational_strategy
    points = strategy.inducing_points
    m = len(points)
    prior = model.forward(torch.cat([points, X]))
    covariance = prior.lazy_covariance_matrix
    jitter = strategy.jitter_val * torch.eye(m, dtype=X.dtype)
    factor = torch.linalg.cholesky(covariance[:m, :m].to_dense() + jitter)
    across = torch.linalg.solve_triangular(factor, covariance[:m, m:].to_dense(), upper=False)
    variance = covariance[m:, m:].diagonal(dim1=-1, dim2=-2)
    left = variance - across.square().sum(dim=0)
    return Projection(factor, across, left, prior.mean[m:], prior.mean[:m])


def load_best(
    model: gpytorch.models.ApproximateGP, best: list[tuple[Projection, Best]], lead: torch.Size
) -> None:
    """Put the best ``q`` into a model, in place.

    Parameters
    ----------
    model
        Its other parameters have the batch shape ``lead``.
    best
        One for each of the batch, or one alone.
    """
    strategy = model.variational_strategy
    means, factors = [], []
    for at, q in best:
        mean, covariance = q.mean, torch.cholesky_inverse(q.factor)
        if isinstance(strategy, UnwhitenedVariationalStrategy):
            mean = at.inducing_mean + at.factor @ mean
            covariance = at.factor @ covariance @ at.factor.mT
        means.append(mean)
        factors.append(torch.linalg.cholesky(covariance))
    m = len(means[0])
    held = CholeskyVariationalDistribution(m, batch_shape=lead).double()
    held.variational_mean.data = torch.stack(means).reshape(*lead, m)
    held.chol_variational_covar.data = torch.stack(factors).reshape(*lead, m, m)
    strategy._variational_distribution = held.requires_grad_(False)
    strategy.variational_params_initialized.fill_(1)
    strategy._clear_cache()


def hold_variational(model: gpytorch.Module) -> None:
    """Make no coordinates of what an approximation consists of, in place.

    That is ``q``, and inducing points without a registered prior.
    """
    for module in model.modules():
        if isinstance(module, _VariationalDistribution):
            module.requires_grad_(False)
        sparse = isinstance(module, (InducingPointKernel, _VariationalStrategy))
        if sparse and not module._priors:
            module.inducing_points.requires_grad_(False)


def best_of(profiled: Profiled) -> tuple[Projection, Best]:
    """The best ``q`` at the parameters that the model has."""
    with torch.no_grad():
        at = projection(profiled.model, profiled.X)
        return at, Best.of(at.across, *(part.detach() for part in profiled.factors(at)))
