"""Steps of walks and what their models learn from them, against integration and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import solve_ivp

from bayescape.explore.secant import bofill, symmetric_rank_one
from bayescape.explore.steepest import CLOSE, steepest_steps

CURVATURES = [[3.0, 0.5, 40.0], [-1.0, 2.0, 0.0], [-0.01, -5.0, 1e-9], [1e3, 1e-3, -1e-3]]


@pytest.mark.parametrize("values", CURVATURES)
@pytest.mark.parametrize("radius", [1e-4, 0.3, 20.0])
def test_a_step_lies_on_the_path_of_steepest_descent(values, radius):
    values, slope = np.array(values), np.array([1.0, -2.0, 0.3])

    def far_enough(_, x):
        return x @ x - radius**2

    far_enough.terminal = True
    path = solve_ivp(
        lambda _, x: -(slope + values * x),
        (0, 1e6),
        np.zeros(3),
        method="LSODA",
        rtol=1e-9,
        atol=1e-12 * radius,
        events=far_enough,
    )
    step = steepest_steps(values[None], slope[None], np.array([radius]))[0]
    if path.status == 1:
        assert np.linalg.norm(step) == pytest.approx(radius)
        # The time is solved for to a relative error of the length, and the rest is scaling.
        np.testing.assert_allclose(step, path.y[:, -1], atol=CLOSE * radius)
    else:  # in the minimum before it has come so far
        np.testing.assert_allclose(step, -slope / values)


def test_a_path_does_not_depend_on_its_company():
    rng = np.random.default_rng(0)
    values, slope = rng.normal(size=(2, 40, 5)) * 10 ** rng.uniform(-3, 3, (2, 40, 5))
    radius = 10 ** rng.uniform(-3, 0, 40)
    alone = [steepest_steps(values[[b]], slope[[b]], radius[[b]])[0] for b in range(40)]
    np.testing.assert_array_equal(steepest_steps(values, slope, radius), alone)


NUMBERS = st.floats(-1e8, 1e8).map(lambda x: x if abs(x) > 1e-12 else 0.0)


@given(arrays(float, (3, 4), elements=NUMBERS), arrays(float, (3, 4), elements=NUMBERS))
def test_no_step_is_longer_than_its_radius_or_leads_up(values, slope):
    radius = np.array([1e-6, 0.3, 50.0])
    step = steepest_steps(values, slope, radius)
    assert np.isfinite(step).all()
    assert (np.linalg.norm(step, axis=1) <= radius * (1 + 1e-9)).all()
    assert ((step * slope).sum(axis=1) <= 0).all()


def _learnt(rng, formula, count=20, d=4):
    model = rng.normal(size=(count, d, d))
    model = model + model.transpose(0, 2, 1)
    step, change = rng.normal(size=(2, count, d))
    return model, step, change, formula(model, step, change)


@pytest.mark.parametrize("formula", [symmetric_rank_one, bofill])
def test_what_was_learnt_foretells_the_change_and_is_symmetric(formula):
    _, step, change, new = _learnt(np.random.default_rng(1), formula)
    np.testing.assert_allclose(np.einsum("bij,bj->bi", new, step), change, atol=1e-8)
    np.testing.assert_allclose(new, new.transpose(0, 2, 1), atol=1e-9)


def test_bofill_mixes_the_two_formulas_by_the_cosine_between_residual_and_step():
    model, steps, changes, new = _learnt(np.random.default_rng(2), bofill)
    for b, (m, s, c) in enumerate(zip(model, steps, changes, strict=True)):
        r = c - m @ s
        cosine = (r @ s) ** 2 / ((r @ r) * (s @ s))
        rank_one = np.outer(r, r) / (r @ s)
        powell = (np.outer(r, s) + np.outer(s, r)) / (s @ s)
        powell -= (r @ s) * np.outer(s, s) / (s @ s) ** 2
        np.testing.assert_allclose(new[b], m + cosine * rank_one + (1 - cosine) * powell)


@pytest.mark.parametrize("formula", [symmetric_rank_one, bofill])
@pytest.mark.parametrize(
    ("step", "change"),
    [([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [np.inf, 0.0]), ([1.0, 2.0], [np.nan, 0.0])],
)
def test_nothing_is_learnt_from_no_step_or_from_no_number(formula, step, change):
    model = np.array([[[2.0, 1.0], [1.0, -3.0]]])
    np.testing.assert_array_equal(formula(model, np.array([step]), np.array([change])), model)


def test_the_rank_one_formula_passes_over_a_vanishing_denominator():
    model, step = np.eye(2)[None], np.array([[1.0, 0.0]])
    change = np.array([[1.0, 1.0]])  # the residual is at a right angle to the step
    np.testing.assert_array_equal(symmetric_rank_one(model, step, change), model)
