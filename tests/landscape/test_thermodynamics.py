"""Harmonic thermodynamics against closed forms, quadrature and differences."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad

from bayescape.landscape.harmonic import log_volume
from bayescape.landscape.thermodynamics import thermodynamics


@pytest.fixture
def two_basins(landscape_of):
    """Unequal energies, unequal widths, not aligned with the axes."""
    rotated = np.array([[5.0, 2.0], [2.0, 3.0]])
    return landscape_of([[0.0, 0.0], [6.0, 1.0]], [0.3, 1.7], [rotated, np.diag([0.2, 0.5])])


def test_log_z_of_one_basin_is_its_gaussian_integral(landscape_of):
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
    unknown = np.full((2, 2), np.nan)
    assert np.isnan(log_volume([np.diag([1.0, -1.0]), unknown, np.eye(2)])).tolist() == [1, 1, 0]


def test_a_basin_without_a_volume_is_refused_in_a_sentence(landscape_of):
    hessians = [np.eye(2), np.full((2, 2), np.nan)]
    with pytest.raises(ValueError, match="no positive definite Hessian at minimum 1"):
        thermodynamics(landscape_of([[0, 0], [1, 1]], [0.0, 1.0], hessians))


def test_a_log_product_serves_where_there_is_no_hessian(two_basins):
    products = np.linalg.slogdet(two_basins.minima["hessian"].values)[1]
    minima = two_basins.minima.assign(
        hessian=two_basins.minima["hessian"] * np.nan, log_product=("minimum", products)
    )
    got = thermodynamics(dataclasses.replace(two_basins, minima=minima), [0.5, 1.0])
    for name, expected in thermodynamics(two_basins, [0.5, 1.0]).items():
        np.testing.assert_allclose(got[name], expected, rtol=1e-12, err_msg=name)
