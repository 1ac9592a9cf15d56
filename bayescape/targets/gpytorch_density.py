"""Gaussian processes of GPyTorch as targets: the posterior over their hyperparameters."""

from __future__ import annotations

from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.likelihoods.gaussian_likelihood import _GaussianLikelihoodBase
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.distributions import Distribution

from bayescape.targets.botorch_ensemble import as_ensemble, as_seen
from bayescape.targets.conditionals import left_out, log_normal, repeated
from bayescape.targets.density import DensityTarget, LogDensity
from bayescape.targets.gpytorch_arguments import (
    validate_common,
    validate_exact,
    validate_variational,
)
from bayescape.targets.gpytorch_fast import CompiledDensity, compiled_density
from bayescape.targets.gpytorch_parameters import default_prior, rebase
from bayescape.targets.gpytorch_posterior import (
    ExactJoint,
    GPyTorchPosterior,
    GPyTorchStarts,
    copied,
    exact_algebra,
)
from bayescape.targets.gpytorch_variational import (
    Profiled,
    best_of,
    hold_variational,
    load_best,
)
from bayescape.targets.priors import in_double_precision
from bayescape.targets.regression_data import validate_inputs
from bayescape.targets.starting_points import Starts
from bayescape.targets.torch_density import OnceDifferentiable, TorchDensity

__all__ = ["GPyTorchTarget", "from_gpytorch", "in_batches"]

Array = NDArray[np.float64]

COMPARED = 3  # starts at which the compiled likelihood is held against the model itself
AGREEMENT = 1e-6  # relative: another form differs by far more, rounding by far less


def from_gpytorch(
    model: gpytorch.models.GP,
    likelihood: gpytorch.likelihoods.Likelihood | None = None,
    mll: gpytorch.mlls.MarginalLogLikelihood | None = None,
    *,
    data: tuple[ArrayLike | Tensor, ArrayLike | Tensor] | None = None,
    missing: str = "weak",
    starts: Starts = None,
    compiled: bool = True,
) -> DensityTarget:
    """Make a target of a GPyTorch model: the posterior over its trainable hyperparameters.

    The model, of any kernel and mean, is copied, in double precision; its registered priors and
    constraints are kept. Coordinates are the logarithms of values above their bounds
    (``log_lengthscale``, ``log_noise`` above GPyTorch's floor of ``1e-4``), log odds within
    intervals, and the values themselves where there is no constraint, the Jacobian included; bounds
    that a model leaves to its optimiser, as BoTorch's do, are taken in the same way. A scaled
    Matern or RBF kernel over all inputs with a constant or zero mean and Gaussian noise is computed
    by bayescape's compiled likelihood, once that is seen to agree with the model; any other model
    by torch's derivatives.

    Parameters
    ----------
    model
        A ``gpytorch.models.ExactGP`` with training data, such as BoTorch's ``SingleTaskGP``, or a
        ``gpytorch.models.ApproximateGP`` with a variational distribution of full covariance;
        without batch shape.
    likelihood
        An exact model's own, which may be left out; of an approximate one Gaussian, Bernoulli or
        Poisson.
    mll
        Of an exact model another objective than the exact log marginal likelihood, such as
        ``gpytorch.mlls.LeaveOneOutPseudoLikelihood``: what it returns times the number of rows,
        registered priors included, is the log density over natural units. Of an approximate model
        its ``gpytorch.mlls.VariationalELBO``, or nothing.
    data
        Inputs ``(n, p)`` and outputs ``(n,)`` of an approximate model, which does not hold them.
    missing
        What to do with parameters without a prior: ``"weak"``, give them the default priors of
        `bayescape.GaussianProcess`, in the units of the training data, and weaker ones if they are
        none of its parameters; ``"flat"``, leave them flat in their coordinates, where the
        posterior may be improper; ``"refuse"``, raise.
    starts
        As `bayescape.from_numpy` takes them. By default half of them are the model's own values
        moved by a normal of standard deviation 1.5 in each coordinate, half draws from the priors.
    compiled
        Whether the compiled likelihood may be used.

    Returns
    -------
    Target
        Which also predicts, so that `bayescape.predict` and `bayescape.compare` take it.

    Raises
    ------
    ValueError
        If the model is not of that kind, the likelihood not its own, data are missing, or a prior
        is and is to be refused.

    Notes
    -----
    The weak priors of other parameters: with one bound, log-normal about the value that the model
    has, with a standard deviation of 2; without, normal about it, as wide as 10 standard deviations
    of the outputs and 10 at least; in an interval, uniform. A covariance that is not positive
    definite is outside the domain: no jitter is added on the way.

    Parameters that do not require a gradient are not coordinates, nor are inducing points, learned
    or not: they stay where the model has them, unless a prior is registered on them.

    Of a sparse model the log density is a variational bound in the place of the log marginal
    likelihood. By ``gpytorch.kernels.InducingPointKernel`` it is the collapsed one of Titsias
    (2009). Of an ``ApproximateGP`` it is the evidence lower bound at the variational distribution
    that is best at each point, whatever the model's own is: under Gaussian noise again the
    collapsed bound, else found by an inner maximisation, with gradients by the envelope theorem and
    Hessians by differences of them; see `bayescape.targets.gpytorch_variational`. Its inducing
    points' covariance has the jitter that the model's strategy adds.

    Examples
    --------
    >>> import bayescape as bs
    >>> target = bs.from_gpytorch(model, likelihood)            # doctest: +SKIP
    >>> posterior = bs.sample(target)                           # doctest: +SKIP
    >>> averaged = bs.to_gpytorch(posterior, target)            # doctest: +SKIP
    """
    validate_common(model, mll, missing, compiled)
    own, joint = _joint_of(model, likelihood, mll, data)
    source = copied(own)
    rebase(own)
    posterior = GPyTorchPosterior(joint)
    _settle_priors(posterior, missing)
    slow = TorchDensity(posterior)
    target = GPyTorchTarget(source, posterior, slow, starts)
    target.probe()
    theta = target.starts(COMPARED, np.random.default_rng(1))
    fast = None
    if compiled and mll is None and isinstance(joint, ExactJoint):
        X, y = posterior.X.numpy(), posterior.y.numpy()
        fast = compiled_density(own, posterior.parameters, posterior.defaults, X, y)
    if fast is not None and _agree(slow, fast, theta):
        target.density = fast
    elif _closed(joint) and _twice_differentiable(slow, theta[:1]):
        slow.settle(theta[:2])
    else:
        target.density = OnceDifferentiable(slow, posterior.dimension)
    return target


def _settle_priors(posterior: GPyTorchPosterior, missing: str) -> None:
    """Give parameters without a prior what ``missing`` says, in place."""
    without = posterior.without_prior()
    lacking = [p for p in posterior.parameters if p.path in without]
    if missing == "refuse" and lacking:
        raise ValueError(
            f"`model` has no prior on {', '.join(p.label for p in lacking)}, and "
            "missing='refuse': register one for each, or say missing='weak'"
        )
    model = posterior.model
    # The function behind probabilities and counts is of order one, whatever these are.
    gaussian = isinstance(model.likelihood, _GaussianLikelihoodBase)
    y = posterior.y if gaussian else torch.tensor([-1.0, 1.0], dtype=torch.float64)
    defaults: dict[str, Distribution] = {}
    for parameter in lacking if missing == "weak" else []:
        prior = default_prior(parameter, model, as_seen(model, posterior.X), y)
        if prior is not None:
            defaults[parameter.path] = in_double_precision(prior)
    posterior.defaults = defaults
    flat = {p.path for p in lacking} if missing == "flat" else set()
    posterior.flat = frozenset(flat)


def _joint_of(model: Any, likelihood: Any, mll: Any, data: Any) -> tuple[Any, Any]:
    """A copy of the model in double precision, its likelihood its own, and what computes it.

    What belongs to an approximation is no trainable parameter of it.
    """
    if isinstance(model, gpytorch.models.ExactGP):
        validate_exact(model, likelihood, data)
        clone = copied(mll if mll is not None else model).double().train()
        own = clone.model if mll is not None else clone
        hold_variational(own)
        return own, ExactJoint(own, clone if mll is not None else None)
    chosen, X, y = validate_variational(model, likelihood, mll, data)
    own, owned = copied((model, chosen))
    own.likelihood = owned
    hold_variational(own.double().train())
    return own, Profiled(own, X, y)


class GPyTorchTarget(DensityTarget):
    """The posterior of a GPyTorch model, which predicts; see `bayescape.from_gpytorch`.

    Attributes
    ----------
    source
        A copy of the model.
    posterior
        Its log density by torch.
    X
        Training inputs, ``(n, p)``.
    """

    def __init__(
        self,
        source: Any,
        posterior: GPyTorchPosterior,
        density: LogDensity,
        starts: Starts,
    ) -> None:
        self.source, self.posterior, self.X = source, posterior, posterior.X.numpy()
        parameters = posterior.parameters
        super().__init__(
            density,
            [name for parameter in parameters for name in parameter.names()],
            starts=GPyTorchStarts(posterior) if starts is None else starts,
            constrain=posterior.natural,
            dims={"y": ("observation",)},
            observed={"y": posterior.y.numpy()},
        )

    def predict(self, theta: Array, X_new: ArrayLike, *, noise: bool = True) -> tuple[Array, Array]:
        """Predict at new inputs ``(m, p)`` for points ``(B, d)``: mean and variance, ``(B, m)``.

        With ``noise`` the variance is that of a new observation, without it the function's.
        """
        joint = self.posterior.joint
        if not _closed(joint):
            raise NotImplementedError(
                "predictions under a likelihood that is not Gaussian are GPyTorch's to make: "
                "bs.to_gpytorch(posterior, target)"
            )
        plain = X_new.detach().numpy() if isinstance(X_new, torch.Tensor) else X_new
        inputs = validate_inputs(plain, "X_new", self.X.shape[1])
        points = np.asarray(theta, dtype=float)
        if isinstance(self.density, CompiledDensity):
            return self.density.predict(points, inputs, noise)
        means, variances = np.empty((2, len(points), len(inputs)))
        for i, point in enumerate(points):
            model = self.gpytorch_model(point)
            with torch.no_grad(), exact_algebra():
                rows = as_seen(model, torch.tensor(inputs))
                latent = model(rows)
                seen = model.likelihood(latent, rows) if noise else latent
                means[i], variances[i] = latent.mean.numpy(), seen.variance.numpy()
        return means, variances

    def pointwise_log_likelihood(self, theta: Array) -> dict[str, Array]:
        """``y``: the log density of every row given all others, ``(B, n)``.

        Nothing under another objective than the exact marginal likelihood, by Gaussian noise.
        """
        if not self.posterior.exact:
            return {}
        if isinstance(self.density, CompiledDensity):
            return {"y": log_normal(self.observed["y"], *self.density.leave_one_out(theta))}
        found = [left_out(*parts) for parts, _ in map(self._factored, theta)]
        means, variances = (torch.stack(of).numpy() for of in zip(*found, strict=True))
        return {"y": log_normal(self.observed["y"], means, variances)}

    def posterior_predictive(self, theta: Array, rng: np.random.Generator) -> dict[str, Array]:
        """``y``: measurements repeated at the same inputs, drawn jointly, ``(B, n)``."""
        if not self.posterior.exact:
            return {}
        normals = rng.standard_normal((len(theta), len(self.X)))
        if isinstance(self.density, CompiledDensity):
            return {"y": self.density.repeat(theta, normals)}
        drawn = np.empty_like(normals)
        for i, point in enumerate(theta):
            parts, noise = self._factored(point)
            drawn[i] = repeated(*parts, noise, torch.tensor(normals[i])).numpy()
        return {"y": drawn}

    def _factored(self, point: Array) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """Cholesky factor, residual and outputs, ``(n, n), (n,), (n,)``; noise variances ``(n,)``.

        The factor is NaN where the covariance is not positive definite.
        """
        model = self.gpytorch_model(point)
        (rows,), y = model.train_inputs, model.train_targets
        with torch.no_grad(), exact_algebra():
            latent = model.forward(rows)
            covariance = model.likelihood(latent).covariance_matrix
            noise = covariance.diagonal() - latent.covariance_matrix.diagonal()
            factor, info = torch.linalg.cholesky_ex(covariance)
        factor = factor if info == 0 else torch.full_like(factor, torch.nan)
        return (factor, y - latent.mean, y), noise

    def gpytorch_model(self, theta: Array) -> Any:
        """The model at points, in double precision and evaluation mode.

        A variational one has the best ``q`` there.

        Parameters
        ----------
        theta
            One point ``(d,)``, or several ``(S, d)`` for a model of batch shape ``(S,)``.
        """
        points = torch.tensor(np.asarray(theta, dtype=float))
        if points.ndim not in (1, 2) or points.shape[-1] != len(self.names):
            d = len(self.names)
            raise ValueError(f"`theta` must have shape ({d},) or (S, {d}), got {np.shape(theta)}")
        model, lead = self._with_values(points), points.shape[:-1]
        if isinstance(self.posterior.joint, Profiled):
            each = [self._with_values(point) for point in points.reshape(-1, len(self.names))]
            with exact_algebra():
                best = [best_of(Profiled(m, self.posterior.X, self.posterior.y)) for m in each]
            load_best(model, best, lead)
        return in_batches(model, lead)

    def _with_values(self, points: Tensor) -> Any:
        """A copy of the model with the values at points, ``(d,)`` or ``(S, d)``."""
        model, lead = copied(self.source), points.shape[:-1]
        for parameter in self.posterior.parameters:
            value = parameter.natural(
                points[..., parameter.part].reshape((*lead, *parameter.shape))
            )
            constraint = model.constraint_for_parameter_name(parameter.path)
            owner, _, name = parameter.path.rpartition(".")
            raw = value if constraint is None else constraint.inverse_transform(value)
            module = model.get_submodule(owner)
            module._parameters[name] = torch.nn.Parameter(raw, requires_grad=False)
        return model


def in_batches(model: Any, lead: torch.Size) -> Any:
    """Tell a model whose parameters have been given a batch shape of it; it is returned."""
    if lead:
        for module in model.modules():
            if isinstance(module, gpytorch.kernels.Kernel):
                module.batch_shape = lead + module.batch_shape
        if isinstance(model, gpytorch.models.ExactGP):
            model.set_train_data(
                tuple(inputs.expand(*lead, *inputs.shape) for inputs in model.train_inputs),
                model.train_targets.expand(*lead, *model.train_targets.shape),
                strict=False,
            )
        as_ensemble(model, lead)
    return model.eval()


def _closed(joint: ExactJoint | Profiled) -> bool:
    """Whether a log density has derivatives of any order, in no inner maximisation."""
    return isinstance(joint, ExactJoint) or joint.closed


def _twice_differentiable(density: TorchDensity, theta: Array) -> bool:
    """Whether torch has second derivatives: it has none of distances between few points."""
    try:
        density.hessian(theta)
    except NotImplementedError:
        return False
    return True


def _agree(slow: TorchDensity, fast: LogDensity, theta: Array) -> bool:
    """Whether two densities have the same values and gradients."""
    return all(
        np.allclose(one, two, rtol=AGREEMENT, atol=AGREEMENT)
        for one, two in zip(
            slow.value_and_gradient(theta), fast.value_and_gradient(theta), strict=True
        )
    )
