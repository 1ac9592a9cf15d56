"""Derivatives along a parameter, the system of a fold, and curves followed by their length."""

import numpy as np
import pytest

from bayescape.landscape.advance import Points, advance, correct, index_of
from bayescape.landscape.curve import trace
from bayescape.landscape.family import Family
from bayescape.landscape.folds import solve_fold


class Cusp:
    """``x^4 / 4 - x^2 / 2 + sin(p) x + y^2 exp(p) / 2``, of which all derivatives are known."""

    names = ("x", "y")

    def __init__(self, p):
        self.p = p

    def energy(self, theta):
        x, y = theta.T
        return x**4 / 4 - x**2 / 2 + np.sin(self.p) * x + 0.5 * np.exp(self.p) * y**2

    def energy_and_gradient(self, theta):
        x, y = theta.T
        gradient = np.stack([x**3 - x + np.sin(self.p), np.exp(self.p) * y], axis=1)
        return np.where(np.abs(x) < 3, self.energy(theta), np.inf), gradient

    def hessian(self, theta):
        hessian = np.zeros((len(theta), 2, 2))
        hessian[:, 0, 0] = 3 * theta[:, 0] ** 2 - 1
        hessian[:, 1, 1] = np.exp(self.p)
        return hessian


UNIT = np.array([2.0, 0.5])
VALUE = np.arcsin(2 / (3 * np.sqrt(3)))


@pytest.fixture
def family():
    asked = []

    def target_of(p):
        asked.append(p)
        assert -1 <= p <= 1
        return Cusp(p)

    made = Family(target_of, UNIT, -1.0, 1.0)
    made.asked = asked
    return made


@pytest.mark.parametrize("p", [-1.0, -0.99995, 0.0, 0.3, 1.0])
def test_derivatives_along_the_parameter_also_where_its_range_ends(family, p):
    x = np.array([[0.3, 0.7], [-0.2, 1.1]])
    slope = family.gradient_slope(x, p)
    expected = np.stack([np.full(2, np.cos(p)), np.exp(p) * x[:, 1] * UNIT[1]], axis=1) * UNIT
    np.testing.assert_allclose(slope, expected, rtol=1e-6)
    bent = family.hessian_slope(x, p)
    np.testing.assert_allclose(bent[:, 1, 1], np.exp(p) * UNIT[1] ** 2, rtol=1e-6)
    np.testing.assert_allclose(bent[:, 0, 0], 0, atol=1e-7)


@pytest.mark.parametrize("p", [-0.3, 1.0])
def test_the_slope_of_points_of_known_gradient_takes_one_more_and_is_kept(family, p):
    lowest = np.real(np.roots([1, 0, -1, np.sin(p)])).min()
    x = np.array([[lowest / UNIT[0], 0.0]])
    slope = family.gradient_slope(x, p, np.zeros_like(x))
    np.testing.assert_allclose(slope, [[np.cos(p) * UNIT[0], 0]], rtol=1e-4)
    assert family.evaluations.asdict() == {"value": 0, "gradient": 1, "hessian": 0}
    np.testing.assert_array_equal(family.gradient_slope(x, p, np.zeros_like(x)), slope)
    assert family.evaluations.gradient == 1


def test_third_derivatives_along_a_direction(family):
    third = family.hessian_along(np.array([0.3, 0.7]), 0.1, np.array([5.0, 1.0]))
    # 6 x of the target, times the unit once for each of three derivatives.
    np.testing.assert_allclose(third[0, 0], 6 * (0.3 * UNIT[0]) * UNIT[0] ** 3 * 5.0, rtol=1e-7)
    np.testing.assert_allclose(third[1], 0, atol=1e-7)


def test_evaluations_are_counted_and_a_point_beyond_the_domain_has_no_gradient(family):
    gradient = family.gradient(np.array([[0.0, 0.0], [5.0, 0.0]]), 0.0)
    assert np.isfinite(gradient[0]).all()
    assert np.isnan(gradient[1]).all()
    family.hessian(np.zeros((3, 2)), 0.0)
    family.energy(np.zeros((4, 2)), 0.0)
    assert family.evaluations.asdict() == {"value": 4, "gradient": 2, "hessian": 3}
    assert family.asked == [0.0]


def test_a_fold_is_solved_from_afar(family):
    fold = solve_fold(family, np.array([0.35, 0.1]), 0.2, np.array([1.0, 0.3]))
    assert fold.parameter == pytest.approx(VALUE, abs=1e-12)
    np.testing.assert_allclose(fold.theta, [1 / np.sqrt(3), 0], atol=1e-9)
    np.testing.assert_allclose(fold.null_vector, [1, 0], atol=1e-9)
    assert fold.gradient_norm < 1e-12
    assert abs(fold.smallest_eigenvalue) < 1e-9
    assert fold.cubic == pytest.approx(6 / np.sqrt(3), rel=1e-7)
    assert fold.transversality == pytest.approx(np.cos(VALUE), rel=1e-6)
    assert fold.side == -1


def test_where_there_is_no_fold_none_is_found(family):
    bowl = Family(lambda p: Bowl(), np.ones(2), -1.0, 1.0)
    assert solve_fold(bowl, np.zeros(2), 0.0, np.array([1.0, 0.0])) is None
    # A fold there is, but not within reach of the point or the parameter's range.
    narrow = Family(Cusp, UNIT, -0.1, 0.1)
    assert solve_fold(narrow, np.array([0.3, 0.0]), 0.05, np.array([1.0, 0.0])) is None
    assert solve_fold(family, np.array([1.6, 0.0]), 0.0, np.array([1.0, 0.0])) is None


class Bowl(Cusp):
    def __init__(self):
        super().__init__(0.0)

    def energy_and_gradient(self, theta):
        return 0.5 * (theta**2).sum(axis=1), theta.copy()

    def hessian(self, theta):
        return np.tile(np.eye(2), (len(theta), 1, 1))


def test_points_are_followed_side_by_side_as_far_as_they_go(family):
    x, hessians, good = correct(family, np.array([[-0.6, 0.0], [0.45, 0.0], [0.0, 0.0]]), 0.1)
    assert good.all()
    np.testing.assert_array_equal(index_of(hessians), [0, 0, 1])
    ahead, there, reached, arrived = advance(family, Points(x, hessians, 0.1), 0.6)
    np.testing.assert_array_equal(arrived, [True, False, False])
    assert reached[0] == 0.6
    assert (reached[1:] < VALUE).all()
    np.testing.assert_array_equal(index_of(there), [0, 0, 1])
    for point, p in zip(ahead, reached, strict=True):
        assert np.linalg.norm(family.gradient(point[None], p)) < 1e-10


def test_a_step_that_knows_the_one_before_takes_one_hessian(family):
    """The guess is so good that only the last step of Newton's method asks for a Hessian."""
    start = np.array([[-0.6, 0.0]])
    before = Points(*correct(family, start, 0.1)[:2], 0.1)
    here = Points(*correct(family, start, 0.15)[:2], 0.15)
    spent = family.evaluations
    ahead, there, _, arrived = advance(family, here, 0.2, before)
    cost = family.evaluations - spent
    assert arrived.all()
    assert cost.hessian == 1
    assert cost.gradient <= 5
    lowest = np.real(np.roots([1, 0, -1, np.sin(0.2)])).min()
    np.testing.assert_allclose(ahead * UNIT, [[lowest, 0]], atol=1e-10)
    np.testing.assert_allclose(there[0, 0, 0], (3 * lowest**2 - 1) * UNIT[0] ** 2, rtol=1e-5)


def test_a_guess_of_the_hessian_that_is_wrong_only_costs(family):
    start = np.array([[-0.6, 0.1]])
    wrong = 1.8 * family.hessian(start, 0.1)
    x, hessians, good = correct(family, start, 0.1, wrong)
    assert good.all()
    expected = correct(family, start, 0.1)
    np.testing.assert_allclose(x, expected[0], atol=1e-10)
    # They are those of where the last step began.
    np.testing.assert_allclose(hessians, expected[1], rtol=1e-5, atol=1e-12)


def test_a_minimum_comes_back_as_the_transition_state_that_it_meets(family):
    x, _, _ = correct(family, np.array([[0.45, 0.0]]), 0.1)
    found = trace(family, x[0], 0.1, (0.1, 0.6))
    assert found.stopped == ""
    assert found.parameter == 0.1
    assert found.indices == (0, 1)
    assert [fold.parameter for fold in found.folds] == [pytest.approx(VALUE, abs=1e-12)]
    roots = np.sort(np.real(np.roots([1, 0, -1, np.sin(0.1)])))
    assert found.x[0] * UNIT[0] == pytest.approx(roots[1], abs=1e-10)


def test_a_curve_through_both_folds_of_an_s(family):
    x, _, _ = correct(family, np.array([[0.7, 0.0]]), -0.8)
    found = trace(family, x[0], -0.8, (-0.8, 0.9))
    assert found.indices == (0, 1, 0)
    assert found.parameter == 0.9
    np.testing.assert_allclose([f.parameter for f in found.folds], [VALUE, -VALUE], atol=1e-12)
    assert [fold.side for fold in found.folds] == [-1, 1]
