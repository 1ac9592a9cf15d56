"""Exact Gaussian-process regression as a target: the posterior over its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.distributions import Distribution

from bayescape.arguments import check_flag, shown
from bayescape.kernels.correlation import FREE, correlation
from bayescape.targets.conditionals import log_normal
from bayescape.targets.marginal_likelihood import MarginalLikelihood
from bayescape.targets.priors import (
    CoordinatePrior,
    JointPrior,
    default_priors,
    describe,
    in_double_precision,
)
from bayescape.targets.regression_data import RegressionData, validate_inputs
from bayescape.targets.torch_likelihood import TorchLikelihood, available_device
from bayescape.targets.walls import known_name, walls_of

if TYPE_CHECKING:
    import gpytorch

__all__ = ["GaussianProcess"]

Array = NDArray[np.float64]

LOWEST, HIGHEST = -18.0, 18.0  # coordinates between which starts are looked for without bounds
CENTRAL = 0.98  # share of the prior that starts are drawn from: the rest is flat or absurd


class GaussianProcess:
    """The posterior over the hyperparameters of exact Gaussian-process regression.

    Coordinates are the logarithms of ``lengthscale`` (one per input, or one), ``outputscale`` and
    ``noise`` (both variances), of ``nu`` if it is free, and the ``mean`` itself if there is one.
    The energy is the negative log of marginal likelihood times prior, Jacobian included, in nats.
    The covariance is ``outputscale (R + jitter I) + noise I``.

    Parameters
    ----------
    X
        Inputs, shape ``(n, p)`` or ``(n,)``.
    y
        Outputs, shape ``(n,)``.
    kernel
        ``"matern"`` or ``"rbf"``.
    nu
        Order of the Matern kernel: a number from 0.2 to 50, or infinity; or ``"free"`` for one more
        coordinate, ``log_nu``, within these walls.
    ard
        Whether every input has a lengthscale of its own.
    mean
        ``"zero"``, or ``"constant"`` for one more coordinate.
    priors
        ``"default"`` (`bayescape.targets.priors.default_priors`, for standardised data); ``None``
        for the bare log marginal likelihood within ``bounds``; or a mapping of hyperparameter names
        to torch distributions over natural units of the model's data. A hyperparameter without a
        prior is flat in its coordinate, and needs bounds.
    bounds
        Mapping of hyperparameter names to ``(low, high)`` in natural units: hard walls. With
        ``priors=None`` those not given are ``(1e-2, 1e2)`` for ``lengthscale`` and
        ``outputscale``, ``(1e-6, 10)`` for ``noise`` and ``(-10, 10)`` for ``mean``.
    standardise
        Whether inputs and output are brought to zero mean and unit variance first.
    jitter
        Relative to the outputscale; added to the covariance's diagonal. It is never raised where a
        factorisation fails: the energy is ``+inf`` there, and `failures` counts how often.
    input_names, output_name
        Labels for pictures and files.
    device
        ``"cpu"`` for compiled code, or a torch device such as ``"cuda"``, where whole batches are
        computed at once. Points and results are NumPy arrays in either case.

    Raises
    ------
    ValueError
        If the data or a setting makes no sense; the message names it.

    References
    ----------
    C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006),
    chapter 5.
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        kernel: str = "matern",
        nu: float | str = 2.5,
        ard: bool = True,
        mean: str = "zero",
        priors: str | Mapping[str, Distribution] | None = "default",
        bounds: Mapping[str, tuple[float, float]] | None = None,
        standardise: bool = True,
        jitter: float = 1e-6,
        input_names: Sequence[str] | None = None,
        output_name: str | None = None,
        device: str = "cpu",
    ) -> None:
        self.data = RegressionData.of(X, y, check_flag("standardise", standardise))
        self.X, self.y = self.data.X, self.data.y
        p = self.X.shape[1]
        if mean not in ("zero", "constant"):
            raise ValueError(f"`mean` must be 'zero' or 'constant', got {mean!r}")
        check_flag("ard", ard)
        number = isinstance(jitter, Real) and not isinstance(jitter, bool)
        if not number or not 0 <= jitter < np.inf:
            raise ValueError(f"`jitter` must be a finite number, 0 or more, got {shown(jitter)}")
        if input_names is not None:
            given = isinstance(input_names, Sequence | np.ndarray) and len(input_names)
            if given != p:
                raise ValueError(f"`input_names` must name {p} inputs, got {shown(input_names)}")
        if output_name is not None and not isinstance(output_name, str):
            raise ValueError(f"`output_name` must be a name or None, got {shown(output_name)}")
        self.kernel, self.nu, self.ard, self.mean, self.jitter = kernel, nu, ard, mean, jitter
        self.input_names = tuple(input_names) if input_names is not None else None
        self.output_name = output_name
        self.device = available_device(device)
        form: dict[str, Any] = {"ard": ard, "mean": mean == "constant", "jitter": float(jitter)}
        chosen = correlation(kernel, nu)
        self.likelihood: MarginalLikelihood | TorchLikelihood = (
            MarginalLikelihood(chosen, self.X, self.y, **form)
            if device == "cpu"
            else TorchLikelihood(chosen, self.X, self.y, **form, device=device)
        )
        lengths = p if ard else 1
        self._slices = {"lengthscale": slice(0, lengths)} | {
            name: slice(lengths + i, lengths + i + 1)
            for i, name in enumerate(
                ["outputscale", "noise"]
                + ["nu"] * (self.likelihood.correlation.kind == FREE)
                + ["mean"] * (mean == "constant")
            )
        }
        self.names = self._coordinate_names(lengths)
        self._priors = self._resolve_priors(priors, p)
        self._joint_prior = JointPrior(
            [(self._slices[name], prior) for name, prior in self._priors.items()], len(self.names)
        )
        self.bounds = walls_of(bounds, self._slices, set(self._priors), priors is None)

    @property
    def failures(self) -> int:
        """How often so far a covariance was not positive definite, and the energy ``+inf``."""
        return self.likelihood.failures

    @property
    def X_raw(self) -> Array:
        """Inputs as given, ``(n, p)``."""
        return self.data.X_raw

    @property
    def y_raw(self) -> Array:
        """Outputs as given, ``(n,)``."""
        return self.data.y_raw

    @property
    def coords(self) -> dict[str, Array]:
        """A lengthscale is named after its input in what `bayescape.sample` returns."""
        names = np.asarray(self.input_names, dtype=object)
        return {"lengthscale_dim_0": names} if self.input_names is not None else {}

    dims: ClassVar = {"y": ("observation",)}

    @property
    def observed(self) -> dict[str, Array]:
        """The outputs as given."""
        return {"y": self.y_raw}

    def energy(self, theta: Array) -> Array:
        """Negative log of marginal likelihood times prior, ``(B, d) -> (B,)``, nats."""
        theta = np.asarray(theta, dtype=float)
        energies = np.where(self._inside(theta), -self.log_prior(theta), np.inf)
        there = np.isfinite(energies)
        energies[there] += self.likelihood.energy(theta[there])
        return energies

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and its closed-form gradient, ``(B, d) -> (B,), (B, d)``."""
        theta = np.asarray(theta, dtype=float)
        log_prior, slope = self._joint_prior.derivatives(theta, 1)
        energies = np.where(self._inside(theta), -log_prior, np.inf)
        gradients = np.full(theta.shape, np.nan)
        there = np.isfinite(energies)
        values, gradients[there] = self.likelihood.energy_and_gradient(theta[there])
        energies[there] += values
        return energies, gradients - slope

    def hessian(self, theta: Array) -> Array:
        """Exact second derivatives, ``(B, d) -> (B, d, d)``."""
        theta = np.asarray(theta, dtype=float)
        log_prior, _, curvature = self._joint_prior.derivatives(theta, 2)
        hessians = np.full((*theta.shape, theta.shape[1]), np.nan)
        there = self._inside(theta) & np.isfinite(log_prior)
        hessians[there] = self.likelihood.hessian(theta[there])
        diagonal = np.arange(theta.shape[1])
        hessians[:, diagonal, diagonal] -= curvature
        return hessians

    def log_likelihood(self, theta: Array) -> Array:
        """Log marginal likelihood alone, ``(B, d) -> (B,)``, nats, of the data in model units."""
        return -self.likelihood.energy(np.asarray(theta, dtype=float))

    def log_prior(self, theta: Array) -> Array:
        """Log prior density over the coordinates, Jacobian included, ``(B, d) -> (B,)``."""
        return self._joint_prior.derivatives(np.asarray(theta, dtype=float), 0)[0]

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """Points scattered by the central part of the prior, or evenly between bounds."""
        u = 0.5 + CENTRAL * (rng.uniform(size=(count, len(self.names))) - 0.5)
        theta = np.empty_like(u)
        for name, part in self._slices.items():
            for i in range(part.start, part.stop):
                low, high = np.clip(self.bounds[:, i], LOWEST, HIGHEST)
                grid = np.linspace(low, high, 4001)
                prior = self._priors.get(name)
                log_density = np.zeros_like(grid)
                if prior is not None:
                    block = np.repeat(grid[:, None], part.stop - part.start, axis=1)
                    log_density = prior.log_density(block)[:, i - part.start]
                cumulative = np.cumsum(np.exp(log_density - log_density.max()))
                theta[:, i] = np.interp(u[:, i], cumulative / cumulative[-1], grid)
        return theta

    def constrain(self, theta: Array) -> dict[str, Array]:
        """Hyperparameters in natural units of the model's data.

        ``lengthscale`` has shape ``(B, p)`` (``(B, 1)`` without ARD), the others ``(B,)``.
        """
        theta = np.asarray(theta, dtype=float)
        natural = {}
        for name, part in self._slices.items():
            value = theta[:, part] if name == "mean" else np.exp(theta[:, part])
            natural[name] = value if name == "lengthscale" else value[:, 0]
        return natural

    def predict(self, theta: Array, X_new: ArrayLike, *, noise: bool = True) -> tuple[Array, Array]:
        """Predict at new inputs, for every point.

        Parameters
        ----------
        theta
            Shape ``(B, d)``.
        X_new
            Shape ``(m, p)``, in the units that the data were given in.
        noise
            Whether the variance is that of a new observation (noise and jitter included) or of
            the function itself.

        Returns
        -------
        tuple of numpy.ndarray
            Mean and variance, each ``(B, m)``, in the units that ``y`` was given in.
        """
        theta = np.asarray(theta, dtype=float)
        inputs = self.data.scale_inputs(validate_inputs(X_new, "X_new", self.X.shape[1]))
        means, variances = self.likelihood.predict(theta, inputs)
        if noise:
            natural = self.constrain(theta)
            variances = (
                variances + (natural["noise"] + self.jitter * natural["outputscale"])[:, None]
            )
        scale = self.data.y_scale
        return self.data.y_centre + scale * means, scale**2 * variances

    def leave_one_out(self, theta: Array) -> tuple[Array, Array]:
        """Predict every observation from all others, for points ``(B, d)``, in closed form.

        Mean and variance, each ``(B, n)``, in the units that ``y`` was given in; the
        hyperparameters stay as they are (Rasmussen & Williams, equation 5.12).
        """
        means, variances = self.likelihood.leave_one_out(np.asarray(theta, dtype=float))
        scale = self.data.y_scale
        return self.data.y_centre + scale * means, scale**2 * variances

    def pointwise_log_likelihood(self, theta: Array) -> dict[str, Array]:
        """``y``: the log density of every row given all others, ``(B, n)``, as `leave_one_out`."""
        return {"y": log_normal(self.y_raw, *self.leave_one_out(theta))}

    def posterior_predictive(self, theta: Array, rng: np.random.Generator) -> dict[str, Array]:
        """``y``: measurements repeated at the same inputs, drawn jointly, ``(B, n)``."""
        theta = np.asarray(theta, dtype=float)
        drawn = self.likelihood.repeat(theta, rng.standard_normal((len(theta), len(self.y))))
        return {"y": self.data.y_centre + self.data.y_scale * drawn}

    def gpytorch_model(self, theta: Array) -> gpytorch.models.ExactGP:
        """Hand the model at one point ``(d,)``, or in a batch at several ``(S, d)``, to GPyTorch.

        In double precision and evaluation mode, over the model's (standardised) units, its
        likelihood as ``model.likelihood``. GPyTorch's noise is ``noise + jitter * outputscale``.
        """
        from bayescape.targets.gpytorch_model import exact_gp

        points, d = np.asarray(theta, dtype=float), len(self.names)
        if points.shape[-1:] != (d,) or points.ndim > 2:
            raise ValueError(f"`theta` must have shape ({d},) or (S, {d}), got {points.shape}")
        natural = self.constrain(np.atleast_2d(points))
        return exact_gp(
            self, natural if points.ndim == 2 else {k: v[0] for k, v in natural.items()}
        )

    def __repr__(self) -> str:
        n, p = self.X.shape
        order = self.nu if isinstance(self.nu, str) else f"{self.nu:g}"
        order = f" nu={order}" if self.kernel == "matern" else ""
        priors = ", ".join(
            f"{name} ~ {describe(prior.distribution)}" for name, prior in self._priors.items()
        )
        return (
            f"<bayescape.GaussianProcess: {n} rows, {p} {'input' if p == 1 else 'inputs'}, "
            f"{self.kernel}{order}{' ARD' if self.ard and p > 1 else ''}, mean {self.mean}>\n"
            f"  coordinates: {', '.join(self.names)}\n"
            f"  priors: {priors or 'none, flat in the coordinates within bounds'}"
        )

    def _coordinate_names(self, lengths: int) -> tuple[str, ...]:
        names = (
            ["log_lengthscale"]
            if lengths == 1
            else [f"log_lengthscale[{i}]" for i in range(lengths)]
        )
        rest = [name if name == "mean" else f"log_{name}" for name in list(self._slices)[1:]]
        return (*names, *rest)

    def _inside(self, theta: Array) -> NDArray[np.bool_]:
        low, high = self.bounds
        return ((theta >= low) & (theta <= high)).all(axis=1)

    def _resolve_priors(self, priors: Any, p: int) -> dict[str, CoordinatePrior]:
        if priors is None:
            return {}
        if isinstance(priors, str):
            if priors != "default":
                raise ValueError(f"`priors` must be 'default', None or a mapping, got {priors!r}")
            given: Mapping[str, Distribution] = {
                k: v for k, v in default_priors(p).items() if k in self._slices
            }
        elif not isinstance(priors, Mapping):
            raise ValueError(f"`priors` must be 'default', None or a mapping, got {shown(priors)}")
        else:
            given = dict(priors)
        found = {}
        for name, distribution in given.items():
            known_name(name, self._slices, "priors")
            if not isinstance(distribution, Distribution):
                raise ValueError(
                    f"`priors[{name!r}]` must be a torch distribution, got {distribution!r}"
                )
            size = self._slices[name].stop - self._slices[name].start
            shape = tuple(distribution.batch_shape)
            if distribution.event_shape or shape not in ((), (1,), (size,)):
                raise ValueError(
                    f"`priors[{name!r}]` must be scalar or have {size} entries, got batch shape "
                    f"{shape} and event shape {tuple(distribution.event_shape)}"
                )
            found[name] = CoordinatePrior(
                in_double_precision(distribution), logarithmic=name != "mean"
            )
        return found
