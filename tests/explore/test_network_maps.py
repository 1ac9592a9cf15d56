"""Maps of networks that try a search: thousands of weights, and weights that nothing feels."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.datasets import load_digits
from torch import nn

import bayescape as bs
from bayescape.explore.search import MEMORY


def network(X, y, hidden, l2, loss="cross_entropy", **settings):
    outputs = len(np.unique(y)) if loss == "cross_entropy" else 1
    module = nn.Sequential(nn.Linear(X.shape[1], hidden), nn.Tanh(), nn.Linear(hidden, outputs))
    return bs.NetworkLoss(module, X, y, loss, l2=l2, **settings)


def lowest_curvatures(target, point):
    d = len(point)

    def product(v):
        return target.hessian_vector_product(point[None], v.reshape(1, -1))[0]

    operator = LinearOperator((d, d), matvec=product, dtype=float)
    return np.sort(eigsh(operator, k=2, which="SA", ncv=200, tol=1e-2, return_eigenvectors=False))


@pytest.mark.slow
def test_two_thousand_weights_are_mapped_within_the_memory():
    X, y = load_digits(n_class=3, return_X_y=True)
    X = X[:150, X[:150].std(axis=0) > 0]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    target = network(X, y[:150], 1990 // (X.shape[1] + 4), l2=1.0)
    assert 1900 < len(target.names) <= 2000
    tracemalloc.start()
    landscape = bs.explore(target, progress=False, max_quenches=3, budget=30_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY
    minima, states = landscape.minima, landscape.transition_states
    assert minima.sizes["minimum"] >= 2
    assert states.sizes["transition_state"] >= 1
    for points, index in ((minima, 0), (states, 1)):
        theta = points["theta"].values[:2]
        assert (np.linalg.norm(target.energy_and_gradient(theta)[1], axis=1) < 1e-6).all()
        for point in theta:
            assert (lowest_curvatures(target, point) < 0).sum() == index


def test_a_prior_that_is_hardly_there_leaves_flat_valleys_and_the_map_says_so(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = (X[:, 0] > 0).astype(int)
    y[:6] = 1 - y[:6]
    target = network(X, y, 4, l2=1e-9)
    landscape = bs.explore(target, progress=False, max_quenches=8, budget=20_000)
    assert landscape.ends["quench ended in a flat direction"] >= 4
    assert any("ended in a flat direction" in warning for warning in landscape.warnings)
    # The same with a prior that is worth its name.
    assert (
        "quench ended in a flat direction"
        not in bs.explore(
            network(X, y, 4, l2=0.1), progress=False, max_quenches=8, budget=5_000
        ).ends
    )


def test_units_that_nothing_needs_are_flat_or_in_minima_that_are_none_the_less_isolated():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 2))
    values = np.tanh(X[:, 0] - 0.3 * X[:, 1]) + 0.1 * rng.normal(size=60)
    target = network(X, values, 4, 1e-6, "mse", noise=0.01)  # one unit does
    landscape = bs.explore(target, progress=False, max_quenches=8, budget=20_000)
    unsettled = ("quench ended in a flat direction", "quench did not converge")
    assert sum(landscape.ends.get(end, 0) for end in unsettled) >= 1
    assert landscape.warnings
    curvatures = np.linalg.eigvalsh(landscape.minima["hessian"].values)
    assert (curvatures > 0).all()
    assert np.isfinite(landscape.minima["log_multiplicity"].values).all()


def test_two_units_that_are_the_same_have_half_of_the_images():
    X = np.random.default_rng(2).normal(size=(30, 2))
    target = network(X, np.zeros(30), 3, 0.1, "mse")
    theta = target.starts(1, np.random.default_rng(0))
    (layer,) = target.equivalence.layers
    theta[:, layer.units[1]] = theta[:, layer.units[0]]
    whole = np.log(6 * 8)
    assert target.equivalence.log_multiplicity(theta)[0] == pytest.approx(whole - np.log(2))
    theta[:, layer.units[1]] = 0  # a dead one may change its sign and stay what it is
    assert target.equivalence.log_multiplicity(theta)[0] == pytest.approx(whole - np.log(2))
