"""Harmonic thermodynamics against closed forms, quadrature and differences."""

import numpy as np
import pytest
from scipy.integrate import quad

from bayescape.evaluations import Evaluations
from bayescape.landscape.harmonic import log_volume, occupation
from bayescape.landscape.passes import merges, pass_energies
from bayescape.landscape.rates import crossing_rates, harmonic_covariance, relaxation_time
from bayescape.landscape.record import Landscape
from bayescape.landscape.thermodynamics import thermodynamics


def landscape_of(
    minima,
    energies,
    hessians,
    states=(),
    state_energies=(),
    state_hessians=(),
    joins=(),
):
    d = np.shape(minima)[1]
    return Landscape.from_arrays(
        names=[f"x{i}" for i in range(d)],
        minima=minima,
        energies=energies,
        hessians=hessians,
        hits=np.ones(len(minima), int),
        transition_states=states,
        transition_energies=state_energies,
        transition_hessians=state_hessians,
        joins=joins,
        coverage=1.0,
        evaluations=Evaluations(),
    )


@pytest.fixture
def two_basins():
    """Unequal energies, unequal widths, not aligned with the axes."""
    rotated = np.array([[5.0, 2.0], [2.0, 3.0]])
    return landscape_of([[0.0, 0.0], [6.0, 1.0]], [0.3, 1.7], [rotated, np.diag([0.2, 0.5])])


def test_log_z_of_one_basin_is_its_gaussian_integral():
    stiffness, energy, temperature = 3.7, 0.9, 0.6
    one = landscape_of([[0.0]], [energy], [[[stiffness]]])
    integral, _ = quad(
        lambda x: np.exp(-(energy + 0.5 * stiffness * x**2) / temperature),
        -np.inf,
        np.inf,
    )
    got = thermodynamics(one, [temperature])
    assert got["log_z"].item() == pytest.approx(np.log(integral), rel=1e-10)
    assert got["heat_capacity"].item() == pytest.approx(0.5)
    assert got["log_volume"].item() == pytest.approx(0.5 * np.log(2 * np.pi / stiffness))


def test_energy_and_heat_capacity_are_derivatives_of_log_z(two_basins):
    t = np.array([0.3, 0.8, 1.0, 2.5])
    step = 1e-4 * t
    around = [thermodynamics(two_basins, t + k * step)["log_z"].values for k in (-2, -1, 0, 1, 2)]
    slope = (around[0] - 8 * around[1] + 8 * around[3] - around[4]) / (12 * step)
    got = thermodynamics(two_basins, t)
    np.testing.assert_allclose(got["energy"].values, t**2 * slope, rtol=1e-8)

    energies = [thermodynamics(two_basins, t + k * step)["energy"].values for k in (-2, -1, 1, 2)]
    slope = (energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * step)
    np.testing.assert_allclose(got["heat_capacity"].values, slope, rtol=1e-8)

    p = [thermodynamics(two_basins, t + k * step)["occupation"].values for k in (-1, 1)]
    np.testing.assert_allclose(
        got["occupation_slope"].values, (p[1] - p[0]) / (2 * step[:, None]), rtol=1e-5
    )


def test_parts_by_minimum_sum_to_the_whole(two_basins):
    got = thermodynamics(two_basins)
    np.testing.assert_allclose(
        got["heat_capacity_by_minimum"].sum("minimum"), got["heat_capacity"], rtol=1e-12
    )
    np.testing.assert_allclose(got["occupation"].sum("minimum"), 1.0, rtol=1e-12)
    np.testing.assert_allclose(got["occupation_slope"].sum("minimum"), 0.0, atol=1e-10)
    assert 1.0 in got["temperature"].values


def test_limits_of_temperature(two_basins):
    got = thermodynamics(two_basins, [1e-3, 1e9])
    np.testing.assert_allclose(got["occupation"].values[0], [1.0, 0.0], atol=1e-12)
    # Hot, only the volumes count.
    volumes = np.exp(log_volume(two_basins.minima["hessian"].values))
    np.testing.assert_allclose(got["occupation"].values[1], volumes / volumes.sum(), rtol=1e-6)


@pytest.mark.parametrize("temperatures", [[0.0], [-1.0], [np.nan], [np.inf], [[1.0, 2.0]]])
def test_temperatures_that_make_no_sense_are_refused(two_basins, temperatures):
    with pytest.raises(ValueError, match="`temperatures`"):
        thermodynamics(two_basins, temperatures)


def test_volume_of_a_basin_that_is_not_one_is_nan():
    assert np.isnan(log_volume([np.diag([1.0, -1.0])])).all()


@pytest.fixture
def chain_of_four():
    """0 - 1 at 3, 1 - 2 at 5 and again at 4, 3 alone; one state joins 2 to itself."""
    saddle = np.diag([-1.0, 2.0])
    return landscape_of(
        [[0, 0], [1, 0], [2, 0], [3, 0]],
        [0.0, 1.0, 2.0, 2.5],
        [np.eye(2)] * 4,
        [[0.5, 0], [1.5, 0], [1.5, 1], [2, 1]],
        [3.0, 5.0, 4.0, 2.2],
        [saddle] * 4,
        [[0, 1], [1, 2], [2, 1], [2, 2]],
    )


def test_merges_are_the_lowest_ones(chain_of_four):
    assert [(m.energy, m.left, m.right) for m in merges(chain_of_four)] == [
        (3.0, (0,), (1,)),
        (4.0, (0, 1), (2,)),
    ]


def test_pass_energies_are_minimax(chain_of_four):
    passes = pass_energies(chain_of_four)
    assert passes[0, 1] == 3.0
    assert passes[0, 2] == passes[1, 2] == 4.0
    assert np.isinf(passes[3, :3]).all()
    np.testing.assert_array_equal(np.diag(passes), [0.0, 1.0, 2.0, 2.5])
    np.testing.assert_array_equal(passes, passes.T)


def test_rates_obey_detailed_balance_and_a_closed_form():
    saddle = np.array([[-0.5, 0.3], [0.3, 2.0]])
    pair = landscape_of(
        [[0, 0], [4, 1]],
        [0.0, 0.7],
        [np.diag([3.0, 1.0]), np.diag([0.5, 0.8])],
        [[2, 0.5]],
        [2.9],
        [saddle],
        [[0, 1]],
    )
    rates = crossing_rates(pair)
    p = occupation(pair.minima["energy"].values, pair.minima["hessian"].values)
    assert p[0] * rates[0, 1] == pytest.approx(p[1] * rates[1, 0], rel=1e-12)
    # With the metric 1 the frequencies are square roots of the Hessian's eigenvalues.
    rates = crossing_rates(pair, np.eye(2))
    positive = np.linalg.eigvalsh(saddle)[1]
    expected = np.sqrt(3.0 / positive) * np.exp(-2.9) / (2 * np.pi)
    assert rates[0, 1] == pytest.approx(expected, rel=1e-12)
    # Two states relax at the sum of their rates.
    assert relaxation_time(pair, np.eye(2)) == pytest.approx(1 / (rates[0, 1] + rates[1, 0]))


def test_relaxation_of_one_basin_and_of_a_graph_in_parts(chain_of_four):
    assert relaxation_time(landscape_of([[0.0]], [0.0], [[[1.0]]])) == 0.0
    assert relaxation_time(chain_of_four) == np.inf


def test_harmonic_covariance_is_that_of_the_mixture(two_basins):
    rng = np.random.default_rng(5)
    p = occupation(two_basins.minima["energy"].values, two_basins.minima["hessian"].values)
    count = 400_000
    which = rng.choice(2, count, p=p)
    factors = np.linalg.cholesky(np.linalg.inv(two_basins.minima["hessian"].values))
    draws = two_basins.minima["theta"].values[which] + np.einsum(
        "bij,bj->bi", factors[which], rng.standard_normal((count, 2))
    )
    expected = harmonic_covariance(two_basins)
    # Five standard errors of a covariance's entries.
    tolerance = 5 * np.sqrt(2 / count) * np.abs(expected).max() * 2
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=tolerance)
