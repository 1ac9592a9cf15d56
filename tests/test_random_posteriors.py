"""The posteriors drawn at random have the densities and the moments that they are said to have."""

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks.draws.random_posteriors import Drawn, drawn, random_posterior

SEEDS = range(60)


def of_kind(kind, most):
    """Random densities with something in them, in few enough coordinates."""
    found = [
        (seed, density)
        for seed in SEEDS
        if (density := drawn(np.random.default_rng(seed), hardness=1.5)).means.shape[1] <= most
        and kind(density)
    ]
    assert len(found) >= 2
    return found[:2]


@pytest.mark.parametrize(
    "kind",
    [
        lambda density: len(density.bends) == 2,
        lambda density: np.isfinite(density.degrees),
        lambda density: not density.bends and np.isinf(density.degrees),
    ],
    ids=["bent", "t", "gaussian"],
)
def test_the_density_is_that_of_the_points(kind):
    """Importance sampling by a wide t gives one for the integral, and the points' moments."""
    for seed, density in of_kind(kind, most=3):
        rng = np.random.default_rng(seed)
        points = density.sample(100_000, rng)
        proposal = stats.multivariate_t(points.mean(axis=0), 2 * np.cov(points.T), df=4)
        theta = proposal.rvs(400_000, random_state=rng)
        log_density = torch.vmap(density.log_density)(torch.as_tensor(theta)).numpy()
        weights = np.exp(log_density - proposal.logpdf(theta))
        error = weights.std() / np.sqrt(len(weights))
        assert error < 0.02
        assert abs(weights.mean() - 1) < 4 * error
        mean = weights @ theta / weights.sum()
        normal = weights / weights.sum()
        mean_error = np.sqrt((normal**2) @ (theta - mean) ** 2 + points.var(axis=0) / len(points))
        assert (abs(mean - points.mean(axis=0)) < 5 * mean_error).all()


def test_a_posterior_is_the_same_for_the_same_seed_and_another_for_another():
    one, same, other = (random_posterior(seed, 1.0) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.truth().mean, same.truth().mean)
    assert one.name == same.name != other.name
    target = one.make()
    starts = target.starts(5, np.random.default_rng(0))
    np.testing.assert_array_equal(target.energy(starts), same.make().energy(starts))
    assert np.isfinite(target.energy(starts)).all()


def test_hardness_spreads_the_widths():
    def spread(hardness):
        widths = [
            np.linalg.svd(drawn(np.random.default_rng(seed), hardness).factors)[1] for seed in SEEDS
        ]
        return np.median([np.log(w).std() for w in widths])

    assert spread(2.0) == pytest.approx(2 * spread(1.0), rel=1e-6)


def test_one_gaussian_has_its_moments_in_closed_form():
    factor = np.array([[2.0, 0.0], [0.5, 1.0]])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    density = Drawn(
        weights=np.ones(1),
        means=np.array([[1.0, -2.0]]),
        factors=factor[None],
        degrees=np.inf,
        skew=np.zeros(2),
        tail=np.ones(2),
        bends=(),
        turn=turn,
    )
    of = stats.multivariate_normal(turn @ [1.0, -2.0], turn @ factor @ factor.T @ turn.T)
    points = density.sample(50, np.random.default_rng(1))
    found = torch.vmap(density.log_density)(torch.as_tensor(points)).numpy()
    np.testing.assert_allclose(found, of.logpdf(points), rtol=1e-10)
