"""The loop that makes a map: quenches until the rule says stop, then transition states."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Counted
from bayescape.explore.coverage import expected_coverage, expected_minima
from bayescape.explore.path import relax_string, summits
from bayescape.explore.pool import Pool
from bayescape.explore.quench import length_scales, quench
from bayescape.explore.saddle import SaddleStatus, follow
from bayescape.landscape.record import Landscape
from bayescape.progress import Report, reporter
from bayescape.targets.target import Target, bounds_of

__all__ = ["explore"]

Array = NDArray[np.float64]

SWEEP = 16  # quenches at a time
KICKS = 4  # basin-hopping moves from each minimum
SOFT_MODES = 3  # directions to climb from each minimum, both ways
NEIGHBOURS = 3  # nearest minima to look for a direct pass to
TRIES = 3  # failed pairs, per minimum searched from, before parts of the graph are left apart
NEGLIGIBLE = 1e-6  # harmonic occupation of a minimum that no search need begin from


def explore(
    target: Target,
    *,
    seed: int = 0,
    progress: bool | Callable[..., None] = True,
    budget: float | None = None,
    max_quenches: int = 2000,
) -> Landscape:
    """Map a target: its minima, its transition states, and what joins what.

    Quenches from scattered starts until the expected number of minima, by Boender and Rinnooy Kan's
    rule, is less than half a minimum above the number found; then basin hopping from every minimum;
    then transition states, single-ended up the softest modes of every minimum and double-ended
    along relaxed strings between minima that are not joined and between neighbours. A minimum that
    any of these leads to is taken up and, if a scattered quench ends there or its harmonic
    occupation is not negligible, searched from in its turn.

    Parameters
    ----------
    target
        Anything that satisfies `bayescape.targets.Target`.
    seed
        The same seed gives the same map, bit for bit.
    progress
        ``True`` for a line on the terminal, ``False``, or a callable given ``minima``,
        ``transition_states``, ``coverage`` and ``evaluations``.
    budget
        Evaluations, in gradient equivalents (a value counts one half, a Hessian ``d + 1``), after
        which no new batch of searches begins; ``None`` for no limit.
    max_quenches
        Scattered starts, at most; a map that stops there says so.

    Returns
    -------
    Landscape
        Of what was found, also after Ctrl-C. Its ``warnings`` say what is wrong with it.

    References
    ----------
    C. G. E. Boender, A. H. G. Rinnooy Kan, Math. Program. 37, 59 (1987); D. J. Wales,
    J. P. K. Doye, J. Phys. Chem. A 101, 5111 (1997); see also the modules of `bayescape.explore`.
    """
    if budget is not None and not budget > 0:
        raise ValueError(f"`budget` must be positive or None, got {budget!r}")
    if max_quenches < 1:
        raise ValueError(f"`max_quenches` must be at least 1, got {max_quenches}")
    started = time.perf_counter()
    with reporter(progress, "mapping") as report:
        search = _Search(target, np.random.default_rng(seed), report, budget, max_quenches)
        try:
            stopped = search.run()
        except KeyboardInterrupt:
            stopped = "interrupted"
            search.warnings.append("The exploration was interrupted: the map is what it had found.")
    return search.landscape(stopped, time.perf_counter() - started, seed)


class _BudgetSpent(Exception):
    """No new batch may begin."""


class _Search:
    """An exploration under way."""

    def __init__(
        self,
        target: Target,
        rng: np.random.Generator,
        report: Report,
        budget: float | None,
        max_quenches: int,
    ) -> None:
        self.target = Counted(target)
        self.d = len(target.names)
        self.rng, self.report = rng, report
        self.budget, self.max_quenches = budget, max_quenches
        self.scales = length_scales(target)
        self.pool = Pool(self.d)
        self.warnings: list[str] = []
        self.quenches = 0
        self.hopped: set[int] = set()  # minima that have been searched from
        self.climbed: set[int] = set()
        self.tried: set[tuple[int, int]] = set()

    def run(self) -> str:
        """Search until there is nothing left to try; return why it stopped."""
        try:
            stopped = self._sweep()
            while True:
                self._hop()
                self._climb()
                self._connect()
                if set(self.pool.matters(NEGLIGIBLE)) <= self.hopped & self.climbed:
                    return stopped
        except _BudgetSpent:
            spent = f"the budget of {self.budget:,.0f} gradient equivalents was spent"
            self.warnings.append(f"The exploration is not complete: {spent}.")
            return spent

    def _begin(self) -> None:
        """Say where things stand, and stop if the budget is spent."""
        evaluations = self.target.evaluations
        self.report(
            minima=len(self.pool.minima),
            transition_states=len(self.pool.states),
            coverage=expected_coverage(self.pool.hits),
            evaluations=evaluations.total,
        )
        if self.budget is not None and evaluations.gradient_equivalents(self.d) >= self.budget:
            raise _BudgetSpent

    def _quench(self, theta: Array, *, independent: bool = False) -> NDArray[np.int_]:
        self._begin()
        ends = quench(self.target, theta, scales=self.scales)
        return self.pool.add_quenches(ends, independent=independent)

    def _sweep(self) -> str:
        """Independent quenches, until the number of minima is settled."""
        while self.quenches < self.max_quenches:
            count = min(SWEEP, self.max_quenches - self.quenches)
            self._quench(self.target.starts(count, self.rng), independent=True)
            self.quenches += count
            found = len(self.pool.minima)
            if found and expected_minima(self.pool.hits) < found + 0.5:
                return f"all minima expected are found, after {self.quenches} quenches"
            if not found and self.quenches >= 4 * SWEEP:
                break
        if len(self.pool.minima) == 0:
            self.warnings.append(f"None of {self.quenches} quenches ended in a minimum.")
            return "no quench ended in a minimum"
        self.warnings.append(
            f"The stopping rule expects {expected_minima(self.pool.hits):.1f} minima after "
            f"{self.quenches} quenches, but {len(self.pool.minima)} were found: raise "
            "`max_quenches`."
        )
        return f"the limit of {self.max_quenches} quenches was reached"

    def _hop(self) -> None:
        """Basin hopping: kicks of one to three spreads of the starts, from each new minimum."""
        while new := self._not_in(self.hopped):
            self.hopped.add(new[0])
            direction = self.rng.standard_normal((KICKS, self.d))
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            length = self.rng.uniform(1.0, 3.0, (KICKS, 1))
            self._quench(self.pool.minima[new[0]] + length * direction * self.scales)

    def _not_in(self, searched: set[int]) -> list[int]:
        """The minima that matter and have not been searched from, in order of their finding."""
        return [m for m in self.pool.matters(NEGLIGIBLE) if m not in searched]

    def _climb(self) -> None:
        """Single-ended searches up both ends of the softest modes of each new minimum."""
        while new := self._not_in(self.climbed):
            m = new[0]
            self.climbed.add(m)
            values, vectors = np.linalg.eigh(
                self.pool.hessians[m] * np.outer(self.scales, self.scales)
            )
            count = min(SOFT_MODES, self.d)
            modes = (vectors[:, :count] * self.scales[:, None]).T
            # Out to a thermal width, and no further than a step of a quench.
            reach = np.minimum(1 / np.sqrt(values[:count]), 0.5)[:, None]
            starts = np.concatenate(
                [self.pool.minima[m] + reach * modes, self.pool.minima[m] - reach * modes]
            )
            self._follow(starts, np.concatenate([modes, modes]))

    def _connect(self) -> None:
        """Double-ended searches: between the graph's parts first, then between neighbours."""
        failures = 0
        while failures < TRIES * len(self.climbed):
            pair = self._next_pair()
            if pair is None:
                return
            before = len(self.pool.states)
            self.tried.add(pair)
            self._begin()
            a, b = (self.pool.minima[m] for m in pair)
            string, energies = relax_string(self.target, a, b, self.scales)
            self._follow(*summits(string, energies))
            failures += len(self.pool.states) == before

    def _next_pair(self) -> tuple[int, int] | None:
        """The closest pair that is not joined by any path, else of neighbours; none tried twice."""
        count = len(self.pool.minima)
        if count < 2:
            return None
        distances = self.pool.distances()
        part = np.empty(count, dtype=int)
        for label, members in enumerate(self.pool.components()):
            part[list(members)] = label
        apart = part[:, None] != part[None, :]
        rank = distances.argsort(axis=1).argsort(axis=1)
        near = (rank <= NEIGHBOURS) | (rank.T <= NEIGHBOURS)
        matters = np.isin(np.arange(count), self.pool.matters(NEGLIGIBLE))
        near &= matters[:, None] & matters[None, :]
        for eligible in (apart, near):
            open_pairs = [
                (distances[a, b], (a, b))
                for a in range(count)
                for b in range(a + 1, count)
                if eligible[a, b] and (a, b) not in self.tried
            ]
            if open_pairs:
                return min(open_pairs)[1]
        return None

    def _follow(self, starts: Array, modes: Array) -> None:
        """Refine guesses to transition states, and walk down both sides of each new one."""
        self._begin()
        inside = np.clip(starts, *bounds_of(self.target))
        found = follow(self.target, inside, modes, scales=self.scales)
        for b, code in enumerate(found.status):
            status = SaddleStatus(code)
            if status is not SaddleStatus.TRANSITION_STATE:
                self.pool.ends[status.text] += 1
            elif self.pool.knows_state(found.theta[b], found.energy[b]):
                self.pool.ends["transition state found again"] += 1
            else:
                self._descend(found.theta[b], float(found.energy[b]), found.hessian[b])

    def _descend(self, theta: Array, energy: float, hessian: Array) -> None:
        values, vectors = np.linalg.eigh(hessian * np.outer(self.scales, self.scales))
        # Down by a ten-thousandth of a nat, or a tenth of a length scale.
        stride = min(np.sqrt(2e-4 / -values[0]), 0.1)
        push = stride * vectors[:, 0] * self.scales
        left, right = self._quench(np.stack([theta - push, theta + push]))
        if left < 0 or right < 0:
            self.pool.ends["transition state with a downhill path to no minimum"] += 1
            return
        self.pool.ends[SaddleStatus.TRANSITION_STATE.text] += 1
        self.pool.add_state(theta, energy, hessian, (int(left), int(right)))

    def landscape(self, stopped: str, seconds: float, seed: int) -> Landscape:
        """The map as it stands."""
        pool = self.pool
        if len(pool.minima) and pool.lowest_at_bound < pool.energies.min():
            self.warnings.append(
                f"A quench ended at a bound {pool.energies.min() - pool.lowest_at_bound:.3g} nats "
                "below the lowest minimum: the bounds cut the landscape where it matters."
            )
        parts = len(pool.components()) if len(pool.minima) else 0
        if parts > 1:
            stopped += f"; the graph is in {parts} parts that no transition state found joins"
        return Landscape.from_arrays(
            names=self.target.names,
            minima=pool.minima,
            energies=pool.energies,
            hessians=pool.hessians,
            hits=pool.hits,
            transition_states=pool.states,
            transition_energies=pool.state_energies,
            transition_hessians=pool.state_hessians,
            joins=pool.joins,
            coverage=expected_coverage(pool.hits),
            evaluations=self.target.evaluations,
            ends=dict(pool.ends),
            stopped=stopped,
            warnings=self.warnings,
            seconds=seconds,
            seed=seed,
            target=self.target.target,
        )
