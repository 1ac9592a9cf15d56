"""The stored truth of the catalogue's Gaussian processes, held against what is quick to compute."""

import numpy as np
import pytest
from scipy.stats import qmc

from tests.reference.catalogue.gaussian_processes import GAUSSIAN_PROCESSES, PROBLEMS, stored
from tests.reference.catalogue.gp_energy import REFUSED
from tests.reference.catalogue.gp_truth import basin_of, from_prior

by_name = {posterior.name: posterior for posterior in GAUSSIAN_PROCESSES}
every = pytest.mark.parametrize("name", by_name)


def test_there_are_enough_and_they_have_one_to_four_basins_that_matter():
    assert len(GAUSSIAN_PROCESSES) == len(by_name) >= 14
    assert {p.name for p in PROBLEMS} < set(by_name)
    counts = {int((np.array(stored(name)["occupation"]) > 0.003).sum()) for name in by_name}
    assert {1, 2, 3, 4} <= counts


@every
def test_stored_minima_are_minima_of_the_target(name):
    target, on_file = by_name[name].make(), stored(name)
    minima = np.array(on_file["minima"])
    energies, gradients = target.energy_and_gradient(minima)
    np.testing.assert_allclose(energies, on_file["energy"], rtol=1e-8)
    np.testing.assert_array_less(np.linalg.norm(gradients, axis=1), 1e-4)
    assert (np.linalg.eigvalsh(target.hessian(minima)) > 0).all()


@every
def test_stored_numbers_fit_together(name):
    truth, on_file = by_name[name].truth(), stored(name)
    d = len(by_name[name].make().names)
    assert truth.mean.shape == truth.sd.shape == (d,)
    assert truth.centres.shape == (len(truth.occupation), d)
    assert (truth.occupation >= 0).all()
    assert truth.occupation.sum() == pytest.approx(1, abs=1e-3)
    # Good enough to judge by: far within what a silent failure is.
    error = on_file.get("log_evidence_error", 1 / np.sqrt(on_file.get("effective_draws", np.inf)))
    assert error < 0.005
    assert on_file["occupation_draws"] >= 4000
    if "mean_error" in on_file:
        assert (np.array(on_file["mean_error"]) < 0.005 * truth.sd).all()
        assert (np.array(on_file["sd_error"]) < 0.01 * truth.sd).all()


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_the_target_is_the_energy_written_apart(problem):
    energy, target = problem.energy(), problem.target()
    points = from_prior(energy, np.random.default_rng(3).uniform(0.02, 0.98, (10, energy.d)))
    pairs = [energy.with_gradient(x) for x in points]
    there = np.array([e < REFUSED for e, _ in pairs])
    assert there.sum() >= 8
    known, slopes = np.array([e for e, _ in pairs]), np.array([g for _, g in pairs])
    found, gradients = target.energy_and_gradient(points)
    np.testing.assert_allclose(found[there], known[there], rtol=1e-8, atol=1e-8)
    size = np.maximum(1, np.abs(slopes[there]).max(axis=1))
    assert (np.abs(gradients - slopes)[there].max(axis=1) < 1e-5 * size).all()


@pytest.mark.parametrize("name", ["gp-eight-points", "gp-signal-or-noise", "gp-walled"])
def test_evidence_and_mean_by_averages_over_the_prior(name):
    """The evidence is the likelihood's average over the prior: no box, and no Jacobian."""
    (problem,) = (p for p in PROBLEMS if p.name == name)
    target, energy, truth = problem.target(), problem.energy(), by_name[name].truth()
    flat = np.array([prior is None for prior in energy.priors])
    volume = np.log(energy.walls[1, flat] - energy.walls[0, flat]).sum()
    evidences, means = [], []
    for seed in range(8):
        u = qmc.Sobol(energy.d, rng=np.random.default_rng(seed)).random_base2(14)
        theta = from_prior(energy, u)
        likelihood = np.exp(target.log_likelihood(theta) - truth.log_evidence + volume)
        evidences.append(likelihood.mean())
        means.append(likelihood @ theta / likelihood.sum())
    for found, known, limit in (
        (np.array(evidences)[:, None], 1.0, 0.01),
        (np.array(means), truth.mean, 0.02),
    ):
        error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        assert (error < limit).all()
        assert (np.abs(found.mean(axis=0) - known) < 5 * error + 1e-4).all()


@pytest.mark.parametrize("name", ["gp-ocean", "gp-schwefel-four-modes"])
def test_steepest_descent_from_beside_a_minimum_ends_in_it(name):
    target, truth = by_name[name].make(), by_name[name].truth()
    unit = np.ones(len(target.names))
    walls = np.array([[-np.inf], [np.inf]]) * unit
    for k, centre in enumerate(truth.centres):
        assert basin_of(target, walls, unit, centre + 0.02 * truth.sd, truth.centres) == k
