"""Basins of points from few quenches: exact where quenched, unbiased in what is said of all."""

import dataclasses
import importlib

import numpy as np
import pytest

from bayescape.evaluations import Counted
from bayescape.explore import assign_basins
from bayescape.sample.membership import membership, responsibilities_of_basins
from bayescape.sample.superposition import harmonic_superposition
from bayescape.targets.surfaces import GaussianMixture

from .problems import far_apart, map_of

# The function has its name.
membership_module = importlib.import_module("bayescape.sample.membership")


def overlapping():
    """Two modes of unequal width that the eye just tells apart: 3% of the draws are in doubt."""
    return GaussianMixture([0.6, 0.4], [[-1.8, 0.0], [1.8, 0.0]], [np.eye(2), 0.4 * np.eye(2)])


def drawn(target, count, seed):
    rng = np.random.default_rng(seed)
    which = rng.choice(2, count, p=target.weights)
    scale = np.sqrt(np.diagonal(target.covariances, axis1=1, axis2=2))[which]
    return target.means[which] + scale * rng.standard_normal((count, 2))


def mislabelled(superposition):
    """A superposition that takes the basins for one another in a third of its components."""
    basins = superposition.basins.copy()
    basins[0] = 1 - basins[0]
    return dataclasses.replace(superposition, basins=basins)


@pytest.mark.parametrize("spoil", [False, True])
def test_shares_are_right_within_their_errors_even_where_components_mislead(spoil):
    target = overlapping()
    landscape = map_of(target)
    superposition = harmonic_superposition(landscape)
    superposition = mislabelled(superposition) if spoil else superposition
    theta = drawn(target, 1500, 0)
    truth = np.bincount(assign_basins(target, theta, landscape), minlength=2) / len(theta)
    errors = []
    for seed in range(25):
        counted = Counted(target)
        weights = np.full(len(theta), 1 / len(theta))
        rng = np.random.default_rng(seed)
        energies = target.energy(theta)
        found = membership(counted, theta, energies, weights, landscape, superposition, rng)
        np.testing.assert_array_equal(
            found.basins[found.quenched], assign_basins(target, theta[found.quenched], landscape)
        )
        assert found.unknown + found.share.sum() == pytest.approx(1)
        assert found.standard_error.max() < 0.02
        errors.append(found.share[0] - truth[0])
    assert abs(np.mean(errors)) < 3 * 0.02 / 5
    assert np.std(errors) < 0.02
    assert not found.quenched.all()


def test_weights_count():
    target = overlapping()
    landscape = map_of(target)
    theta = drawn(target, 800, 1)
    weights = np.where(theta[:, 0] < 0, 3.0, 1.0)
    weights /= weights.sum()
    superposition = harmonic_superposition(landscape)
    found = membership(
        target,
        theta,
        target.energy(theta),
        weights,
        landscape,
        superposition,
        np.random.default_rng(0),
    )
    exact = assign_basins(target, theta, landscape)
    assert found.share[0] == pytest.approx(weights[exact == 0].sum(), abs=0.05)


def test_few_points_are_all_quenched():
    landscape = map_of(far_apart())
    theta = landscape.minima["theta"].values[[0, 1, 1]]
    found = membership(
        landscape.target,
        theta,
        landscape.target.energy(theta),
        np.full(3, 1 / 3),
        landscape,
        harmonic_superposition(landscape),
        np.random.default_rng(0),
    )
    assert found.quenched.all()
    np.testing.assert_allclose(found.share, [1 / 3, 2 / 3])
    assert (found.standard_error == 0).all()


def test_what_quenches_to_no_known_minimum_is_told():
    target = overlapping()
    landscape = map_of(target, known=[0])
    theta = drawn(target, 1500, 2)
    superposition = harmonic_superposition(landscape)
    weights = np.full(len(theta), 1 / len(theta))
    found = membership(
        target,
        theta,
        target.energy(theta),
        weights,
        landscape,
        superposition,
        np.random.default_rng(0),
    )
    assert found.unknown == pytest.approx(0.4, abs=0.05)


def test_responsibilities_sum_over_the_components_of_a_basin():
    landscape = map_of(far_apart())
    superposition = harmonic_superposition(landscape)
    theta = far_apart().means + 0.1
    parts = superposition.responsibilities(theta)
    held = np.stack([parts[:, superposition.basins == m].sum(axis=1) for m in range(2)], axis=1)
    np.testing.assert_allclose(
        responsibilities_of_basins(superposition, theta, 2),
        held / held.sum(axis=1, keepdims=True),
        rtol=1e-10,
    )


def test_points_in_doubt_do_not_vouch_for_those_beyond_doubt(monkeypatch):
    """No quench goes astray in either; but where many are in doubt few others are looked at."""
    monkeypatch.setattr(
        membership_module, "assign_basins", lambda _, theta, __: (theta[:, 0] > 0).astype(int)
    )
    looked = []
    for apart in (1.5, 10.0):
        covariances = [np.eye(2), np.eye(2)]
        target = GaussianMixture([0.5, 0.5], [[-apart, 0.0], [apart, 0.0]], covariances)
        landscape = map_of(target)
        theta = drawn(target, 3000, 3)
        given = target, theta, target.energy(theta), np.full(len(theta), 1 / len(theta))
        mixture = harmonic_superposition(landscape)
        found = [membership(*given, landscape, mixture, np.random.default_rng(s)) for s in range(5)]
        looked.append(np.median([f.quenched.sum() for f in found]))
    assert looked[1] < 80
    assert looked[0] > 1.2 * looked[1]


def test_a_guess_that_leans_one_way_is_brought_in_line_with_what_quenches_say():
    """The belief takes the third basin for likelier than it is; 1 in 20 points is known."""
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 5000, p=[0.5, 0.3, 0.2])
    log_belief = 1.5 * np.eye(3)[truth] + rng.normal(0.0, 0.7, (5000, 3)) + [0.0, 0.0, 1.0]
    belief = np.exp(log_belief)
    belief /= belief.sum(axis=1, keepdims=True)
    known = rng.uniform(size=5000) < 0.05
    guess = np.where(known, truth, belief.argmax(axis=1))
    weights = rng.uniform(0.5, 1.5, 5000)
    weights /= weights.sum()
    share = np.bincount(truth, weights)
    assert np.abs(np.bincount(guess, weights) - share).max() > 0.1
    line = membership_module._brought_in_line
    basins = line(belief, guess, known, weights, share, np.full(3, 0.005))
    assert np.abs(np.bincount(basins, weights) - share).max() < 0.0055
    np.testing.assert_array_equal(basins[known], truth[known])
    assert (basins == truth).mean() > (guess == truth).mean() + 0.03
    # What is within the errors already stays as it is.
    np.testing.assert_array_equal(line(belief, guess, known, weights, share, np.ones(3)), guess)
