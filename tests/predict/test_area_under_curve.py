"""Networks trained for the area under the curve go through the whole analysis."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from torch import nn

import bayescape as bs


@pytest.fixture(scope="module", params=[1, 2])
def mapped(request):
    """A map of networks with one output or two, and test rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    score = np.sin(2 * X[:, 0]) + X[:, 1] ** 2 + 0.5 * rng.normal(size=200)
    y = np.where(score > np.median(score), "yes", "no")
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, request.param))
    target = bs.NetworkLoss(module, X[:100], y[:100], "auc", l2=0.05, sharpness=3.0)
    landscape = bs.explore(target, progress=False, max_quenches=16, budget=6000)
    return landscape, X[100:], y[100:]


def test_a_minimum_puts_the_classes_in_order(mapped):
    landscape, X, y = mapped
    proba = landscape.target.predict_proba(landscape.minima["theta"].values[:1], X)[0, :, 1]
    assert roc_auc_score(y == "yes", proba) > 0.8
    energies = landscape.minima["energy"].values
    np.testing.assert_allclose(landscape.target.energy(landscape.minima["theta"].values), energies)


def test_conserved_weights_are_found_and_perturbed(mapped):
    landscape, X, y = mapped
    count = landscape.minima.sizes["minimum"]
    halves = [range(0, count, 2), range(1, count, 2)]
    found = bs.conserved(landscape, halves, permutations=19)
    assert np.isfinite(found.table["determined"]).all()
    strongest = (found.table["determined"].rank(ascending=False) <= 5).to_numpy()
    table = bs.perturb(landscape, strongest, X, y, seed=0)
    row = table.loc[("conserved", "auc")]
    assert row["before"] > 0.8
    assert row["loss"] == pytest.approx(row["before"] - row["after"])
    assert row["loss"] > 0.05  # what the loss is made for suffers


def test_ensembles_are_scored_by_what_they_were_made_for(mapped):
    landscape, X, y = mapped
    table = bs.compare_classifiers(landscape, X, y, seed=0)
    best = table.loc["single best minimum"]
    proba = landscape.target.predict_proba(landscape.minima["theta"].values[:1], X)[0, :, 1]
    assert best["auc"] == pytest.approx(roc_auc_score(y == "yes", proba))
    assert (table["auc"] > 0.7).all()
