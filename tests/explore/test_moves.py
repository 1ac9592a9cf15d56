"""Where searches set out from, off known minima; and which of many points to walk down from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescape.explore import explore
from bayescape.explore.moves import hot_draws, wanderings
from bayescape.explore.quench import same_point
from bayescape.explore.unexplained import unexplained
from bayescape.targets.surfaces import GaussianMixture
from tests.reference.random_surfaces import random_surface


def test_wanderings_set_out_from_every_minimum_and_stay_near():
    points = np.array([[0.0, 0.0, 0.0], [5.0, 5.0, -5.0]])
    hessians = np.array([np.diag([100.0, 1.0, 0.0]), np.eye(3)])
    off = wanderings(points, hessians, np.full(3, 2.0), 600, np.random.default_rng(0))
    assert off.shape == (600, 3)
    away = np.linalg.norm(off[:, None] - points, axis=2)
    assert (away.min(axis=1) > 0).all()
    assert ((away < 6.1).sum(axis=0) > 150).all()
    # Coordinates of both: corners of the box that the two span.
    assert (np.isin(np.abs(off), [0.0, 5.0]).all(axis=1)).sum() > 50
    alone = wanderings(points[:1], hessians[:1], np.full(3, 2.0), 600, np.random.default_rng(0))
    assert (np.linalg.norm(alone, axis=1) > 0).all()
    # A stiff direction is not left by more than kicks reach, and a flat one has an end.
    assert np.abs(alone).max() < 2.0 * 3.0 * 5


def test_hot_draws_spread_as_the_basins_do_at_their_temperature():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((3, 3))
    hessians = np.array([root @ root.T + 2 * np.eye(3), np.diag([100.0, 1.0, 1e-9])])
    points = np.array([[0.0, 1.0, 2.0], [50.0, 0.0, 0.0]])
    off = hot_draws(points, hessians, np.full(3, 2.0), (3.0, 3.0), 40_000, rng)
    covariance = np.cov(off[::2].T)
    np.testing.assert_allclose(covariance, 3 * np.linalg.inv(hessians[0]), rtol=0.05, atol=0.02)
    # The flat direction leads no further than three spreads of the starts, by deviation.
    np.testing.assert_allclose(
        off[1::2].std(axis=0), [np.sqrt(3 / 100), np.sqrt(3), 6.0], rtol=0.03
    )
    np.testing.assert_allclose(off[1::2].mean(axis=0), points[1], atol=0.2)


def known_of(target, *points):
    """What is known of these minima, as `unexplained` wants it."""
    theta = np.array(points, dtype=float)
    return theta, target.energy(theta), target.hessian(theta)


def test_points_of_an_unknown_basin_are_named_first():
    target = GaussianMixture([0.6, 0.4], [[0.0, 0.0], [4.0, 0.0]], [np.eye(2), 0.1 * np.eye(2)])
    rng = np.random.default_rng(1)
    near, there = rng.standard_normal((200, 2)), [4.0, 0.0] + 0.3 * rng.standard_normal((5, 2))
    theta = np.concatenate([near, there])
    energies = target.energy(theta)
    named = unexplained(theta, energies, *known_of(target, [0.0, 0.0]), 5)
    assert set(named) == {200, 201, 202, 203, 204}
    # Once it is known, they are like any other.
    named = unexplained(theta, energies, *known_of(target, [0.0, 0.0], [4.0, 0.0]), 5)
    assert set(named) != {200, 201, 202, 203, 204}


@pytest.mark.parametrize("seed", range(5))
def test_a_narrow_basin_shows_among_starts_that_mostly_lie_in_a_wide_one(seed):
    wide, narrow = np.zeros(5), np.full(5, 4.0)
    target = GaussianMixture([0.5, 0.5], [wide, narrow], [np.eye(5), 0.16 * np.eye(5)])
    theta = np.random.default_rng(seed).uniform(-6, 6, (800, 5))
    energies = target.energy(theta)
    # Where the narrow one is all that the density is.
    there = energies < 0.5 * (theta**2).sum(axis=1) + 2.5 * np.log(2 * np.pi)
    assert 0 < there.mean() < 0.02  # 8 points by chance would find none, nine times in ten
    assert there[unexplained(theta, energies, *known_of(target, wide), 8)].any()


@given(
    st.lists(
        st.one_of(st.floats(-50, 50), st.just(np.inf), st.just(np.nan)), min_size=0, max_size=12
    ),
    st.integers(0, 15),
)
def test_only_points_with_an_energy_are_named_and_each_once(energies, count):
    target = GaussianMixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    theta = np.random.default_rng(2).standard_normal((len(energies), 2))
    energies = np.array(energies, dtype=float)
    named = unexplained(theta, energies, *known_of(target, [0.0, 0.0]), count)
    assert len(set(named)) == len(named) == min(count, np.isfinite(energies).sum())
    assert np.isfinite(energies[named]).all()


@pytest.mark.parametrize("seed", [95, 182])
def test_a_basin_that_the_rule_stops_short_of_is_found_off_the_others(seed):
    surface = random_surface(seed)
    landscape = explore(surface.target, seed=seed, progress=False)
    minima = landscape.minima
    found = same_point(
        minima["theta"].values,
        minima["energy"].values,
        surface.minima,
        surface.energies,
        surface.hessians,
    ).any(axis=0)
    assert found[surface.occupations > 0.01].all()
