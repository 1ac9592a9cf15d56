"""The disconnectivity graph: how basins join as the energy rises.

Every minimum is a leaf that ends at its energy. Going up, two branches join at the energy of the
lowest transition state between them, so that the height of the join above a leaf is the barrier.
O. M. Becker and M. Karplus, J. Chem. Phys. 106, 1495 (1997); D. J. Wales, M. A. Miller and
T. R. Walsh, Nature 394, 758 (1998).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import softmax

from bayescape.arguments import check_kind, shown
from bayescape.landscape.passes import Superbasin, disconnectivity_tree
from bayescape.landscape.record import Landscape
from bayescape.landscape.thermodynamics import log_volumes
from bayescape.plots.style import BLACK, GREY, SMALL, basin_colour, figure_of, new_figure, quiet

__all__ = ["Branch", "layout_branches", "plot_disconnectivity"]

_LABELLED_OCCUPATION = 12  # leaves that have room for their occupation below their number
_LABELLED_JOINS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Branch:
    """A superbasin in the picture: one minimum, or two superbasins that have joined.

    Attributes
    ----------
    minima
        The minima in it, from left to right.
    x
        Where its line stands, in places of leaves: 0, 1, 2, ... from left to right.
    bottom, top
        Energies between which its line runs, nats. The top is ``inf`` where no path leads on.
    children
        The two branches that join in it, left first; none for a minimum.
    """

    minima: tuple[int, ...]
    x: float
    bottom: float
    top: float
    children: tuple[Branch, ...] = ()

    def walk(self) -> list[Branch]:
        """List the branch and all below it."""
        found, waiting = [], [self]
        while waiting:
            branch = waiting.pop()
            found.append(branch)
            waiting.extend(branch.children)
        return found


def layout_branches(landscape: Landscape) -> list[Branch]:
    """Place the minima so that no branches cross, and return the roots from left to right.

    Parameters
    ----------
    landscape
        A map with at least one minimum.

    Returns
    -------
    list of Branch
        One root for each unconnected part of the map, the one with the lowest minimum first.

    Notes
    -----
    Minima of one superbasin stand side by side, so a line that joins two superbasins passes over
    no third. The superbasin with the higher lowest minimum goes to the side on which the other has
    fewer leaves, which keeps the lowest minimum in the middle. A join stands above the middle of
    its leaves; only where one side has less than a quarter of them does the other go straight on,
    so that the stem of a funnel does not sway.
    """
    tree = disconnectivity_tree(landscape)
    places = _places(tree)
    branches: list[Branch] = []
    for node in tree:
        minima = sorted(node.minima, key=places.__getitem__)
        children = sorted((branches[child] for child in node.children), key=lambda b: b.x)
        top = np.inf if node.parent is None else tree[node.parent].energy
        x = _upright(children, places[minima[0]], places[minima[-1]])
        branches.append(Branch(tuple(minima), x, node.energy, top, tuple(children)))
    roots = [branch for branch, node in zip(branches, tree, strict=True) if node.parent is None]
    return sorted(roots, key=lambda root: min(root.minima))


def plot_disconnectivity(
    landscape: Landscape,
    ax: Axes | None = None,
    *,
    groups: Sequence[Sequence[int]] | None = None,
) -> Figure:
    """Draw the disconnectivity graph of a landscape.

    Parameters
    ----------
    landscape
        A map with at least one minimum.
    ax
        Where to draw; a new figure by default, wide enough for the minima.
    groups
        Minima by position, as `Conserved.groups` has them: a branch whose minima are all of one
        group has the group's colour. By default every minimum has its own.

    Returns
    -------
    matplotlib.figure.Figure
        Energies are in nats above the lowest minimum. Leaves carry the minimum's position in
        ``landscape.minima`` and, where there is room and the Hessians are known, its harmonic
        occupation at temperature 1.
        Dashed lines lead upwards from parts that no known path connects.

    Raises
    ------
    ValueError
        If the landscape has no minimum, or ``groups`` are no minima of it.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    if ax is not None:
        check_kind("ax", ax, Axes, "matplotlib's Axes")
    energies = landscape.minima["energy"].values
    count = len(energies)
    if not count:
        raise ValueError("`landscape` has no minimum, so there is nothing to draw")
    of_group = None if groups is None else _group_of_each(groups, count)
    if ax is None:
        width = float(np.clip(1.6 + 0.85 * count, 3.6, 6.4) if count <= 12 else 6.4 + 0.1 * count)
        ax = new_figure(min(width, 14.0), 4.4).subplots()
    roots = layout_branches(landscape)
    lowest = energies.min()
    highest = max([b.bottom for root in roots for b in root.walk()]) - lowest
    ceiling = highest + (0.12 * highest if highest > 0 else 1.0)

    _draw_branches(ax, roots, lowest, ceiling, of_group)
    log_z = log_volumes(landscape) - energies
    with_share = count <= _LABELLED_OCCUPATION and not np.isnan(log_z).any()
    _label_leaves(ax, softmax(log_z), roots, lowest, with_share)
    ax.set_xlabel("minimum, and its harmonic occupation" if with_share else "minimum")
    if count <= _LABELLED_JOINS:
        _label_joins(ax, roots, lowest)
    if len(roots) > 1:
        ax.text(
            1.0, 1.01, "dashed: no known path", transform=ax.transAxes, ha="right", va="bottom",
            fontsize=SMALL, color=GREY,
        )  # fmt: skip
    ax.set_xlim(-0.7, count - 0.3)
    ax.set_ylim((-0.11 if with_share else -0.06) * ceiling, ceiling)
    ax.set_ylabel("energy above the lowest minimum (nats)")
    ax.set_xticks([])
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= ceiling])
    quiet(ax)
    ax.spines["left"].set_bounds(0, ceiling)
    ax.spines["bottom"].set_visible(False)
    return figure_of(ax)


def _places(tree: Sequence[Superbasin]) -> dict[int, int]:
    """Give each minimum its place, from left to right; superbasins go by their lowest minimum."""
    orders: list[list[int]] = []
    for node in tree:
        if not node.children:
            orders.append(list(node.minima))
            continue
        stays, comes = (orders[child] for child in node.children)
        before = stays.index(node.minima[0])
        left_is_emptier = before < len(stays) - 1 - before
        orders.append(comes + stays if left_is_emptier else stays + comes)
    roots = [i for i, node in enumerate(tree) if node.parent is None]
    roots.sort(key=lambda i: tree[i].minima[0])
    return {m: place for place, m in enumerate(m for i in roots for m in orders[i])}


def _upright(children: Sequence[Branch], first: int, last: int) -> float:
    """Where a branch stands that has leaves in all places from the first to the last."""
    leaves = last - first + 1
    for child in children:
        if len(child.minima) > 0.75 * leaves:
            return child.x
    return 0.5 * (first + last)


def _group_of_each(groups: Sequence[Sequence[int]], count: int) -> list[int]:
    """Position of each minimum's group; -1 for those in none."""
    found = [-1] * count
    try:
        for g, group in enumerate(groups):
            for m in group:
                if not 0 <= m < count:
                    raise ValueError
                found[m] = g
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`groups` must be lists of the {count} minima by position, got {shown(groups)}"
        ) from error
    return found


def _colour(minima: Sequence[int], of_group: list[int] | None) -> str:
    """A leaf's own colour; or that of the group that all minima of a branch are in."""
    if of_group is None:
        return basin_colour(minima[0]) if len(minima) == 1 else BLACK
    (first, *others) = {of_group[m] for m in minima}
    return BLACK if others else basin_colour(first)


def _draw_branches(
    ax: Axes, roots: list[Branch], lowest: float, ceiling: float, of_group: list[int] | None
) -> None:
    few = sum(len(root.minima) for root in roots) <= 20
    for root in roots:
        for branch in root.walk():
            leads_nowhere = not np.isfinite(branch.top)
            top = ceiling if leads_nowhere else branch.top - lowest
            single = len(branch.minima) == 1
            (line,) = ax.plot(
                [branch.x, branch.x],
                [branch.bottom - lowest, top],
                color=_colour(branch.minima, of_group),
                linewidth=2.2 if single and few else 1.2,
                linestyle="--" if leads_nowhere and len(roots) > 1 else "-",
                solid_capstyle="butt",
                # A dot at the end, so that a leaf with next to no barrier is seen at all.
                marker="o" if single else "",
                markersize=5 if few else 2.5,
                markevery=[0],
            )
            line.set_label(f"_branch {' '.join(map(str, branch.minima))}")
    bars = [
        [(b.children[0].x, b.bottom - lowest), (b.children[1].x, b.bottom - lowest)]
        for root in roots
        for b in root.walk()
        if b.children
    ]
    ax.add_collection(LineCollection(bars, colors=BLACK, linewidths=1.2, label="_joins"))


def _label_leaves(
    ax: Axes, share: NDArray[np.float64], roots: list[Branch], lowest: float, with_share: bool
) -> None:
    leaves = [b for root in roots for b in root.walk() if not b.children]
    for leaf in leaves:
        (m,) = leaf.minima
        ax.annotate(
            f"{m}\n{share[m]:.0%}" if with_share else f"{m}",
            (leaf.x, leaf.bottom - lowest),
            xytext=(0, -6),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=SMALL if len(leaves) <= 25 else SMALL - 2.5,
            color=BLACK,
        )


def _label_joins(ax: Axes, roots: list[Branch], lowest: float) -> None:
    for root in roots:
        for branch in root.walk():
            if branch.children:
                ax.annotate(
                    f"{branch.bottom - lowest:.2f}",
                    (branch.children[1].x, branch.bottom - lowest),
                    xytext=(3, 0),
                    textcoords="offset points",
                    ha="left",
                    va="center",
                    fontsize=SMALL - 1,
                    color=GREY,
                )
