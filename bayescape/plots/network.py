"""A network drawn with its weights at a minimum: what feeds what, which way, and how strongly."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_kind, check_whole, shown
from bayescape.landscape.conserved import Conserved
from bayescape.landscape.record import Landscape
from bayescape.plots.style import BLACK, BLUE, LIGHT, SMALL, VERMILLION, figure_of, new_figure

__all__ = ["plot_network"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_COORDINATE = re.compile(r"(.+)\.(weight|bias)\[([\d,]+)\]")
_WIDEST = 3.5  # points, of the largest weight
_LABELLED = 16  # units of a column that have room for a name


def plot_network(
    landscape: Landscape,
    conserved: Conserved | ArrayLike | None = None,
    *,
    minimum: int = 0,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the network of linear layers that a minimum is, its conserved weights in colour.

    Parameters
    ----------
    landscape
        A map of a `NetworkLoss` whose module is a stack of linear layers.
    conserved
        What `conserved` returned, whose coordinates conserved within groups stand out; or a choice
        of coordinates, ``(d,)`` of bool. By default all do.
    minimum
        Whose weights, by position; the lowest by default. Given a `Conserved`, they are drawn as it
        aligned them.
    inputs, outputs
        Names of the first and of the last units, by default their numbers.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        A line for each weight, as wide as the weight is large: blue where it is positive, red where
        negative, grey where it does not stand out. A unit is filled in the colour of its bias where
        that stands out, and grey where it does not; without a bias it is empty.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the coordinates are not those of linear layers in a row.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    count, d = landscape.minima["theta"].shape
    check_whole("minimum", minimum, 0)
    if minimum >= count:
        raise ValueError(f"`minimum` must be one of the {count} minima, got {minimum}")
    if ax is not None:
        check_kind("ax", ax, Axes, "matplotlib's Axes")
    theta, chosen = landscape.minima["theta"].values[minimum], np.ones(d, dtype=bool)
    if isinstance(conserved, Conserved):
        theta, chosen = conserved.theta[minimum], conserved.chosen
    elif conserved is not None:
        chosen = np.asarray(conserved)
    if chosen.shape != (d,) or chosen.dtype != bool:
        raise ValueError(
            f"`conserved` must be what `conserved` made of this landscape, or ({d},) of bool, "
            f"got {shown(conserved)}"
        )
    layers = _layers(landscape.names)
    sizes = [layers[0][0].shape[1], *(weights.shape[0] for weights, _ in layers)]
    labels = {0: _names("inputs", inputs, sizes[0])}
    labels[len(layers)] = _names("outputs", outputs, sizes[-1])
    if ax is None:
        tall = float(np.clip(0.32 * max(sizes), 2.6, 8.0))
        ax = new_figure(2.0 + 1.9 * len(layers), tall).subplots()
    widest = float(np.abs(theta).max())
    for layer, (weights, bias) in enumerate(layers):
        start, end = _heights(sizes[layer]), _heights(sizes[layer + 1])
        to, of = (index.ravel() for index in np.indices(weights.shape))
        # What stands out last, and of that the strongest, so that nothing lies over it.
        order = np.lexsort((np.abs(theta[weights]).ravel(), chosen[weights].ravel()))
        at, to, of = weights.ravel()[order], to[order], of[order]
        ends = np.stack([np.full(len(at), layer), start[of], np.full(len(at), layer + 1), end[to]])
        ax.add_collection(
            LineCollection(
                list(ends.T.reshape(-1, 2, 2)),
                colors=_colours(theta[at], chosen[at]),
                linewidths=0.2 + _WIDEST * np.abs(theta[at]) / widest,
                label=f"_layer {layer}",
            )
        )
        fill = ["white"] * len(end) if bias is None else _colours(theta[bias], chosen[bias])
        _draw_units(ax, layer + 1, end, fill)
    _draw_units(ax, 0, _heights(sizes[0]), ["white"] * sizes[0])
    for column, names in labels.items():
        aside, side = (-8, "right") if column == 0 else (8, "left")
        for name, height in zip(names, _heights(sizes[column]), strict=True):
            ax.annotate(
                name, (column, height), xytext=(aside, 0), textcoords="offset points",
                ha=side, va="center", fontsize=SMALL,
            )  # fmt: skip
    ax.set_xlim(-0.25, len(layers) + 0.25)
    ax.set_ylim(-0.56, 0.56)
    ax.set_axis_off()
    said = f"minimum {minimum}: blue positive, red negative"
    ax.set_title(said if chosen.all() else f"{said}, grey not conserved", fontsize=SMALL + 1)
    return figure_of(ax)


def _draw_units(ax: Axes, column: int, heights: Array, fill: list[str]) -> None:
    where = np.full(len(heights), column)
    ax.scatter(where, heights, s=42, c=fill, edgecolors=BLACK, linewidths=0.8, zorder=3)


def _layers(names: Sequence[str]) -> list[tuple[NDArray[np.intp], NDArray[np.intp] | None]]:
    """Coordinates of each layer's weights, ``(out, in)``, and of its biases, ``(out,)``."""
    found: dict[str, dict[str, dict[tuple[int, ...], int]]] = {}
    for i, name in enumerate(names):
        parts = _COORDINATE.fullmatch(name)
        if parts is None:
            raise ValueError(
                f"`landscape` must be over a network's weights, got a coordinate {name!r}"
            )
        place = tuple(int(part) for part in parts[3].split(","))
        found.setdefault(parts[1], {}).setdefault(parts[2], {})[place] = i
    layers: list[tuple[NDArray[np.intp], NDArray[np.intp] | None]] = []
    for name, kinds in found.items():
        weights = _array(kinds.get("weight", {}))
        bias = _array(kinds["bias"]) if "bias" in kinds else None
        before = layers[-1][0].shape[0] if layers else weights.shape[-1]
        if weights.ndim != 2 or weights.shape[1] != before:
            raise ValueError(
                f"`landscape` must be over linear layers that feed one another, got {name!r} with "
                f"weights {weights.shape} after {before} units"
            )
        layers.append((weights, bias))
    return layers


def _array(places: dict[tuple[int, ...], int]) -> NDArray[np.intp]:
    """Coordinates by place."""
    if not places:
        return np.empty(0, dtype=np.intp)
    array = np.empty(tuple(np.max(list(places), axis=0) + 1), dtype=np.intp)
    for place, i in places.items():
        array[place] = i
    return array


def _heights(count: int) -> Array:
    """Where the units of a column stand, the first at the top."""
    return 0.5 - (np.arange(count) + 0.5) / count


def _colours(values: Array, chosen: Mask) -> list[str]:
    return [
        (BLUE if value > 0 else VERMILLION) if stands_out else LIGHT
        for value, stands_out in zip(values, chosen, strict=True)
    ]


def _names(argument: str, names: Sequence[str] | None, count: int) -> list[str]:
    if names is None:
        return [str(i) if count <= _LABELLED else "" for i in range(count)]
    if isinstance(names, str) or not isinstance(names, Sequence) or len(names) != count:
        raise ValueError(f"`{argument}` must be {count} names, got {shown(names)}")
    return [str(name) for name in names]
