"""Correlations of any order against mpmath's, and what they do at the edges of their range."""

from pathlib import Path

import numpy as np
import pytest
from scipy import special

from bayescape.kernels.correlation import (
    FREE,
    HALF_INTEGER,
    LARGEST_NU,
    SMALLEST_NU,
    TABLE,
    Correlation,
    constants_of,
    correlate,
    correlation,
    table_for,
)
from bayescape.kernels.torch_correlation import by_torch, curve, evaluate

KNOWN = np.load(Path(__file__).parents[1] / "reference" / "matern.npz")
POINTS, VALUES = KNOWN["points"], KNOWN["values"]
HALF_INTEGERS = np.arange(0.5, 50, 1.0)


def functions(kernel, q, rows=2):
    out = np.empty((rows, len(q)))
    correlate(*kernel, np.asarray(q, dtype=float), out)
    return out


def of_order(nu, r):
    """All five functions at one order, by a table made for the distances."""
    q = np.atleast_1d(np.asarray(r, dtype=float)) ** 2
    first, table = table_for(nu, constants_of(np.array(nu)), q, 5)
    return functions(Correlation(FREE, nu, first, table), q, 5)


def test_value_and_derivatives_against_fifty_digits():
    got = np.array([of_order(nu, r)[:, 0] for nu, r in POINTS])
    r = POINTS[:, 1]
    value, by_r, by_nu, by_nu_twice, by_both = VALUES.T
    assert len(POINTS) >= 2000
    assert value.min() < 1e-95
    np.testing.assert_allclose(got[:, 0], value, rtol=0, atol=1e-12)
    np.testing.assert_allclose(got[:, 0], value, rtol=1e-10, atol=0)
    np.testing.assert_allclose(-r * got[:, 1], by_r, rtol=1e-10, atol=0)
    np.testing.assert_allclose(got[:, 2], by_nu, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got[:, 3], by_nu_twice, rtol=0, atol=1e-7)
    np.testing.assert_allclose(-r * got[:, 4], by_both, rtol=1e-9, atol=1e-9)


def test_a_table_made_once_is_as_good():
    some = np.concatenate([np.arange(0, 2000, 12), np.arange(2000, len(POINTS))])
    for nu in np.unique(POINTS[some, 0]):
        here = POINTS[:, 0] == nu
        r = POINTS[here, 1]
        value, slope = functions(correlation("matern", nu), r**2)
        np.testing.assert_allclose(value, VALUES[here, 0], rtol=1e-10, atol=0)
        np.testing.assert_allclose(value, VALUES[here, 0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(-r * slope, VALUES[here, 1], rtol=1e-10, atol=0)


@pytest.mark.parametrize("nu", HALF_INTEGERS)
def test_half_integers_are_recognised_and_joined_smoothly(nu):
    kernel = correlation("matern", nu)
    assert kernel.kind == HALF_INTEGER
    r = np.geomspace(1e-6, 10, 200)
    exact = functions(kernel, r**2)
    # The step of 1e-9 in nu changes the correlation by what its derivative says, and no more.
    for step in (-1e-9, 1e-9):
        beside = correlation("matern", nu + step)
        if SMALLEST_NU <= nu + step <= LARGEST_NU:
            assert beside.kind == TABLE
            moved = functions(beside, r**2)
            by_nu = of_order(nu, r)[[2, 4]]
            np.testing.assert_allclose(moved, exact + step * by_nu, rtol=2e-12, atol=1e-13)


def test_closed_forms():
    r = np.linspace(0.01, 20, 50)
    s = np.sqrt(5) * r
    np.testing.assert_allclose(functions(correlation("matern", 0.5), r**2)[0], np.exp(-r), 1e-14)
    np.testing.assert_allclose(
        functions(correlation("matern", 2.5), r**2)[0], (1 + s + s**2 / 3) * np.exp(-s), 1e-14
    )
    np.testing.assert_allclose(
        functions(correlation("rbf"), r**2), np.tile(np.exp(-(r**2) / 2), (2, 1)), 1e-13
    )
    for nu in (0.3, 1.0, 3.0, 11.7):  # SciPy's Bessel function, good to some 1e-13
        s = np.sqrt(2 * nu) * r
        known = 2 ** (1 - nu) / special.gamma(nu) * s**nu * special.kv(nu, s)
        np.testing.assert_allclose(functions(correlation("matern", nu), r**2)[0], known, 1e-11)


def test_the_gaussian_is_the_limit():
    r = np.linspace(0, 4, 9)
    gaussian = functions(correlation("matern", np.inf), r**2)[0]
    np.testing.assert_array_equal(gaussian, functions(correlation("rbf"), r**2)[0])
    # k differs from its limit by r^4 / (8 nu) exp(-r^2 / 2) at most, to first order in 1 / nu.
    assert np.abs(functions(correlation("matern", 50), r**2)[0] - gaussian).max() < 0.01
    nearer = np.abs(functions(correlation("matern", 25), r**2)[0] - gaussian).max()
    assert nearer > 1.5 * np.abs(functions(correlation("matern", 50), r**2)[0] - gaussian).max()


ORDERS = [0.2, 0.5, 0.7, 1.0, 1.5, 2.3, 2.5, 7.5, 12.0, 12.1, 50.0, np.inf]


@pytest.mark.parametrize("nu", ORDERS)
def test_any_distance(nu):
    """From zero over distances whose squares underflow to endless ones; NaN stays NaN."""
    kernel = correlation("matern", nu)
    q = np.array([0.0, 1e-320, 1e-200, 1e-100, 1e-30, 1e-3, 1.0, 1e3, 1e6, 1e300, np.inf, np.nan])
    value, slope = functions(kernel, q)
    assert value[0] == value[1] == 1.0
    assert np.isnan(value[-1])
    assert (value[-3:-1] == 0.0).all()
    assert (slope[-3:-1] == 0.0).all()
    assert np.isfinite(slope[:-1]).all()
    assert (np.diff(value[:-1]) <= 1e-12).all()
    assert (slope[:-1] >= 0).all()


@pytest.mark.parametrize("nu", ORDERS)
def test_torch_computes_the_same(nu):
    import torch

    kernel = correlation("matern", nu)
    q = torch.as_tensor(np.concatenate([[0.0, 1e-250, 1e5], np.geomspace(1e-20, 1e3, 300)]))
    np.testing.assert_allclose(by_torch(kernel, q, 2), evaluate(kernel, q, 2), 1e-12, 1e-290)


def test_curve_against_differences():
    import torch

    for nu in (0.7, 1.0, 1.5, 2.3, 6.0, np.inf):
        kernel = correlation("matern", nu)
        q = torch.linspace(0.1, 9, 40, dtype=torch.float64)
        step = 1e-5
        ahead, behind = (evaluate(kernel, q + e, 2)[1] for e in (step, -step))
        got = curve(kernel, q, *evaluate(kernel, q, 2))
        np.testing.assert_allclose(got, -2 * (ahead - behind) / (2 * step), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("nu", [0.1, 51, -1, 0, "many", None, np.nan, -np.inf, [2.5, 1.5]])
def test_orders_out_of_range_are_refused(nu):
    with pytest.raises(ValueError, match=r"`nu` must be a number from 0\.2 to 50"):
        correlation("matern", nu)


def test_unknown_kernels_are_refused():
    with pytest.raises(ValueError, match="`kernel` must be 'matern' or 'rbf'"):
        correlation("cosine")
