"""The bundled data, and the whole way on them."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescape
from bayescape.study import cli
from bayescape.study.demo import nile, nile_held_out, nile_settings


def test_the_bundled_data_are_the_published_ones():
    if importlib.util.find_spec("statsmodels") is None:
        pytest.skip("statsmodels is not installed")
    from statsmodels.datasets import nile as published

    frame = published.load_pandas().data
    table = nile()
    np.testing.assert_array_equal(table.X[:, 0], frame["year"])
    np.testing.assert_array_equal(table.y, frame["volume"])
    assert table.input_names == ("year",)
    assert table.output_name == "flow"


def test_every_fifth_year_is_held_out():
    assert len(nile_held_out()) == 20
    np.testing.assert_array_equal(np.diff(nile_held_out()), 5)


def test_the_priors_are_the_stated_ones():
    priors = nile_settings().priors
    stated = {
        "lengthscale": (np.log(0.85), 1.5),
        "outputscale": (0, 2),
        "noise": (2 * np.log(0.3), 3),
    }
    assert set(priors) == set(stated)
    for name, (location, scale) in stated.items():
        assert float(priors[name].loc) == pytest.approx(location)
        assert float(priors[name].scale) == pytest.approx(scale)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "report"
    assert cli.main(["demo", "--out", str(folder), "-q"]) == 0
    return folder


def test_the_demo_finds_the_ambiguity(out):
    landscape = bayescape.load_landscape(out / "landscape.nc")
    energies = landscape.minima["energy"].values
    assert len(energies) >= 2
    assert energies[1] - energies[0] < 1.3
    assert landscape.coverage > 0.9


def test_the_demo_is_reliable_and_its_files_load(out):
    posterior = xr.load_datatree(out / "posterior.nc", engine="h5netcdf")
    assert posterior.attrs["reliable"] == 1
    assert posterior["posterior"]["lengthscale"].shape == (4, 250, 1)
    comparison = pd.read_csv(out / "comparison.csv", index_col="predictor")
    assert comparison.index[0] == "single best minimum"
    assert "hmc posterior" in comparison.index
    assert np.isfinite(comparison[["rmse", "nlpd", "crps"]].to_numpy()).all()
