"""What `benchmarks/sampling.py` judges draws by: its meter, effective draws, errors."""

import numpy as np
import pytest

from bayescape.evaluations import Evaluations
from benchmarks.draws.judge import errors, largest_rhat, smallest_ess
from benchmarks.draws.nested import unit_cube
from benchmarks.draws.outcome import Capped, Drawn, Spent
from tests.reference.catalogue.gaussian_processes import GAUSSIAN_PROCESSES, PROBLEMS

by_name = {posterior.name: posterior for posterior in GAUSSIAN_PROCESSES}
NILE = by_name["gp-nile"]


def drawn(theta, **fields):
    return Drawn(np.asarray(theta), Evaluations(), seconds=1.0, cpu=1.0, **fields)


def test_a_run_stops_at_its_cap_and_is_charged_for_it():
    target = Capped(NILE.make(), most=20)
    theta = target.starts(10, np.random.default_rng(0))
    target.energy_and_gradient(theta)
    target.log_likelihood(theta)
    assert target.evaluations == Evaluations(value=10, gradient=10)
    with pytest.raises(Spent, match="the cap of 20 gradient equivalents"):
        target.hessian(theta[:2])


def test_log_likelihood_is_finite_everywhere():
    target = Capped(NILE.make(), most=100)
    found = target.log_likelihood(
        np.array([[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [0.0, 900.0, 0.0]])
    )
    assert np.isfinite(found).all()
    assert found[1] == -1e300 < found[0]


def test_effective_draws_are_the_least_known_coordinate_s():
    rng = np.random.default_rng(1)
    free = rng.standard_normal((4, 1000, 1))
    stuck = np.repeat(rng.standard_normal((4, 20, 1)), 50, axis=1)
    both = drawn(np.concatenate([free, stuck], axis=2))
    assert smallest_ess(drawn(free)) > 3000
    assert 30 < smallest_ess(both) < 200
    assert largest_rhat(both) > 1.01 > largest_rhat(drawn(free))
    assert smallest_ess(drawn(free, effective=123.0)) == 123.0
    assert smallest_ess(Drawn(None, Evaluations(), 1.0, 1.0, stopped="cap")) == 0


def test_errors_are_in_the_truth_s_units():
    truth, target = NILE.truth(), NILE.make()
    two = np.repeat(truth.centres, [800, 200], axis=0)[None]
    off = errors(drawn(two, log_evidence=truth.log_evidence + 0.5), truth, target)
    mean = two[0].mean(axis=0)
    assert off["mean"] == pytest.approx(np.abs((mean - truth.mean) / truth.sd).max())
    assert off["occupation"] == pytest.approx(0.8 - truth.occupation[0], abs=0.003)
    assert off["evidence"] == pytest.approx(0.5)
    assert off["sd"] < 1


@pytest.mark.parametrize("name", ["gp-nile", "gp-walled"])
def test_nested_samplers_get_the_target_s_prior(name):
    """The evidence is the likelihood's average over the cube, times the volume between walls."""
    posterior = by_name[name]
    transform, volume = unit_cube(name)
    target = posterior.make()
    u = np.random.default_rng(2).uniform(size=(100_000, len(target.names)))
    likelihood = np.exp(target.log_likelihood(transform(u)) - posterior.truth().log_evidence)
    found = likelihood * np.exp(volume)
    assert found.mean() == pytest.approx(1, abs=5 * found.std() / np.sqrt(len(found)))
    assert found.std() / np.sqrt(len(found)) < 0.05
    assert {p.name for p in PROBLEMS} < set(by_name)
