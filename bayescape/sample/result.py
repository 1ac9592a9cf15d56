"""The posterior as an ArviZ-schema tree: labels, units and everything a reader should know."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescape.targets.target import Target

__all__ = ["posterior_tree", "versions"]

Array = NDArray[np.float64]


def posterior_tree(
    target: Target,
    theta: Array,
    sample_stats: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any],
) -> xr.DataTree:
    """Label draws and put them where ArviZ expects them.

    Parameters
    ----------
    target
        Gives names, natural units and, where it has a ``y``, the observed data.
    theta
        Equally weighted draws, shape ``(chain, draw, d)``.
    sample_stats
        Per-draw quantities, each ``(chain, draw)``.
    attributes
        For the root: numbers and strings as they are, anything else as JSON.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``unconstrained_posterior``, ``sample_stats`` and, for a target with
        data, ``observed_data``.
    """
    chains, draws, d = theta.shape
    axes = {"chain": np.arange(chains), "draw": np.arange(draws)}
    natural = target.constrain(theta.reshape(-1, d))
    labels = _labels(target)
    groups: dict[str, xr.Dataset] = {
        "posterior": _dataset(
            {
                name: value.reshape(chains, draws, *value.shape[1:])
                for name, value in natural.items()
            },
            axes,
            labels,
        ),
        "unconstrained_posterior": xr.Dataset(
            {"theta": (("chain", "draw", "coordinate"), theta)},
            coords=axes | {"coordinate": np.asarray(target.names, dtype=object)},
        ),
        "sample_stats": xr.Dataset(
            {name: (("chain", "draw"), value) for name, value in sample_stats.items()},
            coords=axes,
        ),
    }
    observed = getattr(target, "y_raw", None)
    if observed is not None:
        groups["observed_data"] = xr.Dataset({"y": ("observation", np.asarray(observed, float))})
    plain = {
        key: value if isinstance(value, (int, float, str)) else json.dumps(value)
        for key, value in attributes.items()
    }
    for group in groups.values():
        group.attrs["inference_library"] = "bayescape"
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=plain), **groups})


def _dataset(
    arrays: Mapping[str, Array], axes: Mapping[str, Any], labels: Mapping[str, list[str]]
) -> xr.Dataset:
    """Name the dims beyond chain and draw after their variable, as ArviZ users expect."""
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = dict(axes)
    for name, value in arrays.items():
        extra = [
            f"{name}_dim" if value.ndim == 3 else f"{name}_dim_{i}" for i in range(value.ndim - 2)
        ]
        variables[name] = (("chain", "draw", *extra), value)
        for dim, size in zip(extra, value.shape[2:], strict=True):
            known = labels.get(name, [])
            coords[dim] = np.asarray(known, dtype=object) if len(known) == size else np.arange(size)
    return xr.Dataset(variables, coords=coords)


def _labels(target: Target) -> dict[str, list[str]]:
    """Labels of a target's vector variables: a lengthscale is named after its input."""
    names = getattr(target, "input_names", None)
    return {"lengthscale": [str(name) for name in names]} if names is not None else {}


def versions() -> dict[str, str]:
    """Versions of what produced a result."""
    found = {"python": platform.python_version()}
    for package in (
        "bayescape",
        "numpy",
        "scipy",
        "torch",
        "gpytorch",
        "pymc",
        "arviz",
        "xarray",
    ):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a source tree that is not installed
            found[package] = "not installed"
    return found
