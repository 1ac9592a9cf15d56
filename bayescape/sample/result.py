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

from bayescape.sample.arviz_tree import as_arviz_tree
from bayescape.targets.target import Target

__all__ = ["posterior_tree", "versions"]

Array = NDArray[np.float64]


def posterior_tree(
    target: Target,
    theta: Array,
    sample_stats: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any],
    *,
    minima: xr.Dataset | None = None,
    late: int = 0,
    further: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
) -> xr.DataTree:
    """Label draws and put them where ArviZ expects them.

    Parameters
    ----------
    target
        Gives names and natural units and, if it has them, dims, coords and observed data.
    theta
        Equally weighted draws, shape ``(chain, draw, d)``.
    sample_stats
        Per-draw quantities, each ``(chain, draw)``.
    attributes
        For the root: numbers and strings as they are, anything else as JSON.
    minima
        Of the map, if there is one, in the order that basins are numbered in.
    late
        How many of them, the last, were only found while sampling.
    further
        Arrays ``(chain, draw, ...)`` of more groups, by group and variable.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``unconstrained_posterior``, ``sample_stats``, ``minima`` and, for a
        target with observed data, ``observed_data``; and those of ``further``.
    """
    chains, draws, d = theta.shape
    axes = {"chain": np.arange(chains), "draw": np.arange(draws)}
    natural = target.constrain(theta.reshape(-1, d))
    groups: dict[str, xr.Dataset] = {
        "posterior": _dataset(
            {
                name: value.reshape(chains, draws, *value.shape[1:])
                for name, value in natural.items()
            },
            axes,
            target,
        ),
        "unconstrained_posterior": xr.Dataset(
            {"theta": (("chain", "draw", "coordinate"), theta)},
            coords=axes | {"coordinate": np.asarray(target.names)},
        ),
        "sample_stats": xr.Dataset(
            {name: (("chain", "draw"), value) for name, value in sample_stats.items()},
            coords=axes,
        ),
    }
    if minima is not None:
        count = minima.sizes["minimum"]
        groups["minima"] = minima[["theta", "energy"]].assign(
            late=("minimum", (np.arange(count) >= count - late).astype(int)),
            coordinate=np.asarray(target.names),
        )
    for name, arrays in (further or {}).items():
        groups[name] = _dataset(arrays, axes, target)
    if observed := getattr(target, "observed", {}):
        groups["observed_data"] = _dataset(observed, {}, target)
    plain = {
        key: value if isinstance(value, (int, float, str)) else json.dumps(value)
        for key, value in attributes.items()
    }
    for group in groups.values():
        group.attrs["inference_library"] = "bayescape"
    return as_arviz_tree({"/": xr.Dataset(attrs=plain), **groups})


def _dataset(
    arrays: Mapping[str, NDArray[Any]], axes: Mapping[str, Any], target: Target
) -> xr.Dataset:
    """Label what comes after the axes: by the target's dims and coords, or as ArviZ does."""
    dims, known = getattr(target, "dims", {}), getattr(target, "coords", {})
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = dict(axes)
    for name, value in arrays.items():
        shape = value.shape[len(axes) :]
        named = tuple(dims.get(name, ()))[: len(shape)]
        named += tuple(f"{name}_dim_{i}" for i in range(len(named), len(shape)))
        variables[name] = ((*axes, *named), value)
        for dim, size in zip(named, shape, strict=True):
            labels = known.get(dim)
            whole = labels is not None and len(labels) == size
            coords[dim] = _labels(labels) if whole else np.arange(size)
    return xr.Dataset(variables, coords=coords)


def _labels(labels: Any) -> NDArray[Any]:
    """Labels as an array; strings not as objects, which a file would not give back."""
    found = np.asarray(labels)
    strings = found.dtype == object and all(isinstance(label, str) for label in found.flat)
    return found.astype(str) if strings else found


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
