"""The dumps of TopSearch: ``min.data``, ``min.coords``, ``ts.data``, ``ts.coords``, ``pairlist``.

Text throughout, minima counted from 0. A line of ``min.data`` holds a minimum's number and energy,
one of ``ts.data`` the two minima that a transition state joins and its energy; the same lines of
the ``.coords`` files hold coordinates. TopSearch writes energies to five decimals and keeps one
transition state for a pair of minima. Both are its ways of writing, not the format's.

https://pypi.org/project/topsearch, version 0.0.3: ``KineticTransitionNetwork.dump_network`` and
``read_network``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescape.landscape.exchange.assembly import Points, assemble, check_names
from bayescape.landscape.exchange.files import read_bytes, read_rows, replace_file, writable_folder
from bayescape.landscape.record import Landscape
from bayescape.targets.target import Target

__all__ = ["read_topsearch", "write_topsearch"]

Array = NDArray[np.float64]

SOURCE = "TopSearch's min.data and ts.data"
DECIMALS = 0.5e-5  # half a unit of the last decimal that TopSearch writes of an energy


def read_topsearch(
    folder: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    target: Target | None = None,
    *,
    suffix: str = "",
) -> Landscape:
    """Read a map from a dump of TopSearch.

    Parameters
    ----------
    folder
        Where ``min.data``, ``min.coords``, ``ts.data`` and ``ts.coords`` are; ``pairlist`` is not
        read.
    names
        Labels of the coordinates, length ``d``; by default those of ``target``, else ``x[0]``,
        ``x[1]``, ...
    target
        What was mapped. It supplies the Hessians, which the files do not hold, and energies to
        their last digit.
    suffix
        What TopSearch was told to append to the names of the files, its ``text_string``.

    Returns
    -------
    Landscape
        Lowest energy first, whatever the order of the files. Without ``target`` the Hessians are
        NaN, and ``warnings`` says what cannot be computed. ``hits`` and ``coverage`` are 0, for the
        files do not tell.

    Raises
    ------
    FileNotFoundError
        If one of the four files is missing.
    ValueError
        If a file holds something else, ``names`` do not fit, or the energies of ``target`` are
        not those of the files, to 1 in a million and TopSearch's rounding.
    """
    folder = Path(folder)
    rows = read_rows(folder / f"min.data{suffix}", "folder", "if", "a minimum's number and energy")
    ts_data = folder / f"ts.data{suffix}"
    state_rows = read_rows(ts_data, "folder", "iif", "the numbers of two minima and an energy")
    row_of: dict[float, int] = {}
    for number, (label, _) in rows:
        if label in row_of:
            raise ValueError(
                f"`folder`: line {number} of min.data{suffix} has minimum {label} again"
            )
        row_of[label] = len(row_of)
    joins = []
    for number, (a, b, _) in state_rows:
        if a not in row_of or b not in row_of:
            raise ValueError(
                f"`folder`: line {number} of {ts_data.name} joins minima {a} and {b}, of which "
                f"min.data{suffix} does not hold both"
            )
        joins.append((row_of[a], row_of[b]))
    theta = _read_points(folder / f"min.coords{suffix}", len(rows), None)
    d = theta.shape[1] if len(rows) else None
    names = check_names(names, target, d, "folder", SOURCE)
    states = _read_points(ts_data.with_name(f"ts.coords{suffix}"), len(state_rows), len(names))
    # Highest first is how `write_topsearch` writes them; turned round, ties keep their order.
    backwards = slice(None, None, -1)
    return assemble(
        Points(theta, np.array([values[1] for _, values in rows])),
        Points(states[backwards], np.array([values[2] for _, values in state_rows])[backwards]),
        np.array(joins, dtype=int).reshape(-1, 2)[backwards],
        names=names,
        target=target,
        argument="folder",
        source=SOURCE,
        rounding=DECIMALS,
    )


def write_topsearch(
    landscape: Landscape, folder: str | os.PathLike[str], *, suffix: str = ""
) -> None:
    """Write a map as a dump of TopSearch, each file of which is complete or not there at all.

    Numbers are written in full, so that energies, coordinates and joins come back bit for bit.
    Transition states are written highest first: TopSearch keeps the last of those that join the
    same two minima, so the lowest. ``pairlist``, the pairs that TopSearch will not try again, holds
    the pairs that are joined.

    Parameters
    ----------
    landscape
        A map; Hessians are not written.
    folder
        Where to write; it is made if it is not there. Files of the same names are replaced.
    suffix
        To append to the names of the files: TopSearch's ``text_string``.

    Raises
    ------
    ValueError
        If ``folder`` is a file.
    """
    minima, states = landscape.minima, landscape.transition_states
    states = states.isel(transition_state=slice(None, None, -1))
    joins = states["joins"].values
    ends = [f"{a} {b}" for a, b in joins]
    files = {
        "min.data": _data(map(str, range(minima.sizes["minimum"])), minima),
        "min.coords": _coordinates(minima),
        "ts.data": _data(ends, states),
        "ts.coords": _coordinates(states),
        "pairlist": [f"{a} {b}" for a, b in sorted({(a, b) for a, b in joins.tolist() if a != b})],
    }
    folder = writable_folder(folder)
    for name, lines in files.items():
        replace_file(folder / f"{name}{suffix}", "".join(f"{line}\n" for line in lines).encode())


def _read_points(path: Path, count: int, d: int | None) -> Array:
    """Coordinates ``(count, d)`` of a text file, ``d`` from its first line if not given."""
    if d is None:
        d = len(read_bytes(path, "folder").split(b"\n", 1)[0].split())
    rows = read_rows(path, "folder", "f" * d, f"the {d} coordinates of a point")
    if len(rows) != count:
        raise ValueError(f"`folder`: {path.name} holds {len(rows)} points, expected {count}")
    return np.array([values for _, values in rows], dtype=float).reshape(count, d)


def _data(labels: Iterable[str], points: xr.Dataset) -> list[str]:
    energies = points["energy"].values
    return [f"{label} {float(e)!r}" for label, e in zip(labels, energies, strict=True)]


def _coordinates(points: xr.Dataset) -> list[str]:
    return [" ".join(repr(float(x)) for x in row) for row in points["theta"].values]
