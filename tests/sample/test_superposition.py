"""The mixture against SciPy's multivariate t, and the first guess that a map gives."""

import numpy as np
import pytest
from scipy import stats

from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape
from bayescape.sample.superposition import GUARD, WIDE, Superposition, harmonic_superposition


@pytest.fixture
def mixture():
    """Three unequal, tilted components in two dimensions."""
    tilted = np.array([[2.0, 0.9], [0.9, 0.7]])
    return Superposition(
        weights=np.array([0.5, 0.3, 0.2]),
        means=np.array([[0.0, 1.0], [4.0, -2.0], [-3.0, 3.0]]),
        scales=np.stack([tilted, np.diag([0.3, 2.0]), 3 * np.eye(2)]),
        basins=np.array([0, 1, -1]),
        degrees=np.array([3.0, 8.0, 4.0]),
    )


def test_log_prob_is_that_of_scipy(mixture):
    points = np.random.default_rng(0).normal(scale=5, size=(9001, 2))  # more than one block
    expected = sum(
        w * stats.multivariate_t(m, s, df=nu).pdf(points)
        for w, m, s, nu in zip(
            mixture.weights, mixture.means, mixture.scales, mixture.degrees, strict=True
        )
    )
    np.testing.assert_allclose(mixture.log_prob(points), np.log(expected), rtol=1e-11)


def test_draws_have_the_mixture_s_moments(mixture):
    count = 200_000
    draws = mixture.sample(count, np.random.default_rng(1))
    covariance = mixture.covariance()
    mean_error = np.sqrt(np.diag(covariance) / count)
    assert (np.abs(draws.mean(axis=0) - mixture.weights @ mixture.means) < 4 * mean_error).all()
    # With 3 degrees of freedom there is no fourth moment to give an error: compare quantiles of
    # projections instead, by the mixture of univariate t that each one is.
    for direction in ([1.0, 0.0], [0.6, -0.8]):
        along = draws @ direction
        centres = mixture.means @ direction
        widths = np.sqrt(np.einsum("i,kij,j->k", direction, mixture.scales, direction))

        def cdf(x, centres=centres, widths=widths):
            parts = stats.t(mixture.degrees).cdf((x[:, None] - centres) / widths)
            return parts @ mixture.weights

        assert stats.kstest(along, cdf).pvalue > 1e-3
    factor = mixture.degrees / (mixture.degrees - 2)
    within = np.einsum("k,kij->ij", factor * mixture.weights, mixture.scales)
    centred = mixture.means - mixture.weights @ mixture.means
    np.testing.assert_allclose(
        covariance - within, (mixture.weights[:, None] * centred).T @ centred
    )
    # What belongs to no basin says nothing of the basins' widths.
    of_basins = (3 * 0.5 * mixture.scales[0] + 8 / 6 * 0.3 * mixture.scales[1]) / 0.8
    np.testing.assert_allclose(mixture.within_covariance(), of_basins)


def test_draws_follow_log_prob(mixture):
    """Ranks of the density among draws, against a second set and against a wrong density."""
    rng = np.random.default_rng(2)
    first, second = mixture.sample(20_000, rng), mixture.sample(20_000, rng)
    a, b = mixture.log_prob(first), mixture.log_prob(second)
    assert stats.ks_2samp(a, b).pvalue > 1e-3
    # E_q[1 / q] over a box is the box's area: holds only if the draws have the density.
    box = (np.abs(first) < 1.5).all(axis=1)
    area = np.where(box, np.exp(-a), 0.0)
    assert abs(area.mean() - 9.0) < 4 * area.std() / np.sqrt(len(area))
    narrow = np.where(box, np.exp(-mixture.log_prob(first * 1.3)), 0.0)
    assert abs(narrow.mean() - 9.0) > 4 * narrow.std() / np.sqrt(len(area))


def test_responsibilities_are_probabilities(mixture):
    points = mixture.sample(50, np.random.default_rng(3))
    responsibilities = mixture.responsibilities(points)
    np.testing.assert_allclose(responsibilities.sum(axis=1), 1.0, rtol=1e-12)
    parts = np.exp(mixture.component_log_prob(points) - mixture.log_prob(points)[:, None])
    np.testing.assert_allclose(responsibilities, parts, rtol=1e-10)


def test_repr_says_what_it_is(mixture):
    text = repr(mixture)
    assert "3 Student t components" in text
    assert "minimum 0: 0.500" in text
    assert "elsewhere: 0.200" in text


class Open:
    """A target as far as a map needs one: starts ten wide about (3, 0), and no walls."""

    names = ("x0", "x1")

    def starts(self, count, rng):
        return rng.normal([3.0, 0.0], 10.0, size=(count, 2))


class Walled(Open):
    bounds = np.array([[-1.0, -2.0], [1.0, 2.0]])

    def starts(self, count, rng):
        return rng.uniform(*self.bounds, size=(count, 2))


OPEN = Open()


def a_map(minima, hessians, states=(), state_hessians=(), joins=(), target=OPEN):
    d = np.shape(minima)[1]
    return Landscape.from_arrays(
        names=[f"x{i}" for i in range(d)],
        minima=minima,
        energies=np.arange(len(minima)) * 0.5,
        hessians=hessians,
        hits=np.ones(len(minima), int),
        transition_states=states,
        transition_energies=np.full(len(states), 2.0),
        transition_hessians=state_hessians,
        joins=joins,
        coverage=1.0,
        evaluations=Evaluations(),
        target=target,
    )


def test_first_guess_is_proper_and_covers_every_basin():
    landscape = a_map(
        [[0.0, 0.0], [5.0, 0.0]],
        [np.diag([1.0, 4.0]), np.diag([2.0, 3.0])],
        [[2.5, 0.0]],
        [np.diag([-0.01, 2.0])],
        [[0, 1]],
    )
    first = harmonic_superposition(landscape)
    assert first.weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert len(first.weights) == 2 * 2 + 1 + WIDE
    assert all(first.weights[first.basins == m].sum() > 0.03 for m in (0, 1))
    np.testing.assert_allclose(first.scales[0], np.diag([1.0, 0.25]))
    # A nearly flat unstable mode does not make an endless bridge: half the way to a minimum.
    np.testing.assert_allclose(first.scales[4], np.diag([1.25**2, 0.5]))


def test_first_guess_reaches_as_far_as_the_starts():
    """A flat direction, or a tail of the prior, is met however narrow the known basins are."""
    first = harmonic_superposition(a_map([[0.0, 0.0]], [np.diag([1e4, 1e4])]))
    np.testing.assert_allclose(first.means[-WIDE], [3.0, 0.0], atol=2)
    np.testing.assert_allclose(np.sqrt(np.diag(first.scales[-WIDE])), 10.0, rtol=0.2)
    assert (first.weights[-WIDE:] == GUARD).all()
    assert (first.basins[-WIDE:] == -1).all()


def test_first_guess_is_no_wider_than_the_walls():
    landscape = a_map([[0.0, 0.0]], [np.diag([1e-9, 9.0])], target=Walled())
    first = harmonic_superposition(landscape)
    assert first.scales[0][0, 0] <= 1.0
    np.testing.assert_allclose(first.scales[0][1, 1], 1 / 9)


def test_a_map_without_minima_cannot_be_superposed():
    with pytest.raises(ValueError, match="no minimum"):
        harmonic_superposition(a_map(np.empty((0, 2)), np.empty((0, 2, 2))))


def test_a_map_without_its_target_cannot_be_superposed():
    with pytest.raises(ValueError, match="no target"):
        harmonic_superposition(a_map([[0.0, 0.0]], [np.eye(2)], target=None))
