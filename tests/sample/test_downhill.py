"""The way downhill over points: the minima that quenches say, and what has no way."""

import numpy as np
import pytest

from bayescape.explore import assign_basins, explore
from bayescape.sample.downhill import STONES, comes_down_to
from bayescape.targets.surfaces import SixHumpCamel


def camel_map():
    target = SixHumpCamel()
    landscape = explore(target, progress=False)
    return target, landscape, [landscape.minima[k].values for k in ("theta", "energy")]


@pytest.mark.parametrize("count", [1500, STONES + 1000])
def test_most_points_come_down_to_where_they_quench_to(count):
    target, landscape, minima = camel_map()
    theta = np.random.default_rng(0).uniform([-1.9, -1.1], [1.9, 1.1], (count, 2))
    found = comes_down_to(theta, target.energy(theta), *minima, np.eye(2))
    some = np.arange(0, count, 5)
    quenched = assign_basins(target, theta[some], landscape)
    assert (found[some] == quenched).mean() > 0.9
    by_distance = ((theta[some, None] - minima[0]) ** 2).sum(axis=2).argmin(axis=1)
    assert (found[some] != quenched).sum() < 0.5 * (by_distance != quenched).sum()


def test_a_way_leads_down_the_steepest_of_the_two_nearest_lower_points():
    minima, heights = np.array([[0.0], [3.5], [-9.0]]), np.array([0.0, 2.5, -99.0])
    # From 3: falls of about 0.5 in 0.5 and of 3 in 3; the deepest minimum is not among the two.
    theta, energies = np.array([[3.0]]), np.array([3.0])
    assert comes_down_to(theta, energies - 0.2, minima, heights, np.eye(1)).tolist() == [0]
    assert comes_down_to(theta, energies + 0.2, minima, heights, np.eye(1)).tolist() == [1]
    # By way of a point between: 1.9 down in 1 is steeper, and leads on to the first minimum.
    between = np.array([[3.0], [2.0]]), np.array([3.2, 1.3])
    assert comes_down_to(*between, minima[:2], heights[:2], np.eye(1)).tolist() == [0, 0]


def test_the_metric_says_what_is_near():
    minima, heights = np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)
    point, energy = np.array([[0.0, 0.0]]), np.ones(1)
    assert comes_down_to(point, energy, minima, heights, np.diag([1.0, 100.0]))[0] == 0
    assert comes_down_to(point, energy, minima, heights, np.diag([100.0, 1.0]))[0] == 1


def test_what_comes_down_to_a_point_below_all_minima_has_none():
    minima, heights = np.zeros((1, 2)), np.zeros(1)
    theta, energies = np.array([[1.0, 0.0], [1.5, 0.0], [-1.0, 0.0]]), np.array([-1.0, 0.5, np.inf])
    ends = comes_down_to(theta, energies, minima, heights, np.eye(2))
    np.testing.assert_array_equal(ends, [-1, -1, 0])


def test_one_point_and_none():
    minima, heights = np.zeros((1, 2)), np.zeros(1)
    assert comes_down_to(np.ones((1, 2)), np.ones(1), minima, heights, np.eye(2)).tolist() == [0]
    assert comes_down_to(np.empty((0, 2)), np.empty(0), minima, heights, np.eye(2)).size == 0
