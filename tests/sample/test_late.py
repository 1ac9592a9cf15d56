"""Basins found late: looked for, and given to a superposition that lacks them."""

import numpy as np

from bayescape.evaluations import Counted
from bayescape.explore import assign_basins
from bayescape.sample.adapt import begin
from bayescape.sample.late import enlarge, in_order_of, renumbered, take_in, unknown_points
from bayescape.sample.superposition import harmonic_superposition

from .problems import Mixture, far_apart, map_of


def pilot_of(landscape, count=300):
    rng = np.random.default_rng(0)
    return begin(landscape.target, harmonic_superposition(landscape), count, rng)


def test_fresh_starts_come_upon_what_the_map_lacks_and_stop_at_their_share():
    landscape = map_of(far_apart(), known=[0])
    pilot, target = pilot_of(landscape), Counted(landscape.target)
    found = unknown_points(target, landscape, pilot, 20_000, np.random.default_rng(0))
    assert len(found)
    # All lead to the other minimum.
    whole = map_of(far_apart())
    basins = assign_basins(whole.target, found, whole)
    there = whole.minima["theta"].values[basins]
    missing = landscape.target.means[1 - _known(landscape)]
    assert (np.linalg.norm(there - missing, axis=1) < 1.0).all()
    # A share of what was spent, the heaviest points and one batch more.
    assert target.evaluations.gradient_equivalents(3) < 0.05 * 20_000 + 400


def test_a_whole_map_is_the_same_after_all():
    landscape = map_of(far_apart())
    points = unknown_points(
        Counted(landscape.target), landscape, pilot_of(landscape), 5000, np.random.default_rng(0)
    )
    assert len(points) == 0
    assert enlarge(landscape, points) is landscape
    # Points that lead to nothing new change nothing either.
    assert enlarge(landscape, landscape.minima["theta"].values + 0.01) is landscape


class Narrow(Mixture):
    """A basin that every 150th start shows, beside one with a hundred times its volume."""

    def starts(self, count, rng):
        return rng.uniform(-6.0, 6.0, (count, 5))


def test_a_narrow_basin_shows_by_values_at_fresh_starts():
    """Quenches for the same price would come upon it in one seed of six."""
    means, covariances = [np.zeros(5), np.full(5, 4.0)], [np.eye(5), 0.16 * np.eye(5)]
    landscape = map_of(Narrow([0.5, 0.5], means, covariances), known=[0])
    pilot, found = pilot_of(landscape), 0
    for seed in range(8):
        target = Counted(landscape.target)
        points = unknown_points(target, landscape, pilot, 4000, np.random.default_rng(seed))
        found += bool(len(points))
        assert 800 <= target.evaluations.value <= 800 + 300
    assert found >= 7
    # However little was spent there are some, and no end of them there never is.
    for spent, values in ((100, 300), (1e5, 2000)):
        target = Counted(landscape.target)
        unknown_points(target, landscape, pilot, spent, np.random.default_rng(0))
        assert values <= target.evaluations.value <= values + 300


def test_a_grown_map_keeps_the_order_and_the_superposition_its_points():
    landscape = map_of(far_apart(), known=[1])
    known = landscape.minima["theta"].values[0]
    larger = enlarge(landscape, landscape.target.means[:1])
    order = in_order_of(landscape, larger)
    assert sorted(order) == [0, 1]
    np.testing.assert_array_equal(larger.minima["theta"].values[order[0]], known)
    assert renumbered(np.array([order[0], order[1], -1]), order).tolist() == [0, 1, -1]

    before = pilot_of(landscape)
    after = take_in(landscape.target, before, landscape, larger, np.random.default_rng(1))
    np.testing.assert_array_equal(after.theta[: len(before.theta)], before.theta)
    mixture = after.superposition
    assert set(mixture.basins) == {-1, 0, 1}
    # A component is numbered by the minimum that it is nearest to.
    for minimum, theta in enumerate(larger.minima["theta"].values):
        means = mixture.means[mixture.basins == minimum][:2]
        np.testing.assert_allclose(means, np.broadcast_to(theta, means.shape), atol=1.0)
    assert abs(after.weighted.log_evidence + 7.25) < 4 * after.weighted.log_evidence_se + 0.02


def _known(landscape):
    away = np.linalg.norm(landscape.target.means - landscape.minima["theta"].values[0], axis=1)
    return int(away.argmin())
