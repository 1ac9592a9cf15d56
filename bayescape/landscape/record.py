"""The map itself: minima, transition states, what joins what, and how it was found."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_file, check_kind, check_whole, check_within, check_words
from bayescape.evaluations import Evaluations
from bayescape.targets.target import Target

__all__ = ["Landscape", "load_landscape", "log_multiplicities"]

FORMAT = "bayescape landscape 1"


@dataclasses.dataclass(frozen=True)
class Landscape:
    """A map of a target: its stationary points and how they are joined.

    Attributes
    ----------
    minima : xarray.Dataset
        Over dims ``(minimum, coordinate)``, lowest energy first: ``theta``, ``energy`` (nats),
        ``hessian`` ``(minimum, coordinate, coordinate_2)`` and ``hits``, how many quenches ended
        in each.
    transition_states : xarray.Dataset
        Over dims ``(transition_state, coordinate)``, lowest energy first: ``theta``, ``energy``,
        ``hessian`` and ``joins`` ``(transition_state, end)``, the two minima that its downhill
        paths lead to, by position; the two are equal when both paths lead to the same minimum.
        A map from another program's file may have Hessians of NaN and, in both kinds of points, a
        ``log_product``: the log of the product of the Hessian's positive eigenvalues. In the map of
        a target with an ``equivalence`` each point stands for all its images, and both kinds have a
        ``log_multiplicity``: the log of how many there are.
    coverage : float
        Estimated probability that a fresh quench which ends in a minimum ends in a known one.
    evaluations : Evaluations
        What making the map cost.
    ends : dict
        How the searches ended: a plain sentence or word per outcome, to its count.
    stopped : str
        Why the search ended, as a sentence.
    warnings : tuple of str
        What a reader must know before trusting the map; empty when there is nothing.
    seconds, seed
        Wall time and the seed.
    target : Target or None
        What was mapped; ``None`` for a map loaded without one.
    """

    minima: xr.Dataset
    transition_states: xr.Dataset
    coverage: float
    evaluations: Evaluations
    ends: Mapping[str, int]
    stopped: str
    warnings: tuple[str, ...]
    seconds: float
    seed: int
    target: Target | None = None

    def __post_init__(self) -> None:
        for name in ("minima", "transition_states"):
            check_kind(name, getattr(self, name), xr.Dataset, "an xarray.Dataset")
        check_within("coverage", self.coverage, 0, 1)
        check_kind("evaluations", self.evaluations, Evaluations, "Evaluations")
        check_kind("ends", self.ends, Mapping, "a dict of counts")
        check_kind("stopped", self.stopped, str, "a sentence")
        check_words("warnings", self.warnings)
        check_within("seconds", self.seconds, 0)
        check_whole("seed", self.seed, 0)

    @classmethod
    def from_arrays(
        cls,
        *,
        names: Sequence[str],
        minima: ArrayLike,
        energies: ArrayLike,
        hessians: ArrayLike,
        hits: ArrayLike,
        transition_states: ArrayLike,
        transition_energies: ArrayLike,
        transition_hessians: ArrayLike,
        joins: ArrayLike,
        coverage: float,
        evaluations: Evaluations,
        log_multiplicity: tuple[ArrayLike, ArrayLike] | None = None,
        ends: Mapping[str, int] | None = None,
        stopped: str = "",
        warnings: Sequence[str] = (),
        seconds: float = 0.0,
        seed: int = 0,
        target: Target | None = None,
    ) -> Landscape:
        """Make a landscape of plain arrays, sorting both kinds of points by energy.

        Parameters
        ----------
        names
            Labels of the ``d`` coordinates.
        minima, energies, hessians, hits
            Shapes ``(M, d)``, ``(M,)``, ``(M, d, d)``, ``(M,)``; ``M`` may be 0.
        transition_states, transition_energies, transition_hessians, joins
            Shapes ``(S, d)``, ``(S,)``, ``(S, d, d)``, ``(S, 2)``; ``joins`` holds rows of
            ``minima`` as given here. ``S`` may be 0.
        coverage, evaluations, ends, stopped, warnings, seconds, seed, target
            As the attributes of the class.
        log_multiplicity
            Of minima and of transition states, ``(M,)`` and ``(S,)``, if points stand for images.
        """
        d = len(names)
        order = np.argsort(np.asarray(energies, float), kind="stable")
        new_position = np.empty(len(order), dtype=int)
        new_position[order] = np.arange(len(order))
        ts_order = np.argsort(np.asarray(transition_energies, float), kind="stable")
        joined = np.asarray(joins, dtype=int).reshape(-1, 2)[ts_order]
        joined = np.sort(new_position[joined], axis=1) if len(joined) else joined
        labels = np.asarray(names, dtype=object)

        def points(kind: str, x: ArrayLike, e: ArrayLike, h: ArrayLike, by: NDArray[Any]) -> Any:
            return {
                "theta": (
                    (kind, "coordinate"),
                    np.asarray(x, float).reshape(-1, d)[by],
                ),
                "energy": ((kind,), np.asarray(e, float).reshape(-1)[by]),
                "hessian": (
                    (kind, "coordinate", "coordinate_2"),
                    np.asarray(h, float).reshape(-1, d, d)[by],
                ),
            }

        axes = {"coordinate": labels, "coordinate_2": labels}
        of_minima, of_states = log_multiplicity or (None, None)
        return cls(
            minima=xr.Dataset(
                points("minimum", minima, energies, hessians, order)
                | {
                    "hits": (
                        ("minimum",),
                        np.asarray(hits, dtype=int).reshape(-1)[order],
                    )
                }
                | _multiplicity("minimum", of_minima, order),
                coords=axes | {"minimum": np.arange(len(order))},
            ),
            transition_states=xr.Dataset(
                points(
                    "transition_state",
                    transition_states,
                    transition_energies,
                    transition_hessians,
                    ts_order,
                )
                | {"joins": (("transition_state", "end"), joined)}
                | _multiplicity("transition_state", of_states, ts_order),
                coords=axes | {"transition_state": np.arange(len(ts_order))},
            ),
            coverage=float(coverage),
            evaluations=evaluations,
            ends=dict(ends or {}),
            stopped=stopped,
            warnings=tuple(warnings),
            seconds=float(seconds),
            seed=int(seed),
            target=target,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the coordinates."""
        return tuple(str(name) for name in self.minima["coordinate"].values)

    @cached_property
    def graph(self) -> nx.MultiGraph:
        """Minima as nodes (``energy``), transition states as edges (``energy``), by position."""
        graph = nx.MultiGraph()
        for m, energy in enumerate(self.minima["energy"].values):
            graph.add_node(m, energy=float(energy))
        states = self.transition_states
        for s, (a, b) in enumerate(states["joins"].values):
            energy = float(states["energy"].values[s])
            graph.add_edge(int(a), int(b), key=s, energy=energy, transition_state=s)
        return graph

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the map to one netCDF file, which is complete or not there at all.

        Parameters
        ----------
        path
            File to write; an existing one is replaced.
        """
        path = Path(path)
        tree = xr.DataTree.from_dict(
            {
                "/": xr.Dataset(attrs={"format": FORMAT} | attributes_of(self)),
                "/minima": self.minima,
                "/transition_states": self.transition_states,
            }
        )
        # Written beside and moved into place, so that an interrupted write leaves no half file.
        partial = path.with_name(f".{path.name}.partial")
        try:
            tree.to_netcdf(partial, engine="h5netcdf")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def __repr__(self) -> str:
        lines = [
            f"<bayescape.Landscape: {label}>" if i == 0 else f"  {label}"
            for i, label in enumerate(self._rows())
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<li>{escape(row)}</li>" for row in self._rows())
        return f"<strong>Landscape</strong><ul>{rows}</ul>"

    def _rows(self) -> list[str]:
        minima, states = (
            self.minima.sizes["minimum"],
            self.transition_states.sizes["transition_state"],
        )
        rows = [
            f"{minima} {'minimum' if minima == 1 else 'minima'}, "
            f"{states} transition {'state' if states == 1 else 'states'} "
            f"in {len(self.names)} coordinates"
        ]
        if minima:
            energies = self.minima["energy"].values
            above = ", ".join(f"{e:.3f}" for e in (energies - energies[0])[:6])
            more = ", ..." if minima > 6 else ""
            rows.append(f"energies: {energies[0]:.3f} nats + ({above}{more})")
        rows.append(f"coverage {self.coverage:.3f}; {self.stopped}")
        e = self.evaluations
        rows.append(
            f"{e.value} values, {e.gradient} gradients, {e.hessian} Hessians; {self.seconds:.1f} s"
        )
        rows.extend(f"warning: {warning}" for warning in self.warnings)
        return rows


def log_multiplicities(points: xr.Dataset) -> NDArray[np.float64]:
    """Log of how many images each of a map's points stands for, ``(N,)``; 0 where it has none."""
    if "log_multiplicity" in points:
        return np.asarray(points["log_multiplicity"].values, dtype=float)
    return np.zeros(points["energy"].size)


def _multiplicity(kind: str, values: ArrayLike | None, by: NDArray[Any]) -> dict[str, Any]:
    if values is None:
        return {}
    return {"log_multiplicity": ((kind,), np.asarray(values, float).reshape(-1)[by])}


def load_landscape(path: str | os.PathLike[str], target: Target | None = None) -> Landscape:
    """Read a map that `Landscape.save` wrote.

    Parameters
    ----------
    path
        The netCDF file.
    target
        The target that was mapped, needed to sample from the map. Its coordinate names must be
        those of the file.

    Returns
    -------
    Landscape
        Equal, bit for bit, to the one saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds something else, or ``target`` has other coordinates.
    """
    path = check_file("path", path, "a netCDF file of a landscape")
    if target is not None:
        check_kind("target", target, Target, "a Target or None")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except OSError as error:
        raise ValueError(f"`path`: {path} is not a netCDF file of a landscape") from error
    if tree.attrs.get("format") != FORMAT:
        raise ValueError(
            f"`path`: {path} does not hold a landscape in the format {FORMAT!r} "
            f"(got {tree.attrs.get('format')!r})"
        )
    landscape = Landscape(
        minima=tree["minima"].to_dataset(),
        transition_states=tree["transition_states"].to_dataset(),
        target=target,
        **fields_of(tree.attrs),
    )
    if target is not None and tuple(target.names) != landscape.names:
        raise ValueError(
            f"`target` must have the coordinates of the map in {path}, {landscape.names}, "
            f"got a {type(target).__name__} over {tuple(target.names)}"
        )
    return landscape


def attributes_of(landscape: Landscape) -> dict[str, Any]:
    """All of a map but its points and target, as numbers and strings that any file can hold."""
    return {
        "coverage": landscape.coverage,
        "evaluations": json.dumps(landscape.evaluations.asdict()),
        "ends": json.dumps(dict(landscape.ends)),
        "stopped": landscape.stopped,
        "warnings": json.dumps(list(landscape.warnings)),
        "seconds": landscape.seconds,
        "seed": str(landscape.seed),
    }


def fields_of(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Fields of a `Landscape` from what `attributes_of` made of them."""
    return {
        "coverage": float(attributes["coverage"]),
        "evaluations": Evaluations(**json.loads(attributes["evaluations"])),
        "ends": json.loads(attributes["ends"]),
        "stopped": str(attributes["stopped"]),
        "warnings": tuple(json.loads(attributes["warnings"])),
        "seconds": float(attributes["seconds"]),
        "seed": int(attributes["seed"]),
    }
