"""Quenches: where they end, what they call it, and that one bad point harms no other."""

import numpy as np
import pytest

from bayescape.evaluations import Counted
from bayescape.explore.quench import QuenchStatus, quench, same_point
from bayescape.explore.scales import Scales
from bayescape.targets.surfaces import GaussianMixture, MuellerBrown, Schwefel, SixHumpCamel
from tests.reference.surfaces import MUELLER_BROWN_MINIMA, schwefel_one_dimension


class Quadratic:
    """``1/2 theta' A theta`` in a box; subclasses change one thing."""

    names = ("a", "b")
    matrix = np.diag([1.0, 4.0])

    def energy(self, theta):
        return self.energy_and_gradient(theta)[0]

    def energy_and_gradient(self, theta):
        slope = theta @ self.matrix
        return 0.5 * (theta * slope).sum(axis=1), slope

    def hessian(self, theta):
        return np.tile(self.matrix, (len(theta), 1, 1))

    def starts(self, count, rng):
        return rng.uniform(-2, 2, (count, 2))

    def constrain(self, theta):
        return {}


def test_a_quadratic_ends_at_its_bottom():
    ends = quench(Quadratic(), np.array([[1.0, 1.0], [0.0, 0.0], [-2.0, 0.3]]))
    assert (ends.status == QuenchStatus.MINIMUM).all()
    np.testing.assert_allclose(ends.theta, 0.0, atol=1e-6)
    assert (ends.gradient_norm < 1e-6).all()


def test_mueller_brown_s_minima():
    target = MuellerBrown()
    ends = quench(target, target.starts(60, np.random.default_rng(0)))
    assert (ends.status == QuenchStatus.MINIMUM).all()
    for place, energy in MUELLER_BROWN_MINIMA.items():
        hit = np.linalg.norm(ends.theta - place, axis=1) < 2e-3  # printed to three digits
        assert hit.any()
        np.testing.assert_allclose(ends.energy[hit], energy, atol=1e-3)
    assert len(np.unique(np.round(ends.energy, 3))) == 3


def test_every_minimum_has_a_positive_definite_hessian():
    target = SixHumpCamel()
    ends = quench(target, target.starts(100, np.random.default_rng(1)))
    minimum = ends.status == QuenchStatus.MINIMUM
    assert minimum.all()
    assert (np.linalg.eigvalsh(ends.hessian[minimum]) > 0).all()


def test_a_saddle_and_a_maximum_are_left():
    target = SixHumpCamel()
    stationary = quench(target, np.array([[0.0, 0.0]]))  # a saddle of the surface
    assert stationary.status[0] == QuenchStatus.MINIMUM
    assert stationary.energy[0] == pytest.approx(-1.0316284535, abs=1e-9)


def test_walls_are_told_from_minima():
    target = Schwefel(1)
    minima, _ = schwefel_one_dimension()
    ends = quench(target, np.array([[495.0], [-499.0]]))
    assert ends.status.tolist() == [QuenchStatus.MINIMUM, QuenchStatus.AT_BOUND]
    assert ends.theta[0, 0] == pytest.approx(minima[-1], abs=1e-5)
    assert ends.theta[1, 0] == -500.0


def test_an_edge_minimum_is_found_along_the_wall():
    class Walled(Quadratic):
        bounds = np.array([[0.5, -3.0], [3.0, 3.0]])

    ends = quench(Walled(), np.array([[2.0, 2.0]]))
    assert ends.status[0] == QuenchStatus.AT_BOUND
    np.testing.assert_allclose(ends.theta[0], [0.5, 0.0], atol=1e-6)


def test_a_flat_direction_is_called_flat():
    class Trough(Quadratic):
        matrix = np.diag([1.0, 0.0])

    ends = quench(Trough(), np.array([[1.0, 1.0]]))
    assert ends.status[0] == QuenchStatus.FLAT


def test_a_slope_without_end_is_called_flat():
    class Slope(Quadratic):
        def energy_and_gradient(self, theta):
            return theta[:, 0] + 0.5 * theta[:, 1] ** 2, np.stack(
                [np.ones(len(theta)), theta[:, 1]], axis=1
            )

        def hessian(self, theta):
            return np.tile(np.diag([0.0, 1.0]), (len(theta), 1, 1))

    ends = quench(Slope(), np.zeros((1, 2)), max_steps=1000)
    assert ends.status[0] == QuenchStatus.FLAT


class Broken(Quadratic):
    """NaN beyond 1.5, ``+inf`` below -1.5."""

    def energy_and_gradient(self, theta):
        energy, slope = super().energy_and_gradient(theta)
        energy = np.where(theta[:, 0] > 1.5, np.nan, energy)
        energy = np.where(theta[:, 0] < -1.5, np.inf, energy)
        return energy, slope


def test_one_bad_point_harms_no_other():
    starts = np.array([[1.9, 0.0], [1.0, 1.0], [-1.9, 0.0]])
    ends = quench(Broken(), starts)
    assert ends.status.tolist() == [
        QuenchStatus.OUTSIDE,
        QuenchStatus.MINIMUM,
        QuenchStatus.OUTSIDE,
    ]
    alone = quench(Broken(), starts[1:2])
    np.testing.assert_array_equal(ends.theta[1], alone.theta[0])


def test_the_batch_does_not_matter():
    target = MuellerBrown()
    starts = target.starts(12, np.random.default_rng(3))
    together = quench(target, starts)
    apart = [quench(target, start[None]) for start in starts]
    np.testing.assert_array_equal(together.theta, np.concatenate([e.theta for e in apart]))
    np.testing.assert_array_equal(together.status, np.concatenate([e.status for e in apart]))


def test_starts_are_left_alone_and_evaluations_stop_with_convergence():
    starts = np.array([[1.0, 1.0], [0.0, 0.0]])
    target = Counted(Quadratic())
    quench(target, starts)
    np.testing.assert_array_equal(starts, [[1.0, 1.0], [0.0, 0.0]])
    before = target.evaluations
    quench(target, np.zeros((50, 2)))  # there already: one gradient and one Hessian each
    spent = target.evaluations - before
    assert (spent.value, spent.gradient, spent.hessian) == (0, 50, 50)


def test_a_point_is_itself_in_the_hessian_s_metric():
    mixture = GaussianMixture([0.5, 0.5], [[0, 0], [9, 0]], [np.diag([1e-8, 1e4])] * 2)
    points = mixture.means
    energies, hessians = mixture.energy(points), mixture.hessian(points)
    # A tenth away is nothing in the soft coordinate; a thousandth is ten widths of the stiff one.
    near = points[:1] + np.array([[0.0, 1e-1]])
    far = points[:1] + np.array([[1e-3, 0.0]])
    assert same_point(near, energies[:1], points, energies, hessians).tolist() == [[True, False]]
    assert not same_point(far, energies[:1], points, energies, hessians).any()
    assert same_point(near, energies[:1], points[:0], energies[:0], hessians[:0]).shape == (1, 0)


def test_length_scales_are_the_starts_spread():
    class Scattered(Quadratic):
        def starts(self, count, rng):
            return rng.standard_normal((count, 2)) * [3.0, 0.0]

    scales = Scales.of(Scattered()).unit
    assert scales[0] == pytest.approx(3.0, rel=0.2)
    assert scales[1] == 1.0  # starts that do not spread give no unit
