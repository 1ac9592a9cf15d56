import dataclasses

import numpy as np
import pytest

from bayescape.plots.predictions import plot_predictions
from bayescape.predict.predict import predict


def labelled(ax):
    """Lines and bands by their label."""
    return {artist.get_label(): artist for artist in (*ax.lines, *ax.collections)}


def edge(band, x):
    """Lower and upper edge of a band at its grid point nearest to ``x``."""
    vertices = band.get_paths()[0].vertices
    nearest = vertices[np.argmin(np.abs(vertices[:, 0] - x)), 0]
    y = vertices[vertices[:, 0] == nearest, 1]
    return nearest, y.min(), y.max()


def test_bands_are_the_quantiles_of_the_posterior(four, make_posterior, picture):
    posterior = make_posterior(four)
    ax = picture(plot_predictions(four, posterior)).axes[0]
    parts = labelled(ax)
    x, low, high = edge(parts["posterior, 95%"], 4.0)
    expected = predict(four, posterior, [x], levels=(0.025, 0.25, 0.75, 0.975), maximum_draws=200)
    quantile = expected["quantile"].values[:, 0]
    np.testing.assert_allclose([low, high], quantile[[0, 3]])
    np.testing.assert_allclose(edge(parts["posterior, 50%"], 4.0)[1:], quantile[[1, 2]])
    mean = parts["posterior, mean"]
    np.testing.assert_allclose(
        np.interp(x, mean.get_xdata(), mean.get_ydata()), expected["mean"].values[0]
    )


def test_every_minimum_has_its_mean(four, make_posterior):
    ax = plot_predictions(four, make_posterior(four)).axes[0]
    slopes = four.minima["theta"].values[:, 0]
    best = labelled(ax)["best minimum, mean"]
    np.testing.assert_allclose(best.get_ydata(), slopes[0] * best.get_xdata())
    thin = [line for line in ax.lines if line.get_linewidth() == 0.8]
    drawn = sorted(line.get_ydata()[-1] / line.get_xdata()[-1] for line in thin)
    np.testing.assert_allclose(drawn, sorted(slopes[1:]))
    band = labelled(ax)["best minimum, 95%"]
    sd = np.exp(four.minima["theta"].values[0, 1] / 2)
    np.testing.assert_allclose(best.get_ydata() - band.get_ydata(), 1.959963984540054 * sd)


def test_data_and_test_data_are_drawn_and_axes_named(four, make_posterior, picture):
    x, y = np.array([1.0, 12.0]), np.array([2.0, 20.0])
    ax = picture(plot_predictions(four, make_posterior(four), x, y)).axes[0]
    parts = labelled(ax)
    np.testing.assert_array_equal(parts["data"].get_xdata(), four.target.X_raw[:, 0])
    np.testing.assert_array_equal(parts["data"].get_ydata(), four.target.y_raw)
    np.testing.assert_array_equal(parts["test data"].get_xdata(), x)
    assert ax.get_xlim()[1] > 12.0  # the test data lie inside the axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("distance", "height (m)")
    assert "test data" not in labelled(plot_predictions(four, make_posterior(four)).axes[0])


def test_many_inputs_are_drawn_as_predicted_against_true(four, make_line, make_posterior, picture):
    landscape = dataclasses.replace(four, target=make_line(inputs=3))
    posterior = make_posterior(four)
    rng = np.random.default_rng(3)
    X = rng.uniform(0, 10, (15, 3))
    y = 1.5 * X[:, 0]
    ax = picture(plot_predictions(landscape, posterior, X, y)).axes[0]
    parts = labelled(ax)
    expected = predict(landscape, posterior, X, levels=(0.025, 0.975), maximum_draws=200)
    np.testing.assert_array_equal(parts["posterior, mean"].get_xdata(), y)
    np.testing.assert_allclose(parts["posterior, mean"].get_ydata(), expected["mean"])
    bars = np.array(parts["posterior, 95%"].get_segments())
    np.testing.assert_allclose(bars[:, :, 1].T, expected["quantile"])
    line = parts["predicted = true"]
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true height (m)", "predicted height (m)")


def test_many_inputs_need_test_data(four, make_line, make_posterior):
    landscape = dataclasses.replace(four, target=make_line(inputs=3))
    with pytest.raises(ValueError, match="needed to draw predictions over more than one input"):
        plot_predictions(landscape, make_posterior(four))


def test_half_of_the_test_data_is_refused(four, make_posterior):
    with pytest.raises(ValueError, match="must be given together"):
        plot_predictions(four, make_posterior(four), [1.0])


def test_one_test_point_can_be_drawn(four, make_line, make_posterior, picture):
    landscape = dataclasses.replace(four, target=make_line(inputs=3))
    picture(plot_predictions(landscape, make_posterior(four), np.ones((1, 3)), [2.0]))


def test_one_minimum_has_no_others(make_landscape, make_line, make_posterior, picture):
    landscape = make_landscape([0.0], [], target=make_line())
    ax = picture(plot_predictions(landscape, make_posterior(landscape))).axes[0]
    assert "other minima, mean" not in labelled(ax)


def test_a_target_without_its_data_is_named(four, make_posterior):
    class Bare:
        names = four.names

        def predict(self, theta, X_new, noise=True):
            raise AssertionError

    with pytest.raises(TypeError, match="but Bare does not"):
        plot_predictions(dataclasses.replace(four, target=Bare()), make_posterior(four))
