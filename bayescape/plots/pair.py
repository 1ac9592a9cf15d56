"""Draws in pairs of coordinates, with the map on top."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescape.arguments import check_kind
from bayescape.landscape.record import Landscape
from bayescape.plots.coordinates import Coordinate, choose_coordinates, limits, note_units
from bayescape.plots.draws import Draws, basin_legend, draws_of
from bayescape.plots.marginals import draw_marginal
from bayescape.plots.style import BLACK, SMALL, basin_colour, new_figure, quiet

__all__ = ["plot_pair"]

_DRAWS = 2000  # points that a small panel can show
_WITHIN = 10.0  # nats above the lowest minimum: higher points of the map stretch no axis
LABEL_WIDTH = 16  # characters; a longer name is broken into lines, or it would run into the next


def plot_pair(
    landscape: Landscape,
    posterior: xr.DataTree | None = None,
    *,
    coordinates: Sequence[str] | None = None,
    maximum: int = 6,
) -> Figure:
    """Draw the posterior and the map in every pair of coordinates.

    Parameters
    ----------
    landscape
        The map. Minima carry their position in ``landscape.minima``; crosses are transition
        states. Points of the map more than 10 nats above the lowest minimum are drawn where they
        fall inside the axes, and stretch no axis.
    posterior
        Draws, as `sample` returns them, of which up to 2000 are shown, coloured by basin. Without
        any, the map alone is drawn.
    coordinates
        Names as in ``landscape.names``. By default all, or, of more than ``maximum``, those in
        which the minima differ most relative to the posterior's spread.
    maximum
        How many coordinates at most when ``coordinates`` is not given.

    Returns
    -------
    matplotlib.figure.Figure
        A triangle of panels, the marginals on its diagonal, in natural units of the model's data;
        positive quantities on logarithmic axes.

    Raises
    ------
    TypeError, ValueError
        If the posterior holds no draws in the landscape's coordinates, or a name is unknown.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    draws = draws_of(posterior, len(landscape.names), _DRAWS)
    chosen = choose_coordinates(landscape, draws.theta, coordinates, maximum)
    size = len(chosen)
    figure = new_figure(*(2 * [float(np.clip(1.5 * size + 1.0, 4.0, 10.0))]))
    panels = figure.subplots(size, size, squeeze=False)
    spans = [_span(landscape, draws, c) for c in chosen]
    for row in range(size):
        for column in range(size):
            panel = panels[row, column]
            if column > row:
                panel.set_visible(False)
                continue
            if column == row:
                _draw_diagonal(panel, chosen[row], draws, spans[row])
            else:
                _draw_pair(panel, landscape, draws, chosen[column], chosen[row])
                chosen[column].scale(panel.xaxis, spans[column], ticks=4)
                chosen[row].scale(panel.yaxis, spans[row], ticks=4)
                quiet(panel)
            _label(panel, row, column, chosen)
    figure.align_labels()
    note_units(figure, landscape)
    _legend(figure, landscape, draws)
    return figure


def _draw_pair(
    ax: Axes, landscape: Landscape, draws: Draws, horizontal: Coordinate, vertical: Coordinate
) -> None:
    def at(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (
            horizontal.natural(theta[:, horizontal.position]),
            vertical.natural(theta[:, vertical.position]),
        )

    for basin, rows in draws.groups():
        ax.plot(
            *at(draws.theta[rows]), marker="o", markersize=1.8, linestyle="", alpha=0.35,
            color=basin_colour(basin), markeredgewidth=0, rasterized=True, label=f"_draws {basin}",
        )  # fmt: skip
    ax.plot(
        *at(landscape.transition_states["theta"].values), marker="x", markersize=6,
        markeredgewidth=1.4, linestyle="", color=BLACK, label="_transition states", zorder=6,
    )  # fmt: skip
    minima = landscape.minima["theta"].values
    # From the highest to the lowest, so that where they overlap the lowest is on top.
    for m in reversed(range(len(minima))):
        x, y = at(minima[m : m + 1])
        ax.plot(
            x, y, marker="o", markersize=9, linestyle="", markerfacecolor="white",
            markeredgecolor=basin_colour(m), markeredgewidth=1.6, label="_minimum",
            zorder=5 + 1 / (m + 2),
        )  # fmt: skip
        ax.annotate(
            str(m), (x[0], y[0]), ha="center", va="center_baseline", fontsize=SMALL - 1.5,
            annotation_clip=True, zorder=7,
        )  # fmt: skip


def _draw_diagonal(
    ax: Axes, coordinate: Coordinate, draws: Draws, span: tuple[float, float]
) -> None:
    if len(draws.theta):
        draw_marginal(ax, coordinate, draws, span, bins=30)
    coordinate.scale(ax.xaxis, span, ticks=4)
    quiet(ax)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _label(ax: Axes, row: int, column: int, chosen: Sequence[Coordinate]) -> None:
    if row == len(chosen) - 1:
        ax.set_xlabel(textwrap.fill(chosen[column].label, LABEL_WIDTH), fontsize=SMALL)
    else:
        ax.tick_params(labelbottom=False)
    if column == 0 and row > 0:
        ax.set_ylabel(textwrap.fill(chosen[row].label, LABEL_WIDTH), fontsize=SMALL)
    elif column != row:
        ax.tick_params(labelleft=False)


def _legend(figure: Figure, landscape: Landscape, draws: Draws) -> None:
    handles = basin_legend(draws)
    circle = Line2D(
        [], [], marker="o", markersize=8, linestyle="", markerfacecolor="white",
        markeredgecolor=BLACK, label="minimum",
    )  # fmt: skip
    handles.append(circle)
    if landscape.transition_states.sizes["transition_state"]:
        handles.append(
            Line2D([], [], marker="x", linestyle="", color=BLACK, label="transition state")
        )
    figure.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(0.99, 0.99), frameon=False,
        fontsize=SMALL,
    )  # fmt: skip


def _span(landscape: Landscape, draws: Draws, coordinate: Coordinate) -> tuple[float, float]:
    lowest = landscape.minima["energy"].values.min(initial=np.inf)
    marked = [
        points["theta"].values[points["energy"].values <= lowest + _WITHIN, coordinate.position]
        for points in (landscape.minima, landscape.transition_states)
    ]
    return limits(draws.theta[:, coordinate.position], np.concatenate(marked))
