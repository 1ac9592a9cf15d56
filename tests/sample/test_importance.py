"""Importance weights: closed forms, calibrated errors, and proposals that must be found out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bayescape.sample.importance import errors_of_sd_by_weights, khat_limit, resample, weigh


def test_a_perfect_proposal_weighs_evenly():
    got = weigh(np.full(1000, -3.25))
    assert got.log_evidence == pytest.approx(-3.25)
    assert got.log_evidence_se == pytest.approx(0.0, abs=1e-12)
    assert got.ess == pytest.approx(1000)
    assert got.usable


def gaussian_log_ratio(rng, count, width):
    """Unnormalised N(0, 1) with evidence e^-2, drawn from N(0.3, width)."""
    x = rng.normal(0.3, width, count)
    return -2.0 + stats.norm.logpdf(x) - stats.norm(0.3, width).logpdf(x)


def test_evidence_and_its_error_are_calibrated():
    rng = np.random.default_rng(0)
    runs = [weigh(gaussian_log_ratio(rng, 1000, 1.3)) for _ in range(300)]
    z = np.array([(r.log_evidence + 2.0) / r.log_evidence_se for r in runs])
    # Standard normal to within the error of 300 values: mean 1/sqrt(300), variance sqrt(2/300).
    assert abs(z.mean()) < 4 / np.sqrt(300)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / 300)
    assert all(r.usable for r in runs)


def test_a_proposal_that_is_too_narrow_is_found_out():
    got = weigh(gaussian_log_ratio(np.random.default_rng(1), 4000, 0.4))
    assert not got.usable
    assert got.pareto_k > khat_limit(4000)


def test_smoothing_agrees_with_arviz_on_a_known_tail():
    """Ratios with a Pareto tail of shape 0.4 are fitted as such."""
    rng = np.random.default_rng(2)
    log_ratio = np.log(stats.genpareto(0.4).rvs(20_000, random_state=rng) + 1)
    assert weigh(log_ratio).pareto_k == pytest.approx(0.4, abs=0.08)


def test_points_outside_the_domain_weigh_nothing():
    log_ratio = gaussian_log_ratio(np.random.default_rng(3), 2000, 1.3)
    outside = np.arange(2000) % 4 == 0
    got = weigh(np.where(outside, -np.inf, log_ratio))
    assert (got.weights[outside] == 0).all()
    assert got.weights.sum() == pytest.approx(1.0)
    # The evidence counts them as zeros.
    expected = np.log(np.exp(log_ratio[~outside]).sum() / 2000)
    assert got.log_evidence == pytest.approx(expected, rel=1e-12)


def test_almost_nothing_inside_is_never_usable():
    log_ratio = np.full(1000, -np.inf)
    log_ratio[:5] = 0.0
    assert not weigh(log_ratio).usable
    assert not weigh(np.full(1000, -np.inf)).usable


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 1e6), st.integers(25, 600))
def test_whatever_the_ratios_span_weights_are_weights(seed, span, count):
    """Of a mixture far too wide all but a few points weigh less than the least double."""
    log_ratio = -span * np.random.default_rng(seed).exponential(size=count)
    got = weigh(log_ratio)
    assert np.isfinite(got.weights).all()
    assert got.weights.sum() == pytest.approx(1.0)
    assert 1 - 1e-9 <= got.ess <= count + 1e-6
    assert not np.isnan(got.pareto_k)


@pytest.mark.parametrize("k", [0.3, 0.6, 0.8])
def test_what_a_pareto_tail_holds_beyond_the_largest_weight_is_foretold(k):
    """Of Pareto ratios, which are 1 at least, the share beyond ``x`` is ``x**(1 - 1/k)``."""
    rng = np.random.default_rng(6)
    foretold, true = [], []
    for _ in range(60):
        log_ratio = k * rng.exponential(size=3000)
        foretold.append(weigh(log_ratio).unseen)
        true.append(np.exp(log_ratio.max() * (1 - 1 / k)))
    # The largest smoothed weight is one that half as many points exceed: rather too much than less.
    assert 1.0 < np.median(foretold) / np.median(true) < 1.7


def test_a_light_tail_holds_little_beyond_and_one_without_a_mean_all():
    assert weigh(np.log1p(np.linspace(0, 1, 1000))).unseen == pytest.approx(1.33e-3, rel=0.05)
    assert weigh(1.5 * np.random.default_rng(7).exponential(size=3000)).unseen == np.inf


@given(st.integers(11, 10**9))
def test_the_limit_is_between_nothing_and_seven_tenths(count):
    assert 0 <= khat_limit(count) <= 0.7


def test_resampling_gives_each_region_its_due():
    rng = np.random.default_rng(4)
    weights = rng.gamma(0.5, size=5000)
    weights /= weights.sum()
    region = rng.integers(0, 5, 5000)
    picked = resample(weights, region + rng.uniform(size=5000) * 0.5, 1000, rng)
    share = np.bincount(region[picked], minlength=5) / 1000
    expected = np.bincount(region, weights=weights, minlength=5)
    # Systematic resampling is within one draw at either border of a region.
    np.testing.assert_allclose(share, expected, atol=2.1 / 1000)


def test_resampling_is_unbiased_point_by_point():
    weights = np.array([0.5, 0.25, 0.15, 0.1])
    rng = np.random.default_rng(5)
    counts = sum(
        np.bincount(resample(weights, np.array([2.0, 1.0, 4.0, 3.0]), 3, rng), minlength=4)
        for _ in range(8000)
    )
    np.testing.assert_allclose(counts / 24_000, weights, atol=4 * np.sqrt(0.25 / 24_000))


def test_the_error_of_a_standard_deviation_is_its_scatter():
    """Over four hundred runs, of even weights and of uneven ones."""
    rng = np.random.default_rng(0)
    for width in (1.0, 1.6):
        spreads, errors = [], []
        for _ in range(400):
            x = rng.normal(0.3, width, (500, 1))
            weights = weigh(stats.norm.logpdf(x[:, 0]) - stats.norm(0.3, width).logpdf(x[:, 0]))
            errors.append(errors_of_sd_by_weights(x, weights.weights)[0])
            spreads.append(np.sqrt(weights.weights @ (x[:, 0] - weights.weights @ x[:, 0]) ** 2))
        assert np.mean(errors) == pytest.approx(np.std(spreads), rel=0.15)
    assert np.isnan(errors_of_sd_by_weights(np.full((3, 1), 2.0), np.full(3, 1 / 3))).all()
