import dataclasses

import numpy as np
import pytest
from scipy import stats

from bayescape.predict.compare import compare

ENSEMBLE_ROWS = [
    "single best minimum",
    "uniform ensemble",
    "energy-weighted ensemble",
    "occupation-weighted ensemble",
    "volume-weighted ensemble",
]


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    x = rng.uniform(-2, 2, 60)
    return x, 1.4 * x + rng.normal(0, 0.7, 60)


def test_rows_and_members(landscape, posterior, data):
    frame = compare(landscape, posterior, *data)
    assert list(frame.index) == [*ENSEMBLE_ROWS, "hmc posterior"]
    assert frame.index.name == "predictor"
    assert list(frame["members"]) == [1, 3, 3, 3, 3, 80]
    assert frame.attrs == {"output": "height", "test_points": 60}
    assert list(compare(landscape, None, *data).index) == ENSEMBLE_ROWS


def test_scores_of_the_best_minimum_by_hand(landscape, data):
    x, y = data
    row = compare(landscape, None, x, y).loc["single best minimum"]
    error, sd = y - 2.0 * x, np.exp(-0.5)
    z = error / sd
    one = sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5)
    assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["nlpd"] == pytest.approx(-stats.norm.logpdf(y, 2.0 * x, sd).mean())
    assert row["crps"] == pytest.approx(one.mean())
    for percent in (50, 90, 95):
        inside = np.abs(z) <= stats.norm.ppf(0.5 + percent / 200)
        assert row[f"coverage_{percent}"] == pytest.approx(inside.mean())
    for column in ("rmse_percent", "nlpd", "crps_percent"):
        assert row[f"improvement_{column}"] == 0
        assert row[f"improvement_{column}_se"] == 0


def test_improvements_are_positive_when_better(landscape, posterior, data):
    frame = compare(landscape, posterior, *data)
    best, post = frame.loc["single best minimum"], frame.loc["hmc posterior"]
    assert post["rmse"] < best["rmse"]
    assert post["improvement_rmse_percent"] == pytest.approx(100 * (1 - post.rmse / best.rmse))
    assert post["improvement_crps_percent"] == pytest.approx(100 * (1 - post.crps / best.crps))
    assert post["improvement_nlpd"] == pytest.approx(best["nlpd"] - post["nlpd"])
    assert post["improvement_rmse_percent"] > 0


def test_the_standard_error_of_a_mean_is_the_usual_one(landscape, data):
    x, y = data
    frame = compare(landscape, None, x, y)
    theta, w = landscape.minima["theta"].values, np.full(3, 1 / 3)
    densities = stats.norm.pdf(y, theta[:, :1] * x, np.exp(theta[:, 1:] / 2))
    gain = np.log(w @ densities) - np.log(densities[0])
    expected = gain.std(ddof=1) / np.sqrt(len(y))  # what the jackknife of a mean is
    assert frame.loc["uniform ensemble", "improvement_nlpd_se"] == pytest.approx(expected)


def test_the_standard_error_predicts_the_spread_over_test_sets(landscape):
    rng = np.random.default_rng(8)
    values, errors = [], []
    for _ in range(120):
        x = rng.uniform(-2, 2, 80)
        row = compare(landscape, None, x, 1.4 * x + rng.normal(0, 0.7, 80)).loc["uniform ensemble"]
        values.append([row["improvement_rmse_percent"], row["improvement_crps_percent"]])
        errors.append([row["improvement_rmse_percent_se"], row["improvement_crps_percent_se"]])
    ratio = np.mean(errors, axis=0) / np.std(values, axis=0, ddof=1)
    assert (np.abs(ratio - 1) < 0.2).all()  # three times 6.5 %, the error of a spread of 120


def test_several_posteriors_by_label(landscape, posterior, data):
    frame = compare(landscape, {"first": posterior, "second": posterior}, *data)
    assert list(frame.index) == [*ENSEMBLE_ROWS, "first", "second"]
    np.testing.assert_array_equal(frame.loc["first"], frame.loc["second"])
    with pytest.raises(ValueError, match="already taken"):
        compare(landscape, {"uniform ensemble": posterior}, *data)


def test_a_posterior_at_one_minimum_scores_as_that_minimum(landscape, data, make_posterior):
    draws = np.tile(landscape.minima["theta"].values[0], (2, 30, 1))
    frame = compare(landscape, make_posterior(draws, "superposition"), *data)
    best, post = frame.loc["single best minimum"], frame.loc["superposition posterior"]
    scores = ["rmse", "nlpd", "crps", "coverage_50", "coverage_90", "coverage_95"]
    np.testing.assert_allclose(post[scores].astype(float), best[scores].astype(float), rtol=1e-12)


def test_one_minimum_makes_four_equal_rows(data, line, make_landscape):
    landscape = make_landscape([[1.4, -0.7]], [0.0], [np.eye(2)], line)
    frame = compare(landscape, None, *data)
    assert (frame.nunique() == 1).all()


def test_one_test_point_has_no_standard_error(landscape):
    frame = compare(landscape, None, [1.0], [1.0])
    assert frame["improvement_nlpd_se"].isna().all()
    assert np.isfinite(frame["improvement_nlpd"]).all()


def test_improvement_over_a_perfect_baseline_is_undefined(landscape):
    frame = compare(landscape, None, [1.0, 2.0], [2.0, 4.0])
    assert frame.loc["single best minimum", "rmse"] == 0
    assert frame["improvement_rmse_percent"].isna().all()


def test_nothing_is_changed(landscape, posterior, data):
    x, y = data
    kept = x.copy(), y.copy(), landscape.minima.copy(deep=True), posterior.copy(deep=True)
    compare(landscape, posterior, x, y)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(y, kept[1])
    assert landscape.minima.identical(kept[2])
    assert posterior.identical(kept[3])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0, np.inf], [1.0, 2.0], "`X_test` must be finite, got 1 values"),
        ([1.0, 2.0], [1.0], r"`y_test` must have one value per test point, 2 in all"),
        ([1.0], [np.nan], "`y_test` must be finite"),
        ([[1.0, 2.0]], [1.0], "`X_test` has 2 columns, but must have 1"),
        ([], [], "`X_test` must have one row per point"),
        ([1.0], ["tall"], "`y_test` must be numeric"),
    ],
)
def test_test_data_are_checked(landscape, x, y, message):
    with pytest.raises(ValueError, match=message):
        compare(landscape, None, x, y)


def test_a_target_that_cannot_predict_is_named(landscape, data):
    class Surface:
        names = ("slope", "log_noise")

    with pytest.raises(TypeError, match="of type Surface, which has none"):
        compare(dataclasses.replace(landscape, target=Surface()), None, *data)
    with pytest.raises(ValueError, match="has no target to predict with"):
        compare(dataclasses.replace(landscape, target=None), None, *data)


def test_a_posterior_that_is_none_is_named(landscape, posterior, data):
    with pytest.raises(TypeError, match="mapping from label to DataTree, or None, got list"):
        compare(landscape, [posterior], *data)
    posterior = posterior.filter(lambda node: False)
    with pytest.raises(ValueError, match="unconstrained_posterior/theta"):
        compare(landscape, posterior, *data)
