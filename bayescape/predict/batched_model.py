"""The posterior as one GPyTorch model with a batch of hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from bayescape.landscape.record import Landscape
from bayescape.predict.predictions import MAXIMUM_DRAWS, thinned_draws
from bayescape.predict.validate import validate_target

if TYPE_CHECKING:
    import gpytorch

__all__ = ["to_gpytorch"]


def to_gpytorch(
    posterior: xr.DataTree, target: Any, *, maximum_draws: int = MAXIMUM_DRAWS
) -> gpytorch.models.GP:
    """Load draws into a GPyTorch model whose batch is the draws.

    Parameters
    ----------
    posterior
        Draws, as `bayescape.sample` returns them.
    target
        What was sampled: of `bayescape.from_gpytorch`, a `bayescape.GaussianProcess`, or a
        landscape of one of these.
    maximum_draws
        The draws are thinned evenly to at most this many: each has a covariance of its own.

    Returns
    -------
    gpytorch.models.ExactGP or ApproximateGP
        Of batch shape ``(S,)``, in double precision and evaluation mode, its likelihood as
        ``model.likelihood``: ``model.likelihood(model(X_new))`` is the prediction of every draw at
        ``X_new`` ``(m, p)``, with ``mean`` and ``variance`` of shape ``(S, m)``, and their equal
        mixture is the posterior's. In the units of the model's training data, which for a
        `bayescape.GaussianProcess` are the standardised ones. A model of BoTorch comes back as an
        ensemble of BoTorch's, over which acquisition functions are averaged, and a variational
        model with the best variational distribution of every draw.

    Raises
    ------
    TypeError
        If the target has no GPyTorch model.
    ValueError
        If the posterior holds no draws of ``theta``, or each has a kernel order ``nu`` of its own.
    """
    chosen: Any = validate_target(target) if isinstance(target, Landscape) else target
    if not callable(getattr(chosen, "gpytorch_model", None)):
        raise TypeError(
            "`target` must be of from_gpytorch or a GaussianProcess, got "
            f"{type(chosen).__name__}, which has no GPyTorch model"
        )
    return chosen.gpytorch_model(thinned_draws(posterior, maximum_draws))
