"""The whole way behind scikit-learn's interface: fit a table, predict with every basin's draws."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch.distributions import Distribution

from bayescape.arguments import check_choice, check_whole, shown
from bayescape.explore import explore
from bayescape.landscape.record import Landscape
from bayescape.predict.predictions import predictions_at, thinned_draws
from bayescape.sample.decision import METHODS
from bayescape.sample.sampler import sample
from bayescape.targets.gaussian_process import GaussianProcess

__all__ = ["LandscapeGPRegressor"]

Array = NDArray[np.float64]


class LandscapeGPRegressor(RegressorMixin, BaseEstimator):
    """Gaussian-process regression that averages over every basin of its hyperparameters.

    A scikit-learn regressor. Where ``GaussianProcessRegressor`` predicts with one optimum of the
    marginal likelihood, this one maps the posterior over the hyperparameters, draws from it, and
    predicts with the mixture over the draws.

    Parameters
    ----------
    kernel, nu, ard, mean, priors, standardise, jitter
        As `bayescape.GaussianProcess` takes them.
    draws
        Posterior draws; predictions use at most 500 of them.
    method
        As `bayescape.sample` takes it.
    budget, max_quenches, effort
        As `bayescape.explore` takes them.
    random_state
        A seed, for the same fit each time; a ``numpy.random.RandomState``; or ``None`` for another
        seed in each fit.
    progress
        Whether to show progress.

    Attributes
    ----------
    target_ : GaussianProcess
        The posterior over hyperparameters.
    landscape_ : Landscape
        Its map.
    posterior_ : xarray.DataTree
        Its draws.
    log_evidence_ : float
        Log evidence of the model in nats, of the data in model units; NaN unless the draws come
        from the superposition.
    reliable_ : bool
        The verdict on the draws. A ``ConvergenceWarning`` says why if it is false.
    n_features_in_, feature_names_in_
        As every scikit-learn estimator has them.

    Examples
    --------
    >>> import numpy as np, bayescape as bs
    >>> X = np.linspace(0, 6, 20)[:, None]
    >>> regressor = bs.LandscapeGPRegressor(draws=200).fit(X, np.sin(X[:, 0]))
    >>> mean, sd = regressor.predict(X, return_std=True)
    >>> mean.shape, sd.shape
    ((20,), (20,))
    """

    def __init__(
        self,
        *,
        kernel: str = "matern",
        nu: float | str = 2.5,
        ard: bool = True,
        mean: str = "zero",
        priors: str | Mapping[str, Distribution] | None = "default",
        standardise: bool = True,
        jitter: float = 1e-6,
        draws: int = 500,
        method: str = "auto",
        budget: float | str | None = None,
        max_quenches: int = 2000,
        effort: float = 1.0,
        random_state: int | np.random.RandomState | None = 0,
        progress: bool | Callable[..., None] = False,
    ) -> None:
        self.kernel = kernel
        self.nu = nu
        self.ard = ard
        self.mean = mean
        self.priors = priors
        self.standardise = standardise
        self.jitter = jitter
        self.draws = draws
        self.method = method
        self.budget = budget
        self.max_quenches = max_quenches
        self.effort = effort
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: ArrayLike) -> LandscapeGPRegressor:
        """Map the posterior over hyperparameters, and draw from it.

        Parameters
        ----------
        X
            Inputs, shape ``(n, p)`` with at least two rows.
        y
            Outputs, shape ``(n,)``.

        Raises
        ------
        ValueError
            If the data or a setting makes no sense.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        check_whole("draws", self.draws, 1)
        check_choice("method", self.method, (*METHODS, "auto"))
        labels = getattr(self, "feature_names_in_", None)
        self.target_ = GaussianProcess(
            X,
            np.asarray(y, dtype=float),
            kernel=self.kernel,
            nu=self.nu,
            ard=self.ard,
            mean=self.mean,
            priors=self.priors,
            standardise=self.standardise,
            jitter=self.jitter,
            input_names=None if labels is None else [str(label) for label in labels],
        )
        try:
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        except ValueError as error:
            raise ValueError(
                "`random_state` must be a whole number from 0 to 2**32 - 1, a "
                f"numpy.random.RandomState or None, got {shown(self.random_state)}"
            ) from error
        seed = int(self.random_state) if isinstance(self.random_state, numbers.Integral) else seed
        self.landscape_: Landscape = explore(
            self.target_,
            seed=seed,
            budget=self.budget,
            max_quenches=self.max_quenches,
            effort=self.effort,
            progress=self.progress,
        )
        self.posterior_: xr.DataTree = sample(
            self.landscape_, self.draws, self.method, seed=seed, progress=self.progress
        )
        self.log_evidence_ = float(self.posterior_.attrs["log_evidence"])
        self.reliable_ = bool(self.posterior_.attrs["reliable"])
        if not self.reliable_:
            warnings.warn(
                f"The draws may not be relied on: {self.posterior_.attrs['warnings']}",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def predict(
        self, X: ArrayLike, return_std: bool = False, *, noise: bool = True
    ) -> Array | tuple[Array, Array]:
        """Predict by the mixture over the posterior's draws.

        Parameters
        ----------
        X
            Inputs, shape ``(m, p)``.
        return_std
            Whether to return standard deviations as well.
        noise
            Whether these are of a new observation (the default) or of the function itself.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            Mean ``(m,)``, and the standard deviation ``(m,)``, in the units of ``y``.
        """
        inputs = self._inputs(X)
        mixture = predictions_at(self.target_, thinned_draws(self.posterior_), inputs, noise=noise)
        return (mixture.mean, np.sqrt(mixture.variance)) if return_std else mixture.mean

    def sample_y(
        self,
        X: ArrayLike,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = 0,
        *,
        noise: bool = True,
    ) -> Array:
        """Draw outputs at new inputs jointly, each sample with hyperparameters of its own.

        Parameters
        ----------
        X
            Inputs, shape ``(m, p)``.
        n_samples
            How many samples.
        random_state
            As scikit-learn has it.
        noise
            Whether to draw new observations (the default) or the function itself.

        Returns
        -------
        numpy.ndarray
            Shape ``(m, n_samples)``, in the units of ``y``.
        """
        inputs = self._inputs(X)
        random = check_random_state(random_state)
        theta = thinned_draws(self.posterior_, self.draws)
        chosen = random.randint(len(theta), size=n_samples)
        noises = random.standard_normal((n_samples, len(inputs)))
        found = np.empty_like(noises)
        for draw in np.unique(chosen):
            mean, covariance = _joint(self.target_, theta[draw], inputs, noise)
            values, vectors = np.linalg.eigh(covariance)
            root = vectors * np.sqrt(np.maximum(values, 0.0))
            found[chosen == draw] = mean + noises[chosen == draw] @ root.T
        data = self.target_.data
        return data.y_centre + data.y_scale * found.T

    def _inputs(self, X: ArrayLike) -> Array:
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, dtype=np.float64, reset=False))


def _joint(target: GaussianProcess, theta: Array, X: Array, noise: bool) -> tuple[Array, Array]:
    """Mean ``(m,)`` and covariance ``(m, m)`` at new inputs at one point, in model units."""
    model = target.gpytorch_model(theta)
    n = len(target.y)
    rows = torch.tensor(np.concatenate([target.X, target.data.scale_inputs(X)]))
    with torch.no_grad():
        K = model.covar_module(rows).to_dense().numpy()
        mean = model.mean_module(rows).numpy()
    variance = model.likelihood.noise.item()
    factor = cho_factor(K[:n, :n] + variance * np.eye(n), lower=True)
    cross = K[n:, :n]
    means = mean[n:] + cross @ cho_solve(factor, target.y - mean[:n])
    covariance = K[n:, n:] - cross @ cho_solve(factor, cross.T)
    return means, covariance + (variance * np.eye(len(X)) if noise else 0.0)
