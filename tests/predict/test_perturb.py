"""What is lost by changing some weights: as much as they matter, and nothing if they do not."""

import numpy as np
import pytest

import bayescape as bs
from bayescape.predict.perturb import _directions, _places
from tests.reference import networks
from tests.reference.maps import map_of_minima


@pytest.fixture(scope="module")
def trained():
    target, X, y = networks.classifier()
    theta = networks.near_the_best(target, 6)
    return map_of_minima(target, theta), X, y


def of_input(landscape, *inputs):
    return np.array([any(n.endswith(f",{i}]") for i in inputs) for n in landscape.names])


def test_weights_that_matter_lose_more_than_random_ones(trained):
    landscape, X, y = trained
    # Inputs that are held at zero cannot be felt, whatever their weights are.
    silent = X * [1, 1, 0, 0]
    matter = bs.perturb(landscape, of_input(landscape, 0, 1), silent, y, size=2.0, seed=1)
    assert (matter.loc[("conserved", slice(None)), "loss_low"] > 0).all()
    assert matter.loc[("other", "log_loss"), "excess_low"] > 0
    not_matter = bs.perturb(landscape, of_input(landscape, 2, 3), silent, y, size=2.0, seed=1)
    assert (not_matter.loc[("conserved", slice(None)), "loss"] == 0).all()
    assert not_matter.loc[("random", "log_loss"), "excess_high"] < 0


def test_the_table_is_what_its_columns_say(trained):
    landscape, X, y = trained
    table = bs.perturb(landscape, of_input(landscape, 0), X, y, repeats=3)
    for (kind, score), row in table.iterrows():
        worse = row["after"] - row["before"]
        assert row["loss"] == pytest.approx(worse if score == "log_loss" else -worse)
        assert row["loss_low"] <= row["loss"] <= row["loss_high"]
        if kind == "conserved":
            assert np.isnan(row["excess"])
        else:
            assert row["excess"] == pytest.approx(table.loc["conserved", score]["loss"] - row.loss)
    assert table.attrs == {"coordinates": 3, "minima": 6, "repeats": 3, "size": 1.0}


def test_changes_are_of_the_same_length_and_number():
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(5, 12))
    chosen = np.arange(12) < 4
    change = _directions(theta, 4, 0.5, rng)
    lengths = 0.5 * np.sqrt(4 * (theta**2).mean(axis=1))
    np.testing.assert_allclose(np.linalg.norm(change, axis=1), lengths, rtol=1e-12)
    places = _places(theta, chosen, rng)
    assert {len(np.unique(row)) for where in places.values() for row in where} == {4}
    assert (places["other"] >= 4).all()
    left = np.take_along_axis(np.abs(theta), places["largest"], axis=1).min(axis=1)
    assert ((np.abs(theta) >= left[:, None]).sum(axis=1) == 4).all()


def test_intervals_cover_what_many_repeats_give(trained):
    landscape, X, y = trained
    chosen = of_input(landscape, 0)
    truth = bs.perturb(landscape, chosen, X, y, repeats=400, seed=99)
    inside = 0
    for seed in range(20):
        table = bs.perturb(landscape, chosen, X, y, repeats=10, seed=seed)
        row = table.loc[("random", "log_loss")]
        inside += row["loss_low"] <= truth.loc[("random", "log_loss"), "loss"] <= row["loss_high"]
    assert inside >= 15  # 19 are expected at 95 %; fewer than 15 have a chance of 0.0003


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "`size` must be a finite number above 0"),
        ({"repeats": 0}, "`repeats` must be a whole number, at least 1"),
        ({"conserved": np.ones(3, bool)}, r"`conserved` must be what `conserved` made"),
        ({"conserved": np.ones(15, bool)}, "and not all, got 15"),
        ({"conserved": np.zeros(15, bool)}, "and not all, got 0"),
        ({"y_test": np.zeros(3)}, "`y_test` must have one label per row"),
        ({"y_test": np.full(60, 7)}, r"`y_test` must hold classes of \[0, 1, 2\]"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(trained, given, message):
    landscape, X, y = trained
    asked = {"conserved": of_input(landscape, 0), "X_test": X, "y_test": y} | given
    with pytest.raises(ValueError, match=message):
        bs.perturb(landscape, **asked)
