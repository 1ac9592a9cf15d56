"""The whole sampling room on posteriors in closed form: right, labelled, audited, reproducible."""

import itertools
import json
import os
import pickle
import signal

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import bayescape as bs
from bayescape.sample.convergence import smallest_ess
from bayescape.sample.decision import decide
from bayescape.sample.nutpie_chains import run_nutpie
from bayescape.sample.sampler import sample
from bayescape.sample.superposition import Superposition, harmonic_superposition

from .problems import far_apart, map_of, single

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def landscape():
    return map_of(far_apart())


@pytest.fixture(scope="module", params=["superposition", "jumps"])
def posterior(request, landscape):
    return sample(landscape, 1000, request.param, seed=1, **QUIET)


def errors_of_means(posterior):
    """Standard errors of the coordinates' means, by ArviZ."""
    theta = posterior["unconstrained_posterior"]["theta"]
    ess = np.array([float(az.ess(theta.values[..., i])) for i in range(theta.shape[2])])
    return theta.values.std(axis=(0, 1)) / np.sqrt(ess)


def test_moments_and_occupation_are_right_within_their_errors(posterior, landscape):
    target = landscape.target
    theta = posterior["unconstrained_posterior"]["theta"].values
    error = errors_of_means(posterior)
    # Gate first: errors that are small enough to show a mistake.
    assert (error < 0.1 * target.sd).all()
    assert (np.abs(theta.mean(axis=(0, 1)) - target.mean) < 4 * error).all()
    share = np.array(json.loads(posterior.attrs["occupation"]))
    share_error = np.array(json.loads(posterior.attrs["occupation_se"]))
    assert (share_error < 0.03).all()
    # Sorted by energy, the heavier and narrower mode is first.
    assert (np.abs(share - [0.7, 0.3]) < 4 * share_error).all()
    assert posterior.attrs["reliable"] == 1


def test_evidence_comes_with_its_error(landscape):
    attrs = sample(landscape, 1000, "superposition", seed=2, **QUIET).attrs
    assert attrs["log_evidence_se"] < 0.03
    assert abs(attrs["log_evidence"] + 7.25) < 4 * attrs["log_evidence_se"]


def test_hmc_that_cannot_cross_is_not_reliable_and_says_why(landscape):
    """Chains stay where they began: the occupation is that of four starts."""
    posterior = sample(landscape, 400, "hmc", seed=1, **QUIET)
    assert posterior.attrs["reliable"] == 0
    assert any("R-hat" in w for w in json.loads(posterior.attrs["warnings"]))


@pytest.mark.parametrize("nuts", ["pymc", "nutpie"])
def test_hmc_in_one_basin_is_right(nuts):
    target = single()
    told = []
    posterior = sample(
        map_of(target), 1200, "hmc", seed=1, nuts=nuts, progress=lambda **k: told.append(k)
    )
    assert {"draws": "2400/2400"} in told
    assert {"diverging", "tree_depth", "n_steps"} < set(posterior["sample_stats"])
    assert posterior.attrs["reliable"] == 1, posterior.attrs["warnings"]
    theta = posterior["unconstrained_posterior"]["theta"].values
    assert (np.abs(theta.mean(axis=(0, 1)) - target.mean) < 4 * errors_of_means(posterior)).all()
    np.testing.assert_allclose(theta.std(axis=(0, 1)), target.sd, rtol=0.15)


def test_nutpie_stays_where_the_density_is():
    low = -0.5
    target = bs.from_numpy(
        lambda x: -0.5 * (x @ x) if x[0] > low else -np.inf,
        lambda x: -x,
        names=["x", "y"],
        starts=np.zeros((1, 2)),
    )
    mixture = Superposition(np.ones(1), np.zeros((1, 2)), np.eye(2)[None], np.zeros(1, int))
    run = run_nutpie(target, mixture, np.full((4, 2), 0.3), draws=1500, tune=300, seed=0)
    x = run.theta[..., 0]
    assert x.min() > low
    expected = stats.truncnorm(low, np.inf)
    error = expected.std() / np.sqrt(smallest_ess(run.theta))
    assert error < 0.05
    assert abs(x.mean() - expected.mean()) < 4 * error


def test_nutpie_cut_short_is_no_result():
    target = single()
    mixture, evaluated = harmonic_superposition(map_of(target)), itertools.count()

    def reported(**_):
        if next(evaluated) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # xdist's workers ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            run_nutpie(
                target, mixture, np.zeros((4, 2)), draws=20_000, tune=100, seed=0, report=reported
            )
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_runs_nuts_is_checked():
    with pytest.raises(ValueError, match=r"`nuts` must be one of \('pymc', 'nutpie'\), got 'stan'"):
        sample(map_of(single()), 100, "hmc", nuts="stan", **QUIET)


def test_a_basin_that_the_map_lacks_is_found_late_and_taken_in():
    """The map knows one of two overlapping neighbours: draws quench to the other."""
    target = far_apart()
    target = type(target)([0.4, 0.6], [[-2.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [np.eye(3) * 0.7] * 2)
    landscape = map_of(target, known=[0])
    posterior = sample(landscape, 400, "superposition", seed=0, **QUIET)
    minima = posterior["minima"]
    assert minima["late"].values.tolist() == [0, 1]
    np.testing.assert_allclose(minima["theta"].values[0], landscape.minima["theta"].values[0])
    np.testing.assert_allclose(minima["theta"].values[1], [2, 0, 0], atol=0.05)
    share = np.array(json.loads(posterior.attrs["occupation"]))
    assert abs(share[1] - 0.6) < 0.1
    drawn = posterior["sample_stats"]["basin"].values
    assert np.bincount(drawn.ravel(), minlength=2) / drawn.size == pytest.approx(share, abs=0.05)
    assert abs(posterior.attrs["log_evidence"]) < 4 * posterior.attrs["log_evidence_se"] + 0.02


@pytest.mark.parametrize("method", ["hmc", "jumps"])
def test_chains_run_again_from_a_map_that_has_grown(method):
    target = type(far_apart())([0.5, 0.5], [[-1.8, 0.0], [1.8, 0.0]], [np.eye(2) * 0.7] * 2)
    posterior = sample(map_of(target, known=[0]), 400, method, seed=0, **QUIET)
    assert posterior["minima"]["late"].values.tolist() == [0, 1]
    drawn = posterior["sample_stats"]["basin"].values
    assert {0, 1} <= set(drawn.ravel())


@pytest.mark.parametrize("method", ["hmc", "jumps"])
def test_what_shows_without_chains_is_taken_in_before_they_run(method):
    """Chains that ran on half a map were run again: on a ring that took most of three minutes."""
    target = type(far_apart())([0.5, 0.5], [[-1.8, 0.0], [1.8, 0.0]], [np.eye(2) * 0.7] * 2)
    told = []
    quietly = QUIET | {"progress": lambda **k: told.append(k.get("stage"))}
    posterior = sample(map_of(target, known=[0]), 400, method, seed=0, **quietly)
    stages = [stage for stage in told if stage]
    assert stages.count(method) == 1
    assert stages.index("looking for more basins") < stages.index(method)
    assert posterior["minima"]["late"].values.tolist() == [0, 1]


def test_draws_from_more_modes_than_the_stopping_rule_can_count_are_right_and_called_so():
    """The rule would take four thousand quenches to be sure of 44 minima, all hit often by half."""
    rng, d = np.random.default_rng(1002), 2
    means, weights = rng.uniform(-10, 10, (60, d)), rng.dirichlet(np.full(60, 0.5))
    widths = np.exp(rng.uniform(np.log(0.15), 0.0, 60))
    target = type(far_apart())(weights, means, [width**2 * np.eye(d) for width in widths])
    posterior = sample(bs.explore(target, seed=2, **QUIET), 2000, seed=2, groups=(), **QUIET)
    assert posterior.attrs["reliable"] == 1
    assert abs(posterior.attrs["log_evidence"]) < 4 * posterior.attrs["log_evidence_se"]
    theta = posterior["unconstrained_posterior"]["theta"].values.reshape(-1, d)
    mean = weights @ means
    sd = np.sqrt(weights @ (widths[:, None] ** 2 + means**2) - mean**2)
    assert np.abs((theta.mean(axis=0) - mean) / sd).max() < 0.1
    assert theta.std(axis=0) / sd == pytest.approx(1.0, abs=0.05)


def test_low_coverage_is_never_reliable():
    posterior = sample(map_of(far_apart(), coverage=0.5), 200, "superposition", **QUIET)
    assert posterior.attrs["reliable"] == 0
    assert "coverage is 0.500" in posterior.attrs["warnings"]


def test_the_tree_has_arviz_s_schema(posterior):
    assert {"posterior", "sample_stats", "unconstrained_posterior"} <= set(posterior.children)
    group = posterior["posterior"]
    assert group["scale"].dims == ("chain", "draw")
    assert group["rest"].dims == ("chain", "draw", "rest_dim_0")
    assert (group.sizes["chain"], group.sizes["draw"]) == (4, 250)
    theta = posterior["unconstrained_posterior"]["theta"]
    np.testing.assert_allclose(group["scale"].values, np.exp(theta.values[..., 0]))
    stats = posterior["sample_stats"]
    assert {"energy", "basin", "log_weight"} <= set(stats.data_vars)
    summary = az.summary(group.to_dataset() if hasattr(group, "to_dataset") else group)
    assert len(summary) == 3
    assert json.loads(posterior.attrs["evaluations"])["value"] > 0


def test_energies_are_those_of_the_draws(posterior, landscape):
    theta = posterior["unconstrained_posterior"]["theta"].values.reshape(-1, 3)
    energies = posterior["sample_stats"]["energy"].values.ravel()
    np.testing.assert_allclose(energies, landscape.target.energy(theta), rtol=1e-12)
    basins = posterior["sample_stats"]["basin"].values.ravel()
    assert (basins == (theta[:, 0] < 0)).mean() > 0.99


def test_it_survives_a_file(posterior, tmp_path):
    posterior.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "posterior.nc", engine="h5netcdf") as back:
        assert set(back.children) == set(posterior.children)
        for name, group in posterior.children.items():
            xr.testing.assert_equal(back[name].load().to_dataset(), group.to_dataset())
        assert back.attrs["method"] == posterior.attrs["method"]
        assert json.loads(back.attrs["warnings"]) == []


@pytest.mark.parametrize("method", ["superposition", "jumps", "auto"])
def test_same_seed_same_draws_bit_for_bit(landscape, method):
    one, two = (sample(landscape, 80, method, seed=9, **QUIET) for _ in range(2))
    for group in ("posterior", "unconstrained_posterior", "sample_stats"):
        xr.testing.assert_identical(one[group].to_dataset(), two[group].to_dataset())
    other = sample(landscape, 80, method, seed=10, **QUIET)
    assert not np.array_equal(
        one["unconstrained_posterior"]["theta"].values,
        other["unconstrained_posterior"]["theta"].values,
    )


def test_auto_obeys_the_decision_and_reuses_its_pilot(landscape):
    decision = decide(landscape, ess=400, seed=4)  # what 200 draws ask for
    given = sample(landscape, 200, seed=4, decision=decision, **QUIET)
    own = sample(landscape, 200, seed=4, **QUIET)
    assert given.attrs["method"] == own.attrs["method"] == decision.method
    np.testing.assert_array_equal(
        given["unconstrained_posterior"]["theta"], own["unconstrained_posterior"]["theta"]
    )
    cost = [json.loads(p.attrs["evaluations"])["value"] for p in (given, own)]
    assert cost[1] - cost[0] == decision.evaluations.value
    assert json.loads(own.attrs["decision"])["method"] == decision.method


def test_an_invalid_decision_makes_an_unreliable_result():
    posterior = sample(map_of(far_apart(), coverage=0.2), 80, seed=0, **QUIET)
    assert posterior.attrs["method"] == "jumps"
    assert "found no method" in posterior.attrs["warnings"]


def test_progress_is_told_what_is_going_on(landscape):
    seen = []
    sample(landscape, 40, "jumps", progress=lambda **q: seen.append(q))
    assert {"stage": "pilot"} in seen
    assert any("draws" in q for q in seen)

    def broken(**_):
        raise RuntimeError("display")

    sample(landscape, 40, "superposition", progress=broken)


def test_the_target_s_input_and_the_map_are_left_alone(landscape):
    before = pickle.dumps(landscape.minima.to_dict())

    class Overwriting(type(landscape.target)):
        def energy(self, theta):
            value = super().energy(theta)
            theta[...] = np.nan
            return value

    import copy
    import dataclasses

    target = copy.copy(landscape.target)
    target.__class__ = Overwriting
    hostile = dataclasses.replace(landscape, target=target)
    posterior = sample(hostile, 80, "superposition", seed=9, **QUIET)
    assert np.isfinite(posterior["unconstrained_posterior"]["theta"].values).all()
    assert pickle.dumps(landscape.minima.to_dict()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "nuts"}, "`method` must be one of"),
        ({"draws": 0}, "`draws` must be a whole number, at least 1, got 0"),
        ({"chains": 0}, "`chains` must be a whole number, at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(landscape, arguments, message):
    with pytest.raises(ValueError, match=message):
        sample(landscape, **({"draws": 10} | arguments), **QUIET)
