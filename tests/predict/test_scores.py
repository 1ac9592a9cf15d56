import numpy as np
import pytest
from scipy import integrate, stats

from bayescape.predict.predictions import Predictions
from bayescape.predict.scores import covered, crps, negative_log_density, squared_error


def mixture(components, points, seed=0):
    rng = np.random.default_rng(seed)
    return Predictions(
        rng.normal(0, 2, (components, points)),
        rng.gamma(2, 0.5, (components, points)),
        rng.dirichlet(np.ones(components)),
    )


def gaussian(mean, sd):
    return Predictions(np.array([[mean]]), np.array([[sd**2]]), np.ones(1))


def test_squared_error_is_of_the_mixture_mean():
    p = Predictions(np.array([[0.0], [4.0]]), np.ones((2, 1)), np.array([0.75, 0.25]))
    np.testing.assert_allclose(squared_error(p, [3.0]), [4.0])


def test_negative_log_density_is_of_the_mixture_and_not_the_mean_of_logs():
    p = Predictions(np.array([[0.0], [4.0]]), np.ones((2, 1)), np.array([0.5, 0.5]))
    expected = -np.log(0.5 * stats.norm.pdf(0.0) + 0.5 * stats.norm.pdf(4.0))
    np.testing.assert_allclose(negative_log_density(p, [0.0]), [expected], rtol=1e-13)


@pytest.mark.parametrize("y", [-3.0, 0.2, 1.0, 8.0])
def test_crps_of_one_gaussian_is_the_textbook_formula(y):
    mean, sd = 1.0, 2.0
    z = (y - mean) / sd
    expected = sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5)
    np.testing.assert_allclose(crps(gaussian(mean, sd), [y]), [expected], rtol=1e-13)


@pytest.mark.parametrize("y", [-4.0, 0.3, 5.0])
def test_crps_of_a_mixture_is_the_integral_that_defines_it(y):
    p = mixture(5, 1)

    def below(t):
        return float(p.cdf([t])[0]) ** 2

    def above(t):
        return (1 - float(p.cdf([t])[0])) ** 2

    limits = {"epsabs": 1e-12, "epsrel": 1e-12, "limit": 500}
    expected = (
        integrate.quad(below, y - 60, y, **limits)[0]
        + integrate.quad(above, y, y + 60, **limits)[0]
    )
    np.testing.assert_allclose(crps(p, [y]), [expected], rtol=1e-9)


def test_crps_is_the_monte_carlo_energy_score():
    p, y = mixture(4, 1, seed=2), 0.7
    rng = np.random.default_rng(0)
    draws = [
        rng.normal(p.means[c, 0], np.sqrt(p.variances[c, 0]))
        for c in (rng.choice(4, size=(2, 200_000), p=p.weights))
    ]
    terms = np.abs(draws[0] - y) - 0.5 * np.abs(draws[0] - draws[1])
    error = terms.std() / np.sqrt(terms.size)
    assert abs(crps(p, [y])[0] - terms.mean()) < 4 * error
    assert error < 0.01  # small enough that forgetting the factor 1/2 would be seen


def test_crps_without_variance_is_the_absolute_error():
    np.testing.assert_allclose(crps(gaussian(1.0, 0.0), [3.5]), [2.5])


def test_crps_in_blocks_is_crps_at_once():
    p = mixture(50, 25_000, seed=3)
    y = np.linspace(-3, 3, 25_000)
    result = crps(p, y)
    for i in (0, 20_970, 20_971, 20_972, 24_999):  # on both sides of where the blocks meet
        alone = Predictions(p.means[:, i : i + 1], p.variances[:, i : i + 1], p.weights)
        np.testing.assert_allclose(crps(alone, y[i : i + 1])[0], result[i], rtol=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_coverage_of_draws_from_the_mixture_is_its_level(level):
    p = mixture(3, 1, seed=4)
    rng = np.random.default_rng(1)
    c = rng.choice(3, size=40_000, p=p.weights)
    y = rng.normal(p.means[c, 0], np.sqrt(p.variances[c, 0]))
    many = Predictions(np.tile(p.means, 40_000), np.tile(p.variances, 40_000), p.weights)
    fraction = covered(many, y, level).mean()
    assert abs(fraction - level) < 4 * np.sqrt(level * (1 - level) / 40_000)


def test_intervals_are_central():
    p = gaussian(0.0, 1.0)
    assert covered(p, [1.64], 0.9)[0]
    assert not covered(p, [1.65], 0.9)[0]
    assert covered(p, [-1.64], 0.9)[0]
    assert not covered(p, [-1.65], 0.9)[0]
