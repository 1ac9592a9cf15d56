"""Minima that no known branch passes through, looked for at single values of a parameter.

A branch that lives on for many values need be found at one of them only, so that few quenches at
each find what a map at one would miss. What is still missing when common basins are known are the
rare ones, mostly far out: starts that are spread wider than the target's own, and long kicks away
from known minima, hit these many times as often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Evaluations
from bayescape.explore.branches import Branches
from bayescape.explore.captors import Captors
from bayescape.explore.moves import wanderings, ways_up
from bayescape.explore.scales import Scales
from bayescape.explore.tasks import Climbs, Limits, Quenches, run
from bayescape.landscape.advance import correct, index_of
from bayescape.targets.target import Target

__all__ = ["evenly", "look_for_newcomers", "take_up"]

Array = NDArray[np.float64]

WIDEST = 3.0  # times the spread of the target's own starts
KICK = 2.0, 7.0  # lengths, in that spread
CENTRE = 256  # starts that say where the middle of all is


def look_for_newcomers(
    branches: Branches, k: int, quenches: int, seed: int
) -> tuple[int, Evaluations]:
    """Quench at one position of the grid, climb from new minima, and take up what is found.

    Parameters
    ----------
    branches
        Those known, which capture the quenches, and to which new ones are added.
    k
        The position.
    quenches
        How many.
    seed
        Of the starts, together with ``k``.

    Returns
    -------
    tuple
        How many new branches there are, and what it cost beside what the family counts.
    """
    family, p = branches.family, branches.grid[k]
    target, rng = family.target(p), np.random.default_rng([seed, 3, k])
    scales = Scales.of(target)
    minima, states = (_known(branches, k, index, scales) for index in (0, 1))
    starts = _starts(target, minima, scales.unit, quenches, rng)
    found = run(target, Quenches(starts, minima), scales, Limits())
    spent, before = found.evaluations, len(branches.branches)
    if len(found.theta):
        for theta, energy, hessian in zip(found.theta, found.energy, found.hessian, strict=True):
            minima = minima.with_point(theta, float(energy), hessian)
        new = np.arange(len(minima) - len(found.theta), len(minima))
        ways = [ways_up(minima.points[m], minima.hessians[int(m)], family.unit) for m in new]
        points, modes = (np.concatenate(part) for part in zip(*ways, strict=True))
        begun = np.repeat(new, len(points) // len(new))
        climbed = run(target, Climbs(points, modes, begun, minima, states), scales, Limits())
        spent += climbed.evaluations
        take_up(branches, k, np.concatenate([found.theta, climbed.theta]), 0)
        take_up(branches, k, climbed.states, 1)
    return len(branches.branches) - before, spent


def take_up(branches: Branches, k: int, theta: Array, index: int) -> int:
    """Enter points ``(B, d)``, as exact as Newton's method makes them; return how many are none."""
    family = branches.family
    x, hessians, good = correct(family, theta / family.unit, branches.grid[k])
    good &= index_of(hessians) == index
    for i in np.flatnonzero(good):
        branches.enter(x[i], hessians[i], k)
    return int((~good).sum())


def evenly(count: int) -> list[int]:
    """Positions ``0 .. count - 1``, in an order whose every beginning is spread over them all."""
    bits = max(count - 1, 1).bit_length()
    return sorted(range(count), key=lambda k: int(f"{k:0{bits}b}"[::-1], 2))


def _starts(
    target: Target, known: Captors, unit: Array, count: int, rng: np.random.Generator
) -> Array:
    """Where to quench from, ``(count, d)``: a third far out, the others kicks and wanderings."""
    each = count // 3 if len(known) else 0
    middle = np.median(target.starts(CENTRE, rng), axis=0)
    usual = np.asarray(target.starts(count - 2 * each, rng), dtype=float)
    wide = middle + rng.uniform(1, WIDEST, (len(usual), 1)) * (usual - middle)
    if not each:
        return wide
    direction = rng.standard_normal((each, len(unit)))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    begun = known.points[np.resize(rng.permutation(len(known)), each)]
    kicked = begun + rng.uniform(*KICK, (each, 1)) * direction * unit
    order = rng.permutation(len(known))
    hessians = np.array([known.hessians[m] for m in order])
    off = wanderings(known.points[order], hessians, unit, each, rng)
    return np.concatenate([wide, kicked, off])


def _known(branches: Branches, k: int, index: int, scales: Scales) -> Captors:
    """The points of one Hessian index that branches have at a position."""
    family, points = branches.family, branches.points_at(k, index)
    if not len(points.x):
        return Captors.none(branches.d, scales.equivalence)
    return Captors(
        points.x * family.unit,
        family.energy(points.x, branches.grid[k]),
        points.hessians / np.outer(family.unit, family.unit),
        equivalence=scales.equivalence,
    )
