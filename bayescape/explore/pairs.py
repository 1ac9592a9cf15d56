"""Which two minima to look for a pass between next: first to join, then to lower barriers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from bayescape.explore.captors import Captors
from bayescape.explore.tasks import PAIR_METHODS
from bayescape.landscape.passes import merges_of

__all__ = ["Attempt", "Separations", "choose_pairs", "neighbours"]

Array = NDArray[np.float64]

Attempt = tuple[int, int, str]  # two minima, the lower position first, and a method

ACROSS = 3  # nearest minima of other parts of the graph to try to join each minimum with
LOWERED = 2  # pairs over each merge of superbasins by which a lower pass is looked for
SHARE = 1e-3  # occupation on both sides of a merge that makes its barrier matter
HIGH = 1.0  # nats above which a barrier slows mixing


class Separations:
    """How far minima are from each other, taken up as they are found.

    Where minima stand for their images, from each to the nearest image of the other.

    Parameters
    ----------
    unit
        Length scales by coordinate, ``(d,)``.

    Attributes
    ----------
    metric
        Distances in the mean of the Hessians' metrics, ``(M, M)``.
    squares
        Squared distances in units of the length scales, ``(M, M)``.
    """

    def __init__(self, unit: Array) -> None:
        self.unit = unit
        self.metric, self.squares = np.empty((0, 0)), np.empty((0, 0))

    def update(self, minima: Captors) -> None:
        """Take up the minima that are new since the last time."""
        known, count = len(self.metric), len(minima)
        metric, squares = np.zeros((count, count)), np.zeros((count, count))
        metric[:known, :known], squares[:known, :known] = self.metric, self.squares
        for m in range(known, count):
            away, theirs = minima.displacements(m)
            pull = np.einsum("ai,ij,aj->a", away, minima.hessians[m], away)
            pull += [
                x @ hessian @ x for x, hessian in zip(theirs, minima.hessians[:m], strict=True)
            ]
            metric[m, :m] = metric[:m, m] = np.sqrt(np.maximum(0.5 * pull, 0.0))
            squares[m, :m] = squares[:m, m] = ((away / self.unit) ** 2).sum(axis=1)
        self.metric, self.squares = metric, squares


def neighbours(squares: Array, most: int) -> NDArray[np.bool_]:
    """Gabriel's graph: pairs with no third point in the ball over them, ``(M, M)``.

    It contains the minimum spanning tree.

    Parameters
    ----------
    squares
        Squared distances between the points, ``(M, M)``, in units in which directions compare.
    most
        Of each point's nearest, how many may be its neighbours: in many dimensions nearly all
        pairs are Gabriel's.

    References
    ----------
    K. R. Gabriel, R. R. Sokal, Syst. Zool. 18, 259 (1969).
    """
    count = len(squares)
    rank = squares.argsort(axis=1).argsort(axis=1)
    near = (rank <= most) | (rank.T <= most)
    joined = np.zeros((count, count), dtype=bool)
    for a in range(count):
        others = np.flatnonzero(near[a, a + 1 :]) + a + 1
        # A third point c is in the ball over a and b when the angle at it is obtuse.
        angle = 0.5 * (squares[a][:, None] + squares[:, others] - squares[a, others])  # (c, b)
        angle[a], angle[others, np.arange(len(others))] = np.inf, np.inf
        joined[a, others] = (angle > 1e-9 * squares[a, others]).all(axis=0)
    return joined | joined.T


def choose_pairs(
    *,
    separations: Separations,
    most: int,
    joins: Collection[tuple[int, int]],
    state_energies: Array,
    energies: Array,
    occupation: Array,
    matters: Collection[int],
    tried: Callable[[Attempt], bool],
) -> list[Attempt]:
    """All attempts worth making now, the most useful first; none that was made before.

    Minima of parts of the graph that no transition state joins come first, by every method, each
    with the nearest of other parts. Then neighbours that are not joined, by a straight line. Then,
    where the tree of superbasins says that a high pass separates two parts of some occupation, the
    closest minima across it, by a string that may find a lower one.

    Parameters
    ----------
    separations
        Of the minima.
    most
        As of `neighbours`.
    joins, state_energies
        Minima that each transition state joins, and its energy.
    energies, occupation
        Of the minima, ``(M,)``.
    matters
        Minima that searches may begin from.
    tried
        Whether an attempt was made before.
    """
    distances = separations.metric
    if len(distances) < 2:
        return []
    chosen: dict[Attempt, None] = {}
    for attempts in (
        _apart(distances, joins),
        _near(separations, most, joins, matters),
        _barriers(distances, joins, state_energies, energies, occupation),
    ):
        chosen.update(dict.fromkeys(a for a in attempts if not tried(a)))
    return list(chosen)


def _apart(distances: Array, joins: Collection[tuple[int, int]]) -> Iterator[Attempt]:
    graph = nx.Graph(list(joins))
    graph.add_nodes_from(range(len(distances)))
    part = np.empty(len(distances), dtype=int)
    for label, members in enumerate(nx.connected_components(graph)):
        part[list(members)] = label
    elsewhere = np.where(part[:, None] != part[None, :], distances, np.inf)
    pairs = {
        (elsewhere[a, b], min(a, int(b)), max(a, int(b)))
        for a in range(len(distances))
        for b in elsewhere[a].argsort()[:ACROSS]
        if np.isfinite(elsewhere[a, b])
    }
    for method in PAIR_METHODS:
        for _, a, b in sorted(pairs):
            yield a, b, method


def _near(
    separations: Separations,
    most: int,
    joins: Collection[tuple[int, int]],
    matters: Collection[int],
) -> Iterator[Attempt]:
    near = np.triu(neighbours(separations.squares, most))
    joined = {tuple(sorted(pair)) for pair in joins}
    wanted = set(matters)
    pairs = [(int(a), int(b)) for a, b in np.argwhere(near)]
    for a, b in sorted(pairs, key=lambda pair: separations.metric[pair]):
        if (a, b) not in joined and a in wanted and b in wanted:
            yield a, b, PAIR_METHODS[0]


def _barriers(
    distances: Array,
    joins: Collection[tuple[int, int]],
    state_energies: Array,
    energies: Array,
    occupation: Array,
) -> Iterator[Attempt]:
    """Closest minima across the merges of the tree, the highest barrier first."""
    high = []
    for merge in merges_of(len(distances), state_energies, list(joins)):
        left, right = list(merge.left), list(merge.right)
        barrier = merge.energy - max(energies[left].min(), energies[right].min())
        share = min(occupation[left].sum(), occupation[right].sum())
        if barrier > HIGH and share > SHARE:
            high.append((barrier, left, right))
    for _, left, right in sorted(high, key=lambda one: -one[0]):
        across = distances[np.ix_(left, right)]
        for flat in across.argsort(axis=None, kind="stable")[:LOWERED]:
            i, j = np.unravel_index(flat, across.shape)
            a, b = left[i], right[j]
            yield min(a, b), max(a, b), PAIR_METHODS[1]
