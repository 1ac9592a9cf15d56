"""The jump step: exact for the target whatever the proposal, in any PyMC model."""

from unittest import mock

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from bayescape.evaluations import Counted
from bayescape.sample.chains import _JumpOnTarget, run_chains
from bayescape.sample.jumps import SuperpositionJump
from bayescape.sample.superposition import Superposition, harmonic_superposition

from .problems import far_apart, map_of

FAST = {"mode": "FAST_COMPILE"}


@pytest.fixture(scope="module")
def proposal():
    """A mixture that is deliberately off: wrong weights, wrong widths, off centre."""
    return Superposition(
        weights=np.array([0.4, 0.6]),
        means=np.array([[-3.5], [4.0]]),
        scales=np.array([[[1.5]], [[0.6]]]),
        basins=np.array([0, 1]),
    )


@pytest.fixture(scope="module")
def model():
    """A skewed, unequal pair of modes: 0.25 N(-4, 1) + 0.75 N(4, 0.5)."""
    with pm.Model() as model:
        pm.NormalMixture("x", w=[0.25, 0.75], mu=[-4.0, 4.0], sigma=[1.0, 0.5])
    return model


def truth_cdf(x):
    return 0.25 * stats.norm.cdf(x, -4, 1) + 0.75 * stats.norm.cdf(x, 4, 0.5)


def chain(model, proposal, count, seed, start=-4.0, wrong=False):
    """A long chain of jumps alone, thinned to near independence."""
    with model:
        step = SuperpositionJump(superposition=proposal, attempts=2, rng=seed, compile_kwargs=FAST)
    if wrong:  # forget the proposal's density: the negative control
        density = step._log_densities
        step._log_densities = lambda points: density(points) + proposal.log_prob(points)
    point = {"x": np.array(start)}
    draws = []
    for i in range(count):
        point, _ = step.step(point)
        if i % 5 == 4:
            draws.append(float(point["x"]))
    return np.array(draws[20:])


def test_the_chain_has_the_target_s_distribution(model, proposal):
    draws = chain(model, proposal, 7_000, seed=1)
    assert stats.kstest(draws, truth_cdf).pvalue > 1e-3


def test_a_step_that_forgets_the_proposal_is_found_out(model, proposal):
    draws = chain(model, proposal, 7_000, seed=1, wrong=True)
    assert stats.kstest(draws, truth_cdf).pvalue < 1e-6


def test_detailed_balance_between_two_halves(model, proposal):
    """From exact draws, as many first steps lead from left to right as from right to left."""
    with model:
        step = SuperpositionJump(superposition=proposal, rng=3, compile_kwargs=FAST)
    rng = np.random.default_rng(3)
    right = rng.uniform(size=6000) < 0.75
    starts = np.where(right, rng.normal(4, 0.5, 6000), rng.normal(-4, 1, 6000))
    ends = np.array([float(step.step({"x": np.array(s)})[0]["x"]) for s in starts])
    there, back = np.sum((starts < 0) & (ends > 0)), np.sum((starts > 0) & (ends < 0))
    assert there + back > 500  # it does move
    assert abs(there - back) < 4 * np.sqrt(there + back)


def test_it_works_beside_nuts_in_a_model_with_other_variables(proposal):
    with pm.Model():
        x = pm.NormalMixture("x", w=[0.25, 0.75], mu=[-4.0, 4.0], sigma=[1.0, 0.5])
        pm.HalfNormal("scale", 2.0)
        step = [pm.NUTS(), SuperpositionJump([x], superposition=proposal, attempts=2)]
        trace = pm.sample(
            600,
            tune=300,
            chains=2,
            cores=1,
            step=step,
            random_seed=4,
            progressbar=False,
            compute_convergence_checks=False,
        )
    x = trace.posterior["x"].values
    crossings = (np.diff(np.sign(x), axis=1) != 0).sum()
    assert crossings > 50
    assert (x > 0).mean() == pytest.approx(0.75, abs=4 * np.sqrt(0.1875 / 150))
    assert trace.posterior["scale"].values.mean() == pytest.approx(2 * np.sqrt(2 / np.pi), abs=0.25)
    assert 0.1 < trace.sample_stats["jump_accepted"].values.mean() < 1.0


def test_a_superposition_of_another_size_is_refused(model):
    wrong = Superposition(np.ones(1), np.zeros((1, 2)), np.eye(2)[None], np.zeros(1, int))
    with model, pytest.raises(ValueError, match="has 2 coordinates"):
        SuperpositionJump(superposition=wrong)
    right = Superposition(np.ones(1), np.zeros((1, 1)), np.eye(1)[None], np.zeros(1, int))
    with model, pytest.raises(ValueError, match="`attempts`"):
        SuperpositionJump(superposition=right, attempts=0)


def test_values_all_at_once_make_the_same_chain_without_gradients():
    target, start = far_apart(), np.array([[-3.0, 0.5, 0.0]])
    superposition = harmonic_superposition(map_of(target))
    how = {"draws": 200, "tune": 50, "jumps": True, "seed": 4, "attempts": 3}
    many, single = Counted(target), Counted(target)
    at_once = run_chains(many, superposition, start, **how)
    with mock.patch.object(_JumpOnTarget, "_log_densities", SuperpositionJump._log_densities):
        one_by_one = run_chains(single, superposition, start, **how)
    np.testing.assert_allclose(at_once.theta, one_by_one.theta, rtol=1e-9)
    jumps = (200 + 50) * (3 + 1)
    assert many.evaluations.value - single.evaluations.value == jumps
    assert single.evaluations.gradient - many.evaluations.gradient == jumps
