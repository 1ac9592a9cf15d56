"""The stationary points found so far, each once, and how every search ended."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from bayescape.explore.quench import Quenched, QuenchStatus, same_point
from bayescape.landscape.harmonic import occupation

__all__ = ["Pool"]

Array = NDArray[np.float64]


class Pool:
    """Minima and transition states as they are found.

    Parameters
    ----------
    d
        Number of coordinates.
    """

    def __init__(self, d: int) -> None:
        self.minima, self.energies = np.empty((0, d)), np.empty(0)
        self.hessians = np.empty((0, d, d))
        self.hits = np.empty(0, dtype=int)  # by independent quenches: what coverage rests on
        self.states, self.state_energies = np.empty((0, d)), np.empty(0)
        self.state_hessians = np.empty((0, d, d))
        self.joins: list[tuple[int, int]] = []
        self.ends: Counter[str] = Counter()
        self.lowest_at_bound = np.inf

    def add_quenches(self, ends: Quenched, *, independent: bool) -> NDArray[np.int_]:
        """Enter the ends of quenches, and return the minimum of each, -1 for none, ``(B,)``."""
        found = np.full(len(ends.theta), -1)
        for b, code in enumerate(ends.status):
            status = QuenchStatus(code)
            self.ends[status.text] += 1
            if status is QuenchStatus.AT_BOUND:
                self.lowest_at_bound = min(self.lowest_at_bound, float(ends.energy[b]))
            if status is not QuenchStatus.MINIMUM:
                continue
            found[b] = self._minimum(ends.theta[b], ends.energy[b], ends.hessian[b])
            self.hits[found[b]] += independent
        return found

    def _minimum(self, theta: Array, energy: float, hessian: Array) -> int:
        same = same_point(
            theta[None], np.array([energy]), self.minima, self.energies, self.hessians
        )[0]
        if same.any():
            return int(same.argmax())
        self.minima = np.concatenate([self.minima, theta[None]])
        self.energies = np.append(self.energies, energy)
        self.hessians = np.concatenate([self.hessians, hessian[None]])
        self.hits = np.append(self.hits, 0)
        return len(self.minima) - 1

    def knows_state(self, theta: Array, energy: float) -> bool:
        """Whether a transition state is already here."""
        return bool(
            same_point(
                theta[None],
                np.array([energy]),
                self.states,
                self.state_energies,
                self.state_hessians,
            ).any()
        )

    def add_state(
        self, theta: Array, energy: float, hessian: Array, joins: tuple[int, int]
    ) -> None:
        """Enter a transition state with the two minima that it joins."""
        self.states = np.concatenate([self.states, theta[None]])
        self.state_energies = np.append(self.state_energies, energy)
        self.state_hessians = np.concatenate([self.state_hessians, hessian[None]])
        self.joins.append(joins)

    def matters(self, negligible: float) -> list[int]:
        """Minima that independent quenches hit, or whose harmonic occupation is not negligible."""
        if len(self.minima) == 0:
            return []
        occupied = occupation(self.energies, self.hessians)
        return [int(m) for m in np.flatnonzero((self.hits > 0) | (occupied > negligible))]

    def components(self) -> list[set[int]]:
        """Minima by connected part of the graph."""
        graph = nx.Graph(self.joins)
        graph.add_nodes_from(range(len(self.minima)))
        return [set(part) for part in nx.connected_components(graph)]

    def distances(self) -> Array:
        """Distances between minima in the mean of their Hessians' metrics, ``(M, M)``."""
        away = self.minima[:, None] - self.minima[None]
        metric = 0.5 * (self.hessians[:, None] + self.hessians[None])
        return np.sqrt(np.maximum(np.einsum("abi,abij,abj->ab", away, metric, away), 0.0))
