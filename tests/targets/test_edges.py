"""Nothing throws: whatever the data and wherever the point, there is a number or ``+inf``."""

import numpy as np
import pytest

from bayescape import explore
from bayescape.study.demo import nile
from bayescape.targets import GaussianProcess

WALLS = {"lengthscale": (1e-9, 1e9), "outputscale": (1e-9, 1e9), "noise": (1e-300, 1e9)}
KERNELS = [("rbf", None), *(("matern", nu) for nu in (0.2, 0.5, 2.3, 2.5, 49.5, 50.0, "free"))]


def process(X, y, **changes):
    return GaussianProcess(X, y, priors=None, bounds=WALLS, standardise=False, **changes)


def evaluate(target, theta):
    energy, gradient = target.energy_and_gradient(theta)
    hessian = target.hessian(theta)
    np.testing.assert_allclose(target.energy(theta), energy, rtol=1e-6)
    assert not np.isnan(energy).any()
    defined = np.isfinite(energy)
    assert np.isfinite(gradient[defined]).all()
    assert np.isfinite(hessian[defined]).all()
    assert np.isnan(gradient[~defined]).all()
    return energy


@pytest.mark.parametrize(("kernel", "nu"), KERNELS)
@pytest.mark.parametrize(("n", "p"), [(1, 1), (1, 3), (2, 1), (2, 2), (20, 2), (30, 50)])
def test_extreme_lengthscales_and_few_rows_and_many_inputs(kernel, nu, n, p):
    rng = np.random.default_rng(n)
    X, y = rng.normal(size=(n, p)), rng.normal(size=n)
    target = process(X, y, kernel=kernel, nu=nu)
    d = len(target.names)
    theta = np.zeros((4, d))
    theta[:2, :p] = np.log([[1e-8], [1e8]])
    theta[2, :p] = np.log(10.0 ** rng.uniform(-8, 8, p))
    assert np.isfinite(evaluate(target, theta)).all()
    # Apart by 1e8 lengthscales, rows are independent: a sum of normal densities, in closed form.
    variance = 1 + 1e-6 + 1
    independent = 0.5 * (y**2 / variance + np.log(2 * np.pi * variance)).sum()
    assert target.energy(theta[:1])[0] == pytest.approx(independent, rel=1e-9)


@pytest.mark.parametrize(("kernel", "nu"), KERNELS)
def test_zero_noise_and_duplicate_rows(kernel, nu):
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(8, 2)), 2, axis=0)
    y = rng.normal(size=16)
    theta = np.zeros((2, len(process(X, y, kernel=kernel, nu=nu).names)))
    theta[:, 3] = [np.log(1e-300), 0.0]
    # The jitter alone carries equal rows with different outputs: a large energy, but a number.
    energy = evaluate(process(X, y, kernel=kernel, nu=nu), theta)
    assert np.isfinite(energy).all()
    assert energy[0] > 1e4
    # Without it there is no covariance, and that is counted.
    bare = process(X, y, kernel=kernel, nu=nu, jitter=0.0)
    energy = bare.energy(theta)
    assert energy[0] == np.inf
    assert np.isfinite(energy[1])
    assert bare.failures == 1
    bare.energy_and_gradient(theta)
    bare.hessian(theta)
    assert bare.failures == 3


@pytest.mark.parametrize("nu", [0.2, 2.3, 2.5, "free"])
def test_points_outside_of_all_reason(nu):
    rng = np.random.default_rng(0)
    target = GaussianProcess(rng.normal(size=(9, 2)), rng.normal(size=9), nu=nu)
    d = len(target.names)
    for magnitude in (50.0, 300.0, 800.0, 1e6, 1e300):
        theta = magnitude * np.vstack([np.eye(d), -np.eye(d), np.ones((1, d)), -np.ones((1, d))])
        evaluate(target, theta)


def test_the_order_stays_within_its_walls():
    rng = np.random.default_rng(0)
    target = GaussianProcess(rng.normal(size=(9, 1)), rng.normal(size=9), nu="free")
    assert target.names == ("log_lengthscale", "log_outputscale", "log_noise", "log_nu")
    assert "nu ~ InverseGamma" in repr(target)
    starts = target.starts(200, np.random.default_rng(1))
    order = target.constrain(starts)["nu"]
    assert order.shape == (200,)
    assert (order > 0.2).all()
    assert (order < 50).all()
    outside = np.zeros((2, 4))
    outside[:, 3] = np.log([0.19, 51.0])
    assert (target.energy(outside) == np.inf).all()
    outside[:, 3] = [-5.0, 6.0]  # where there is not even a likelihood
    assert (target.log_likelihood(outside) == -np.inf).all()


def test_a_free_order_is_mapped_on_the_nile():
    """Its default prior keeps the mode off the wall at 0.2, where the likelihood alone would be."""
    table = nile()
    landscape = explore(GaussianProcess(table.X, table.y, nu="free"), seed=0, progress=False)
    assert not landscape.warnings
    order = np.exp(landscape.minima["theta"].values[:, 3])
    assert (order > 0.22).all()
    assert (order < 40).all()


@pytest.mark.parametrize("nu", [0.9, 2.5, 7.5])
def test_a_free_order_agrees_with_a_fixed_one(nu):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (25, 2))
    y = np.sin(3 * X).sum(axis=1) + 0.1 * rng.normal(size=25)
    fixed, free = GaussianProcess(X, y, nu=nu), GaussianProcess(X, y, nu="free")
    theta = fixed.starts(6, rng)
    wider = np.column_stack([theta, np.full(6, np.log(nu))])
    np.testing.assert_allclose(free.log_likelihood(wider), fixed.log_likelihood(theta), rtol=1e-9)
    for a, b in zip(
        fixed.predict(theta, X[:5] + 0.1), free.predict(wider, X[:5] + 0.1), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    narrow, wide = fixed.hessian(theta), free.hessian(wider)[:, :4, :4]
    np.testing.assert_allclose(wide, narrow, rtol=1e-6, atol=1e-7)
