"""An exact Gaussian process as an ordinary GPyTorch model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gpytorch
import numpy as np
import torch
from numpy.typing import NDArray

from bayescape.kernels.matern_kernel import MaternKernel

if TYPE_CHECKING:
    from bayescape.targets.gaussian_process import GaussianProcess

__all__ = ["exact_gp"]


class ExactGP(gpytorch.models.ExactGP):
    """Mean, scaled stationary kernel, Gaussian likelihood."""

    def __init__(
        self,
        X: torch.Tensor,
        y: torch.Tensor,
        likelihood: gpytorch.likelihoods.GaussianLikelihood,
        mean: gpytorch.means.Mean,
        kernel: gpytorch.kernels.Kernel,
    ) -> None:
        super().__init__(X, y, likelihood)
        self.mean_module = mean
        self.covar_module = kernel

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        """Prior over the function at ``x``."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def exact_gp(target: GaussianProcess, natural: dict[str, NDArray[np.float64]]) -> ExactGP:
    """Build the model of a target at hyperparameters in natural units.

    Parameters
    ----------
    target
        Gives data, kernel and mean.
    natural
        One value of each hyperparameter, as of `GaussianProcess.constrain`.

    Returns
    -------
    gpytorch.models.ExactGP
        Double precision, evaluation mode.
    """
    X, y = (torch.tensor(a, dtype=torch.float64) for a in (target.X, target.y))
    lengths = target.X.shape[1] if target.ard else None
    nu = float(natural.get("nu", target.nu))
    base: gpytorch.kernels.Kernel
    if target.kernel == "rbf":
        base = gpytorch.kernels.RBFKernel(ard_num_dims=lengths)
    elif nu in (0.5, 1.5, 2.5):
        base = gpytorch.kernels.MaternKernel(nu=nu, ard_num_dims=lengths)
    else:
        base = MaternKernel(nu, ard_num_dims=lengths)
    noise = float(natural["noise"] + target.jitter * natural["outputscale"])
    likelihood = gpytorch.likelihoods.GaussianLikelihood(
        # GPyTorch's own floor of 1e-4 would move small noises.
        noise_constraint=gpytorch.constraints.GreaterThan(0.5 * noise)
    )
    mean = gpytorch.means.ConstantMean() if target.mean == "constant" else gpytorch.means.ZeroMean()
    model = ExactGP(X, y, likelihood, mean, gpytorch.kernels.ScaleKernel(base)).double()
    model.covar_module.outputscale = torch.tensor(natural["outputscale"], dtype=torch.float64)
    base.lengthscale = torch.tensor(natural["lengthscale"], dtype=torch.float64)
    likelihood.noise = torch.tensor(noise, dtype=torch.float64)
    if target.mean == "constant":
        mean.constant = torch.tensor(float(natural["mean"]), dtype=torch.float64)
    return model.eval()
