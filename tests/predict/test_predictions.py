import numpy as np
import pytest
from scipy import stats

from bayescape.predict.predict import predict
from bayescape.predict.predictions import (
    Predictions,
    blocks,
    even_positions,
    predictions_at,
    thinned_draws,
)


def mixture(seed=0, components=7, points=5, spread=3.0):
    rng = np.random.default_rng(seed)
    return Predictions(
        rng.normal(0, spread, (components, points)),
        rng.gamma(2, 0.5, (components, points)),
        rng.dirichlet(np.ones(components)),
    )


def test_moments_are_those_of_a_mixture():
    p = mixture()
    second = p.weights @ (p.variances + p.means**2)
    np.testing.assert_allclose(p.mean, p.weights @ p.means)
    np.testing.assert_allclose(p.variance, second - p.mean**2, rtol=1e-12)


def test_cdf_and_density_against_scipy():
    p, y = mixture(), np.linspace(-2, 2, 5)
    sd = np.sqrt(p.variances)
    np.testing.assert_allclose(p.cdf(y), p.weights @ stats.norm.cdf(y, p.means, sd), rtol=1e-12)
    np.testing.assert_allclose(
        p.log_density(y), np.log(p.weights @ stats.norm.pdf(y, p.means, sd)), rtol=1e-12
    )


def test_log_density_far_out_does_not_underflow():
    p = Predictions(np.zeros((2, 1)), np.ones((2, 1)), np.array([0.5, 0.5]))
    np.testing.assert_allclose(p.log_density([100.0]), stats.norm.logpdf(100.0), rtol=1e-14)


@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0, 1e6])
def test_quantiles_invert_the_cdf(spread):
    levels = np.array([1e-6, 0.025, 0.25, 0.5, 0.75, 0.975, 1 - 1e-6])
    p = mixture(seed=1, components=40, points=30, spread=spread)
    quantiles = p.quantile(levels)
    assert quantiles.shape == (7, 30)
    assert (np.diff(quantiles, axis=0) > 0).all()
    # Between well separated components the cdf is flat at some level in between: any point of the
    # flat is right, and the cdf says so.
    for level, row in zip(levels, quantiles, strict=True):
        # A quantile is a float: it is known to a few units in its last place, and the cdf there to
        # that times the density.
        last_place = 8 * np.finfo(float).eps * np.abs(row) * np.exp(p.log_density(row))
        assert (np.abs(p.cdf(row) - level) <= 1e-12 * level + 1e-15 + last_place).all()


def test_quantiles_of_one_gaussian_are_exact():
    p = Predictions(np.array([[1.0, -2.0]]), np.array([[4.0, 0.25]]), np.ones(1))
    expected = stats.norm.ppf([[0.1], [0.9]], [1.0, -2.0], [2.0, 0.5])
    np.testing.assert_allclose(p.quantile([0.1, 0.9]), expected, rtol=1e-14)


def test_quantiles_with_very_different_widths():
    p = Predictions(
        np.array([[0.0], [5.0], [1e3]]), np.array([[1e-16], [1.0], [1e8]]), np.full(3, 1 / 3)
    )
    for level in (0.01, 0.2, 0.4, 0.5, 0.77, 0.99):
        np.testing.assert_allclose(p.cdf(p.quantile([level])[0]), level, rtol=1e-8)


def test_a_component_without_weight_does_not_matter():
    p = Predictions(np.array([[0.0], [50.0]]), np.ones((2, 1)), np.array([1.0, 0.0]))
    np.testing.assert_allclose(p.quantile([0.975])[0], stats.norm.ppf(0.975))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, np.nan])
def test_quantile_levels_are_checked(level):
    with pytest.raises(ValueError, match="`levels` must lie strictly between 0 and 1"):
        mixture().quantile([0.5, level])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variances": np.ones((3, 3))}, "both have shape"),
        ({"weights": np.ones(3)}, r"`weights` must have shape \(2,\)"),
        ({"weights": np.array([0.5, 0.6])}, "sum to one"),
        ({"weights": np.array([1.5, -0.5])}, "sum to one"),
        ({"variances": -np.ones((2, 3))}, "must not be negative"),
        ({"means": np.full((2, 3), np.nan)}, "must be finite"),
    ],
)
def test_a_mixture_that_is_none_is_refused(change, message):
    arrays = {"means": np.zeros((2, 3)), "variances": np.ones((2, 3)), "weights": np.full(2, 0.5)}
    with pytest.raises(ValueError, match=message):
        Predictions(**(arrays | change))


def test_predictions_are_made_in_chunks_and_in_order(line):
    theta = np.column_stack([np.arange(70.0), np.zeros(70)])
    weights = np.arange(70.0)
    kept = theta.copy()
    p = predictions_at(line, theta, np.array([[1.0], [2.0]]), weights=weights)
    assert len(line.batches) > 1
    assert max(line.batches) <= 32
    np.testing.assert_array_equal(p.means, theta[1:, :1] * [1.0, 2.0])  # weight zero is left out
    np.testing.assert_allclose(p.weights, weights[1:] / weights.sum())
    np.testing.assert_array_equal(theta, kept)


def test_chunks_shrink_with_the_data(line):
    line.X = np.zeros((2000, 1))
    predictions_at(line, np.zeros((6, 2)), np.zeros((100, 1)))
    assert line.batches == [1] * 6  # two would need 2 * 2000 * 2100 elements, beyond 2**23


def test_predictions_need_a_weighted_point(line):
    with pytest.raises(ValueError, match="at least one point with a positive weight"):
        predictions_at(line, np.ones((2, 2)), np.ones((1, 1)), weights=np.zeros(2))


def test_thinning_is_even_over_all_chains(posterior):
    theta = posterior["unconstrained_posterior"]["theta"].values.reshape(-1, 2)
    np.testing.assert_array_equal(thinned_draws(posterior), theta)
    np.testing.assert_array_equal(thinned_draws(posterior, 20), theta[2::4])


@pytest.mark.parametrize(("count", "maximum"), [(1000, 500), (4000, 500), (7, 5), (3, 10), (0, 4)])
def test_even_positions_are_distinct_and_spread(count, maximum):
    positions = even_positions(count, maximum)
    assert len(set(positions)) == min(count, maximum)
    if len(positions) > 1:
        gaps = np.diff(positions)
        assert gaps.max() - gaps.min() <= 1
        assert positions[-1] < count


def test_blocks_cover_every_point_once():
    points = np.concatenate([np.arange(5000)[s] for s in blocks(5000, 1000)])
    np.testing.assert_array_equal(points, np.arange(5000))


def test_predict_is_the_mixture_over_draws(landscape, posterior):
    x = np.array([-1.0, 0.0, 2.0])
    result = predict(landscape, posterior, x)
    slope, log_noise = posterior["unconstrained_posterior"]["theta"].values.reshape(-1, 2).T
    np.testing.assert_allclose(result["mean"], slope.mean() * x)
    np.testing.assert_allclose(
        result["sd"] ** 2, np.exp(log_noise).mean() + slope.var() * x**2, rtol=1e-12
    )
    assert result["quantile"].dims == ("level", "point")
    assert list(result["input"].values) == ["distance"]
    np.testing.assert_array_equal(result["X"].values[:, 0], x)
    # Without noise the band is narrower.
    assert (predict(landscape, posterior, x, noise=False)["sd"] < result["sd"]).all()


def test_predict_takes_a_target_and_reports_its_draws(line, posterior):
    result = predict(line, posterior, [[0.5]], maximum_draws=10, levels=(0.1, 0.9))
    assert result.attrs["draws"] == 10
    np.testing.assert_array_equal(result["level"], [0.1, 0.9])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, 2.0]], "`X` has 2 columns, but must have 1"),
        ([np.nan], "`X` must be finite, got 1 values"),
        (["a"], "`X` must be numeric"),
        (np.empty((0, 1)), "one row per point"),
    ],
)
def test_predict_checks_its_inputs(line, posterior, X, message):
    with pytest.raises(ValueError, match=message):
        predict(line, posterior, X)


def test_predict_names_what_cannot_predict(posterior):
    with pytest.raises(TypeError, match="got 3 of type int, which has none"):
        predict(3, posterior, [1.0])
    with pytest.raises(TypeError, match=r"`posterior` must be an xarray\.DataTree"):
        predict(type("T", (), {"predict": print})(), [1.0], [1.0])
