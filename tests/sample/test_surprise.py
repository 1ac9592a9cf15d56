"""Points whose energies the others do not foretell."""

import numpy as np
import pytest

from bayescape.sample.surprise import surprising


def wide_and_narrow(theta):
    """Energy of a wide normal density and a narrow one far from it, of the same mass."""
    wide = -0.5 * (theta**2).sum(axis=1)
    narrow = -0.5 * ((theta - 4.0) ** 2).sum(axis=1) / 0.16 - theta.shape[1] * np.log(0.4)
    return -np.logaddexp(wide, narrow), narrow > wide


@pytest.mark.parametrize("seed", range(5))
def test_a_narrow_basin_shows_among_starts_that_mostly_lie_in_a_wide_one(seed):
    theta = np.random.default_rng(seed).uniform(-6, 6, (800, 5))
    energies, narrow = wide_and_narrow(theta)
    assert 0 < narrow.mean() < 0.02  # 8 points by chance would find none, nine times in ten
    assert narrow[surprising(theta, energies, 8)].any()


def test_the_one_point_that_is_off_comes_first():
    rng = np.random.default_rng(1)
    theta = rng.normal(3.0, 2.0, (300, 3))
    energies = 50 + (theta**2).sum(axis=1) + 0.1 * np.sin(theta[:, 0])
    energies[170] += 10.0
    assert surprising(theta, energies, 1).tolist() == [170]
    # Whatever the units are.
    assert surprising(1e6 * theta, energies, 1).tolist() == [170]


def test_what_cannot_be_judged_is_no_error():
    rng = np.random.default_rng(2)
    theta = rng.normal(size=(40, 2))
    energies = (theta**2).sum(axis=1)
    energies[:10] = np.inf
    assert not np.isin(surprising(theta, energies, 5), np.arange(10)).any()
    assert len(surprising(theta, energies, 50)) == 30
    assert len(surprising(theta, np.full(40, np.inf), 5)) == 0
    assert len(surprising(theta[:0], energies[:0], 5)) == 0
    same = np.ones((20, 2))
    assert len(surprising(same, np.zeros(20), 5)) == 5
    assert len(surprising(theta[10:], np.zeros(30), 5)) == 5
