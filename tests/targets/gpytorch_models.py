"""GPyTorch models as their users write them."""

from __future__ import annotations

import gpytorch
import numpy as np
import torch
from gpytorch.constraints import GreaterThan, Interval, LessThan
from gpytorch.kernels import (
    LinearKernel,
    MaternKernel,
    PeriodicKernel,
    RBFKernel,
    RQKernel,
    ScaleKernel,
)
from gpytorch.priors import GammaPrior, HalfCauchyPrior, LogNormalPrior, NormalPrior
from gpytorch.variational import CholeskyVariationalDistribution, VariationalStrategy

from bayescape.targets import from_gpytorch


class Exact(gpytorch.models.ExactGP):
    """What the documentation's first example has."""

    def __init__(self, X, y, likelihood, kernel, mean=None):
        super().__init__(X, y, likelihood)
        self.mean_module = mean or gpytorch.means.ConstantMean()
        self.covar_module = kernel

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


class Warped(Exact):
    """Looks like the others, and is not: its inputs go through a function first."""

    def forward(self, x):
        return super().forward(torch.sin(x))


class Sparse(gpytorch.models.ApproximateGP):
    """What the documentation's first example has."""

    def __init__(
        self,
        points,
        kernel=None,
        *,
        q=CholeskyVariationalDistribution,
        form=VariationalStrategy,
        **strategy,
    ):
        points = torch.as_tensor(points, dtype=torch.float64)
        super().__init__(form(self, points, q(len(points)), **strategy))
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = kernel or ScaleKernel(MaternKernel(nu=2.5))

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def data(n=14, p=2):
    """Not standardised."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 7, (n, p))
    return torch.tensor(X), torch.tensor(4 + 2 * np.sin(X).sum(axis=1) + 0.2 * rng.normal(size=n))


def exact(kernel, *, mean=None, noise_prior=None, form=Exact, n=14, p=2, **noise):
    """A model of the data."""
    likelihood = gpytorch.likelihoods.GaussianLikelihood(noise_prior=noise_prior, **noise)
    return form(*data(n, p), likelihood, kernel, mean)


def common(nu=2.5, ard=2, form=Exact, n=14):
    """The most common model, with priors of three kinds and one missing."""
    prior = LogNormalPrior(0.4, 1.2)
    base = (
        RBFKernel(ard_num_dims=ard, lengthscale_prior=prior)
        if nu == np.inf
        else MaternKernel(nu=nu, ard_num_dims=ard, lengthscale_prior=prior)
    )
    kernel = ScaleKernel(base, outputscale_prior=GammaPrior(2.0, 0.15))
    return exact(kernel, noise_prior=HalfCauchyPrior(0.7), form=form, n=n)


def bounded():
    """Constraints of every kind, and a mean of its own prior."""
    kernel = ScaleKernel(
        MaternKernel(nu=1.5, lengthscale_constraint=Interval(0.05, 30.0)),
        outputscale_constraint=LessThan(50.0),
    )
    mean = gpytorch.means.ConstantMean(constant_prior=NormalPrior(3.0, 2.0))
    model = exact(kernel, mean=mean, noise_constraint=GreaterThan(1e-3))
    kernel.base_kernel.lengthscale = 2.0
    kernel.outputscale = 3.0
    return model


def composite():
    """Sums and products of kernels on chosen inputs, and a linear mean."""
    smooth = ScaleKernel(RBFKernel(active_dims=[1]))
    cycle = ScaleKernel(PeriodicKernel(active_dims=[0]) * RQKernel(active_dims=[0]))
    return exact(smooth + cycle + LinearKernel(), mean=gpytorch.means.LinearMean(2))


def variational(likelihood, outputs):
    """Of two inputs, with five inducing points."""
    X, y = data()
    model = Sparse(X[::3], ScaleKernel(RBFKernel()))
    return from_gpytorch(model, likelihood, data=(X, outputs(y)))


GPYTORCH = {
    "gpytorch-compiled": lambda: from_gpytorch(common()),
    "gpytorch-compiled-flat": lambda: from_gpytorch(common(0.5, None), missing="flat"),
    "gpytorch-autograd": lambda: from_gpytorch(common(1.5), compiled=False),
    "gpytorch-bounded": lambda: from_gpytorch(bounded()),
    "gpytorch-composite": lambda: from_gpytorch(composite()),
    "gpytorch-variational": lambda: variational(
        gpytorch.likelihoods.GaussianLikelihood(), lambda y: y
    ),
    "gpytorch-classes": lambda: variational(
        gpytorch.likelihoods.BernoulliLikelihood(), lambda y: (y > y.median()).double()
    ),
}
