"""The log density of a GPyTorch model's hyperparameters by torch, and where to start in it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import cloudpickle
import gpytorch
import numpy as np
import torch
from linear_operator.utils.errors import NanError, NotPSDError
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from bayescape.targets.gpytorch_parameters import parameters_of
from bayescape.targets.priors import in_double_precision
from bayescape.targets.starting_points import pulled_inside
from bayescape.targets.torch_density import TorchDensity

__all__ = ["GPyTorchPosterior", "GPyTorchStarts"]

Array = NDArray[np.float64]

SPREAD = 1.5  # of starts about the model's own values, in each coordinate


class GPyTorchPosterior:
    """The log density of a model's coordinates, ``(d,)``, as a torch function.

    Attributes
    ----------
    parameters
        The coordinates' meaning.
    defaults
        Priors over natural units by path, of parameters without a prior of their own.
    flat
        Paths of parameters that are flat in their coordinates.
    """

    def __init__(
        self, model: gpytorch.models.ExactGP, mll: gpytorch.mlls.MarginalLogLikelihood | None
    ) -> None:
        _double_priors(model)
        self.joint = _Joint(model, mll)
        self.parameters = parameters_of(model)
        self.defaults: Mapping[str, Distribution] = {}
        self.flat: frozenset[str] = frozenset()
        self.X, self.y = self.joint.X, model.train_targets

    @property
    def model(self) -> gpytorch.models.ExactGP:
        """The model, its constraints' transforms exchanged."""
        return self.joint.model

    def __call__(self, theta: Tensor) -> Tensor:
        """The log density at a point, nats."""
        value = self._at(theta)
        for parameter in self.parameters:
            t = theta[parameter.part].reshape(parameter.shape)
            prior = self.defaults.get(parameter.path)
            if prior is not None:
                value = value + prior.log_prob(parameter.natural(t)).sum()
            if parameter.path not in self.flat:
                value = value + parameter.log_jacobian(t)
        return value

    def predict(self, theta: Tensor, X: Tensor, noise: bool) -> tuple[Tensor, Tensor]:
        """Mean and variance ``(m,)`` at new inputs at one point."""
        with torch.no_grad():
            return self._at(theta, X, noise)

    def natural(self, theta: Array) -> dict[str, Array]:
        """Values by label, axes of length one left out."""
        points = torch.tensor(theta)
        found = {}
        for parameter in self.parameters:
            value = parameter.natural(points[:, parameter.part].reshape((-1, *parameter.shape)))
            shape = [size for size in parameter.shape if size > 1]
            found[parameter.label] = value.reshape((len(theta), *shape)).numpy()
        return found

    def without_prior(self) -> set[str]:
        """Paths of the parameters that no registered prior depends on."""
        raws = [self.model.get_parameter(parameter.path) for parameter in self.parameters]
        total = _log_prior(self.model)
        if not total.requires_grad:
            return {parameter.path for parameter in self.parameters}
        slopes = torch.autograd.grad(total, raws, allow_unused=True)
        return {p.path for p, s in zip(self.parameters, slopes, strict=True) if s is None}

    def _at(self, theta: Tensor, *arguments: Any) -> Any:
        raws = {
            f"model.{parameter.path}": theta[parameter.part].reshape(parameter.shape)
            for parameter in self.parameters
        }
        with (
            # Exact algebra at every size, and operations that can be differentiated twice.
            gpytorch.settings.fast_computations(False, False, False),
            gpytorch.settings.max_cholesky_size(10**9),
            gpytorch.settings.cholesky_jitter(double_value=0.0),
            gpytorch.settings.trace_mode(True),
            gpytorch.settings.debug(False),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", gpytorch.utils.warnings.NumericalWarning)
            try:
                return torch.func.functional_call(self.joint, raws, arguments)
            except (NotPSDError, NanError) as error:
                raise torch.linalg.LinAlgError(str(error)) from error

    def __getstate__(self) -> dict[str, Any]:
        # GPyTorch registers priors with functions that plain pickle cannot take.
        return {"pickled": cloudpickle.dumps(vars(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(cloudpickle.loads(state["pickled"]))

    def __repr__(self) -> str:
        return f"{type(self.model).__name__} of GPyTorch"

    @property
    def __name__(self) -> str:
        return repr(self)


class _Joint(torch.nn.Module):
    """Likelihood, registered priors and predictions of a model, at the parameters that it has."""

    def __init__(
        self, model: gpytorch.models.ExactGP, mll: gpytorch.mlls.MarginalLogLikelihood | None
    ) -> None:
        super().__init__()
        self.model = model
        self._mll = (mll,)  # in a tuple, for as a module it would own the model a second time
        (self.X,) = (x[:, None] if x.ndim == 1 else x for x in model.train_inputs)

    def forward(self, X: Tensor | None = None, noise: bool = True) -> Any:
        """The log density over natural units; with inputs ``(m, p)`` the prediction there."""
        model, y = self.model, self.model.train_targets
        if X is not None:
            return self._predict(X, noise)
        latent = model(self.X)
        (mll,) = self._mll
        if mll is not None:
            return mll(latent, y) * len(y)
        marginal = model.likelihood(latent)
        factor = torch.linalg.cholesky(marginal.covariance_matrix)
        half = torch.linalg.solve_triangular(factor, (y - marginal.mean)[:, None], upper=False)
        value = -0.5 * half.square().sum() - factor.diagonal().log().sum()
        value = value - 0.5 * len(y) * np.log(2 * np.pi) + _log_prior(model)
        for term in model.added_loss_terms():
            value = value + term.loss()
        return value

    def _predict(self, X: Tensor, noise: bool) -> tuple[Tensor, Tensor]:
        n, model = len(self.X), self.model
        prior = model.forward(torch.cat([self.X, X]))
        K, mean = prior.covariance_matrix, prior.mean
        normal = gpytorch.distributions.MultivariateNormal
        seen = model.likelihood(normal(mean[:n], K[:n, :n])).covariance_matrix
        factor = torch.linalg.cholesky(seen)
        cross = torch.linalg.solve_triangular(factor, K[:n, n:], upper=False)
        half = torch.linalg.solve_triangular(
            factor, (model.train_targets - mean[:n])[:, None], upper=False
        )
        spread = K.diagonal()[n:]
        variance = (spread - cross.square().sum(0)).clamp_min(0.0)
        if noise:
            new = normal(mean[n:], torch.diag(spread))
            variance = variance + model.likelihood(new, X).variance - spread
        return mean[n:] + (cross.T @ half)[:, 0], variance


class GPyTorchStarts:
    """The model's own values moved, and draws from the priors, by turns, where the density is."""

    def __init__(self, posterior: GPyTorchPosterior) -> None:
        self.posterior = posterior

    def __call__(self, count: int, rng: np.random.Generator) -> Array:
        """Starts, ``(count, d)``."""
        model = copy.deepcopy(self.posterior.model)
        own = self._point(model)
        moves = SPREAD * rng.standard_normal((count, len(own)))
        found = own + moves
        seeds = rng.integers(2**30, size=count)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            for i in range(0, count, 2):
                torch.manual_seed(int(seeds[i]))
                try:
                    found[i] = self._drawn(model, own + moves[i])
                except (RuntimeError, NotImplementedError, ValueError):
                    continue  # not every prior can be drawn from within every constraint
        return pulled_inside(found, own, moves, TorchDensity(self.posterior).value)

    def _point(self, model: gpytorch.models.ExactGP) -> Array:
        raws = [model.get_parameter(p.path).detach().ravel() for p in self.posterior.parameters]
        return np.array(torch.cat(raws).numpy())

    def _drawn(self, model: gpytorch.models.ExactGP, otherwise: Array) -> Array:
        """Parameters from their priors, and where they have none the point given."""
        for parameter in self.posterior.parameters:
            t = torch.tensor(otherwise[parameter.part]).reshape(parameter.shape)
            prior = self.posterior.defaults.get(parameter.path)
            if prior is not None:
                value = prior.expand(parameter.shape).sample()
                t = (
                    value
                    if parameter.kind == "free"
                    else parameter.constraint.inverse_transform(value)
                )
            model.get_parameter(parameter.path).copy_(t)
        for _, module, prior, closure, setting in model.named_priors():
            if setting is not None:
                setting(module, prior.sample(closure(module).shape[len(prior.batch_shape) :]))
        return self._point(model)


def _log_prior(model: gpytorch.models.ExactGP) -> Tensor:
    """The registered priors over natural units."""
    total = torch.zeros((), dtype=torch.float64)
    for _, module, prior, closure, _ in model.named_priors():
        total = total + prior.log_prob(closure(module)).sum()
    return total


def _double_priors(model: gpytorch.models.ExactGP) -> None:
    """Bring the registered priors to double precision, in place, and spare them their checks.

    The checks cannot be batched, and nothing is lost by them where all that a density may be asked
    for is in its support: else its value says so by itself.
    """
    known = torch.distributions.constraints
    for module in list(model.modules()):
        for name, (prior, closure, setting) in list(getattr(module, "_priors", {}).items()):
            doubled: Any = in_double_precision(prior)
            if any(doubled.support is of for of in (known.positive, known.nonnegative, known.real)):
                for part in (doubled, getattr(doubled, "base_dist", None)):
                    if part is not None:
                        part._validate_args = False
            module._modules[name] = doubled
            module._priors[name] = (doubled, closure, setting)
