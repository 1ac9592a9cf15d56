"""The database of PATHSAMPLE: ``min.data``, ``ts.data``, ``points.min`` and ``points.ts``.

One line of ``min.data`` for each minimum: energy, log of the product of the Hessian's positive
eigenvalues, order of the point group, three moments of inertia. One of ``ts.data`` for each
transition state: the same, with the two minima that it joins, counted from 1, between the order and
the moments. Coordinates are double precision numbers in the machine's order, without records'
marks: Fortran's direct access. disconnectionDPS and pele read the same files.

D. J. Wales, Mol. Phys. 100, 3285 (2002); https://www-wales.ch.cam.ac.uk/PATHSAMPLE.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescape.landscape.exchange.assembly import Points, assemble, check_names, log_products
from bayescape.landscape.exchange.files import (
    read_bytes,
    read_rows,
    replace_file,
    writable_folder,
)
from bayescape.landscape.record import Landscape
from bayescape.targets.target import Target

__all__ = ["read_pathsample", "write_pathsample"]

Array = NDArray[np.float64]

SOURCE = "PATHSAMPLE's min.data and ts.data"
MINIMUM = "energy, log product, point group order and three moments of inertia"
MOMENTS = f"{1.0:18.10f} {1.0:18.10f} {1.0:18.10f}"
STATE = (
    "energy, log product, point group order, the numbers of two minima and three moments of inertia"
)


def read_pathsample(
    folder: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    target: Target | None = None,
) -> Landscape:
    """Read a map from the files of PATHSAMPLE.

    Parameters
    ----------
    folder
        Where ``min.data``, ``ts.data``, ``points.min`` and ``points.ts`` are. Energies are taken
        to be in nats: those of a molecule must have been divided by the temperature. Further
        columns than PATHSAMPLE's first six and eight are not read.
    names
        Labels of the coordinates, length ``d``; by default those of ``target``, else ``x[0]``,
        ``x[1]``, ...
    target
        What was mapped. It supplies the Hessians, which the files do not hold.

    Returns
    -------
    Landscape
        Lowest energy first, whatever the order of the files. Without ``target`` the Hessians are
        NaN and the log products stand in ``minima["log_product"]`` and
        ``transition_states["log_product"]``. ``warnings`` says what cannot be computed. ``hits``
        and ``coverage`` are 0, for the files do not tell.

    Raises
    ------
    FileNotFoundError
        If one of the four files is missing.
    ValueError
        If a file holds something else, ``names`` do not fit, or the energies of ``target`` are
        not those of the files, to 1 in a million.

    References
    ----------
    D. J. Wales, Mol. Phys. 100, 3285 (2002).
    """
    folder = Path(folder)
    rows = read_rows(folder / "min.data", "folder", "ffifff*", MINIMUM)
    state_rows = read_rows(folder / "ts.data", "folder", "ffiiifff*", STATE)
    for number, values in state_rows:
        if not all(1 <= end <= len(rows) for end in values[3:5]):
            raise ValueError(
                f"`folder`: line {number} of ts.data joins minima {values[3]} and {values[4]}, "
                f"but min.data holds minima 1 to {len(rows)}"
            )
    theta = _read_points(folder / "points.min", len(rows), None)
    d = theta.shape[1] if len(rows) else None
    names = check_names(names, target, d, "folder", SOURCE)
    states = _read_points(folder / "points.ts", len(state_rows), len(names))
    orders = {values[2] for _, values in rows + state_rows}
    warnings = []
    if orders - {1}:
        warnings.append(
            f"points stand for several symmetric copies (point group orders up to {max(orders)}), "
            "which occupations and rates do not count"
        )
    return assemble(
        _points(theta, rows),
        _points(states, state_rows),
        np.array([values[3:5] for _, values in state_rows], dtype=int).reshape(-1, 2) - 1,
        names=names,
        target=target,
        argument="folder",
        source=SOURCE,
        warnings=warnings,
    )


def write_pathsample(landscape: Landscape, folder: str | os.PathLike[str]) -> None:
    """Write a map to the files of PATHSAMPLE, each of which is complete or not there at all.

    Numbers are written in full, so that energies, coordinates and joins come back bit for bit.
    Every point group has order 1 and every moment of inertia is 1. PATHSAMPLE itself also asks for
    ``min.A`` and ``min.B``, the reactants and products, which a map does not know.

    Parameters
    ----------
    landscape
        A map whose Hessians, or their log products, are known.
    folder
        Where to write; it is made if it is not there. Files of the same names are replaced.

    Raises
    ------
    ValueError
        If neither Hessian nor log product is known at a point, or ``folder`` is a file.
    """
    minima, states = landscape.minima, landscape.transition_states
    lines = [f"{start} {1:5d} {MOMENTS}" for start in _starts(minima, "minimum")]
    state_lines = [
        f"{start} {1:5d} {a + 1:9d} {b + 1:9d} {MOMENTS}"
        for start, (a, b) in zip(
            _starts(states, "transition state"), states["joins"].values, strict=True
        )
    ]
    folder = writable_folder(folder)
    replace_file(folder / "points.min", _bytes(minima))
    replace_file(folder / "points.ts", _bytes(states))
    replace_file(folder / "min.data", "".join(f"{line}\n" for line in lines).encode())
    replace_file(folder / "ts.data", "".join(f"{line}\n" for line in state_lines).encode())


def _points(theta: Array, rows: list[tuple[int, list[float]]]) -> Points:
    table = np.array([values[:2] for _, values in rows], dtype=float).reshape(-1, 2)
    return Points(theta, table[:, 0], table[:, 1])


def _read_points(path: Path, count: int, d: int | None) -> Array:
    """Coordinates ``(count, d)`` of a direct-access file, ``d`` from its length if not given."""
    content = read_bytes(path, "folder")
    width = len(content) // (8 * count) if count and d is None else (d or 0)
    if len(content) != 8 * count * width or (count and not width):
        expected = f"{count} points" + ("" if d is None else f" of {d} coordinates")
        raise ValueError(
            f"`folder`: {path.name} holds {len(content)} bytes, which is not {expected} "
            "in double precision"
        )
    theta = np.frombuffer(content, dtype="<f8").astype(float).reshape(count, width)
    strange = np.flatnonzero(~np.isfinite(theta).all(axis=1))
    if len(strange):
        raise ValueError(
            f"`folder`: {path.name} has a coordinate at point {strange[0] + 1} that is not finite; "
            "little-endian double precision is expected"
        )
    return theta


def _starts(points: xr.Dataset, kind: str) -> list[str]:
    """Energy and log product of each point, as they begin its line."""
    products = log_products(points)
    unknown = np.flatnonzero(np.isnan(products))
    if len(unknown):
        raise ValueError(
            f"`landscape` has no Hessian at {kind} {unknown[0]}, and PATHSAMPLE's files need the "
            "log product of its eigenvalues; read the map with `target`"
        )
    pairs = zip(points["energy"].values, products, strict=True)
    return [f"{float(energy)!r:>25} {float(product)!r:>25}" for energy, product in pairs]


def _bytes(points: xr.Dataset) -> bytes:
    return points["theta"].values.astype("<f8").tobytes()
