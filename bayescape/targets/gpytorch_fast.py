"""GPyTorch's most common model, recognised and handed to the compiled likelihood.

A scaled Matern kernel of order 1/2, 3/2 or 5/2 or a scaled RBF kernel over all inputs, a constant
or zero mean, Gaussian noise, and priors on these one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gpytorch
import numpy as np
from gpytorch.kernels import MaternKernel, RBFKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.means import ConstantMean, ZeroMean
from numpy.typing import NDArray
from torch.distributions import Distribution

from bayescape.kernels.correlation import correlation
from bayescape.targets.gpytorch_parameters import Parameter
from bayescape.targets.marginal_likelihood import MarginalLikelihood
from bayescape.targets.priors import CoordinatePrior, JointPrior, in_double_precision

__all__ = ["CompiledDensity", "compiled_density"]

Array = NDArray[np.float64]

LENGTHSCALE = "covar_module.base_kernel.raw_lengthscale"
OUTPUTSCALE = "covar_module.raw_outputscale"
NOISE = "likelihood.noise_covar.raw_noise"
CONSTANT = "mean_module.raw_constant"
# By the path of a parameter, that of the prior which GPyTorch's own constructors register for it.
PRIORS = {
    LENGTHSCALE: "covar_module.base_kernel.lengthscale_prior",
    OUTPUTSCALE: "covar_module.outputscale_prior",
    NOISE: "likelihood.noise_covar.noise_prior",
    CONSTANT: "mean_module.mean_prior",
}


def compiled_density(
    model: gpytorch.models.ExactGP,
    parameters: Sequence[Parameter],
    defaults: Mapping[str, Distribution],
    X: Array,
    y: Array,
) -> CompiledDensity | None:
    """The compiled density of a model that looks as if it had one, or ``None``.

    What the model's own ``forward`` does cannot be seen: compare the two before use.

    Parameters
    ----------
    model
        After `bayescape.targets.gpytorch_parameters.rebase`.
    parameters
        Of the model.
    defaults
        Priors by the path of parameters that come without one.
    X, y
        The training data, ``(n, p)``, ``(n,)``.
    """
    kernel: Any = getattr(model, "covar_module", None)
    mean: Any = getattr(model, "mean_module", None)
    if type(kernel) is not ScaleKernel or type(kernel.base_kernel) not in (MaternKernel, RBFKernel):
        return None
    base, constant = kernel.base_kernel, type(mean) is ConstantMean
    if type(model.likelihood) is not GaussianLikelihood or type(mean) not in (
        ConstantMean,
        ZeroMean,
    ):
        return None
    if base.active_dims is not None or kernel.active_dims is not None:
        return None
    by_path = {parameter.path: parameter for parameter in parameters}
    wanted = [LENGTHSCALE, OUTPUTSCALE, NOISE, *([CONSTANT] if constant else [])]
    ard = base.ard_num_dims is not None
    if sorted(by_path) != sorted(wanted) or (ard and base.ard_num_dims != X.shape[1]):
        return None
    if any((by_path[path].kind == "above") != (path != CONSTANT) for path in wanted):
        return None
    registered = {prefix: prior for prefix, _, prior, _, _ in model.named_priors()}
    if not set(registered) <= {PRIORS[path] for path in wanted}:
        return None
    priors = []
    begin = 0
    for path in wanted:
        size = by_path[path].shape.numel()
        prior = registered.get(PRIORS[path], defaults.get(path))
        if prior is not None:
            if prior.event_shape or tuple(prior.batch_shape) not in ((), (1,), (size,)):
                return None
            plain = CoordinatePrior(in_double_precision(prior), logarithmic=path != CONSTANT)
            priors.append((slice(begin, begin + size), plain))
        begin += size
    lower = [
        np.broadcast_to(by_path[p].constraint.lower_bound.numpy(), by_path[p].shape).ravel()
        if p != CONSTANT
        else np.array([np.nan])
        for p in wanted
    ]
    if any((bound < 0).any() for bound in lower):
        return None
    flat = np.concatenate(
        [np.full(by_path[p].shape.numel(), not _known(registered, defaults, p)) for p in wanted]
    )
    form = ("rbf", np.inf) if type(base) is RBFKernel else ("matern", float(base.nu))
    return CompiledDensity(
        MarginalLikelihood(correlation(*form), X, y, ard=ard, mean=constant, jitter=0.0),
        JointPrior(priors, begin),
        np.concatenate([np.arange(begin)[by_path[p].part] for p in wanted]),
        np.concatenate(lower),
        flat,
    )


class CompiledDensity:
    """The log density by compiled code, in coordinates that its own are functions of.

    The likelihood's coordinates ``u`` are logarithms of the values, those of the model logarithms
    of the values less their lower bounds: ``u = log(lower + exp t)``, with the derivative
    ``s = exp(t - u)``, of which ``d log s / dt = 1 - s``.

    Attributes
    ----------
    likelihood, prior
        Over ``u``; the prior with the Jacobian of ``u``.
    order
        Which of the model's coordinates each of ``u`` is of.
    lower
        Lower bounds by coordinate ``u``; NaN for a mean, whose coordinate is its value.
    flat
        Coordinates without a prior, which are flat in the model's coordinate.
    """

    def __init__(
        self,
        likelihood: MarginalLikelihood,
        prior: JointPrior,
        order: NDArray[np.int_],
        lower: Array,
        flat: NDArray[np.bool_],
    ) -> None:
        self.likelihood, self.prior, self.order = likelihood, prior, order
        self.lower, self.flat = lower, flat

    def value(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``."""
        u, log_slope = self._inner(theta)
        (prior,) = self.prior.derivatives(u, 0)
        return prior - self.likelihood.energy(u) + log_slope[:, ~self.flat].sum(axis=1)

    def value_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        u, log_slope = self._inner(theta)
        prior, pull = self.prior.derivatives(u, 1)
        energy, slope = self.likelihood.energy_and_gradient(u)
        s = np.exp(log_slope)
        gradient = (pull - slope) * s + np.where(self.flat, 0.0, 1 - s)
        values = prior - energy + log_slope[:, ~self.flat].sum(axis=1)
        return values, self._outer(gradient)

    def hessian(self, theta: Array) -> Array:
        """Hessians, ``(B, d, d)``."""
        u, log_slope = self._inner(theta)
        _, pull, bend = self.prior.derivatives(u, 2)
        _, slope = self.likelihood.energy_and_gradient(u)
        s = np.exp(log_slope)
        hessian = -self.likelihood.hessian(u) * s[:, :, None] * s[:, None, :]
        curved = s * (1 - s)
        diagonal = np.arange(u.shape[1])
        hessian[:, diagonal, diagonal] += (
            bend * s**2 + (pull - slope) * curved - np.where(self.flat, 0.0, curved)
        )
        back = np.argsort(self.order)
        return hessian[:, back[:, None], back]

    def predict(self, theta: Array, X: Array, noise: bool) -> tuple[Array, Array]:
        """Mean and variance at new inputs ``(m, p)``, each ``(B, m)``."""
        u, _ = self._inner(theta)
        means, variances = self.likelihood.predict(u, X)
        at = self.likelihood.lengths + 1
        return means, variances + np.exp(u[:, at : at + 1]) if noise else variances

    def leave_one_out(self, theta: Array) -> tuple[Array, Array]:
        """Mean and variance of every row given all others, each ``(B, n)``."""
        return self.likelihood.leave_one_out(self._inner(theta)[0])

    def repeat(self, theta: Array, normals: Array) -> Array:
        """Measurements repeated at the same inputs, from standard normals ``(B, n)``."""
        return self.likelihood.repeat(self._inner(theta)[0], normals)

    def _inner(self, theta: Array) -> tuple[Array, Array]:
        """The likelihood's coordinates and the logarithms of their derivatives."""
        t = theta[:, self.order]
        with np.errstate(divide="ignore", invalid="ignore"):
            u = np.where(np.isnan(self.lower), t, np.logaddexp(t, np.log(self.lower)))
        return u, np.where(np.isnan(self.lower), 0.0, t - u)

    def _outer(self, gradient: Array) -> Array:
        return gradient[:, np.argsort(self.order)]

    def __repr__(self) -> str:
        return "GPyTorch model by bayescape's compiled likelihood"


def _known(
    registered: Mapping[str, Distribution], defaults: Mapping[str, Distribution], path: str
) -> bool:
    return PRIORS[path] in registered or path in defaults
