"""The log density of a GPyTorch model's hyperparameters by torch, and where to start in it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import cloudpickle
import gpytorch
import numpy as np
import torch
from gpytorch.likelihoods.gaussian_likelihood import _GaussianLikelihoodBase
from linear_operator.utils.errors import NanError, NotPSDError
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from bayescape.targets.gpytorch_parameters import parameters_of
from bayescape.targets.priors import in_double_precision
from bayescape.targets.starting_points import pulled_inside
from bayescape.targets.torch_density import TorchDensity

__all__ = [
    "ExactJoint",
    "GPyTorchPosterior",
    "GPyTorchStarts",
    "copied",
    "exact_algebra",
    "log_prior",
]

Array = NDArray[np.float64]

SPREAD = 1.5  # of starts about the model's own values, in each coordinate


class GPyTorchPosterior:
    """The log density of a model's coordinates, ``(d,)``, as a torch function.

    Parameters
    ----------
    joint
        The torch module that computes likelihood and registered priors over natural units, with
        its ``model``, the data ``X`` and ``y``, and whether it is ``exact``: `ExactJoint`, or
        `bayescape.targets.gpytorch_variational.Profiled`.

    Attributes
    ----------
    parameters
        The coordinates' meaning.
    defaults
        Priors over natural units by path, of parameters without a prior of their own.
    flat
        Paths of parameters that are flat in their coordinates.
    places
        By parameter, the paths of all modules that have it.
    """

    def __init__(self, joint: Any) -> None:
        _double_priors(joint.model)
        self.joint = joint
        self.parameters = parameters_of(self.model)
        self.places = [_places(self.model, parameter.path) for parameter in self.parameters]
        self.defaults: Mapping[str, Distribution] = {}
        self.flat: frozenset[str] = frozenset()

    @property
    def model(self) -> Any:
        """The model, its constraints' transforms exchanged."""
        return self.joint.model

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return self.parameters[-1].part.stop

    @property
    def X(self) -> Tensor:
        """Training inputs, ``(n, p)``."""
        return self.joint.X

    @property
    def y(self) -> Tensor:
        """Training targets, ``(n,)``."""
        return self.joint.y

    @property
    def exact(self) -> bool:
        """Whether this is a Gaussian process with Gaussian noise, and no bound or other score."""
        return self.joint.exact

    def __call__(self, theta: Tensor) -> Tensor:
        """The log density at a point, nats."""
        value = self._natural_density(theta)
        for parameter in self.parameters:
            t = theta[parameter.part].reshape(parameter.shape)
            prior = self.defaults.get(parameter.path)
            if prior is not None:
                value = value + prior.log_prob(parameter.natural(t)).sum()
            if parameter.path not in self.flat:
                value = value + parameter.log_jacobian(t)
        return value

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
        total = log_prior(self.model)
        if not total.requires_grad:
            return {parameter.path for parameter in self.parameters}
        slopes = torch.autograd.grad(total, raws, allow_unused=True)
        return {p.path for p, s in zip(self.parameters, slopes, strict=True) if s is None}

    def _natural_density(self, theta: Tensor) -> Tensor:
        raws = {
            f"model.{place}": theta[parameter.part].reshape(parameter.shape)
            for parameter, places in zip(self.parameters, self.places, strict=True)
            for place in places
        }
        with (
            # Operations that can be differentiated twice.
            exact_algebra(),
            gpytorch.settings.cholesky_jitter(double_value=0.0),
            gpytorch.settings.trace_mode(True),
            gpytorch.settings.debug(False),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", gpytorch.utils.warnings.NumericalWarning)
            try:
                return torch.func.functional_call(self.joint, raws, (), tie_weights=False)
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


class ExactJoint(torch.nn.Module):
    """Likelihood and registered priors of an exact model, at the parameters that it has."""

    def __init__(
        self, model: gpytorch.models.ExactGP, mll: gpytorch.mlls.MarginalLogLikelihood | None
    ) -> None:
        super().__init__()
        self.model = model
        self._mll = (mll,)  # in a tuple, for as a module it would own the model a second time
        (self.X,) = (x[:, None] if x.ndim == 1 else x for x in model.train_inputs)
        self.y = model.train_targets

    @property
    def exact(self) -> bool:
        """Whether this is a Gaussian process with Gaussian noise, and no bound or other score."""
        kernels, (mll,) = gpytorch.kernels, self._mll
        sparse = (kernels.InducingPointKernel, kernels.GridInterpolationKernel)
        return (
            (mll is None or type(mll) is gpytorch.mlls.ExactMarginalLogLikelihood)
            and isinstance(self.model.likelihood, _GaussianLikelihoodBase)
            and not any(isinstance(module, sparse) for module in self.model.modules())
        )

    def forward(self) -> Tensor:
        """The log density over natural units."""
        model, y = self.model, self.model.train_targets
        latent = model(self.X)
        (mll,) = self._mll
        if mll is not None:
            return mll(latent, y) * len(y)
        marginal = model.likelihood(latent)
        factor = torch.linalg.cholesky(marginal.covariance_matrix)
        half = torch.linalg.solve_triangular(factor, (y - marginal.mean)[:, None], upper=False)
        value = -0.5 * half.square().sum() - factor.diagonal().log().sum()
        value = value - 0.5 * len(y) * np.log(2 * np.pi) + log_prior(model)
        for term in model.added_loss_terms():
            value = value + term.loss()
        return value


class GPyTorchStarts:
    """The model's own values moved, and draws from the priors, by turns, where the density is."""

    def __init__(self, posterior: GPyTorchPosterior) -> None:
        self.posterior = posterior

    def __call__(self, count: int, rng: np.random.Generator) -> Array:
        """Starts, ``(count, d)``."""
        model = copied(self.posterior.model)
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


@contextlib.contextmanager
def exact_algebra() -> Iterator[None]:
    """Have GPyTorch factorise, at every size, instead of iterate."""
    with (
        gpytorch.settings.fast_computations(False, False, False),
        gpytorch.settings.max_cholesky_size(10**9),
    ):
        yield


def _places(model: gpytorch.models.ExactGP, path: str) -> list[str]:
    """Paths of a parameter, one for each module that has it, by whatever paths these are reached.

    torch would find them by itself, but does not put a module back that is reached by two.
    """
    raw = model.get_parameter(path)
    found: dict[tuple[int, str], str] = {}
    for place, other in model.named_parameters(remove_duplicate=False):
        if other is raw:
            owner, _, name = place.rpartition(".")
            found.setdefault((id(model.get_submodule(owner)), name), place)
    return list(found.values())


def copied(module: Any) -> Any:
    """A copy in which what was shared is shared still, and what was fixed is fixed still.

    `copy.deepcopy` promises neither: GPyTorch's kernel of inducing points comes out of it with a
    likelihood of its own.
    """
    return cloudpickle.loads(cloudpickle.dumps(module))


def log_prior(model: gpytorch.models.ExactGP) -> Tensor:
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
