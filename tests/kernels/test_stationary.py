"""Correlations and their derivatives against Bessel functions, mpmath and limits."""

import mpmath as mp
import numpy as np
import pytest

from bayescape.kernels import stationary


def exact(name, nu, q):
    """The correlation by its general formula, at mpmath's precision."""
    if name == "rbf":
        return mp.exp(-q / 2)
    z = mp.sqrt(2 * mp.mpf(nu) * q)
    return mp.mpf(2) ** (1 - mp.mpf(nu)) / mp.gamma(nu) * z**nu * mp.besselk(nu, z)


CASES = [("matern", 0.5), ("matern", 1.5), ("matern", 2.5), ("rbf", None)]
Q = np.array([1e-8, 1e-3, 0.3, 1.0, 7.0, 300.0])


@pytest.mark.parametrize(("name", "nu"), CASES)
def test_value_and_derivatives_against_mpmath(name, nu):
    kernel = stationary(name, nu)
    value, first, second = kernel.second(Q)
    with mp.workdps(40):
        for i, q in enumerate(Q):
            point = mp.mpf(float(q))
            assert value[i] == pytest.approx(float(exact(name, nu, point)), rel=1e-13, abs=1e-300)
            for got, order in ((first[i], 1), (second[i], 2)):
                expected = mp.diff(lambda x: exact(name, nu, x), point, order, h=point * 1e-12)
                assert got == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(("name", "nu"), CASES)
def test_the_three_functions_agree(name, nu):
    kernel = stationary(name, nu)
    value, first, _ = kernel.second(Q)
    np.testing.assert_array_equal(kernel.value(Q), value)
    np.testing.assert_array_equal(kernel.first(Q)[0], value)
    np.testing.assert_array_equal(kernel.first(Q)[1], first)


@pytest.mark.parametrize(("name", "nu"), CASES)
def test_no_distance_and_endless_distance(name, nu):
    kernel = stationary(name, nu)
    with np.errstate(all="raise", under="ignore"):
        value, first, second = kernel.second(np.array([0.0, 1e-320, 1e12]))
    assert value[0] == value[1] == 1.0
    assert value[2] == 0.0
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    # What multiplies the diverging derivatives vanishes faster: q k' and q^2 k'' tend to 0.
    q = np.array([1e-190, 1e-100, 1e-30])
    _, first, second = kernel.second(q)
    assert (np.abs(q * first) < 1e-14).all()
    assert (np.abs(q * q * second) < 1e-14).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("cosine",), "`kernel` must be"), (("matern", 2.0), "`nu` must be"), (("matern",), "`nu`")],
)
def test_other_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        stationary(*arguments)
