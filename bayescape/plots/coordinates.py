"""Coordinates as a reader knows them: natural units, on a logarithmic axis where they are positive.

A coordinate called ``log_something`` is the logarithm of a positive quantity. It is drawn as that
quantity, on a logarithmic axis; any other coordinate is drawn as it is.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_whole, shown
from bayescape.landscape.record import Landscape
from bayescape.plots.style import GREY, SMALL

__all__ = ["Coordinate", "choose_coordinates", "coordinates_of", "limits", "note_units"]

Array = NDArray[np.float64]

_LARGEST_LOG = 690.0  # below the overflow of exp in float64


@dataclasses.dataclass(frozen=True, slots=True)
class Coordinate:
    """One coordinate, as it is drawn.

    Attributes
    ----------
    position
        Its column in ``theta``.
    label
        What its axis says.
    logarithmic
        Whether the natural quantity is the exponential of the coordinate.
    """

    position: int
    label: str
    logarithmic: bool

    def natural(self, theta: ArrayLike) -> Array:
        """Turn the coordinate's values, shape ``(...)``, into natural units."""
        values = np.asarray(theta, dtype=float)
        return np.exp(np.clip(values, -_LARGEST_LOG, _LARGEST_LOG)) if self.logarithmic else values

    @property
    def per_unit(self) -> float:
        """Length of the unit in which densities are given: a decade, or one."""
        return float(np.log(10)) if self.logarithmic else 1.0

    def scale(self, axis: Axis, limits: tuple[float, float], ticks: int = 5) -> None:
        """Scale an axis to ``limits``, given in ``theta``, with about so many ticks."""
        low, high = (float(v) for v in self.natural(limits))
        name = "x" if isinstance(axis, XAxis) else "y"
        axes = axis.axes
        if not self.logarithmic:
            axes.set(**{f"{name}lim": (low, high)})
            axis.set_major_locator(MaxNLocator(ticks))
            return
        axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
        axis.set_major_locator(FixedLocator(_logarithmic_ticks(low, high, ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(_number))


def coordinates_of(landscape: Landscape) -> tuple[Coordinate, ...]:
    """All coordinates of a landscape, labelled with the names of inputs where these are known."""
    inputs = getattr(landscape.target, "input_names", None)
    return tuple(
        Coordinate(i, _label(name, inputs), name.startswith("log_"))
        for i, name in enumerate(landscape.names)
    )


def choose_coordinates(
    landscape: Landscape, draws: Array, names: Sequence[str] | None, maximum: int
) -> tuple[Coordinate, ...]:
    """Pick the coordinates to draw: those named, or those in which the minima differ most.

    Parameters
    ----------
    landscape
        The map.
    draws
        Shape ``(N, d)``; a coordinate's spread is measured in theirs. ``N`` may be 0.
    names
        Names as in ``landscape.names``; ``None`` leaves the choice here.
    maximum
        How many at most when the choice is made here. They stay in the target's order.

    Raises
    ------
    ValueError
        If a name is not one of the landscape's.
    """
    every = coordinates_of(landscape)
    check_whole("maximum", maximum, 1)
    if names is not None:
        if not isinstance(names, Sequence) or isinstance(names, str):
            raise ValueError(
                f"`coordinates` must be among {list(landscape.names)}, got {shown(names)}"
            )
        unknown = [name for name in names if name not in landscape.names]
        if unknown or not names:
            raise ValueError(
                f"`coordinates` must be among {list(landscape.names)}, got {list(names)}"
            )
        return tuple(every[landscape.names.index(name)] for name in names)
    minima = landscape.minima["theta"].values
    between = minima.var(axis=0) if len(minima) else np.zeros(len(every))
    within = draws.var(axis=0) if len(draws) else np.ones(len(every))
    order = np.argsort(-between / np.maximum(within, 1e-300), kind="stable")[:maximum]
    return tuple(every[i] for i in sorted(order))


def limits(draws: Array, points: Array) -> tuple[float, float]:
    """Limits of an axis, in ``theta``, around draws and marked points, with a margin.

    The outermost quarter of a per cent of the draws on either side stretches no axis, so that one
    stray draw does not squeeze all others into a corner.
    """
    bulk = np.quantile(draws, [0.0025, 0.9975]) if len(draws) else draws
    values = np.concatenate([bulk, points])
    values = values[np.isfinite(values)]
    if not len(values):
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = max(0.06 * (high - low), 0.05)
    return low - margin, high + margin


def note_units(figure: Figure, landscape: Landscape) -> None:
    """Say below a figure that its coordinates refer to standardised data, if they do."""
    model, raw = (getattr(landscape.target, name, None) for name in ("X", "X_raw"))
    if model is not None and raw is not None and not np.array_equal(model, raw):
        figure.supxlabel("in units of the standardised data", fontsize=SMALL, color=GREY)


def _label(name: str, inputs: Any) -> str:
    plain = name.removeprefix("log_")
    indexed = re.fullmatch(r"(\w+)\[(\d+)\]", plain)
    if indexed and inputs is not None and int(indexed[2]) < len(inputs):
        return f"{indexed[1]} of {inputs[int(indexed[2])]}"
    return plain


def _logarithmic_ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between two ends, as many as there are up to ``count``, evenly as may be."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    choices = [[10.0**d for d in decades if d % step == 0] for step in (16, 8, 6, 5, 4, 3, 2, 1)]
    choices += [[f * 10.0**d for d in decades for f in subs] for subs in ((1, 3), (1, 2, 5))]
    if high < 7 * low:  # so short an axis is read as a linear one
        choices.append(list(MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(low, high)))
    inside = [[float(tick) for tick in ticks if low <= tick <= high] for ticks in choices]
    fitting = [ticks for ticks in inside if len(ticks) <= count]
    return max(fitting, key=len, default=[])


def _number(value: float, _position: int | None = None) -> str:
    if 0.999e-3 < value < 0.999e4:
        return f"{value:g}"
    exponent = int(np.floor(np.log10(value) + 1e-9))
    factor = value / 10.0**exponent
    sign = "" if abs(factor - 1) < 1e-6 else rf"{factor:.0f}\times"
    return rf"${sign}10^{{{exponent}}}$"
