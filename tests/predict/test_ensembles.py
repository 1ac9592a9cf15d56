import dataclasses

import numpy as np
import pytest

from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.predict.ensembles import (
    ENSEMBLES,
    FITTED,
    ensemble_temperature,
    ensemble_weights,
)


def test_weights_by_hand(landscape):
    # The record sorts by energy: 0, 1, 3, with determinants 1, 0.04, 4.
    np.testing.assert_array_equal(ensemble_weights(landscape, "best"), [1, 0, 0])
    np.testing.assert_allclose(ensemble_weights(landscape, "uniform"), np.full(3, 1 / 3))
    boltzmann = np.exp([-0.0, -1.0, -3.0])
    np.testing.assert_allclose(
        ensemble_weights(landscape, "energy"), boltzmann / boltzmann.sum(), rtol=1e-14
    )
    volume = boltzmann / np.sqrt([1.0, 0.04, 4.0])
    np.testing.assert_allclose(
        ensemble_weights(landscape, "occupation"), volume / volume.sum(), rtol=1e-14
    )


@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_occupation_is_that_of_the_thermodynamics(landscape, temperature):
    expected = thermodynamics(landscape, [temperature])["occupation"].values[0]
    got = ensemble_weights(landscape, "occupation", temperature=temperature)
    np.testing.assert_allclose(got, expected)


def test_volume_is_occupation_without_end_of_temperature(landscape):
    width = 1 / np.sqrt([1.0, 0.04, 4.0])
    np.testing.assert_allclose(ensemble_weights(landscape, "volume"), width / width.sum())
    hot = ensemble_weights(landscape, "occupation", temperature=1e9)
    np.testing.assert_allclose(ensemble_weights(landscape, "volume"), hot, rtol=1e-8)


def test_the_heat_capacity_s_temperature_is_that_of_its_peak(line, make_landscape):
    # Two minima five nats apart, the upper with a hundred times the volume: the heat capacity is
    # d/2 + p (1 - p) 25 / T^2 with p the upper's occupation.
    hessians = np.array([np.eye(2), 0.01 * np.eye(2)])
    two = make_landscape(np.zeros((2, 2)), [0.0, 5.0], hessians, line)
    t = np.geomspace(0.1, 10, 1_000_001)
    p = 1 / (1 + np.exp(5 / t) / 100)
    peak = t[(p * (1 - p) * 25 / t**2).argmax()]
    assert ensemble_temperature(two, "heat_capacity") == pytest.approx(peak, rel=1e-4)
    one = make_landscape(np.zeros((1, 2)), [0.0], hessians[:1], line)
    assert ensemble_temperature(one, "heat_capacity") == 1.0
    np.testing.assert_allclose(
        ensemble_weights(two, "occupation", temperature="heat_capacity"),
        ensemble_weights(two, "occupation", temperature=peak),
        atol=1e-5,
    )


def test_a_choice_of_temperature_that_is_none(landscape):
    with pytest.raises(ValueError, match="`temperature` must be a finite number above 0, got 0"):
        ensemble_weights(landscape, "energy", temperature=0)
    with pytest.raises(ValueError, match=r"`temperature` must be one of .* got 'hot'"):
        ensemble_weights(landscape, "energy", temperature="hot")
    with pytest.raises(ValueError, match="`kind` must be 'energy' or 'occupation', got 'uniform'"):
        ensemble_temperature(landscape, "heat_capacity", kind="uniform")


def test_a_target_that_leaves_no_row_out_is_named(landscape):
    for kind in FITTED:
        with pytest.raises(TypeError, match=r"method `leave_one_out.*but Line has not"):
            ensemble_weights(landscape, kind)
    with pytest.raises(TypeError, match=r"method `leave_one_out.*but Line has not"):
        ensemble_weights(landscape, "energy", temperature="cross_validation")


def test_energies_in_the_hundreds_do_not_underflow(landscape):
    shifted = dataclasses.replace(
        landscape, minima=landscape.minima.assign(energy=landscape.minima["energy"] + 5000)
    )
    for kind in set(ENSEMBLES) - set(FITTED):
        np.testing.assert_allclose(
            ensemble_weights(shifted, kind), ensemble_weights(landscape, kind), rtol=1e-10
        )


def test_an_unknown_kind_is_named_with_the_choices(landscape):
    with pytest.raises(ValueError, match=r"`kind` must be one of \['best', .* got 'median'"):
        ensemble_weights(landscape, "median")


def test_no_minimum_no_ensemble(landscape):
    empty = dataclasses.replace(landscape, minima=landscape.minima.isel(minimum=slice(0)))
    with pytest.raises(ValueError, match="no minimum"):
        ensemble_weights(empty, "uniform")


def test_an_indefinite_hessian_has_no_occupation(landscape):
    bad = dataclasses.replace(
        landscape, minima=landscape.minima.assign(hessian=-landscape.minima["hessian"])
    )
    with pytest.raises(ValueError, match="not positive definite"):
        ensemble_weights(bad, "occupation")
