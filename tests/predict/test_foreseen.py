"""What ensembles will gain at new inputs, against quadrature and by what must hold."""

import dataclasses
import types

import numpy as np
import pytest
from scipy import integrate, stats

from bayescape import GaussianProcess, explore
from bayescape.predict.foreseen import at_random_inputs, foreseen_improvements
from bayescape.predict.predictions import Predictions


def test_expected_gains_are_those_of_adaptive_quadrature():
    means, sd = np.array([0.3, 1.1, -0.4]), np.array([1.0, 1.3, 0.8])
    each = Predictions(means[:, None], sd[:, None] ** 2, np.full(3, 1 / 3))
    weights = np.array([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    baseline = np.array([1.0, 0.0, 0.0])
    found = foreseen_improvements(each, weights, baseline)

    def density(y, w):
        return w @ stats.norm.pdf(y, means, sd)

    for k, w in enumerate(weights):
        expected = integrate.quad(
            lambda y, w=w: density(y, each.weights) * np.log(density(y, w) / density(y, baseline)),
            -12,
            12,
        )[0]
        assert found[k] == pytest.approx(expected, abs=1e-4)
    assert found[2] == 0


def test_nothing_is_gained_where_minima_agree_and_most_by_the_uniform_mixture():
    rng = np.random.default_rng(0)
    same = Predictions(np.zeros((4, 5)), np.ones((4, 5)), np.full(4, 0.25))
    weights = rng.dirichlet(np.ones(4), 3)
    best = np.eye(4)[0]
    np.testing.assert_allclose(foreseen_improvements(same, weights, best), 0, atol=1e-14)
    apart = Predictions(rng.normal(size=(4, 50)), rng.uniform(0.5, 2, (4, 50)), np.full(4, 0.25))
    gains = foreseen_improvements(apart, np.vstack([np.full(4, 0.25), weights]), best)
    assert (gains[0] > gains[1:]).all()


def test_random_inputs_lie_in_the_box_of_the_data_and_need_the_data():
    X = np.random.default_rng(1).uniform([3, -1], [4, 9], (12, 2))
    target = GaussianProcess(X, np.sin(X[:, 0]) + X[:, 1])
    landscape = explore(target, seed=0, progress=False)
    asked = []

    def predict(theta, fresh, *, noise=True):
        asked.append(fresh)
        return target.predict(theta, fresh, noise=noise)

    keeps = types.SimpleNamespace(predict=predict, X_raw=X)
    found = at_random_inputs(dataclasses.replace(landscape, target=keeps))
    assert found.means.shape == (landscape.minima.sizes["minimum"], 100)
    assert (np.concatenate(asked) >= X.min(axis=0)).all()
    assert (np.concatenate(asked) <= X.max(axis=0)).all()
    forgets = types.SimpleNamespace(predict=predict)
    assert at_random_inputs(dataclasses.replace(landscape, target=forgets)) is None
