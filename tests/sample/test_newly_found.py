"""A pilot's rounds held against one another: what refits still find."""

import dataclasses

import numpy as np
import pytest

from bayescape.sample.adapt import settle
from bayescape.sample.audit import newly_found, superposition_warnings
from bayescape.sample.pilot import Pilot, Round
from bayescape.sample.superposition import Superposition, harmonic_superposition

from .problems import Mixture, map_of, single

MODES = 10
VALLEY = Mixture(
    np.full(MODES, 1 / MODES), [[10.0 * k, 0.0] for k in range(MODES)], [np.eye(2)] * MODES
)


def reaching(count):
    """A mixture that covers the first of the valley's modes, and nothing of the others."""
    return Superposition(
        weights=np.full(count, 1 / count),
        means=VALLEY.means[:count],
        scales=np.repeat(1.2 * np.eye(2)[None], count, axis=0),
        basins=np.zeros(count, dtype=int),
        degrees=np.full(count, 100.0),
    )


def pilot_of(counts, sizes, rng):
    """A pilot whose rounds are of mixtures that reach so far each."""
    rounds = []
    for count, size in zip(counts, sizes, strict=True):
        mixture = reaching(count)
        theta = mixture.sample(size, rng)
        rounds.append(Round(mixture, theta, VALLEY.energy(theta)))
    first = settle(VALLEY, harmonic_superposition(map_of(VALLEY)), rng)
    return dataclasses.replace(first, rounds=tuple(rounds))


def told(pilot):
    return [w for w in superposition_warnings(pilot, 1) if w.startswith("Most of the last refits")]


def test_a_mixture_that_creeps_along_a_valley_is_told_by_what_each_refit_finds():
    """Every round's own weights are light: each covers its part, and knows of no other."""
    pilot = pilot_of([4, 5, 6, 7], [2000] * 4, np.random.default_rng(0))
    assert all(np.exp(r.log_ratio).max() < 3 for r in pilot.rounds)
    assert newly_found(pilot) == pytest.approx(1 / 6, abs=0.02)  # the middle one of 1/5, 1/6, 1/7
    assert len(told(pilot)) == 1
    assert f"{newly_found(pilot):.1%}" in told(pilot)[0]


def test_refits_that_find_nothing_are_not_held_against_a_pilot():
    pilot = pilot_of([MODES] * 4, [2000] * 4, np.random.default_rng(1))
    assert newly_found(pilot) < 0.005
    assert not told(pilot)


def test_one_refit_that_found_something_is_no_creeping():
    pilot = pilot_of([5, 6, 6, 6], [2000] * 4, np.random.default_rng(2))
    assert newly_found(pilot) < 0.005


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [([5, 6, 7], [2000] * 3), ([4, 5, 6, 7], [2000, 900, 2000, 2000])],
    ids=["two refits", "a short round"],
)
def test_too_few_points_tell_nothing(counts, sizes):
    assert newly_found(pilot_of(counts, sizes, np.random.default_rng(3))) == 0


def test_rounds_without_a_basin_that_was_found_late_are_left_out():
    pilot = pilot_of([4, 5, 6, 7], [2000] * 4, np.random.default_rng(4))
    last = pilot.rounds[-1].superposition
    knowing = dataclasses.replace(last, basins=np.arange(7) % 2)
    late = dataclasses.replace(pilot.rounds[-1], superposition=knowing)
    grown = dataclasses.replace(pilot, rounds=(*pilot.rounds, late))
    assert grown.whole == (late,)
    assert newly_found(grown) == 0


def test_points_outside_the_domain_are_found_by_nobody():
    pilot = pilot_of([MODES] * 4, [2000] * 4, np.random.default_rng(5))
    energies = np.where(pilot.rounds[-1].theta[:, 1] > 1, np.inf, pilot.rounds[-1].energies)
    cut = dataclasses.replace(pilot.rounds[-1], energies=energies)
    assert newly_found(dataclasses.replace(pilot, rounds=(*pilot.rounds[:-1], cut))) < 0.005
    nowhere = dataclasses.replace(pilot.rounds[-1], energies=np.full(2000, np.inf))
    lost = dataclasses.replace(pilot, rounds=(nowhere,) * 4)
    assert isinstance(lost, Pilot)
    assert newly_found(lost) == 0


def heavy_then_light(heavy, light):
    """A pilot that goes on by points of a heavy tail and then by points of none."""
    target = single()
    pilot = settle(target, harmonic_superposition(map_of(target)), np.random.default_rng(0))
    rng, rounds = np.random.default_rng(1), list(pilot.rounds)
    for count, size in ((heavy, 0.5), (light, 0.0)):
        theta = pilot.superposition.sample(count, rng)
        log_ratio = np.log1p(size * rng.pareto(1 / 0.95, size=count)) + 3.5
        energies = -log_ratio - pilot.superposition.log_prob(theta)
        rounds.append(Round(pilot.superposition, theta, energies))
    # The weights of all, which look light, are as they were.
    weights = np.full(sum(len(r.theta) for r in rounds), 1.0)
    weighted = dataclasses.replace(pilot.weighted, weights=weights / weights.sum())
    return dataclasses.replace(pilot, rounds=tuple(rounds), weighted=weighted)


@pytest.mark.parametrize(("light", "warned"), [(1500, True), (9000, False)])
def test_a_light_last_round_counts_only_if_it_is_a_third_of_all(light, warned):
    found = superposition_warnings(heavy_then_light(5000, light), 1)
    assert any("Pareto k of the last" in warning for warning in found) == warned
