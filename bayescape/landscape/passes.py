"""Reading the graph: the passes between minima, and how superbasins merge as the energy rises.

Only energies and joins are read, so everything here works on a map without Hessians.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescape.landscape.record import Landscape

__all__ = [
    "Merge",
    "Superbasin",
    "barriers",
    "lowest_barriers",
    "disconnectivity_tree",
    "merges",
    "pass_energies",
    "superbasins",
]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Merge:
    """Two superbasins that become one as the energy rises past a transition state.

    Attributes
    ----------
    energy
        Energy of the transition state, nats.
    transition_state
        Its position in the landscape.
    left, right
        The minima of either superbasin below that energy, by position, the one with the lower
        lowest minimum first.
    """

    energy: float
    transition_state: int
    left: tuple[int, ...]
    right: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Superbasin:
    """A node of the disconnectivity tree: a minimum, or two superbasins that have merged.

    Attributes
    ----------
    energy
        Where it begins, nats: the minimum's energy, or that of the transition state in which its
        children merge.
    minima
        The minima in it, by position in the landscape, ascending.
    transition_state
        The one in which its children merge, by position; ``None`` for a minimum.
    children
        Positions in the tree of the two that merge in it, the one with the lower lowest minimum
        first; none for a minimum.
    parent
        Position in the tree of the one that it merges into; ``None`` where no known path leads on.
    """

    energy: float
    minima: tuple[int, ...]
    transition_state: int | None
    children: tuple[int, ...]
    parent: int | None


def merges(landscape: Landscape) -> list[Merge]:
    """The merging of superbasins, lowest first: a minimum spanning forest by Kruskal's rule.

    Parameters
    ----------
    landscape
        The map. Transition states that join a superbasin to itself merge nothing.

    Returns
    -------
    list of Merge
        At most one fewer than there are minima; fewer where the graph is not connected.
    """
    states = landscape.transition_states
    return merges_of(
        landscape.minima.sizes["minimum"], states["energy"].values, states["joins"].values
    )


def merges_of(count: int, energies: Array, joins: ArrayLike) -> list[Merge]:
    """`merges` of ``count`` minima by transition states of given energies and joins."""
    joins = np.asarray(joins, dtype=int).reshape(-1, 2)
    superbasin: dict[int, tuple[int, ...]] = {m: (m,) for m in range(count)}
    found = []
    for s in np.argsort(energies, kind="stable"):
        a, b = (superbasin[int(m)] for m in joins[s])
        if a[0] == b[0]:  # the first minimum of a superbasin names it
            continue
        left, right = sorted((a, b))
        found.append(Merge(float(energies[s]), int(s), left, right))
        together = tuple(sorted(a + b))
        superbasin.update(dict.fromkeys(together, together))
    return found


def disconnectivity_tree(landscape: Landscape) -> list[Superbasin]:
    """The disconnectivity tree as data: what `plot_disconnectivity` draws.

    Parameters
    ----------
    landscape
        The map.

    Returns
    -------
    list of Superbasin
        First the minima, as in the landscape, then the superbasins in which two merge, lowest
        first. Children come before their parents. One without a parent is a root: one for each
        unconnected part of the map.

    References
    ----------
    O. M. Becker, M. Karplus, J. Chem. Phys. 106, 1495 (1997); D. J. Wales, M. A. Miller,
    T. R. Walsh, Nature 394, 758 (1998).
    """
    energies = landscape.minima["energy"].values
    tree = [Superbasin(float(energy), (m,), None, (), None) for m, energy in enumerate(energies)]
    at = list(range(len(tree)))  # by its lowest minimum, where a superbasin stands in the tree
    for merge in merges(landscape):
        pair = (at[merge.left[0]], at[merge.right[0]])
        at[merge.left[0]] = parent = len(tree)
        for child in pair:
            tree[child] = dataclasses.replace(tree[child], parent=parent)
        minima = tuple(sorted(merge.left + merge.right))
        tree.append(Superbasin(merge.energy, minima, merge.transition_state, pair, None))
    return tree


def superbasins(landscape: Landscape, energy: float) -> list[tuple[int, ...]]:
    """Groups of minima that reach one another by known paths which stay at or below an energy.

    Parameters
    ----------
    landscape
        The map.
    energy
        Nats, on the scale of ``landscape.minima["energy"]``. ``inf`` gives the connected parts.

    Returns
    -------
    list of tuple of int
        Minima by position, ascending, the superbasin with the lowest minimum first. Minima above
        ``energy`` are in none.

    Raises
    ------
    ValueError
        If ``energy`` is NaN.

    References
    ----------
    O. M. Becker, M. Karplus, J. Chem. Phys. 106, 1495 (1997).
    """
    if np.isnan(energy):
        raise ValueError("`energy` must be a number of nats, got nan")
    below = landscape.minima["energy"].values <= energy
    found: dict[int, tuple[int, ...]] = {m: (m,) for m in range(len(below))}
    for merge in merges(landscape):
        if merge.energy <= energy:
            del found[merge.right[0]]
            found[merge.left[0]] = merge.left + merge.right
    kept = (tuple(sorted(m for m in group if below[m])) for group in found.values())
    return sorted(group for group in kept if group)


def pass_energies(landscape: Landscape) -> Array:
    """Energy of the lowest pass between every two minima, minimax over the paths that are known.

    Parameters
    ----------
    landscape
        The map.

    Returns
    -------
    numpy.ndarray
        Shape ``(M, M)``, symmetric, nats: a minimum's own energy on the diagonal, ``+inf`` where
        no path is known.
    """
    energies = landscape.minima["energy"].values
    passes = np.full((len(energies), len(energies)), np.inf)
    np.fill_diagonal(passes, energies)
    for merge in merges(landscape):
        passes[np.ix_(merge.left, merge.right)] = merge.energy
        passes[np.ix_(merge.right, merge.left)] = merge.energy
    return passes


def barriers(landscape: Landscape) -> Array:
    """Height that must be climbed between every two minima: the lowest pass above the start.

    Parameters
    ----------
    landscape
        The map.

    Returns
    -------
    numpy.ndarray
        Shape ``(M, M)``, nats: entry ``[a, b]`` is the barrier on the way from ``a`` to ``b``;
        0 on the diagonal, ``+inf`` where no path is known.
    """
    return pass_energies(landscape) - landscape.minima["energy"].values[:, None]


def lowest_barriers(landscape: Landscape) -> Array:
    """Height of the lowest known pass out of each minimum, ``(M,)``, nats; ``+inf`` without one."""
    height = barriers(landscape)
    np.fill_diagonal(height, np.inf)
    return height.min(axis=1, initial=np.inf)
