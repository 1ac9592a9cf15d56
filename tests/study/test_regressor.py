"""The regressor keeps scikit-learn's rules, and predicts as the way that it hides does."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import bayescape as bs

SMALL = {"draws": 40, "max_quenches": 8, "ard": False, "method": "superposition"}


# One check is skipped by scikit-learn itself: array-API input, unless SCIPY_ARRAY_API is set before
# SciPy is imported. The checks ask for the interface, on data of noise: such draws are told of, as
# they should be.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([bs.LandscapeGPRegressor(**SMALL)])
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = np.sort(rng.uniform(0, 6, (25, 1)), axis=0)
    return X, 3 + np.sin(X[:, 0]) + 0.1 * rng.normal(size=25)


@pytest.fixture(scope="module")
def fitted(data):
    return bs.LandscapeGPRegressor(draws=400, random_state=3).fit(*data)


def test_predictions_are_those_of_the_way_that_it_hides(data, fitted):
    X, y = data
    landscape = bs.explore(bs.GaussianProcess(X, y), seed=3, progress=False)
    posterior = bs.sample(landscape, 400, seed=3, progress=False)
    new = np.linspace(-1, 7, 9)[:, None]
    expected = bs.predict(landscape, posterior, new)
    mean, sd = fitted.predict(new, return_std=True)
    np.testing.assert_array_equal(mean, expected["mean"])
    np.testing.assert_array_equal(sd, expected["sd"])
    np.testing.assert_array_equal(fitted.predict(new), mean)
    assert (fitted.predict(new, return_std=True, noise=False)[1] < sd).all()
    assert fitted.score(X, y) > 0.9
    assert fitted.reliable_
    assert np.isfinite(fitted.log_evidence_)


def test_samples_have_the_mixture_s_moments_and_are_joint(fitted):
    new = np.array([[1.0], [1.02], [8.0]])
    for noise in (True, False):
        mean, sd = fitted.predict(new, return_std=True, noise=noise)
        samples = fitted.sample_y(new, 3000, random_state=1, noise=noise)
        assert samples.shape == (3, 3000)
        assert (np.abs(samples.mean(axis=1) - mean) < 4 * sd / np.sqrt(3000)).all()
        # Tails of the mixture are heavier than a normal's: six relative standard errors.
        np.testing.assert_allclose(samples.std(axis=1), sd, rtol=6 / np.sqrt(2 * 3000))
    # The function hardly changes over a hundredth of its lengthscale.
    assert np.corrcoef(samples[:2])[0, 1] > 0.99
    np.testing.assert_array_equal(
        fitted.sample_y(new, 2, random_state=7), fitted.sample_y(new, 2, random_state=7)
    )


def test_pipelines_and_cross_validation_take_it(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), bs.LandscapeGPRegressor(draws=100, max_quenches=20))
    shuffled = np.arange(25) * 7 % 25
    scores = cross_val_score(pipeline, X[shuffled], y[shuffled], cv=3)
    assert (scores > 0.8).all()


def test_draws_that_cannot_be_relied_on_are_told_of(data):
    with pytest.warns(ConvergenceWarning, match="raise `max_quenches`"):
        regressor = bs.LandscapeGPRegressor(draws=50, max_quenches=2).fit(*data)
    assert not regressor.reliable_


def test_a_grid_is_searched():
    rng = np.random.default_rng(1)
    X = rng.uniform(0, 5, (16, 1))
    search = GridSearchCV(
        bs.LandscapeGPRegressor(draws=50, method="superposition"), {"nu": [0.5, 2.5]}, cv=2
    )
    search.fit(X, np.sin(X[:, 0]))
    assert search.best_params_ == {"nu": 2.5}


def test_settings_are_parameters():
    regressor = bs.LandscapeGPRegressor(nu=1.5, draws=10)
    assert regressor.get_params()["nu"] == 1.5
    assert clone(regressor).set_params(kernel="rbf").kernel == "rbf"
    with pytest.raises(NotFittedError):
        regressor.predict([[1.0]])
    with pytest.raises(ValueError, match="`mean` must be"):
        bs.LandscapeGPRegressor(mean="linear").fit([[0.0], [1.0]], [0.0, 1.0])


def test_importing_the_package_does_not_import_scikit_learn():
    import subprocess
    import sys

    code = "import bayescape, sys; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        bs.nothing  # noqa: B018
