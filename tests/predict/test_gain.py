"""What ensembles will gain, foretold from rows left out, beside what they do gain."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescape import GaussianProcess, compare, ensemble_gain, ensemble_weights, explore
from bayescape.predict.ensembles import ENSEMBLES, ensemble_temperature
from bayescape.predict.left_out import left_out
from benchmarks.ensemble_gain import gains


def rows(count, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (count, 2))
    return X, np.sin(3 * X[:, 0]) + 0.5 * X[:, 1] ** 2 + rng.normal(0, 0.3, count)


@pytest.fixture(scope="module")
def mapped():
    """A map that has several minima, for rows are few."""
    landscape = explore(GaussianProcess(*rows(14, 0)), seed=0, progress=False)
    assert landscape.minima.sizes["minimum"] > 1
    return landscape


@pytest.fixture(scope="module")
def refitted(mapped):
    """Mean and variance of every row by a process made without it, at every minimum."""
    target = mapped.target
    y, theta = target.data.y, mapped.minima["theta"].values
    pairs = []
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        without = GaussianProcess(target.X[rest], y[rest], standardise=False)
        mean, variance = without.predict(theta, target.X[i : i + 1])
        pairs.append((mean[:, 0], variance[:, 0]))
    means, variances = (np.array(part).T for part in zip(*pairs, strict=True))
    scale, centre = target.data.y_scale, target.data.y_centre
    return centre + scale * means, scale**2 * variances, target.y_raw


def test_rows_left_out_are_those_of_brute_force(mapped, refitted):
    predictions, y = left_out(mapped)
    means, variances, observed = refitted
    np.testing.assert_array_equal(y, observed)
    np.testing.assert_allclose(predictions.means, means, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(predictions.variances, variances, rtol=1e-6)


def test_stacking_is_best_among_all_weights_by_brute_force(mapped, refitted):
    means, variances, y = refitted
    densities = stats.norm.pdf(y, means, np.sqrt(variances))

    def evidence(w):
        return np.log(w @ densities).mean()

    stacked = evidence(ensemble_weights(mapped, "stacking"))
    least = ((ensemble_weights(mapped, "stacking_means") @ means - y) ** 2).mean()
    rng = np.random.default_rng(1)
    others = rng.dirichlet(np.full(len(means), 0.5), 2000)
    others = np.concatenate([others, np.eye(len(means))])
    assert max(evidence(w) for w in others) <= stacked + 1e-7
    assert (((others @ means - y) ** 2).mean(axis=1)).min() >= least * (1 - 1e-7)


def test_the_temperature_by_cross_validation_is_the_best_on_a_grid(mapped, refitted):
    means, variances, y = refitted
    densities = stats.norm.pdf(y, means, np.sqrt(variances))
    for kind in ("energy", "occupation"):

        def evidence(t, kind=kind):
            return np.log(ensemble_weights(mapped, kind, temperature=t) @ densities).mean()

        chosen = ensemble_temperature(mapped, "cross_validation", kind=kind)
        assert max(evidence(t) for t in np.geomspace(0.01, 100, 500)) <= evidence(chosen) + 1e-6
        np.testing.assert_allclose(
            ensemble_weights(mapped, kind, temperature="cross_validation"),
            ensemble_weights(mapped, kind, temperature=chosen),
        )


def test_the_error_is_that_of_the_members_less_their_ambiguity(mapped, refitted):
    frame = ensemble_gain(mapped)
    assert list(frame.index) == list(ENSEMBLES.values())
    np.testing.assert_allclose(frame["members_mse"] - frame["ambiguity"], frame["rmse"] ** 2)
    assert frame.loc["single best minimum", "ambiguity"] == 0
    assert frame.attrs["rows_left_out"] == 14
    means, variances, y = refitted
    w = ensemble_weights(mapped, "occupation")
    row = frame.loc["occupation-weighted ensemble"]
    assert row["rmse"] == pytest.approx(np.sqrt(((w @ means - y) ** 2).mean()), rel=1e-6)
    density = w @ stats.norm.pdf(y, means, np.sqrt(variances))
    assert row["nlpd"] == pytest.approx(-np.log(density).mean(), rel=1e-6)
    assert row["members"] == (w > 1e-6).sum()


def test_fitted_weights_are_judged_by_rows_that_they_have_not_seen(mapped, refitted):
    means, variances, y = refitted
    row = ensemble_gain(mapped).loc["stacked ensemble"]
    seen = ensemble_weights(mapped, "stacking") @ stats.norm.pdf(y, means, np.sqrt(variances))
    assert row["nlpd"] > -np.log(seen).mean()


def test_one_minimum_gains_nothing(mapped):
    one = dataclasses.replace(mapped, minima=mapped.minima.isel(minimum=slice(1)))
    frame = ensemble_gain(one)
    np.testing.assert_array_equal(frame["ambiguity"], 0)
    np.testing.assert_array_equal(frame["improvement_nlpd"], 0)


def test_all_kinds_are_compared_on_test_data(mapped):
    frame = compare(mapped, None, *rows(50, 1))
    assert list(frame.index) == list(ENSEMBLES.values())
    assert np.isfinite(frame.to_numpy(dtype=float)).all()


@pytest.mark.slow
def test_ambiguity_foretells_which_data_sets_gain():
    """As `benchmarks/ensemble_gain.py`, in small: the rank correlation is 0.65 there."""
    table = pd.concat([gains(25, 2, seed) for seed in range(40)])
    data = table.loc[[ENSEMBLES["occupation"]]]
    assert len(data) > 30
    # Three standard errors of a rank correlation of 40 pairs that have nothing to do with another.
    assert stats.spearmanr(data["ambiguity"], data["rmse"]).statistic > 3 / np.sqrt(39)
    assert data["rmse"].mean() > 0
