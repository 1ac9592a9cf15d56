"""Basins found late: looked for where the map explains least, and taken in."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Counted
from bayescape.explore import explore
from bayescape.explore.basins import assign_basins
from bayescape.explore.unexplained import unexplained
from bayescape.landscape.record import Landscape
from bayescape.sample.adapt import advance, points_a_round, replace_mixture
from bayescape.sample.mixture_fit import insert
from bayescape.sample.pilot import Pilot
from bayescape.sample.superposition import WIDE, Superposition, harmonic_superposition

__all__ = ["enlarge", "in_order_of", "renumbered", "take_in", "unknown_points"]

Array = NDArray[np.float64]

HEAVIEST = 8  # weighted points that are quenched: where the mixture lacks most
FRESH = 4  # quenches from fresh starts at a time
SHARE = 0.01  # of all evaluations, the map's included, that goes into fresh quenches
SCREENED = 0.1  # of what the draws cost, which search for nothing, that goes into values at fresh
# starts: each sees as much as a quench, for a thirtieth
BY_COORDINATE = 60  # of these, at least, for the more coordinates the less starts see
MOST_SCREENED = 2000
UNEXPLAINED = 4  # of these that are quenched
LEAST = 3000  # gradient equivalents for more exploring, above what the map took
SUSPECTED = 24  # points that quench elsewhere which are quenched to the end, at most
REFITS = 2  # after a basin was taken in


def unknown_points(
    target: Counted, landscape: Landscape, pilot: Pilot, spent: float, rng: np.random.Generator
) -> Array:
    """Points that quench to no minimum of the map, ``(B, d)``.

    Tried are the heaviest of the weighted points, of many far from them those that the map explains
    least (`unexplained`), and fresh starts. Those like any other are not tried here: `membership`
    quenches enough of them.

    Parameters
    ----------
    target
        Evaluated by the quenches.
    landscape
        The map.
    pilot
        The superposition with its points, of which the heaviest are quenched.
    spent
        Gradient equivalents that everything took so far, the map included; a share of them goes
        into fresh starts.
    rng
        Seeds the starts.
    """
    weights = pilot.weighted.weights
    heavy = np.argsort(weights)[::-1][:HEAVIEST]
    theta = np.concatenate([pilot.theta[heavy], _afar(target, landscape, pilot, spent, rng)])
    found = [theta[assign_basins(target, theta, landscape) < 0]]
    d, before = theta.shape[1], target.evaluations.gradient_equivalents(theta.shape[1])
    limit = before + SHARE * spent
    while target.evaluations.gradient_equivalents(d) < limit:
        tried = np.asarray(target.starts(FRESH, rng), dtype=float)
        found.append(tried[assign_basins(target, tried, landscape) < 0])
    return np.concatenate(found)


def _afar(
    target: Counted, landscape: Landscape, pilot: Pilot, spent: float, rng: np.random.Generator
) -> Array:
    """The least explained of fresh starts, and of points drawn from what follows the starts."""
    mixture, theta = pilot.superposition, pilot.theta
    d = theta.shape[1]
    of_draws = spent - landscape.evaluations.gradient_equivalents(d)
    # A value is half a gradient.
    count = min(int(max(2 * SCREENED * of_draws, BY_COORDINATE * d)), MOST_SCREENED)
    tried = np.asarray(target.starts(count, rng), dtype=float)
    afar = mixture.component_log_prob(theta).argmax(axis=1) == len(mixture.weights) - WIDE
    theta = np.concatenate([tried, theta[afar]])
    energies = np.concatenate([target.energy(tried), pilot.energies[afar]])
    minima, depths, hessians = (landscape.minima[k].values for k in ("theta", "energy", "hessian"))
    return theta[unexplained(theta, energies, minima, depths, hessians, UNEXPLAINED)]


def enlarge(landscape: Landscape, suspected: Array) -> Landscape:
    """The map with the minima that points ``(B, d)`` lead to; itself if they lead to no new one."""
    assert landscape.target is not None
    if not len(suspected):
        return landscape
    # Evenly chosen: what holds much is among any few of them.
    chosen = np.linspace(0, len(suspected) - 1, min(len(suspected), SUSPECTED)).astype(int)
    larger = explore(
        landscape.target,
        seed=landscape.seed,
        progress=False,
        # Where minima are without end there would be no end to this either.
        budget=landscape.evaluations.gradient_equivalents(len(landscape.names)) + LEAST,
        known=landscape,
        suspected=suspected[chosen],
    )
    found = larger.minima.sizes["minimum"] > landscape.minima.sizes["minimum"]
    return larger if found else landscape


def in_order_of(before: Landscape, after: Landscape) -> NDArray[np.int_]:
    """Minima of a larger map by position: first those of the smaller, in its order, ``(M,)``."""
    place = _places(before, after)
    return np.append(place, np.setdiff1d(np.arange(after.minima.sizes["minimum"]), place))


def renumbered(basins: NDArray[np.int_], order: NDArray[np.int_]) -> NDArray[np.int_]:
    """Basins by their positions in an order; -1 stays."""
    number = np.empty(len(order) + 1, dtype=int)
    number[order], number[-1] = np.arange(len(order)), -1
    return number[basins]


def _places(before: Landscape, after: Landscape) -> NDArray[np.int_]:
    """Where the minima of the smaller map are in the larger one."""
    old, new = before.minima["theta"].values, after.minima["theta"].values
    return np.array([(new == theta).all(axis=1).argmax() for theta in old], dtype=int)


def take_in(
    target: Counted, pilot: Pilot, before: Landscape, after: Landscape, rng: np.random.Generator
) -> Pilot:
    """Give the superposition the components of minima that it lacks, and refit it.

    Parameters
    ----------
    target
        Evaluated by the rounds.
    pilot
        Fitted from the smaller map; its points are kept.
    before, after
        The smaller map, and the larger one, which holds its minima.
    rng
        Source of the draws.
    """
    place = _places(before, after)
    fresh = harmonic_superposition(after)
    new = ~np.isin(fresh.basins, [*place, -1])
    present, anchors = (
        _with(mixture, place, fresh, new) for mixture in (pilot.superposition, pilot.anchors)
    )
    count = points_a_round(fresh.means.shape[1])
    pilot = replace_mixture(target, pilot, present, anchors, count, rng)
    for _ in range(REFITS):
        pilot = advance(target, pilot, count, rng)
    return pilot


def _with(
    mixture: Superposition, place: NDArray[np.int_], fresh: Superposition, new: NDArray[np.bool_]
) -> Superposition:
    """A mixture with its basins numbered by the larger map, and that map's new components."""
    known = mixture.basins >= 0
    basins = mixture.basins.copy()
    basins[known] = place[mixture.basins[known]]
    return insert(
        dataclasses.replace(mixture, basins=basins),
        fresh.means[new],
        fresh.scales[new],
        fresh.basins[new],
        fresh.weights[new],
    )
