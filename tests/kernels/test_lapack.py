"""The routines called from compiled code against NumPy's."""

import numpy as np
import pytest

from bayescape.kernels.lapack import factorise, invert, multiply, routines, solve


@pytest.mark.parametrize("n", [1, 2, 37, 130])
def test_factor_solution_and_inverse(n):
    rng = np.random.default_rng(n)
    root = rng.normal(size=(n, n))
    a = root @ root.T + np.eye(n)
    x = rng.normal(size=n)
    known = np.linalg.cholesky(a)
    work = np.triu(a)  # the lower triangle is not looked at
    assert factorise(routines(), work)
    np.testing.assert_allclose(np.triu(work).T, known, atol=1e-12 * n)
    half, whole = x.copy(), x.copy()
    solve(routines(), work, half, False)
    np.testing.assert_allclose(known @ half, x, atol=1e-10 * n)
    solve(routines(), work, whole, False)
    solve(routines(), work, whole, True)
    np.testing.assert_allclose(a @ whole, x, atol=1e-9 * n)
    invert(routines(), work)
    np.testing.assert_allclose(np.triu(work), np.triu(np.linalg.inv(a)), atol=1e-10 * n)


def test_indefinite_is_told():
    assert not factorise(routines(), np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_product():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 23, 23))
    out = np.empty((23, 23))
    multiply(routines(), a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=1e-12, atol=1e-12)
