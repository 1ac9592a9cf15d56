import dataclasses

import numpy as np
import pytest

from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.predict.ensembles import ENSEMBLES, ensemble_weights


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


def test_occupation_is_that_of_the_thermodynamics(landscape):
    expected = thermodynamics(landscape, [1.0])["occupation"].values[0]
    np.testing.assert_allclose(ensemble_weights(landscape, "occupation"), expected)


def test_energies_in_the_hundreds_do_not_underflow(landscape):
    shifted = dataclasses.replace(
        landscape, minima=landscape.minima.assign(energy=landscape.minima["energy"] + 5000)
    )
    for kind in ENSEMBLES:
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
