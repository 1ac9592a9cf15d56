"""Stacking weights, by the conditions that an optimum has to meet and by other solvers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.special import logsumexp

from bayescape.predict.stacking import stack_densities, stack_means


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), predictors=st.integers(1, 12), rows=st.integers(2, 60))
def test_no_direction_improves_a_stacked_mixture(seed, predictors, rows):
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 3, (predictors, rows)) + rng.normal(0, 1, (predictors, 1))
    w = stack_densities(logs)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1)
    share = np.exp(logs - logsumexp(logs, axis=0, b=w[:, None])).mean(axis=1)
    # The duality gap of a concave problem on the simplex: no weights are better by more.
    assert share.max() - 1 < 1e-6


def test_two_predictors_by_a_grid():
    rng = np.random.default_rng(1)
    logs = rng.normal(0, 2, (2, 30))
    share = np.linspace(0, 1, 200_001)
    mixed = np.log(np.exp(logs[0])[:, None] * share + np.exp(logs[1])[:, None] * (1 - share))
    expected = share[mixed.mean(axis=0).argmax()]
    assert 0.05 < expected < 0.95
    assert stack_densities(logs)[0] == pytest.approx(expected, abs=2e-5)


def test_a_predictor_that_is_better_everywhere_takes_all():
    logs = np.array([[-1.0, -2.0, -1.5], [-1.1, -2.2, -1.6], [-500.0, -900.0, -700.0]])
    np.testing.assert_array_equal(stack_densities(logs), [1, 0, 0])


def test_densities_far_below_what_a_number_can_hold():
    rng = np.random.default_rng(2)
    logs = rng.normal(0, 2, (3, 40))
    np.testing.assert_allclose(stack_densities(logs - 5000), stack_densities(logs), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), predictors=st.integers(1, 12), rows=st.integers(2, 60))
def test_stacked_means_are_the_least_squares_on_the_simplex(seed, predictors, rows):
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 2, rows)
    means = y + rng.normal(0, 1, (predictors, rows)) * rng.uniform(0.5, 2, (predictors, 1))
    w = stack_means(means, y)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1)
    # Non-negative least squares with a row of great weight that makes them sum to one.
    heavy = 1e5 * np.sqrt(((means - y) ** 2).sum())
    other, _ = nnls(np.vstack([means.T, np.full(predictors, heavy)]), np.append(y, heavy))
    error, best = (((v @ means - y) ** 2).mean() for v in (w, other / other.sum()))
    assert error <= best * (1 + 1e-7) + 1e-12
