"""The whole way on real Gaussian-process posteriors, against truth got by other means.

``tests/reference/gp_posteriors.py`` says how the truth was got: a plain NumPy likelihood, BFGS, a
root finder, and the neural nested sampler nautilus.
"""

import json
from pathlib import Path

import arviz as az
import numpy as np
import pytest
import xarray as xr

from bayescape import explore, sample
from tests.reference.gp_posteriors import nile, schwefel
from tests.reference.gp_targets import target_of

TRUTH = json.loads((Path(__file__).parent / "reference" / "gp_posteriors.json").read_text())
# What the stored truth itself may be off by: nautilus's effective draws, and counts of basins.
TRUTH_EVIDENCE = 0.006


@pytest.fixture(scope="module")
def landscape():
    return explore(target_of(schwefel()), seed=0, progress=False)


@pytest.mark.parametrize("seed", range(3))
def test_all_minima_and_transition_states_are_found(seed):
    truth = TRUTH["schwefel"]
    found = explore(target_of(schwefel()), seed=seed, progress=False)
    np.testing.assert_allclose(found.minima["energy"], truth["energy"], atol=1e-6)
    np.testing.assert_allclose(found.minima["theta"], truth["minima"], atol=1e-4)
    states = found.transition_states["energy"].values
    for energy in truth["transition_state_energy"]:
        assert np.abs(states - energy).min() < 1e-6
    above = states - found.minima["energy"].values[0]
    for known in (1.81, 3.94, 6.05, 7.34):
        assert np.abs(above - known).min() < 0.011
    assert not found.warnings


@pytest.mark.parametrize("seed", range(10))
def test_nile_s_minima_are_found_by_every_seed(seed):
    """Two minima, the upper in so shallow a basin that its barrier is 0.002 nats."""
    truth = TRUTH["nile"]
    found = explore(target_of(nile()), seed=seed, progress=False)
    np.testing.assert_allclose(found.minima["energy"], truth["energy"], atol=1e-6)
    np.testing.assert_allclose(
        found.transition_states["energy"], truth["transition_state_energy"], atol=1e-6
    )


# A thousand draws with jumps tell the spread of the noise to 6%, which is said to be too little.
@pytest.mark.parametrize(("method", "draws"), [("superposition", 1000), ("jumps", 2000)])
def test_reference_posterior(landscape, method, draws):
    truth = TRUTH["schwefel"]
    posterior = sample(landscape, draws, method, seed=0, progress=False)
    attrs = posterior.attrs
    assert attrs["reliable"] == 1, attrs["warnings"]

    if method == "superposition":
        assert attrs["log_evidence_se"] < 0.03
        error = np.hypot(attrs["log_evidence_se"], TRUTH_EVIDENCE)
        assert abs(attrs["log_evidence"] - truth["log_evidence"]) < 3 * error

    share = np.array(json.loads(attrs["occupation"]))
    share_error = np.array(json.loads(attrs["occupation_se"]))
    assert (share_error < 0.03).all()
    known = np.array(truth["occupation"])
    known_error = np.sqrt(known * (1 - known) / truth["occupation_draws"])
    assert (np.abs(share - known) < 3 * np.hypot(share_error, known_error)).all()

    theta = posterior["unconstrained_posterior"]["theta"].values
    sd = np.array(truth["sd"])
    # Draws picked by weight are worth less than independent ones, and the result says how much.
    most = attrs.get("effective_draws", np.inf)
    ess = np.array([min(float(az.ess(theta[..., i])), most) for i in range(5)])
    error = theta.std(axis=(0, 1)) / np.sqrt(ess)
    assert (error < 0.1 * sd).all()
    known_error = sd / np.sqrt(truth["effective_draws"])
    off = np.abs(theta.mean(axis=(0, 1)) - truth["mean"])
    assert (off < 3 * np.hypot(error, known_error)).all()
    # Standard deviations: the error of one from n normal draws is sd / sqrt(2 n); tails add to it.
    assert (np.abs(theta.std(axis=(0, 1)) - sd) < 4 * sd / np.sqrt(2 * ess)).all()


def test_the_stored_truth_agrees_with_the_published_one():
    """150,000 importance draws of a refitted mixture, to the digits that were kept."""
    truth = TRUTH["schwefel"]
    assert truth["log_evidence"] == pytest.approx(-141.497, abs=0.008)
    np.testing.assert_allclose(truth["occupation"], [0.54, 0.325, 0.09, 0.045], atol=0.025)
    np.testing.assert_allclose(truth["mean"], [-0.51, -0.05, -2.24, -0.55, -1.70], atol=0.02)
    np.testing.assert_allclose(truth["sd"], [1.62, 1.65, 1.55, 0.56, 1.84], atol=0.02)


def test_same_seed_same_landscape_and_draws():
    target = target_of(schwefel())
    one, two = (explore(target, seed=5, progress=False) for _ in range(2))
    xr.testing.assert_identical(one.minima, two.minima)
    xr.testing.assert_identical(one.transition_states, two.transition_states)
    draws = [
        sample(landscape, 100, "superposition", seed=5, progress=False) for landscape in (one, two)
    ]
    xr.testing.assert_identical(
        draws[0]["posterior"].to_dataset(), draws[1]["posterior"].to_dataset()
    )
