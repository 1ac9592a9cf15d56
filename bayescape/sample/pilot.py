"""A superposition under adaptation: what was drawn, from which mixtures, and what it weighs."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayescape.sample.importance import Weighted, weigh
from bayescape.sample.superposition import Superposition

__all__ = ["Pilot", "Round"]

Array = NDArray[np.float64]

LOOKED_AT = 3  # of the last refits
ENOUGH = 1000  # points of a round that show what its mixture finds


@dataclasses.dataclass(frozen=True)
class Round:
    """Points drawn from one mixture.

    Attributes
    ----------
    superposition
        The mixture, fixed before they were drawn.
    theta, energies
        Shapes ``(N, d)``, ``(N,)``.
    """

    superposition: Superposition
    theta: Array
    energies: Array

    @cached_property
    def log_ratio(self) -> Array:
        """Log of target over mixture, ``(N,)``; ``-inf`` outside the target's domain."""
        return self.log_ratio_to(self)

    def log_ratio_to(self, other: Round) -> Array:
        """Log of target over another round's mixture at this one's points, ``(N,)``."""
        return -self.energies - other.superposition.log_prob(self.theta)


@dataclasses.dataclass(frozen=True)
class Pilot:
    """A superposition under adaptation, and every point that it was fitted to.

    Attributes
    ----------
    rounds
        What was drawn, each round from the mixture fitted to those before it.
    anchors
        The shapes that refits are drawn towards.
    log_proposals
        Log density of every point under the mixture of every round, ``(R, N)``.
    weighted
        What all points weigh together, in the order of the rounds.
    efficiency
        Effective draws per point in the last round.
    """

    rounds: tuple[Round, ...]
    anchors: Superposition
    log_proposals: Array
    weighted: Weighted
    efficiency: float

    @property
    def superposition(self) -> Superposition:
        """The mixture that the last round was drawn from, fitted to all rounds before it."""
        return self.rounds[-1].superposition

    @property
    def theta(self) -> Array:
        """All points, ``(N, d)``."""
        return np.concatenate([r.theta for r in self.rounds])

    @property
    def energies(self) -> Array:
        """Their energies, ``(N,)``."""
        return np.concatenate([r.energies for r in self.rounds])

    @property
    def whole(self) -> tuple[Round, ...]:
        """The rounds whose mixture had every basin known now: others lack what was found late."""
        counts = [len(np.unique(r.superposition.basins)) for r in self.rounds]
        return tuple(r for r, c in zip(self.rounds, counts, strict=True) if c == counts[-1])

    @cached_property
    def newly_found(self) -> float:
        """Share of the posterior that a refit still finds: the median of the last three.

        Found is what lies where the round before had no weight so large. Each round's own weights
        may look light, and say nothing of it, while the mixture creeps along a valley; what the
        last refits found, the next one would find about as much of again. Zero where fewer than
        three rounds with one after them are long enough to tell.
        """
        pairs = [pair for pair in itertools.pairwise(self.whole) if len(pair[0].theta) >= ENOUGH]
        if len(pairs) < LOOKED_AT:
            return 0.0
        found = []
        for early, late in pairs[-LOOKED_AT:]:
            beyond = late.log_ratio_to(early) > early.log_ratio.max()
            found.append(weigh(late.log_ratio).weights[beyond].sum())
        return float(np.median(found))
