"""The compiler's exponential against NumPy's."""

import numba
import numpy as np

from bayescape.kernels.exponential import exponential


@numba.njit
def over(x):
    out = np.empty_like(x)
    for i in range(len(x)):
        out[i] = exponential(x[i])
    return out


def test_to_an_ulp_or_two():
    x = np.linspace(-708, 708, 100_001)
    assert np.abs(over(x) / np.exp(x) - 1).max() < 3 * np.finfo(float).eps


def test_edges():
    x = np.array([0.0, -0.0, 1e-320, -709.0, -1e300, -np.inf, np.nan])
    np.testing.assert_array_equal(over(x), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, np.nan])
