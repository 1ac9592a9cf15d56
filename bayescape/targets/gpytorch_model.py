"""An exact Gaussian process as an ordinary GPyTorch model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        Hyperparameters as of `GaussianProcess.constrain`: of several points, for a model with that
        batch shape, or with the first axis taken away of one.

    Returns
    -------
    gpytorch.models.ExactGP
        Double precision, evaluation mode.

    Raises
    ------
    ValueError
        If the order of the kernel differs between points.
    """
    given = {name: torch.tensor(value, dtype=torch.float64) for name, value in natural.items()}
    batch = given["outputscale"].shape
    if "nu" in given and batch:
        raise ValueError("`theta` must be one point: GPyTorch's kernels have one order, `nu`, each")
    X, y = (torch.tensor(a, dtype=torch.float64) for a in (target.X, target.y))
    form: dict[str, Any] = {
        "ard_num_dims": target.X.shape[1] if target.ard else None,
        "batch_shape": batch,
    }
    nu = float(natural.get("nu", target.nu))
    base: gpytorch.kernels.Kernel
    if target.kernel == "rbf":
        base = gpytorch.kernels.RBFKernel(**form)
    elif nu in (0.5, 1.5, 2.5):
        base = gpytorch.kernels.MaternKernel(nu=nu, **form)
    else:
        base = MaternKernel(nu, **form)
    noise = given["noise"] + target.jitter * given["outputscale"]
    likelihood = gpytorch.likelihoods.GaussianLikelihood(
        # GPyTorch's own floor of 1e-4 would move small noises.
        noise_constraint=gpytorch.constraints.GreaterThan(0.5 * float(noise.min())),
        batch_shape=batch,
    )
    mean = (
        gpytorch.means.ConstantMean(batch_shape=batch)
        if target.mean == "constant"
        else gpytorch.means.ZeroMean()
    )
    kernel = gpytorch.kernels.ScaleKernel(base, batch_shape=batch)
    inputs = X.expand(*batch, *X.shape)
    model = ExactGP(inputs, y.expand(*batch, *y.shape), likelihood, mean, kernel).double()
    kernel.outputscale = given["outputscale"]
    base.lengthscale = given["lengthscale"].unsqueeze(-2)
    likelihood.noise = noise.unsqueeze(-1)
    if target.mean == "constant":
        mean.constant = given["mean"]
    return model.eval()
