"""Marginal distributions of the draws, coloured by basin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescape.arguments import check_kind
from bayescape.landscape.record import Landscape
from bayescape.plots.coordinates import Coordinate, choose_coordinates, limits, note_units
from bayescape.plots.draws import Draws, basin_legend, draws_of
from bayescape.plots.style import BLACK, SMALL, basin_colour, new_figure, quiet
from bayescape.predict.validate import validate_posterior

__all__ = ["draw_marginal", "plot_marginals"]

_DRAWS = 20_000  # a histogram gains nothing from more


def plot_marginals(
    landscape: Landscape,
    posterior: xr.DataTree,
    *,
    coordinates: Sequence[str] | None = None,
    maximum: int = 12,
) -> Figure:
    """Draw a histogram of every coordinate, stacked by the basin that the draws belong to.

    Parameters
    ----------
    landscape
        The map; its minima are marked below the axes by triangles.
    posterior
        Draws, as `sample` returns them.
    coordinates
        Names as in ``landscape.names``. By default all, or, of more than ``maximum``, those in
        which the minima differ most relative to the posterior's spread.
    maximum
        How many panels at most when ``coordinates`` is not given.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per coordinate, in natural units of the model's data; positive quantities on
        logarithmic axes, with densities per decade.

    Raises
    ------
    TypeError, ValueError
        If the posterior holds no draws in the landscape's coordinates, or a name is unknown.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    validate_posterior(posterior)
    draws = draws_of(posterior, len(landscape.names), _DRAWS)
    chosen = choose_coordinates(landscape, draws.theta, coordinates, maximum)
    columns = min(len(chosen), 3 if len(chosen) != 4 else 2)
    rows = -(-len(chosen) // columns)
    figure = new_figure(2.6 * columns + 0.4, 2.1 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    minima = landscape.minima["theta"].values
    for i, (panel, coordinate) in enumerate(zip(panels, chosen, strict=False)):
        marked = minima[_worth_showing(landscape), coordinate.position]
        span = limits(draws.theta[:, coordinate.position], marked)
        draw_marginal(panel, coordinate, draws, span)
        _mark_minima(panel, coordinate, minima, span)
        panel.set_xlabel(coordinate.label)
        if i % columns == 0:
            panel.set_ylabel("density per decade" if coordinate.logarithmic else "density")
    for panel in panels[len(chosen) :]:
        panel.set_visible(False)
    note_units(figure, landscape)
    handles = basin_legend(draws)
    if handles:
        figure.legend(
            handles=handles, loc="outside upper center", ncols=min(len(handles), 4), frameon=False,
            fontsize=SMALL,
        )  # fmt: skip
    return figure


def draw_marginal(
    ax: Axes, coordinate: Coordinate, draws: Draws, span: tuple[float, float], bins: int = 40
) -> None:
    """Draw one stacked histogram as a density, per decade or per unit.

    Its area is one less the share of draws beyond the axis.

    Parameters
    ----------
    ax
        Where to draw.
    coordinate
        What to draw.
    draws
        All draws.
    span
        Limits of the axis, in ``theta``.
    bins
        How many bars across the axis.
    """
    edges = np.linspace(*span, bins + 1)
    weight = coordinate.per_unit / (len(draws.theta) * (edges[1] - edges[0]))
    below = np.zeros(bins)
    for basin, rows in draws.groups():
        counts, _ = np.histogram(draws.theta[rows, coordinate.position], edges)
        above = below + weight * counts
        ax.stairs(
            above, coordinate.natural(edges), baseline=below, fill=True, linewidth=0,
            color=basin_colour(basin), alpha=0.8,
        )  # fmt: skip
        below = above
    ax.set_ylim(0, 1.08 * max(float(below.max()), 1e-12))
    coordinate.scale(ax.xaxis, span)
    quiet(ax)


def _mark_minima(
    ax: Axes, coordinate: Coordinate, minima: np.ndarray, span: tuple[float, float]
) -> None:
    at = minima[:, coordinate.position]
    # The triangles are not clipped, so one beyond the axis would lie in another panel.
    at = at[(at >= span[0]) & (at <= span[1])]
    ax.plot(
        coordinate.natural(at), np.zeros(len(at)),
        transform=ax.get_xaxis_transform(), marker="^", markersize=6, linestyle="",
        markerfacecolor="white", markeredgecolor=BLACK, markeredgewidth=0.9, label="_minima",
        zorder=5, clip_on=False,
    )  # fmt: skip


def _worth_showing(landscape: Landscape, within: float = 10.0) -> np.ndarray:
    """Minima that an axis is stretched for: those within ten nats of the lowest."""
    energies = landscape.minima["energy"].values
    return energies <= energies.min(initial=np.inf) + within
