"""The audit: what weights and draws say against a result that looks right."""

import dataclasses

import numpy as np
import pytest
from scipy import signal, stats

from bayescape.sample.adapt import draw_until, settle
from bayescape.sample.audit import (
    chain_warnings,
    draws_against_weights,
    map_warnings,
    superposition_warnings,
)
from bayescape.sample.convergence import errors_of_sd
from bayescape.sample.decision import decide
from bayescape.sample.importance import weigh
from bayescape.sample.late import take_in
from bayescape.sample.pilot import Round
from bayescape.sample.superposition import Superposition, harmonic_superposition

from .problems import Mixture, map_of, single


@pytest.mark.parametrize(
    ("coverage", "hits", "held"),
    [(0.998, [25, 30], False), (0.985, [25, 30], True), (0.998, [49, 1], True)],
)
def test_minima_too_many_to_count_are_held_against_draws_only_if_some_may_be_hit(
    coverage, hits, held
):
    """Of 81 minima that 2,000 quenches hit 12 times and more the rule expects 84.5."""
    rule = "The stopping rule expects 84.5 minima after 2000 quenches, but 81 were found: ..."
    others = ("Of 2000 scattered quenches fewer than 4 hit 3 of the minima ...",)
    landscape = map_of(Mixture([0.5, 0.5], [[-9.0, 0.0], [9.0, 0.0]], [np.eye(2)] * 2))
    landscape = dataclasses.replace(landscape, warnings=(rule, *others), coverage=coverage)
    landscape.minima["hits"].values[:] = hits
    assert map_warnings(landscape, 0.0, 0.9) == ([rule] if held else []) + list(others)
    reasons = decide(landscape, seed=0).reasons
    assert ("84.5" in reasons[-1]) == held
    assert others[0] in reasons[-1]


def test_a_tail_that_looks_light_by_chance_is_told_by_fresh_points():
    target = single()
    pilot = settle(target, harmonic_superposition(map_of(target)), np.random.default_rng(0))
    assert superposition_warnings(pilot, 100) == []
    only = pilot.superposition.weights.argmax()
    narrow = Superposition(
        weights=np.ones(1),
        means=pilot.superposition.means[[only]],
        scales=0.1 * pilot.superposition.scales[[only]],
        basins=pilot.superposition.basins[[only]],
        degrees=np.full(1, 100.0),
    )
    theta = narrow.sample(1500, np.random.default_rng(1))
    last = Round(narrow, theta, target.energy(theta))
    # The weights of all are as they were.
    lucky = dataclasses.replace(pilot, rounds=(*pilot.rounds, last))
    found = superposition_warnings(lucky, 100)
    assert any("Pareto k of the last 1500 points" in warning for warning in found)


def test_a_tail_of_heavy_shape_that_holds_next_to_nothing_is_no_reason_to_warn():
    target = single()
    pilot = settle(target, harmonic_superposition(map_of(target)), np.random.default_rng(0))
    theta = pilot.superposition.sample(5000, np.random.default_rng(1))
    tail = stats.genpareto.rvs(0.95, size=5000, random_state=2)
    for size, warned in ((0.0005, False), (0.5, True)):
        log_ratio = np.log1p(size * tail) + 3.5
        last = Round(pilot.superposition, theta, -log_ratio - pilot.superposition.log_prob(theta))
        assert not weigh(last.log_ratio).usable
        found = superposition_warnings(
            dataclasses.replace(pilot, rounds=(*pilot.rounds, last)), 100
        )
        assert any("of the last 5000 points" in warning for warning in found) == warned


def test_few_points_at_the_end_are_judged_with_those_before_them():
    target = single()
    pilot = settle(target, harmonic_superposition(map_of(target)), np.random.default_rng(0))
    theta = pilot.superposition.sample(3, np.random.default_rng(1))
    last = Round(pilot.superposition, theta, target.energy(theta))
    assert superposition_warnings(dataclasses.replace(pilot, rounds=(*pilot.rounds, last)), 9) == []


def test_evidence_of_rounds_before_a_basin_was_found_is_not_held_against_those_after_it():
    narrow = 1e-6 * np.eye(3)  # no draw comes near
    target = Mixture([0.3, 0.7], [[-5.0, 0.0, 1.0], [5.0, 2.0, 0.0]], [narrow, np.eye(3)])
    lacking, landscape = map_of(target, known=[1]), map_of(target)
    rng = np.random.default_rng(0)
    before = settle(target, harmonic_superposition(lacking), rng)
    before = draw_until(target, before, 5000, 50_000, rng)
    assert before.weighted.log_evidence < np.log(0.7) + 0.05
    pilot = draw_until(target, take_in(target, before, lacking, landscape, rng), 9000, 50_000, rng)
    assert abs(pilot.weighted.log_evidence) < 0.05
    assert superposition_warnings(pilot, 9000) == []
    # Of rounds that all knew the basins it still is.
    whole = [r for r in pilot.rounds if len(np.unique(r.superposition.basins)) == 3]
    off = [dataclasses.replace(r, energies=r.energies - 0.2) for r in whole[len(whole) // 2 :]]
    found = superposition_warnings(dataclasses.replace(pilot, rounds=(*whole, *off)), 9000)
    assert any(warning.startswith("The log evidence of the later rounds") for warning in found)


def test_a_spread_that_a_few_draws_make_is_said_to_be_poorly_known():
    """R-hat and bulk size look at ranks, and see nothing of a short visit far off."""
    target = single()
    landscape = map_of(target)
    pilot = settle(target, harmonic_superposition(landscape), np.random.default_rng(0))
    theta = pilot.superposition.sample(4000, np.random.default_rng(1))
    theta = theta[np.abs(theta - theta.mean(axis=0)).max(axis=1) < 2 * theta.std()][:3200]
    theta = theta.reshape(4, 800, -1)
    assert chain_warnings(theta, None, landscape, pilot) == []
    theta[2, 300:312, 0] += 10 * theta[..., 0].std()
    found = chain_warnings(theta, None, landscape, pilot)
    assert len(found) == 1
    assert found[0].startswith(f"The standard deviation of {landscape.names[0]} is known to ")


def test_chains_must_know_a_spread_better_than_weights_do():
    """Slow chains that say 4% of a spread: enough for weights, not for what was only visited."""
    target = single()
    landscape = map_of(target)
    pilot = settle(target, harmonic_superposition(landscape), np.random.default_rng(0))
    steps = np.random.default_rng(2).normal(size=(4, 1200, 2))
    theta = signal.lfilter([1.0], [1.0, -0.92], steps, axis=1)[:, 200:]
    assert 0.034 < errors_of_sd(theta).max() < 0.05
    found = chain_warnings(theta, None, landscape, pilot)
    assert any(warning.startswith("The standard deviation of ") for warning in found)


def _chosen(points, weights, count, seed):
    picked = np.random.default_rng(seed).choice(len(points), count, p=weights)
    return points[picked]


def test_draws_that_spread_as_their_points_do_are_taken_as_they_are():
    points = np.random.default_rng(0).normal(size=(9000, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, 1e3]
    weights = np.random.default_rng(1).uniform(0.5, 1.5, 9000)
    weights /= weights.sum()
    for count in (50, 400, 4000):
        draws = _chosen(points, weights, count, count)
        assert draws_against_weights(draws, points, weights, "abc") == []


def test_a_draw_far_out_that_weighs_more_than_its_point_is_seen():
    points = np.random.default_rng(0).normal(size=(9000, 2))
    weights = np.full(9000, 1 / 8999)
    points[-1], weights[-1] = [60.0, 0.0], 1e-9  # of a heavy tail
    weights /= weights.sum()
    draws = _chosen(points, weights, 4000, 2)
    assert draws_against_weights(draws, points, weights, "ab") == []
    draws[7] = points[-1]
    (found,) = draws_against_weights(draws, points, weights, "ab")
    assert found.startswith("The standard deviation of a is another one by the draws")


def test_a_spread_that_a_few_points_make_is_seen():
    points = np.random.default_rng(0).normal(size=(9000, 2))
    points[-1] = [0.0, 60.0]
    weights = np.full(9000, 1 / 9000)
    (found,) = draws_against_weights(points[:4000], points, weights, "ab")
    assert found.startswith("The standard deviation of b is known to ")


def test_what_has_no_spread_in_floats_is_said_to_be_unknown():
    points = np.random.default_rng(0).normal(size=(500, 2))
    points[0, 1], points[:, 0] = 1e200, 4.0
    weights = np.full(500, 1 / 500)
    found = draws_against_weights(points, points, weights, "ab")
    assert [warning[:29] for warning in found] == [f"The standard deviation of {n} i" for n in "ab"]
