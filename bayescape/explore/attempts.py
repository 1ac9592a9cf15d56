"""Double-ended searches: which were made, and which to make next."""

from __future__ import annotations

import numpy as np

from bayescape.explore.pairs import Attempt, Separations, choose_pairs
from bayescape.explore.pool import Pool
from bayescape.explore.scales import MANY, Scales
from bayescape.explore.tasks import PAIR_METHODS, Pair

__all__ = ["Attempts"]

NEAREST = 8  # minima that each is tried to be joined with, in many coordinates


class Attempts:
    """Pairs of minima between which a pass is looked for; no pair twice in the same way.

    Parameters
    ----------
    pool
        What is found.
    scales
        Of the target's starts.
    seed
        Of bends.
    """

    def __init__(self, pool: Pool, scales: Scales, seed: int) -> None:
        self.pool, self.scales, self.seed = pool, scales, seed
        self.d = len(scales.unit)
        self.separations = Separations(scales.unit)
        self.made: set[Attempt] = set()

    def take_as_made(self) -> None:
        """Take all pairs there are for tried, in every way."""
        minima = range(len(self.pool.minima))
        self.made = {
            self._key((a, b, method)) for a in minima for b in range(a) for method in PAIR_METHODS
        }

    def worth_making(self, matters: list[int]) -> list[Attempt]:
        """Those not made yet, the most useful first; ``matters`` as of `choose_pairs`."""
        pool = self.pool
        if len(pool.minima) < 2:
            return []
        self.separations.update(pool.minima)
        attempts = choose_pairs(
            separations=self.separations,
            most=max(6, 2 * self.d) if self.d <= MANY else NEAREST,
            joins=pool.joins,
            state_energies=pool.states.energies,
            energies=pool.minima.energies,
            occupation=pool.occupation(),
            matters=np.flatnonzero(np.isin(pool.orbit, matters)).tolist(),
            tried=lambda attempt: self._key(attempt) in self.made,
        )
        return list({self._key(attempt): attempt for attempt in reversed(attempts)}.values())[::-1]

    def task(self, attempt: Attempt) -> Pair:
        """The search that an attempt is; from now on it is made."""
        self.made.add(self._key(attempt))
        a, b, method = attempt
        minima, unit = self.pool.minima, self.scales.unit
        rng = np.random.default_rng([self.seed, 2, a, b])
        along = (minima.aligned(a, b)[0] - minima.points[a]) / unit
        aside = rng.standard_normal(self.d)
        aside -= (aside @ along) / (along @ along) * along
        length = 0.5 * np.linalg.norm(along) / max(float(np.linalg.norm(aside)), 1e-300)
        return Pair((a, b), method, length * aside * unit, minima, self.pool.states)

    def _key(self, attempt: Attempt) -> Attempt:
        """The same for all images of a pair."""
        a, b, method = attempt
        images = np.sort(self.pool.permutation[:, [a, b]], axis=1)
        first = images[np.lexsort(images.T[::-1])[0]]
        return int(first[0]), int(first[1]), method
