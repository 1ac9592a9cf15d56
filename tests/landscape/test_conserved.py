"""Conserved coordinates: planted ones are found, chance ones are not, and images are no matter."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from torch import nn

import bayescape as bs
from bayescape.evaluations import Evaluations
from bayescape.landscape.conserved import (
    Conserved,
    aligned_minima,
    conserved,
    false_discovery_rate,
    widest_energy,
)
from bayescape.landscape.record import Landscape

SIZES = (8, 7, 9)
GROUPS = ((0, 1, 2, 3, 4, 5, 6, 7), tuple(range(8, 15)), tuple(range(15, 24)))


def map_of(theta, target=None, states=(), hessians=None):
    """A map of these minima, whose energies are their positions."""
    count, d = theta.shape
    return Landscape.from_arrays(
        names=target.names if target else [f"x{i}" for i in range(d)],
        minima=theta,
        energies=np.arange(count),
        hessians=np.tile(np.eye(d), (count, 1, 1)) if hessians is None else hessians,
        hits=np.ones(count),
        transition_states=np.zeros((len(states), d)),
        transition_energies=[energy for energy, _, _ in states],
        transition_hessians=np.tile(np.eye(d), (len(states), 1, 1)),
        joins=[(a, b) for _, a, b in states],
        coverage=1.0,
        evaluations=Evaluations(),
        target=target,
    )


def planted(rng, d=40, kept=12, shift=2.0):
    """Minima whose first ``kept`` coordinates are alike within groups and differ between them."""
    means = np.zeros((3, d))
    means[:, :kept] = shift * rng.permuted(np.tile([[-1.0], [0], [1]], kept), axis=0)
    return np.repeat(means, SIZES, axis=0) + rng.normal(size=(24, d))


def network(inputs, hidden):
    module = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 1))
    rng = np.random.default_rng(0)
    return bs.NetworkLoss(module, rng.normal(size=(20, inputs)), np.zeros(20), "mse", l2=0.1)


def test_planted_coordinates_are_found():
    rng = np.random.default_rng(3)
    theta = planted(rng)
    found = conserved(map_of(theta), GROUPS)
    truth = np.arange(40) < 12
    assert roc_auc_score(truth, -found.table["ratio"]) >= 0.95
    assert found.chosen[truth].mean() > 0.7
    assert found.chosen[~truth].sum() <= 2
    assert "coordinates conserved within groups" in repr(found)


def test_the_table_is_what_its_columns_say():
    theta = planted(np.random.default_rng(1))
    table = conserved(map_of(theta), GROUPS, permutations=9).table
    inside = [theta[list(group)] for group in GROUPS]
    squares = sum(((g - g.mean(axis=0)) ** 2).sum(axis=0) for g in inside)
    means = np.repeat([g.mean(axis=0) for g in inside], SIZES, axis=0)
    np.testing.assert_allclose(table["within"], np.sqrt(squares / 21), rtol=1e-12)
    np.testing.assert_allclose(table["all"], theta.std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(table["between"], means.std(axis=0), rtol=1e-10)
    np.testing.assert_allclose(table["ratio"], table["within"] / table["all"], rtol=1e-12)
    rms = np.sqrt((theta**2).mean(axis=0))
    np.testing.assert_allclose(table["consistency"], abs(theta.mean(axis=0)) / rms, rtol=1e-12)


def test_few_minima_have_the_p_values_of_all_ways_to_deal_labels():
    # Two pairs can be made of four minima in three ways: one as given, and it is the best.
    theta = np.array([[0.0], [1.0], [10.0], [12.0]])
    found = conserved(map_of(theta), [[0, 1], [2, 3]], permutations=20_000)
    error = np.sqrt(2 / 9 / 20_000)
    assert found.table["p_value"].iloc[0] == pytest.approx(1 / 3, abs=4 * error)


def test_chance_groups_keep_the_rate_of_false_discoveries():
    # With nothing to find every discovery is false, so the rate is that of any discovery at all.
    rng = np.random.default_rng(0)
    runs, false = 200, 0
    for seed in range(runs):
        noise = rng.normal(size=(24, 30)) @ rng.normal(size=(30, 30))  # correlated coordinates
        found = conserved(map_of(noise), GROUPS, alpha=0.1, permutations=199, seed=seed)
        false += found.chosen.any()
    assert false / runs <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / runs)


def test_chance_among_planted_coordinates_keeps_the_rate_too():
    rng = np.random.default_rng(0)
    shares = []
    for seed in range(60):
        found = conserved(map_of(planted(rng)), GROUPS, alpha=0.1, permutations=199, seed=seed)
        shares.append(found.chosen[12:].sum() / max(found.chosen.sum(), 1))
    assert np.mean(shares) <= 0.1 + 2 * np.std(shares) / np.sqrt(60)


def test_images_are_aligned_before_they_are_compared():
    target = network(3, 4)
    rng = np.random.default_rng(2)
    base = 2 * rng.normal(size=(2, len(target.names)))
    theta = np.repeat(base, 6, axis=0) + 0.05 * rng.normal(size=(12, len(target.names)))
    plain = conserved(map_of(theta, target), [range(6), range(6, 12)], permutations=99)
    moved = []
    for point in theta:
        index, sign = target.equivalence.random(rng)
        moved.append(sign * point[index])
    turned = map_of(np.array(moved), target)
    found = conserved(turned, [range(6), range(6, 12)], permutations=99)
    # The same up to where the first minimum stands: within groups nothing but the small noise.
    assert np.sort(found.table["within"]) == pytest.approx(np.sort(plain.table["within"]))
    assert found.table["within"].max() < 0.1
    np.testing.assert_allclose(target.energy(found.theta), target.energy(np.array(moved)))


def test_an_alignment_alone_makes_nothing_common():
    target = network(3, 4)
    theta = np.random.default_rng(5).normal(size=(15, len(target.names)))
    found = conserved(map_of(theta, target), [range(7), range(7, 15)], permutations=99)
    assert not found.common.any()
    same = theta[0] + 0.1 * np.random.default_rng(6).normal(size=theta.shape)
    found = conserved(map_of(same, target), [range(7), range(7, 15)], permutations=99)
    assert found.common[np.abs(theta[0]) > 0.5].all()


def test_constant_coordinates_are_not_conserved_but_common():
    theta = planted(np.random.default_rng(0))
    theta[:, 5] = 0.3
    found = conserved(map_of(theta), GROUPS)
    row = found.table.iloc[5]
    assert np.isnan(row["ratio"])
    assert row["p_value"] == 1
    assert not row["conserved"]
    assert row["common"]


def test_groups_are_superbasins_by_default():
    theta = np.random.default_rng(0).normal(size=(6, 3))
    # 0, 2, 4 below 5.5 and 1, 3, 5 below 6; together at 9.
    states = [(5.2, 0, 2), (5.5, 2, 4), (5.8, 1, 3), (6.0, 3, 5), (9.0, 0, 1)]
    landscape = map_of(theta, states=states)
    assert widest_energy(landscape) == 6.0
    found = conserved(landscape, permutations=19)
    assert found.groups == ((0, 2, 4), (1, 3, 5))
    assert found.energy == 6.0
    assert conserved(landscape, energy=5.8, permutations=19).groups == ((0, 2, 4), (1, 3))
    assert isinstance(found, Conserved)


def test_q_values_are_benjamini_and_hochberg_s():
    p = np.array([0.01, 0.04, 0.03, 0.5])
    np.testing.assert_allclose(false_discovery_rate(p), [0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_the_same_seed_gives_the_same_table():
    landscape = map_of(planted(np.random.default_rng(0)))
    one, two = (conserved(landscape, GROUPS, permutations=49, seed=4).table for _ in range(2))
    assert one.equals(two)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": GROUPS, "energy": 1.0}, "`groups` or `energy` may be given"),
        ({"groups": GROUPS, "alpha": 1.0}, "`alpha` must be below 1"),
        (
            {"groups": GROUPS, "permutations": 0},
            "`permutations` must be a whole number, at least 1",
        ),
        ({"groups": [[0, 24], [1, 2]]}, "`groups` must hold positions of the 24 minima"),
        ({"groups": [[0, 1], [1, 2]]}, "`groups` must not share minima"),
        ({"groups": [[0, 1, 2]]}, "`groups` must be two or more"),
        ({"groups": [[0], [1]]}, "`groups` must be two or more"),
        ({"energy": 1e3}, "`energy` must leave two superbasins"),
        ({}, "`landscape` has no energy at which two superbasins hold two"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(given, message):
    landscape = map_of(planted(np.random.default_rng(0)))
    with pytest.raises(ValueError, match=message):
        conserved(landscape, **given)


def test_alignment_leaves_a_target_without_symmetries_alone():
    theta = planted(np.random.default_rng(0))
    np.testing.assert_array_equal(aligned_minima(map_of(theta)), theta)


def test_what_is_determined_is_told_by_the_hessians_of_the_images():
    target = network(3, 4)
    rng = np.random.default_rng(8)
    d = len(target.names)
    theta = 2 * rng.normal(size=d) + 0.05 * rng.normal(size=(4, d))
    factors = rng.normal(size=(4, d, d))
    hessians = factors @ factors.transpose(0, 2, 1) + np.eye(d)
    plain = map_of(theta, target, hessians=hessians)
    halves = [[0, 1], [2, 3]]
    table = conserved(plain, halves, permutations=9).table
    variance = np.array([np.diag(np.linalg.inv(h)) for h in hessians])
    expected = np.sqrt((theta**2 / variance).mean(axis=0))
    np.testing.assert_allclose(table["determined"], expected, rtol=1e-9)
    # Other images of all minima but the first have the same, with their Hessians turned alike.
    for m in range(1, 4):
        index, sign = target.equivalence.random(rng)
        theta[m] = sign * theta[m][index]
        hessians[m] = np.outer(sign, sign) * hessians[m][np.ix_(index, index)]
    turned = conserved(map_of(theta, target, hessians=hessians), halves, permutations=9).table
    np.testing.assert_allclose(turned["determined"], expected, rtol=1e-9)
    unknown = map_of(theta, target, hessians=np.full_like(hessians, np.nan))
    assert conserved(unknown, halves, permutations=9).table["determined"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_of_the_inputs_that_matter_are_the_determined_ones_of_a_trained_network(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(800, 6))
    y = (np.sin(2 * X[:, 0]) + X[:, 1] ** 2 > 0.5).astype(int)
    module = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    target = bs.NetworkLoss(module, X, y, l2=0.1)
    landscape = bs.explore(target, seed=seed, progress=False, max_quenches=16, budget=20_000)
    count = landscape.minima.sizes["minimum"]
    halves = [range(0, count, 2), range(1, count, 2)]
    table = bs.conserved(landscape, halves, permutations=99).table
    feeds = table[table.index.str.startswith("0.weight")]
    matters = feeds.index.str.contains(r",[01]\]", regex=True)
    assert roc_auc_score(matters, feeds["determined"]) >= 0.95
