"""A tree of results that either generation of ArviZ takes for its own.

ArviZ 1 works on `xarray.DataTree`. ArviZ 0.23 asks for its ``InferenceData``, an abstract mapping
from groups to datasets whose groups are attributes, with which a tree can be registered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import arviz as az
import xarray as xr

from bayescape.arguments import check_file

__all__ = ["as_arviz_tree", "load_posterior"]


class _Groups(tuple[str, ...]):
    """Paths of a tree's groups, or, called as ArviZ 0.23 does, their names."""

    __slots__ = ()

    def __call__(self) -> list[str]:
        return [path.strip("/") for path in self if path.strip("/")]


class _Group(xr.Dataset):
    """A group taken from a tree: a dataset for ArviZ 0.23, a tree's node for newer functions.

    What is assigned to it goes into the tree.
    """

    __slots__ = ("_node",)

    @classmethod
    def of(cls, node: xr.DataTree) -> _Group:
        """The dataset of a node."""
        group = cls(dict(node.data_vars), coords=node.coords, attrs=node.attrs)
        object.__setattr__(group, "_node", node)
        return group

    def to_dataset(self) -> xr.Dataset:
        """The same as a plain dataset."""
        return xr.Dataset(dict(self.data_vars), coords=self.coords, attrs=self.attrs)

    @property
    def dataset(self) -> xr.Dataset:
        """The same as a plain dataset."""
        return self.to_dataset()

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if isinstance(key, str) and (node := getattr(self, "_node", None)) is not None:
            node[key] = self[key]


class PosteriorTree(xr.DataTree):
    """A `xarray.DataTree` whose groups are datasets when they are taken out: for ArviZ 0.23."""

    __slots__ = ()

    @property
    def groups(self) -> _Groups:
        """Paths of the groups; called, their names."""
        return _Groups(super().groups)

    def __getattr__(self, name: str) -> Any:
        return _taken(super().__getattr__(name))

    def __getitem__(self, key: Any) -> Any:
        return _taken(super().__getitem__(key))


def _taken(found: Any) -> Any:
    return _Group.of(found) if isinstance(found, xr.DataTree) and not found.children else found


OLD = az.__version__.startswith("0.")
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
    place = check_file("path", path, "a netCDF file or a Zarr store")
    with xr.open_datatree(place, engine="zarr" if place.is_dir() else "h5netcdf") as tree:
        return as_arviz_tree({node.path: _plain(node.to_dataset().load()) for node in tree.subtree})


def _plain(dataset: xr.Dataset) -> xr.Dataset:
    """Attributes as Python's numbers, of which netCDF makes NumPy's; no trace of the file."""
    dataset.attrs = {k: v.item() if hasattr(v, "item") else v for k, v in dataset.attrs.items()}
    return dataset.drop_encoding()
