"""A map as GraphML: minima as nodes, transition states as edges, for any program that draws graphs.

Nodes and edges have ``energy`` (nats), their coordinates as ``theta_`` and the coordinate's name,
``log_product`` (of the Hessian's positive eigenvalues) and ``hessian`` (rows, as JSON); nodes have
``hits``. The rest of the map is in attributes of the graph, as JSON. Nothing is lost.

U. Brandes et al., "GraphML progress report", Graph Drawing, LNCS 2265, 501 (2002).
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import warnings
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescape.evaluations import Counted
from bayescape.landscape.exchange.assembly import (
    NO_HESSIANS,
    ONLY_LOG_PRODUCTS,
    check_energies,
    log_products,
    with_log_products,
)
from bayescape.landscape.exchange.files import read_bytes, replace_file
from bayescape.landscape.record import Landscape, attributes_of, fields_of
from bayescape.targets.target import Target

__all__ = ["read_graphml", "write_graphml"]

Array = NDArray[np.float64]

FORMAT = "bayescape graphml 1"
FIELDS = ("coverage", "evaluations", "ends", "stopped", "warnings", "seconds", "seed")


def write_graphml(landscape: Landscape, path: str | os.PathLike[str]) -> None:
    """Write a map to one GraphML file, which is complete or not there at all.

    Parameters
    ----------
    landscape
        The map, with or without Hessians.
    path
        File to write; an existing one is replaced.

    Raises
    ------
    ValueError
        If two coordinates have the same name, or one has a character that cannot be printed.
    """
    names = landscape.names
    if len(set(names)) != len(names) or not all(name.isprintable() for name in names):
        raise ValueError(
            "`landscape` must have coordinates of different, printable names to be written as "
            f"GraphML, got {names}"
        )
    rest = {"format": FORMAT, "names": list(names)} | attributes_of(landscape)
    graph = nx.MultiGraph(**{key: json.dumps(value) for key, value in rest.items()})
    minima, states = landscape.minima, landscape.transition_states
    for m, data in enumerate(_data_of(minima, names)):
        graph.add_node(m, hits=int(minima["hits"].values[m]), **data)
    for s, data in enumerate(_data_of(states, names)):
        a, b = (int(m) for m in states["joins"].values[s])
        graph.add_edge(a, b, key=s, **data)
    buffer = io.BytesIO()
    nx.write_graphml_xml(graph, buffer)
    replace_file(Path(path), buffer.getvalue())


def read_graphml(path: str | os.PathLike[str], target: Target | None = None) -> Landscape:
    """Read a map that `write_graphml` wrote.

    Parameters
    ----------
    path
        The GraphML file.
    target
        What was mapped. Its energies must be those of the file; it supplies the Hessians if the
        file does not hold all of them.

    Returns
    -------
    Landscape
        Equal, bit for bit, to the one written.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds something else, or ``target`` has other coordinates or other energies.
    """
    path = Path(path)
    content = read_bytes(path, "path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what networkx makes do with is refused below
            graph = nx.read_graphml(
                io.BytesIO(content), node_type=int, edge_key_type=int, force_multigraph=True
            )
    except (
        ParseError,
        nx.NetworkXError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        raise ValueError(
            f"`path`: {path} is not a GraphML file of a landscape ({error})"
        ) from error
    if graph.graph.get("format") != json.dumps(FORMAT):
        raise ValueError(f"`path`: {path} does not hold a landscape in the format {FORMAT!r}")
    try:
        landscape = _landscape_of(graph)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"`path`: {path} holds a landscape with something missing or out of place "
            f"({type(error).__name__}: {error})"
        ) from error
    return landscape if target is None else _with_target(landscape, target, path.name)


def _data_of(points: xr.Dataset, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The attributes of each point; what is not known is left out."""
    products, hessians = log_products(points), points["hessian"].values
    found = []
    for i, energy in enumerate(points["energy"].values):
        data: dict[str, Any] = {"energy": float(energy)}
        data |= {
            f"theta_{name}": float(x)
            for name, x in zip(names, points["theta"].values[i], strict=True)
        }
        if not np.isnan(products[i]):
            data["log_product"] = float(products[i])
        if not np.isnan(hessians[i]).all():
            data["hessian"] = json.dumps(hessians[i].tolist())
        found.append(data)
    return found


def _landscape_of(graph: nx.MultiGraph) -> Landscape:
    names = json.loads(graph.graph["names"])
    fields = fields_of({key: json.loads(graph.graph[key]) for key in FIELDS})
    nodes = [graph.nodes[m] for m in range(len(graph))]
    edges = sorted(graph.edges(keys=True, data=True), key=lambda edge: edge[2])
    minima, states = _arrays(nodes, names), _arrays([data for *_, data in edges], names)
    landscape = Landscape.from_arrays(
        names=names,
        minima=minima["theta"],
        energies=minima["energy"],
        hessians=minima["hessian"],
        hits=[data["hits"] for data in nodes],
        transition_states=states["theta"],
        transition_energies=states["energy"],
        transition_hessians=states["hessian"],
        joins=[(a, b) for a, b, *_ in edges],
        **fields,
    )
    products = minima["log_product"], states["log_product"]
    if all(np.isnan(p).all() for p in products):
        return landscape
    return with_log_products(
        landscape,
        products[0][np.argsort(minima["energy"], kind="stable")],
        products[1][np.argsort(states["energy"], kind="stable")],
    )


def _arrays(points: list[dict[str, Any]], names: list[str]) -> dict[str, Array]:
    """Arrays over the points; a log product counts only where there is no Hessian."""
    d = len(names)
    unknown = np.full((d, d), np.nan).tolist()
    return {
        "theta": np.array([[p[f"theta_{name}"] for name in names] for p in points], dtype=float),
        "energy": np.array([p["energy"] for p in points], dtype=float),
        "hessian": np.array(
            [json.loads(p["hessian"]) if "hessian" in p else unknown for p in points], dtype=float
        ),
        "log_product": np.array(
            [np.nan if "hessian" in p else p.get("log_product", np.nan) for p in points]
        ),
    }


def _with_target(landscape: Landscape, target: Target, source: str) -> Landscape:
    """Return the map with its target, and that one's Hessians where some are not known."""
    if tuple(target.names) != landscape.names:
        raise ValueError(
            f"`target` must have the coordinates of the map in {source}, {landscape.names}, "
            f"got a {type(target).__name__} over {tuple(target.names)}"
        )
    minima, states = landscape.minima, landscape.transition_states
    theta = np.concatenate([minima["theta"].values, states["theta"].values])
    energies = np.concatenate([minima["energy"].values, states["energy"].values])
    split = len(minima["energy"])
    if not len(theta):
        return dataclasses.replace(landscape, target=target)
    counted = Counted(target)
    check_energies(counted, theta, energies, split, "path", source)
    known = np.concatenate([minima["hessian"].values, states["hessian"].values])
    if not np.isnan(known).any():
        return dataclasses.replace(landscape, target=target)
    found = counted.hessian(theta)
    axes = ("coordinate", "coordinate_2")
    return dataclasses.replace(
        landscape,
        minima=minima.drop_vars("log_product", errors="ignore").assign(
            hessian=(("minimum", *axes), found[:split])
        ),
        transition_states=states.drop_vars("log_product", errors="ignore").assign(
            hessian=(("transition_state", *axes), found[split:])
        ),
        evaluations=landscape.evaluations + counted.evaluations,
        warnings=tuple(w for w in landscape.warnings if w not in (NO_HESSIANS, ONLY_LOG_PRODUCTS)),
        target=target,
    )
