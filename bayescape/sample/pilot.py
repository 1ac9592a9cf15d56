"""A superposition under adaptation: what was drawn, from which mixtures, and what it weighs."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayescape.sample.importance import Weighted
from bayescape.sample.superposition import Superposition

__all__ = ["Pilot", "Round"]

Array = NDArray[np.float64]


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
