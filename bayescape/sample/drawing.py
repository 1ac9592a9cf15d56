"""Draws by a map that grows: basins that show while sampling go into it, and it is drawn anew."""

from __future__ import annotations

import dataclasses

import numpy as np

from bayescape.evaluations import Counted, Evaluations
from bayescape.landscape.record import Landscape
from bayescape.progress import Report
from bayescape.sample.adapt import settle
from bayescape.sample.decision import Decision, decide, judge
from bayescape.sample.late import enlarge, take_in, unknown_points
from bayescape.sample.membership import Membership, membership
from bayescape.sample.methods import Drawn, by_chains, by_superposition
from bayescape.sample.pilot import Pilot
from bayescape.sample.superposition import harmonic_superposition
from bayescape.sample.tails import slow_tails

__all__ = ["ENLARGEMENTS", "Asked", "Begun", "Done", "begin", "draw"]

ENLARGEMENTS = 2  # of the map, by basins found late


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    ``shape`` are chains and draws in each, ``ess`` the effective size of the weighted points that
    the superposition's draws are chosen from.
    """

    method: str
    nuts: str
    shape: tuple[int, int]
    ess: float
    seed: int


@dataclasses.dataclass(frozen=True, slots=True)
class Begun:
    """What drawing begins with.

    ``slow`` are the coordinates along which the density has no integral. ``paid`` is what the pilot
    cost where it was not made from the target that counts, ``spent`` as much of it as this call
    paid for: nothing for a decision that was given.
    """

    pilot: Pilot
    slow: tuple[str, ...]
    decision: Decision | None
    paid: Evaluations
    spent: Evaluations


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """Draws with the map that they were made by in the end.

    ``mapping`` is what basins found late cost the map, ``more`` whether there still are some.
    """

    method: str
    decision: Decision | None
    landscape: Landscape
    drawn: Drawn
    members: Membership
    mapping: Evaluations
    more: bool


def begin(
    landscape: Landscape,
    target: Counted,
    asked: Asked,
    given: Decision | None,
    rng: np.random.Generator,
) -> Begun:
    """The pilot, from a decision if one is given or asked for.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the basin of a minimum has no width in some direction.
    """
    decision, nothing = given, Evaluations()
    if given is None and asked.method == "auto":
        chains = asked.shape[0]
        decision = decide(landscape, ess=round(asked.ess), seed=asked.seed, chains=chains)
    if decision is not None:
        paid = decision.evaluations
        spent = paid if given is None else nothing
        return Begun(decision.pilot, decision.no_integral, decision, paid, spent)
    first = harmonic_superposition(landscape)
    pilot = settle(target, first, rng, ess=asked.ess)
    return Begun(pilot, slow_tails(target, first), None, nothing, nothing)


def draw(
    landscape: Landscape,
    target: Counted,
    asked: Asked,
    begun: Begun,
    rng: np.random.Generator,
    report: Report,
) -> Done:
    """Draw, look for basins that the map lacks, and draw anew if there are any."""
    pilot, decision, mapping = begun.pilot, begun.decision, Evaluations()
    shape, hopeless = asked.shape, bool(begun.slow)
    for attempt in range(ENLARGEMENTS + 1):
        method = asked.method
        if method == "auto" and decision is not None:
            method = decision.method
        larger, last = landscape, attempt == ENLARGEMENTS
        if method != "superposition" and not last:
            # Chains cost so much that what shows without them is looked for first.
            larger = _looked_beyond(target, landscape, pilot, begun.paid, rng.spawn(1)[0], report)
        if larger is landscape:
            report(stage=method)
            if method == "superposition":
                drawn = by_superposition(target, pilot, shape, asked.ess, rng, hopeless=hopeless)
            else:
                drawn = by_chains(target, pilot, shape, method, asked.nuts, rng, report)
            pilot = drawn.pilot
            larger = _looked_beyond(target, landscape, pilot, begun.paid, rng, report)
            if larger is landscape or last:
                report(stage="assigning basins")
                points = drawn.points, drawn.energies, drawn.weights
                members = membership(target, *points, landscape, pilot.superposition, rng)
                if larger is landscape:
                    stray = members.quenched & (members.basins < 0)
                    larger = enlarge(landscape, drawn.points[stray])
                if larger is landscape or last:
                    break
        mapping += larger.evaluations - landscape.evaluations
        pilot = take_in(target, pilot, landscape, larger, rng)
        landscape = larger
        if decision is not None:
            decision = judge(landscape, pilot, round(asked.ess), shape[0], begun.spent, begun.slow)
    more = larger is not landscape
    return Done(method, decision, landscape, drawn, members, mapping, more)


def _looked_beyond(
    target: Counted,
    landscape: Landscape,
    pilot: Pilot,
    paid: Evaluations,
    rng: np.random.Generator,
    report: Report,
) -> Landscape:
    """The map with the basins that a cheap search shows; itself if there are none."""
    report(stage="looking for more basins")
    cost = landscape.evaluations + paid + target.evaluations
    spent = cost.gradient_equivalents(len(landscape.names))
    return enlarge(landscape, unknown_points(target, landscape, pilot, spent, rng))
