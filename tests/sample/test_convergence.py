"""What chains say of their own spread, held against how far apart many chains' spreads are."""

import numpy as np
import pytest
from scipy import signal

from bayescape.sample.convergence import errors_of_sd


@pytest.mark.parametrize("memory", [0.0, 0.85, -0.85])  # independent, slow, alternating
def test_error_of_a_spread_is_how_far_spreads_of_other_chains_are_apart(memory):
    steps = np.random.default_rng(0).normal(size=(4, 1200, 200))
    theta = signal.lfilter([1.0], [1.0, -memory], steps, axis=1)[:, 200:]
    spread = theta.std(axis=(0, 1))
    apart = spread.std() / spread.mean()  # known to 5%
    assert errors_of_sd(theta).mean() == pytest.approx(apart, rel=0.17)


def test_error_of_a_spread_is_unknown_where_chains_stand_still():
    assert np.isnan(errors_of_sd(np.ones((4, 100, 1)))).all()
