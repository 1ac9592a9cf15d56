"""The report's tables, and hyperparameters in the units of the data."""

import numpy as np
import pytest

from bayescape.study.tables import (
    basin_table,
    comparison_table,
    cost_table,
    decision_table,
    posterior_table,
)
from bayescape.study.units import in_data_units
from bayescape.targets.gaussian_process import GaussianProcess


def test_every_row_has_a_cell_for_every_head(make_study):
    study = make_study([0.0, 0.5, 1.0], [0.5, 0.3, 0.2], gain=0.1)
    tables = [
        basin_table(study.fit),
        decision_table(study.fit),
        posterior_table(study.fit),
        comparison_table(study.comparison, "level"),
        cost_table(study),
    ]
    for table in tables:
        assert table.rows
        assert all(len(row) == len(table.heads) for row in table.rows)
        assert not any("nan" in cell for row in table.rows for cell in row)


def test_barriers_are_from_the_higher_minimum(make_study):
    # Transition states join 1-2 at 2.0 and 2-3 at 3.0 nats.
    rows = basin_table(make_study([0.0, 0.5, 1.0], [0.5, 0.3, 0.2]).fit).rows
    assert [row[2] for row in rows] == ["-", "1.500", "2.000"]
    assert [row[1] for row in rows] == ["0.000", "0.500", "1.000"]
    assert rows[1][3] == "30.0 % ± 1.0 %"


def test_the_total_cost_is_the_sum(make_study):
    study = make_study([0.0, 0.5], [0.5, 0.5], gain=0.1)
    table = cost_table(study)
    assert len(table.rows) == 8
    for k in (1, 2, 3):
        counts = [int(row[k].replace(",", "")) for row in table.rows]
        assert counts[-1] == sum(counts[:-1])
    assert len(cost_table(make_study([0.0], [1.0])).rows) == 4


@pytest.mark.parametrize("ard", [True, False])
def test_units_are_those_of_the_data(ard):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2)) * [10.0, 0.1] + [5.0, -3.0]
    y = 100 * rng.normal(size=20) + 7
    target = GaussianProcess(
        X, y, ard=ard, mean="constant", priors="default", input_names=("a", "b")
    )
    natural = {
        "lengthscale": np.full((1, 2 if ard else 1), 2.0),
        "outputscale": np.array([4.0]),
        "noise": np.array([0.25]),
        "mean": np.array([0.5]),
    }
    found = in_data_units(target, natural)
    unit = np.std(y) if np.isclose(np.std(target.y), 1) else np.std(y, ddof=1)
    assert found["signal, standard deviation"][0] == pytest.approx(2 * unit)
    assert found["noise, standard deviation"][0] == pytest.approx(0.5 * unit)
    assert found["mean"][0] == pytest.approx(y.mean() + 0.5 * unit)
    if ard:
        stretch = np.std(X, axis=0) / np.std(target.X, axis=0)
        assert found["lengthscale of a"][0] == pytest.approx(2 * stretch[0])
        assert found["lengthscale of b"][0] == pytest.approx(2 * stretch[1])
    else:
        assert found["lengthscale (standardised inputs)"][0] == 2.0


def test_chains_are_told_by_their_own_diagnostics(make_study):
    study = make_study([0.0], [1.0])
    independent = posterior_table(study.fit)
    assert all(row[-1] == "independent draws" for row in independent.rows)
    # 200 draws out of points worth 700: the variances of both choices add.
    assert all(row[-2] == f"{1 / (1 / 200 + 1 / 700):.0f}" for row in independent.rows)
    study.fit.posterior.attrs["method"] = "jumps"
    chains = posterior_table(study.fit)
    assert all(0.9 < float(row[-1]) < 1.1 for row in chains.rows)
