"""What `bayescape.from_gpytorch` takes, and the sentences with which it refuses the rest."""

from __future__ import annotations

from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.likelihoods import BernoulliLikelihood, PoissonLikelihood
from gpytorch.likelihoods.gaussian_likelihood import (
    FixedNoiseGaussianLikelihood,
    GaussianLikelihood,
)
from gpytorch.variational import (
    CholeskyVariationalDistribution,
    NaturalVariationalDistribution,
    TrilNaturalVariationalDistribution,
    UnwhitenedVariationalStrategy,
    VariationalStrategy,
)
from torch import Tensor

from bayescape.arguments import check_choice, check_flag, check_kind, shown
from bayescape.targets.regression_data import RegressionData

__all__ = ["validate_common", "validate_exact", "validate_variational"]

MISSING = ("weak", "flat", "refuse")
FULL = (  # every normal distribution is among them
    CholeskyVariationalDistribution,
    NaturalVariationalDistribution,
    TrilNaturalVariationalDistribution,
)
LOG_CONCAVE = (BernoulliLikelihood, PoissonLikelihood)
GAUSSIAN = (GaussianLikelihood, FixedNoiseGaussianLikelihood)


def validate_common(model: Any, mll: Any, missing: str, compiled: bool) -> None:
    """Refuse what is wrong for models of either kind.

    Raises
    ------
    ValueError
        If something is.
    """
    kinds = (gpytorch.models.ExactGP, gpytorch.models.ApproximateGP)
    check_kind("model", model, kinds, "a gpytorch.models.ExactGP or ApproximateGP")
    check_choice("missing", missing, MISSING)
    check_flag("compiled", compiled)
    if mll is not None:
        kind = gpytorch.mlls.MarginalLogLikelihood
        check_kind("mll", mll, kind, "a gpytorch.mlls.MarginalLogLikelihood")


def validate_exact(model: gpytorch.models.ExactGP, likelihood: Any, data: Any) -> None:
    """Refuse an exact model that is not of the kind that is taken.

    Raises
    ------
    ValueError
        If it is not, the likelihood is not its own, or data are given beside its own.
    """
    if likelihood is not None and likelihood is not model.likelihood:
        raise ValueError(
            f"`likelihood` must be the one that `model` was made with, got {shown(likelihood)}"
        )
    if data is not None:
        raise ValueError(
            f"`data` must be None for an ExactGP, which has its own, got {shown(data)}"
        )
    if model.train_inputs is None or model.train_targets is None:
        raise ValueError("`model` has no training data, so there is no posterior: set_train_data")
    if model.train_targets.ndim != 1 or len(model.train_inputs) != 1:
        raise ValueError(
            "`model` must have one tensor of training inputs and training targets of shape (n,), "
            f"got targets of shape {tuple(model.train_targets.shape)}"
        )


def validate_variational(
    model: gpytorch.models.ApproximateGP, likelihood: Any, mll: Any, data: Any
) -> tuple[gpytorch.likelihoods.Likelihood, Tensor, Tensor]:
    """The likelihood and the data, ``(n, p)`` and ``(n,)``, of a variational model.

    Raises
    ------
    ValueError
        If its best ``q`` cannot be found, or an argument does not fit.
    """
    strategy = model.variational_strategy
    if type(strategy) not in (VariationalStrategy, UnwhitenedVariationalStrategy) or not isinstance(
        strategy._variational_distribution, FULL
    ):
        raise ValueError(
            "`model` must have a VariationalStrategy (or its unwhitened form) with a variational "
            "distribution of full covariance, whose best is known, got "
            f"{type(strategy).__name__} with {type(strategy._variational_distribution).__name__}"
        )
    if len(strategy._variational_distribution.shape()) != 1:
        raise ValueError(
            "`model` must have no batch shape, got a variational distribution of shape "
            f"{tuple(strategy._variational_distribution.shape())}"
        )
    chosen = likelihood if likelihood is not None else getattr(mll, "likelihood", None)
    if not isinstance(chosen, (*GAUSSIAN, *LOG_CONCAVE)):
        names = ", ".join(kind.__name__ for kind in (*GAUSSIAN, *LOG_CONCAVE))
        raise ValueError(
            f"`likelihood` must be one of {names} for an ApproximateGP, under which the best "
            f"variational distribution is unique, got {shown(chosen)}"
        )
    X, y = _data(data, chosen)
    _validate_bound(mll, model, chosen, len(y))
    return chosen, X, y


def _data(data: Any, likelihood: Any) -> tuple[Tensor, Tensor]:
    said = "a pair (X, y) of inputs (n, p) and outputs (n,), which an ApproximateGP does not hold"
    check_kind("data", data, (tuple, list), said)
    if len(data) != 2:
        raise ValueError(f"`data` must be {said}, got {len(data)} parts: {shown(data)}")
    try:
        checked = RegressionData.of(_plain(data[0]), _plain(data[1]), standardise=False)
    except ValueError as error:
        raise ValueError(f"`data` must be {said}: {error}") from error
    y = checked.y_raw
    if isinstance(likelihood, BernoulliLikelihood) and not np.isin(y, (0, 1)).all():
        raise ValueError(f"`data` must have outputs 0 or 1 for a BernoulliLikelihood, got {y}")
    if isinstance(likelihood, PoissonLikelihood) and ((y < 0) | (y != np.rint(y))).any():
        raise ValueError(f"`data` must have counts as outputs for a PoissonLikelihood, got {y}")
    noise = getattr(likelihood, "noise", None)
    if noise is not None and noise.numel() not in (1, len(y)):
        raise ValueError(
            f"`data` must have as many rows as the likelihood has noises, {noise.numel()}, "
            f"got {len(y)}"
        )
    return torch.tensor(checked.X_raw), torch.tensor(y)


def _plain(part: Any) -> Any:
    return part.detach().cpu().numpy() if isinstance(part, Tensor) else part


def _validate_bound(mll: Any, model: Any, likelihood: Any, rows: int) -> None:
    if mll is None:
        return
    if type(mll) is not gpytorch.mlls.VariationalELBO or mll.beta != 1:
        raise ValueError(
            "`mll` must be a VariationalELBO with beta=1 for an ApproximateGP, for others bound no "
            f"marginal likelihood, got {type(mll).__name__} with beta={getattr(mll, 'beta', None)}"
        )
    if mll.model is not model or mll.likelihood is not likelihood:
        raise ValueError(f"`mll` must be of `model` and `likelihood`, got {shown(mll)}")
    if mll.num_data != rows:
        raise ValueError(f"`mll` must have num_data={rows}, as `data` has rows, got {mll.num_data}")
