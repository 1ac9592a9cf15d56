"""Chains on a density without an integral are stopped, and it is said."""

import numpy as np
import pytest

import bayescape as bs
from bayescape.sample.chains import run_chains
from bayescape.sample.nutpie_chains import run_nutpie
from bayescape.sample.runaway import STAY, watch
from bayescape.sample.superposition import Superposition

UNIT = Superposition(np.ones(1), np.zeros((1, 2)), np.eye(2)[None], np.zeros(1, int))


@pytest.fixture
def without_integral():
    """Falls like ``|y|**-0.2``."""
    return bs.from_numpy(
        lambda x: -0.5 * x[0] ** 2 - 0.1 * np.log1p(x[1] ** 2),
        lambda x: np.array([-x[0], -0.2 * x[1] / (1 + x[1] ** 2)]),
        names=["x", "y"],
        starts=np.zeros((1, 2)),
    )


@pytest.mark.parametrize(
    "run", [lambda *a, **k: run_chains(*a, **k, jumps=False), run_nutpie], ids=["pymc", "nutpie"]
)
def test_chains_that_run_away_are_stopped(run, without_integral):
    how = {"draws": 2000, "tune": 300, "seed": 0}
    with pytest.raises(ValueError, match=r"a chain ran away.* y = .*no integral"):
        run(without_integral, UNIT, np.full((4, 2), 0.3), **how)


def test_draws_that_come_back_are_let_go_on():
    seen = watch(UNIT, ["x", "y"])
    for _ in range(3):
        for _ in range(STAY - 1):
            seen(np.array([0.0, 1e3]))
        seen(np.zeros(2))
    for _ in range(STAY - 1):
        seen(np.array([-1e3, 0.0]))
    with pytest.raises(ValueError, match=r"x = -1e\+03"):
        seen(np.array([-1e3, 0.0]))
