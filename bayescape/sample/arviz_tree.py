"""A tree of results that either generation of ArviZ takes for its own.

ArviZ 1 works on `xarray.DataTree`. ArviZ 0.23 asks for its ``InferenceData``, an abstract mapping
from groups to datasets whose groups are attributes, with which a tree can be registered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import arviz as az
import xarray as xr

__all__ = ["as_arviz_tree", "load_posterior"]


class PosteriorTree(xr.DataTree):
    """A `xarray.DataTree` whose groups, taken as attributes, are datasets: for ArviZ 0.23."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return found.to_dataset() if isinstance(found, xr.DataTree) else found


OLD = hasattr(az, "InferenceData")  # ArviZ before 1
if OLD:
    az.InferenceData.register(PosteriorTree)


def as_arviz_tree(groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Datasets by path as a tree, ``"/"`` its root."""
    return (PosteriorTree if OLD else xr.DataTree).from_dict(dict(groups))


def load_posterior(path: str | os.PathLike[str]) -> xr.DataTree:
    """Read what `bayescape.sample` returned back into memory.

    Parameters
    ----------
    path
        A netCDF file, by ``posterior.to_netcdf(path, engine="h5netcdf")``, or a Zarr store, by
        ``posterior.to_zarr(path)``.

    Returns
    -------
    xarray.DataTree
        The same groups, values, labels and attributes.

    Raises
    ------
    FileNotFoundError
        If there is nothing at ``path``.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"`path` must be a path of a netCDF file or Zarr store, got {path!r}")
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"`path` must be a netCDF file or a Zarr store, got {str(place)!r}")
    with xr.open_datatree(place, engine="zarr" if place.is_dir() else "h5netcdf") as tree:
        return as_arviz_tree({node.path: node.to_dataset().load() for node in tree.subtree})
