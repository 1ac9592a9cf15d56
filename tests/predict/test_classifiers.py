"""Mixtures of classifiers against the same done by hand, and their draws against their density."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

import bayescape as bs
from bayescape.predict.classifiers import harmonic_draws
from tests.reference import networks
from tests.reference.maps import map_of_minima


@pytest.fixture(scope="module")
def trained():
    target, X, y = networks.classifier()
    theta = networks.near_the_best(target, 5, spread=0.4)
    return map_of_minima(target, theta), X, y


def test_rows_are_mixtures_of_the_minima_s_probabilities(trained):
    landscape, X, y = trained
    table = bs.compare_classifiers(landscape, X, y)
    each = landscape.target.predict_proba(landscape.minima["theta"].values, X)
    for label, kind in (
        ("single best minimum", "best"),
        ("uniform ensemble", "uniform"),
        ("energy-weighted ensemble", "energy"),
        ("occupation-weighted ensemble", "occupation"),
    ):
        weights = bs.ensemble_weights(landscape, kind)
        mixed = np.einsum("b,bmc->mc", weights, each)
        assert table.loc[label, "log_loss"] == pytest.approx(log_loss(y, mixed))
        assert table.loc[label, "accuracy"] == (mixed.argmax(axis=1) == y).mean()
        assert table.loc[label, "effective"] == pytest.approx(1 / (weights**2).sum())
    gain = table.loc["single best minimum", "log_loss"] - table["log_loss"]
    np.testing.assert_allclose(table["improvement_log_loss"], gain, atol=1e-12)
    assert table.loc["harmonic superposition", "members"] == 500


def test_restarts_are_a_deep_ensemble_of_their_own(trained):
    landscape, X, y = trained
    fresh = landscape.minima["theta"].values[::-1]
    table = bs.compare_classifiers(landscape, X, y, restarts=fresh, draws=10)
    same = ["accuracy", "log_loss", "calibration_error", "auc"]
    np.testing.assert_allclose(
        table.loc["deep ensemble", same].astype(float),
        table.loc["uniform ensemble", same].astype(float),
    )
    assert table.loc["single restart", "members"] == 1


def test_draws_have_the_mean_and_the_covariance_of_the_normal_distribution(trained):
    landscape, _, _ = trained
    weights = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    n, rng = 40_000, np.random.default_rng(0)
    points = harmonic_draws(landscape, weights, n, rng, temperature=2.0)
    covariance = 2 * np.linalg.inv(landscape.minima["hessian"].values[1])
    away = points - landscape.minima["theta"].values[1]
    sd = np.sqrt(np.diag(covariance))
    assert (np.abs(away.mean(axis=0)) < 4.5 * sd / np.sqrt(n)).all()
    # A covariance of normal draws has the variance (c_ij^2 + c_ii c_jj) / n.
    error = np.sqrt((covariance**2 + np.outer(sd, sd) ** 2) / n)
    assert (np.abs(away.T @ away / n - covariance) < 5 * error).all()


def test_draws_are_shared_out_by_weight(trained):
    landscape, _, _ = trained
    tight = landscape.minima.assign(hessian=1e12 + 0 * landscape.minima["hessian"])
    tight["hessian"].values[:] = 1e12 * np.eye(len(landscape.names))
    still = map_of_minima(
        landscape.target, landscape.minima["theta"].values, hessians=tight["hessian"].values
    )
    weights = np.array([0.5, 0.2, 0.2, 0.1, 0.0])
    points = harmonic_draws(still, weights, 100, np.random.default_rng(0))
    away = np.linalg.norm(points[:, None] - still.minima["theta"].values, axis=2)
    np.testing.assert_allclose(np.bincount(away.argmin(axis=1), minlength=5), 100 * weights, atol=1)


def test_without_hessians_what_needs_none_is_compared(trained):
    landscape, X, y = trained
    theta = landscape.minima["theta"].values
    unknown = map_of_minima(landscape.target, theta, hessians=np.full((5, 15, 15), np.nan))
    table = bs.compare_classifiers(unknown, X, y)
    assert "Hessian" in table.attrs["left_out"]
    assert list(table.index) == [
        "single best minimum",
        "uniform ensemble",
        "energy-weighted ensemble",
    ]


def test_disagreement_is_the_share_of_rows_that_one_of_two_gets_right(trained):
    landscape, X, y = trained
    table = bs.error_disagreement(landscape, X, y)
    guesses = landscape.target.predict_proba(landscape.minima["theta"].values, X).argmax(axis=2)
    for a in range(5):
        for b in range(5):
            assert table.loc[a, b] == np.mean((guesses[a] == y) ^ (guesses[b] == y))
    np.testing.assert_allclose(table.attrs["accuracy"], (guesses == y).mean(axis=1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"draws": 0}, "`draws` must be a whole number, at least 1"),
        ({"restarts": np.zeros(15)}, r"`restarts` must be points, shape \(S, 15\)"),
        ({"temperature": -1.0}, "`temperature` must be a finite number above 0"),
        ({"y_test": np.zeros(3)}, "`y_test` must have one label per row"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(trained, given, message):
    landscape, X, y = trained
    with pytest.raises(ValueError, match=message):
        bs.compare_classifiers(landscape, **({"X_test": X, "y_test": y} | given))


def test_a_target_without_classes_is_refused(trained):
    from torch import nn

    landscape, X, y = trained
    numbers = bs.NetworkLoss(nn.Linear(4, 3), X, np.zeros((60, 3)), "mse", l2=0.1)
    squares = map_of_minima(numbers, landscape.minima["theta"].values)
    with pytest.raises(TypeError, match="the target must give class probabilities"):
        bs.compare_classifiers(squares, X, y)
