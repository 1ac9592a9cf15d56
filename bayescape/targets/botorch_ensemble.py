"""BoTorch models with a batch of draws, for BoTorch's acquisition functions.

BoTorch takes a model for an ensemble, and averages an acquisition function over it, if it says so
and puts the ensemble's axis third from the end of its posteriors; its own fully Bayesian models
do. Nothing here imports BoTorch unless a model of it is there.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

__all__ = ["as_ensemble", "as_seen"]


def as_seen(model: Any, X: Tensor) -> Tensor:
    """Inputs as a model's kernel gets them.

    A model of BoTorch may have an ``input_transform``, which in evaluation mode it applies in
    ``posterior`` and not when it is called.
    """
    return model.transform_inputs(X) if _is_botorch(type(model)) else X


def as_ensemble(model: Any, lead: torch.Size) -> Any:
    """A model whose parameters have the batch shape ``lead``, changed in place and returned.

    If it is of BoTorch it becomes an ensemble over the batch: its ``posterior`` is a
    ``GaussianMixturePosterior``, over which acquisition functions are averaged.
    """
    if _is_botorch(type(model)):
        for name in ("_input_batch_shape", "_aug_batch_shape"):
            if hasattr(model, name):
                setattr(model, name, lead)
        kind: Any = type(model)
        model.__class__ = _ensemble_of(kind)
    return model


def _is_botorch(kind: type) -> bool:
    return any(base.__module__.startswith("botorch.") for base in kind.__mro__)


@functools.cache
def _ensemble_of(kind: Any) -> Any:
    """The class of ensembles of a BoTorch model's class."""
    from botorch.posteriors.fully_bayesian import MCMC_DIM, GaussianMixturePosterior

    def posterior(self: Any, X: Tensor, *arguments: Any, **named: Any) -> Any:
        """The mixture over the draws, ``(..., S, q, m)``, at points ``(..., q, p)``."""
        found = kind.posterior(self, X.unsqueeze(MCMC_DIM), *arguments, **named)
        return GaussianMixturePosterior(distribution=found.distribution)

    own = {"_is_ensemble": True, "_is_fully_bayesian": True, "posterior": posterior}
    return type(f"Ensemble{kind.__name__}", (kind,), own | {"__module__": __name__})
