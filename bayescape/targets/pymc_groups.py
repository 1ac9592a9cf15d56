"""Pointwise log likelihoods of a PyMC model, and data replicated by it, by PyMC's own functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from pymc.backends.arviz import coords_and_dims_for_inferencedata

from bayescape.targets.pymc_quiet import quiet

__all__ = ["pointwise_log_likelihood", "posterior_predictive"]

Arrays = dict[str, NDArray[Any]]


def pointwise_log_likelihood(model: pm.Model, natural: Mapping[str, Any], mode: Any) -> Arrays:
    """Log likelihoods of what was observed, each with first axis ``B``.

    Parameters
    ----------
    model
        With observed variables; without any there is nothing to return.
    natural
        Draws of its free variables, each with first axis ``B``.
    mode
        For PyTensor's compiler.
    """
    if not model.observed_RVs:
        return {}
    with quiet():
        found = pm.compute_log_likelihood(
            {"posterior": _labelled(model, natural)},
            model=model,
            extend_inferencedata=False,
            progressbar=False,
            compile_kwargs={"mode": mode},
        )
    return {str(name): values.values[0] for name, values in found.data_vars.items()}


def posterior_predictive(
    model: pm.Model, natural: Mapping[str, Any], seed: int, mode: Any
) -> Arrays:
    """Replicates of what was observed, one for each draw: first axis ``B``.

    Raises
    ------
    NotImplementedError
        If a distribution of the model has no random draws.
    """
    if not model.observed_RVs:
        return {}
    with quiet():
        found = pm.sample_posterior_predictive(
            _labelled(model, natural),
            model=model,
            random_seed=seed,
            progressbar=False,
            return_inferencedata=False,
            compile_kwargs={"mode": mode},
        )
    return {str(name): np.asarray(values)[0] for name, values in found.items()}


def _labelled(model: pm.Model, natural: Mapping[str, Any]) -> xr.Dataset:
    """Draws as a single chain, labelled as PyMC would; deterministics are left to it."""
    labels, dims = coords_and_dims_for_inferencedata(model)
    coords: dict[str, Any] = {"chain": [0]}
    variables = {}
    for name in (rv.name for rv in model.free_RVs):
        shape = natural[name].shape[1:]
        named = [*dims.get(name, ()), *(f"{name}_dim_{i}" for i in range(len(shape)))]
        axes = named[: len(shape)]
        variables[name] = (("chain", "draw", *axes), natural[name][None])
        for dim, size in zip(axes, shape, strict=True):
            if len(labels.get(dim, ())) == size:  # else PyMC takes them for changed
                coords[dim] = np.asarray(labels[dim])
    return xr.Dataset(variables, coords=coords)
