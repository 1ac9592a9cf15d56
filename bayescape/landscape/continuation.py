"""How a map changes along a parameter: branches of stationary points, and their ends in folds."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_file, check_kind, check_whole, check_within, check_words
from bayescape.evaluations import Evaluations
from bayescape.landscape.folds import Fold

__all__ = ["Continuation", "load_continuation"]

FORMAT = "bayescape continuation 1"

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Continuation:
    """Minima and transition states followed along a parameter of a family of targets.

    Attributes
    ----------
    branches : xarray.Dataset
        Over dims ``(branch, parameter, coordinate)``: ``theta``, ``energy`` (nats) and
        ``softest``, the Hessian's eigenvalue nearest to zero, NaN where a branch does not exist.
        Over ``branch`` alone its Hessian ``index`` (0 for minima, 1 for transition states) and how
        it ``begins`` and ``ends``: ``"grid"`` at the end of the grid, ``"fold"``, or a sentence
        that says why it was not followed. A branch between two folds that lie between
        neighbouring values of the parameter has no value at all.
    folds : xarray.Dataset
        Over dims ``(fold, coordinate)``, in order of their parameter: ``theta``, ``null_vector``,
        ``energy``, ``gradient_norm``, ``smallest_eigenvalue``, ``cubic``, ``transversality`` (see
        `bayescape.landscape.folds.Fold`), ``side`` (1 where the two points exist above the fold's
        parameter, -1 where they exist below), ``joins`` ``(fold, end)``, the two branches by
        position, -1 for one that was not followed, and ``indices`` ``(fold, end)``, their Hessian
        indices. The coordinate ``value`` is the parameter there.
    parameter : str
        What the parameter is called.
    evaluations : Evaluations
        What it cost, the explorations included.
    warnings : tuple of str
        What a reader must know; empty when there is nothing.
    seconds, seed
        Wall time and the seed.
    """

    branches: xr.Dataset
    folds: xr.Dataset
    parameter: str
    evaluations: Evaluations
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("branches", "folds"):
            check_kind(name, getattr(self, name), xr.Dataset, "an xarray.Dataset")
        check_kind("parameter", self.parameter, str, "what the parameter is called")
        check_kind("evaluations", self.evaluations, Evaluations, "Evaluations")
        check_words("warnings", self.warnings)
        check_within("seconds", self.seconds, 0)
        check_whole("seed", self.seed, 0)

    @classmethod
    def from_arrays(
        cls,
        *,
        names: Sequence[str],
        parameter: str,
        grid: ArrayLike,
        theta: ArrayLike,
        energy: ArrayLike,
        softest: ArrayLike,
        index: ArrayLike,
        begins: Sequence[str],
        ends: Sequence[str],
        folds: Sequence[Fold],
        joins: ArrayLike,
        indices: ArrayLike,
        evaluations: Evaluations,
        warnings: Sequence[str] = (),
        seconds: float = 0.0,
        seed: int = 0,
    ) -> Continuation:
        """Make a continuation of plain arrays, its folds sorted by their parameter.

        Parameters
        ----------
        names, parameter, grid
            Labels of the ``d`` coordinates, the parameter's name, and its ``K`` values.
        theta, energy, softest, index, begins, ends
            The branches: shapes ``(N, K, d)``, ``(N, K)``, ``(N, K)``, ``(N,)``, and ``N`` strings.
        folds, joins, indices
            The folds, and for each the positions of its two branches and their Hessian indices,
            ``(F, 2)``.
        evaluations, warnings, seconds, seed
            As the attributes of the class.
        """
        labels, d = np.asarray(names, dtype=object), len(names)
        order = np.argsort([fold.parameter for fold in folds], kind="stable")

        def column(field: str) -> Array:
            return np.array([getattr(folds[i], field) for i in order], dtype=float)

        numbers = ("energy", "gradient_norm", "smallest_eigenvalue", "cubic", "transversality")
        by_grid = ("branch", "parameter")
        return cls(
            branches=xr.Dataset(
                {
                    "theta": ((*by_grid, "coordinate"), np.asarray(theta, float)),
                    "energy": (by_grid, np.asarray(energy, float)),
                    "softest": (by_grid, np.asarray(softest, float)),
                    "index": ("branch", np.asarray(index, int)),
                    "begins": ("branch", np.asarray(begins, dtype=object)),
                    "ends": ("branch", np.asarray(ends, dtype=object)),
                },
                coords={
                    "branch": np.arange(len(begins)),
                    "parameter": np.asarray(grid, float),
                    "coordinate": labels,
                },
            ),
            folds=xr.Dataset(
                {name: ("fold", column(name)) for name in numbers}
                | {
                    name: (("fold", "coordinate"), column(name).reshape(-1, d))
                    for name in ("theta", "null_vector")
                }
                | {
                    "side": ("fold", column("side").astype(int)),
                    "joins": (("fold", "end"), np.asarray(joins, int).reshape(-1, 2)[order]),
                    "indices": (("fold", "end"), np.asarray(indices, int).reshape(-1, 2)[order]),
                },
                coords={
                    "fold": np.arange(len(folds)),
                    "value": ("fold", column("parameter")),
                    "coordinate": labels,
                },
            ),
            parameter=parameter,
            evaluations=evaluations,
            warnings=tuple(warnings),
            seconds=float(seconds),
            seed=int(seed),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the coordinates."""
        return tuple(str(name) for name in self.branches["coordinate"].values)

    def count(self, index: int = 0) -> xr.DataArray:
        """How many stationary points of a Hessian index there are, over ``parameter``."""
        there = self.branches["energy"].notnull() & (self.branches["index"] == index)
        return there.sum("branch")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to one netCDF file, which is complete or not there at all.

        Parameters
        ----------
        path
            File to write; an existing one is replaced.
        """
        path = Path(path)
        attributes = {
            "format": FORMAT,
            "parameter": self.parameter,
            "evaluations": json.dumps(self.evaluations.asdict()),
            "warnings": json.dumps(list(self.warnings)),
            "seconds": self.seconds,
            "seed": str(self.seed),
        }
        tree = xr.DataTree.from_dict(
            {"/": xr.Dataset(attrs=attributes), "/branches": self.branches, "/folds": self.folds}
        )
        # Written beside and moved into place, so that an interrupted write leaves no half file.
        partial = path.with_name(f".{path.name}.partial")
        try:
            tree.to_netcdf(partial, engine="h5netcdf")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def __repr__(self) -> str:
        rows = self._rows()
        return "\n".join([f"<bayescape.Continuation: {rows[0]}>", *(f"  {r}" for r in rows[1:])])

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<li>{escape(row)}</li>" for row in self._rows())
        return f"<strong>Continuation</strong><ul>{rows}</ul>"

    def _rows(self) -> list[str]:
        grid, index = self.branches["parameter"].values, self.branches["index"].values
        minima, folds = self.count(0).values, self.folds
        rows = [
            f"{(index == 0).sum()} branches of minima and {(index == 1).sum()} of transition "
            f"states, {self.parameter} from {grid[0]:g} to {grid[-1]:g}",
            f"from {minima.min()} to {minima.max()} minima at once",
        ]
        rows += [
            f"fold at {self.parameter} = {value:.6f}: a pair {'above' if side > 0 else 'below'}, "
            f"of index {a} and {b}"
            for value, side, (a, b) in zip(
                folds["value"].values, folds["side"].values, folds["indices"].values, strict=True
            )
        ]
        e = self.evaluations
        rows.append(
            f"{e.value} values, {e.gradient} gradients, {e.hessian} Hessians; {self.seconds:.1f} s"
        )
        return rows + [f"warning: {warning}" for warning in self.warnings]


def load_continuation(path: str | os.PathLike[str]) -> Continuation:
    """Read what `Continuation.save` wrote.

    Parameters
    ----------
    path
        The netCDF file.

    Returns
    -------
    Continuation
        Equal, bit for bit, to the one saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds something else.
    """
    path = check_file("path", path, "a netCDF file of a continuation")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except OSError as error:
        raise ValueError(f"`path`: {path} is not a netCDF file of a continuation") from error
    if tree.attrs.get("format") != FORMAT:
        raise ValueError(
            f"`path`: {path} does not hold a continuation in the format {FORMAT!r} "
            f"(got {tree.attrs.get('format')!r})"
        )
    return Continuation(
        branches=tree["branches"].to_dataset(),
        folds=tree["folds"].to_dataset(),
        **_fields_of(tree.attrs),
    )


def _fields_of(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "parameter": str(attributes["parameter"]),
        "evaluations": Evaluations(**json.loads(attributes["evaluations"])),
        "warnings": tuple(json.loads(attributes["warnings"])),
        "seconds": float(attributes["seconds"]),
        "seed": int(attributes["seed"]),
    }
