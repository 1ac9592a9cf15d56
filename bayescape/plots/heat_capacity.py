"""Heat capacity against temperature, and what each minimum contributes to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescape.arguments import check_kind, shown
from bayescape.landscape.record import Landscape
from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.plots.style import (
    BLACK,
    GREY,
    LIGHT,
    SMALL,
    basin_colour,
    figure_of,
    new_figure,
    quiet,
)

__all__ = ["plot_heat_capacity"]

_SHOWN = 6  # minima with a colour of their own


def plot_heat_capacity(thermo: Any, ax: Axes | None = None) -> Figure:
    """Draw the heat capacity over temperature, stacked by the minima's parts.

    Parameters
    ----------
    thermo
        The dataset that `thermodynamics` returns, or a `Landscape`, whose thermodynamics are then
        computed over the default temperatures.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        The black line is the whole, in units of Boltzmann's constant; the six minima with the
        largest parts have a colour each, the others are drawn together in grey. Temperature 1,
        the posterior, is marked.

    Raises
    ------
    TypeError
        If ``thermo`` is neither a landscape nor a dataset of thermodynamics.
    """
    if isinstance(thermo, Landscape):
        thermo = thermodynamics(thermo)
    if not isinstance(thermo, xr.Dataset) or "heat_capacity_by_minimum" not in thermo:
        raise TypeError(
            "`thermo` must be a Landscape or the Dataset that `thermodynamics` returns, "
            f"got {shown(thermo)} of type {type(thermo).__name__}"
        )
    if ax is None:
        ax = new_figure(5.6, 3.8).subplots()
    check_kind("ax", ax, Axes, "matplotlib's Axes")
    temperature = thermo["temperature"].values
    parts = thermo["heat_capacity_by_minimum"].transpose("minimum", "temperature").values
    largest = np.sort(np.argsort(-parts.max(axis=1), kind="stable")[:_SHOWN])
    others = np.setdiff1d(np.arange(len(parts)), largest)

    below = np.zeros_like(temperature)
    for m in largest:
        above = below + parts[m]
        ax.fill_between(
            temperature, below, above, color=basin_colour(int(m)), alpha=0.75, linewidth=0,
            label=f"minimum {thermo['minimum'].values[m]}",
        )  # fmt: skip
        below = above
    if len(others):
        above = below + parts[others].sum(axis=0)
        ax.fill_between(
            temperature, below, above, color=LIGHT, linewidth=0, label=f"{len(others)} others"
        )
    ax.plot(temperature, thermo["heat_capacity"].values, color=BLACK, linewidth=1.4, label="total")
    ax.set_xscale("log")
    ax.set_xlim(temperature.min(), temperature.max())
    ax.set_ylim(0, 1.12 * float(thermo["heat_capacity"].max()))
    if temperature.min() < 1 < temperature.max():
        ax.axvline(1.0, color=BLACK, linewidth=0.9, linestyle="--")
        ax.annotate(
            "posterior (T = 1)", (1.0, 1.0), xycoords=("data", "axes fraction"), xytext=(4, -2),
            textcoords="offset points", va="top", fontsize=SMALL, color=GREY,
        )  # fmt: skip
    ax.set_xlabel("temperature (1 is the posterior)")
    ax.set_ylabel("heat capacity (units of $k_B$)")
    quiet(ax)
    figure = figure_of(ax)
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=SMALL, handlelength=1.2
    )
    return figure
