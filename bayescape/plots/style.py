"""What all pictures share: colours that everybody can tell apart, quiet axes, a figure to draw on.

Figures are made without pyplot's list of open figures, so that drawing hundreds of them in an
unattended study neither warns nor leaks, and a notebook shows each one once. Where pyplot runs with
an interactive window they are made through it, so that ``pyplot.show()`` finds them.
"""

from __future__ import annotations

import io
import sys

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.registry import BackendFilter, backend_registry
from matplotlib.figure import Figure

__all__ = [
    "BLACK",
    "BLUE",
    "GREY",
    "LIGHT",
    "ORANGE",
    "SMALL",
    "UNKNOWN",
    "VERMILLION",
    "basin_colour",
    "figure_of",
    "new_figure",
    "quiet",
]

# M. Okabe and K. Ito, "Color Universal Design" (2008); black and yellow are kept out of the cycle,
# one for lines and text, the other because it is too faint on white.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#000000"
GREY, LIGHT, UNKNOWN = "#666666", "#D9D9D9", "#999999"
SMALL = 8.0  # points

_BASINS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)


class Picture(Figure):
    """A figure outside of pyplot that a notebook shows when it is a cell's last value."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=150)
        return buffer.getvalue()


def basin_colour(minimum: int) -> str:
    """Colour of a minimum and its basin: six distinct ones for the lowest, grey for the rest."""
    return _BASINS[minimum] if 0 <= minimum < len(_BASINS) else UNKNOWN


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of that size in inches, laid out so that labels do not collide."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and matplotlib.get_backend().lower() in backend_registry.list_builtin(
        BackendFilter.INTERACTIVE
    ):
        return pyplot.figure(figsize=(width, height), layout="constrained")
    figure = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def figure_of(axes: Axes) -> Figure:
    """Return the figure that ``axes`` belong to, the outermost one where figures are nested."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("`ax` must belong to a figure, got axes that were removed from theirs")
    return figure


def quiet(axes: Axes) -> None:
    """Take away the upper and right frame, and make ticks small."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, length=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_fontsize(SMALL + 1)
