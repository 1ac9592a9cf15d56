"""Well-known PyMC models the whole way: what is said to be reliable agrees with long runs of NUTS.

The long runs are in ``tests/reference/pymc_classics.json``, the script beside it.
"""

import json

import numpy as np
import pytest
from arviz_stats.base import array_stats

import bayescape as bs

from .reference.pymc_classics import AXES, CLASSICS, STORED, described, scalars

# Of an installation of PyTensor by pip alone: slower, and no less right.
pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS:UserWarning")

LONG = json.loads(STORED.read_text(encoding="utf-8"))
# NUTS is known to fail on it.
WITHOUT_RUN = {"funnel_centred"}
DRAWS = 2000
# Of some sixty scalars with two figures each, one in two hundred suites has one beyond this.
SIGMAS = 4.5


def test_the_long_runs_are_long_enough():
    assert set(LONG) == set(CLASSICS) - WITHOUT_RUN
    for name, stored in LONG.items():
        assert stored["rhat"] < 1.01, name
        for label, one in stored["scalars"].items():
            assert one["mean_error"] < 0.05 * one["sd"], (name, label)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(CLASSICS) - WITHOUT_RUN))
def test_a_classic_agrees_with_a_long_run_where_it_is_said_to_be_reliable(name):
    model, names = CLASSICS[name]()
    posterior = bs.sample(model, DRAWS, seed=3, progress=False)
    if not posterior.attrs["reliable"]:
        assert json.loads(posterior.attrs["warnings"])
        pytest.skip(f"{name} is not said to be reliable: {posterior.attrs['warnings'][:200]}")
    own = max(DRAWS / posterior.attrs.get("effective_draws", DRAWS), 1.0) ** 0.5
    for label, values in scalars(posterior["posterior"].to_dataset(), names).items():
        ours, theirs = described(values), LONG[name]["scalars"][label]
        for figure in ("mean", "sd"):
            error = np.hypot(own * ours[f"{figure}_error"], theirs[f"{figure}_error"])
            assert error < 0.2 * theirs["sd"], (label, figure)  # small enough to show a mistake
            assert abs(ours[figure] - theirs[figure]) < SIGMAS * error, (label, figure)


@pytest.mark.slow
def test_the_centred_funnel_is_said_to_be_out_of_reach():
    """Its first coordinate is normal with a standard deviation of 3; no method gets there."""
    model, _ = CLASSICS["funnel_centred"]()
    posterior = bs.sample(model, DRAWS, seed=3, progress=False)
    values = posterior["posterior"]["v"].values
    if posterior.attrs["reliable"]:
        error = float(array_stats.mcse(values, **AXES, method="mean"))
        assert abs(values.mean()) < SIGMAS * error
        assert abs(values.std() / 3 - 1) < 0.15
    else:
        assert json.loads(posterior.attrs["warnings"])
        assert np.isfinite(values).all()
        assert values.std() > 1  # draws of the funnel, not of its end
