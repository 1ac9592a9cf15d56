"""Fitting the mixture: better than where it began, right in its evidence, reproducible."""

import numpy as np
import pytest

from bayescape.evaluations import Counted
from bayescape.sample.adapt import fit
from bayescape.sample.importance import weigh
from bayescape.sample.superposition import harmonic_superposition

from .problems import far_apart, map_of


class Banana:
    """A bent ridge: one minimum, whose Hessian knows nothing of the bend. Evidence 1."""

    names = ("x", "y")
    means = np.zeros((1, 2))

    def energy(self, theta):
        x, y = theta.T
        bent = (y - 0.5 * x**2) / 0.5
        return 0.5 * (x / 2) ** 2 + 0.5 * bent**2 + np.log(2 * np.pi * 2 * 0.5)

    def hessian(self, theta):
        return np.tile(np.diag([0.25, 4.0]), (len(theta), 1, 1))

    def starts(self, count, rng):
        return rng.normal(0.0, 4.0, size=(count, 2))


def judged(target, superposition, seed):
    """The mixture by points that it has not seen."""
    points = superposition.sample(20_000, np.random.default_rng(seed))
    return weigh(-target.energy(points) - superposition.log_prob(points))


@pytest.mark.parametrize("seed", range(3))
def test_fitting_improves_on_the_harmonic_guess(seed):
    target = Banana()
    first = harmonic_superposition(map_of(target))
    pilot = fit(target, first, np.random.default_rng(seed))
    before, after = judged(target, first, 9), judged(target, pilot.superposition, 9)
    assert after.efficiency > 2 * before.efficiency
    assert after.efficiency > 0.3
    # The evidence is 1, and no arm of the banana is missed.
    assert abs(after.log_evidence) < 4 * after.log_evidence_se
    assert after.log_evidence_se < 0.03


def test_weights_of_basins_are_found():
    target = far_apart()
    pilot = fit(target, harmonic_superposition(map_of(target)), np.random.default_rng(0))
    superposition = pilot.superposition
    by_basin = [superposition.weights[superposition.basins == m].sum() for m in range(2)]
    # The map's minima are sorted by energy: the heavier mode is also the narrower, so the first.
    np.testing.assert_allclose(by_basin, [0.7, 0.3], atol=0.08)


def test_a_single_lucky_point_does_not_break_it():
    """A density so narrow that the first guess hits it once in hundreds of points."""
    target = far_apart()
    landscape = map_of(target)
    wide = harmonic_superposition(landscape)
    wide = type(wide)(wide.weights, wide.means, 200 * wide.scales, wide.basins)
    pilot = fit(target, wide, np.random.default_rng(1))
    assert pilot.weighted.usable
    assert np.isfinite(pilot.superposition.log_prob(pilot.theta)).all()


def test_a_target_that_is_nowhere_is_not_usable():
    class Nowhere(Banana):
        def energy(self, theta):
            return np.full(len(theta), np.inf)

    pilot = fit(Nowhere(), harmonic_superposition(map_of(Banana())), np.random.default_rng(0))
    assert not pilot.weighted.usable


def test_same_seed_same_fit_and_only_values_are_asked():
    target = Counted(far_apart())
    first = harmonic_superposition(map_of(target.target))
    one, two = (fit(target, first, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one.superposition.scales, two.superposition.scales)
    assert target.evaluations.gradient == target.evaluations.hessian == 0
    assert target.evaluations.value > 0
