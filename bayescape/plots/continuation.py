"""Branches of minima and transition states along a parameter, and the folds where they meet."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bayescape.arguments import check_flag, check_kind
from bayescape.landscape.continuation import Continuation
from bayescape.plots.style import (
    BLACK,
    GREY,
    SMALL,
    basin_colour,
    figure_of,
    new_figure,
    quiet,
)

__all__ = ["plot_continuation"]

Array = NDArray[np.float64]


def plot_continuation(
    continuation: Continuation, ax: Axes | None = None, *, relative: bool = False
) -> Figure:
    """Draw the energy of every branch against the parameter, and mark the folds.

    Parameters
    ----------
    continuation
        What `continue_minima` returns.
    ax
        Where to draw; a new figure by default.
    relative
        Whether energies are drawn from the lowest minimum at the same value of the parameter, which
        shows small differences that a trend of all energies hides.

    Returns
    -------
    matplotlib.figure.Figure
        Minima are solid lines, the six lowest in a colour each, transition states dashed grey ones.
        A filled circle is a fold of a minimum and a transition state, an open one a fold of points
        of higher index. Lines are drawn up to their folds.

    Raises
    ------
    TypeError
        If ``continuation`` is something else.
    """
    if not isinstance(continuation, Continuation):
        raise TypeError(
            "`continuation` must be a Continuation, as `continue_minima` returns it, "
            f"got {type(continuation).__name__}"
        )
    check_flag("relative", relative)
    if ax is None:
        ax = new_figure(6.4, 4.2).subplots()
    check_kind("ax", ax, Axes, "matplotlib's Axes")
    grid = continuation.branches["parameter"].values
    energy = continuation.branches["energy"].values
    index = continuation.branches["index"].values
    folds = continuation.folds
    base = np.zeros(len(grid))
    if relative:
        minima = np.where(np.isfinite(energy) & (index == 0)[:, None], energy, np.inf)
        lowest = minima.min(axis=0, initial=np.inf)
        there = np.isfinite(lowest)
        if there.any():
            base = np.interp(grid, grid[there], lowest[there])

    def above(values: Array, energies: Array) -> Array:
        return energies - np.interp(values, grid, base)

    colour = {b: basin_colour(rank) for rank, b in enumerate(_by_energy(energy, index))}
    for b in range(len(index)):
        values, energies = _line(continuation, b)
        state = index[b] > 0
        ax.plot(
            values, above(values, energies), color=GREY if state else colour[b],
            linestyle="--" if state else "-", linewidth=1.0 if state else 1.8,
            zorder=2.1 if state else 2, gid=f"branch {b}",
        )  # fmt: skip
    values, heights = folds["value"].values, above(folds["value"].values, folds["energy"].values)
    of_minima = folds["indices"].values.min(axis=1, initial=9) == 0
    for chosen, face in ((of_minima, BLACK), (~of_minima, "white")):
        ax.plot(
            values[chosen], heights[chosen], linestyle="", marker="o", markersize=5,
            markerfacecolor=face, markeredgecolor=BLACK, markeredgewidth=0.8, zorder=3,
        )  # fmt: skip
    ax.set_xlim(grid[0], grid[-1])
    ax.set_xlabel(_symbol(continuation.parameter))
    ax.set_ylabel("energy above the lowest minimum (nats)" if relative else "energy (nats)")
    quiet(ax)
    ax.legend(
        handles=_legend(of_minima, index), frameon=False, fontsize=SMALL, ncols=4,
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip
    return figure_of(ax)


def _by_energy(energy: Array, index: NDArray[np.int_]) -> list[int]:
    """Branches of minima, those that get lowest first."""
    lowest = np.where(np.isfinite(energy), energy, np.inf).min(axis=1, initial=np.inf)
    return [int(b) for b in np.argsort(lowest, kind="stable") if index[b] == 0]


def _line(continuation: Continuation, branch: int) -> tuple[Array, Array]:
    """Values and energies of one branch, up to the folds where it ends."""
    grid = continuation.branches["parameter"].values
    energy = continuation.branches["energy"].values[branch]
    there = np.isfinite(energy)
    meets = (continuation.folds["joins"].values == branch).any(axis=1)
    values = np.concatenate([grid[there], continuation.folds["value"].values[meets]])
    energies = np.concatenate([energy[there], continuation.folds["energy"].values[meets]])
    order = np.argsort(values, kind="stable")
    return values[order], energies[order]


def _legend(of_minima: NDArray[np.bool_], index: NDArray[np.int_]) -> list[Line2D]:
    rows = [Line2D([], [], color=basin_colour(0), linewidth=1.6, label="minimum")]
    if (index > 0).any():
        rows.append(Line2D([], [], color=GREY, linestyle="--", label="transition state"))
    for any_such, face, label in (
        (of_minima.any(), BLACK, "fold"),
        ((~of_minima).any(), "white", "fold of saddles of higher index"),
    ):
        if any_such:
            rows.append(
                Line2D(
                    [], [], linestyle="", marker="o", markersize=5,
                    markerfacecolor=face, markeredgecolor=BLACK, label=label,
                )
            )  # fmt: skip
    return rows


def _symbol(parameter: str) -> str:
    return r"Matérn order $\nu$" if parameter == "nu" else parameter
