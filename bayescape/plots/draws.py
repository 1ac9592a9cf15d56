"""The draws that pictures show: thinned evenly, each with the basin that it belongs to."""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bayescape.plots.style import basin_colour
from bayescape.predict.predictions import even_positions
from bayescape.predict.validate import validate_posterior

__all__ = ["Draws", "basin_legend", "draws_of"]


@dataclasses.dataclass(frozen=True, slots=True)
class Draws:
    """Draws with their basins.

    Attributes
    ----------
    theta
        Shape ``(N, d)``.
    basin
        Shape ``(N,)``: position of the minimum that each draw quenches to, -1 where unknown.
    """

    theta: NDArray[np.float64]
    basin: NDArray[np.intp]

    def groups(self) -> list[tuple[int, NDArray[np.intp]]]:
        """Basins that occur, lowest first and unknown last, each with the rows that it holds."""
        present = np.unique(self.basin)
        return [
            (int(b), np.flatnonzero(self.basin == b))
            for b in (*present[present >= 0], *present[present < 0])
        ]


def draws_of(posterior: xr.DataTree | None, d: int, maximum: int) -> Draws:
    """At most ``maximum`` evenly spaced draws; none when there is no posterior.

    Parameters
    ----------
    posterior
        Draws, as `sample` returns them.
    d
        How many coordinates the landscape has.
    maximum
        How many draws to keep.

    Raises
    ------
    TypeError, ValueError
        If the posterior holds no draws, or in another number of coordinates.
    """
    if posterior is None:
        return Draws(np.empty((0, d)), np.empty(0, dtype=np.intp))
    theta = validate_posterior(posterior)["unconstrained_posterior"]["theta"]
    values = theta.transpose("chain", "draw", "coordinate").values
    values = values.reshape(-1, values.shape[-1])
    if values.shape[1] != d:
        raise ValueError(
            f"`posterior` has draws in {values.shape[1]} coordinates, but the landscape has {d}"
        )
    basin = np.full(len(values), -1, dtype=np.intp)
    stats = posterior.children.get("sample_stats")
    if stats is not None and "basin" in stats.data_vars:
        basin = stats["basin"].transpose("chain", "draw").values.reshape(-1).astype(np.intp)
    kept = even_positions(len(values), maximum)
    return Draws(values[kept], basin[kept])


def basin_legend(draws: Draws, shown: int = 6) -> list[Line2D]:
    """Make a legend's handles: which colour is which basin, with its share of the draws.

    Basins beyond the first ``shown``, and draws of no known basin, have one colour and one handle.
    """
    handles, rest = [], 0
    for basin, rows in draws.groups():
        if 0 <= basin < shown:
            handles.append(_dot(basin, f"basin {basin} ({_share(len(rows), draws)})"))
        else:
            rest += len(rows)
    if rest and handles:
        handles.append(_dot(-1, f"other ({_share(rest, draws)})"))
    return handles


def _share(count: int, draws: Draws) -> str:
    share = count / len(draws.basin)
    return f"{share:.0%}" if round(100 * share) > 0 else "<1%"


def _dot(basin: int, label: str) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", color=basin_colour(basin), label=label)
