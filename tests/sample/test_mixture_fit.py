"""Components added where mass is lacking: where they stand, and the shape that Hessians give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bayescape.sample.mixture_fit import grow
from bayescape.sample.superposition import Superposition

STARTS, POOLED = np.diag([4.0, 9.0]), np.diag([0.3, 0.2])


class Given:
    """A target of which nothing is asked but Hessians, the same everywhere."""

    names = ("x", "y")

    def __init__(self, hessian):
        self.one = np.asarray(hessian, dtype=float)

    def hessian(self, theta):
        return np.tile(self.one, (len(theta), 1, 1))


def narrow():
    """Two basins and the two guards, the first of which follows the starts."""
    return Superposition(
        weights=np.array([0.5, 0.4, 0.05, 0.05]),
        means=np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0], [1.0, 0.0]]),
        scales=np.array([0.1 * np.eye(2), 0.1 * np.eye(2), STARTS, POOLED]),
        basins=np.array([0, 1, -1, -1]),
    )


def lacking():
    """Points of equal weight, and two far apart that weigh much more."""
    rng = np.random.default_rng(0)
    theta = np.concatenate([rng.normal(size=(400, 2)), [[3.5, 6.0], [-4.0, -7.0]]])
    weights = np.append(np.ones(400), [40.0, 20.0])
    return theta, weights / weights.sum()


def test_components_stand_where_points_weigh_most_for_the_basin_nearest():
    theta, weights = lacking()
    present, anchors = grow(Given(np.eye(2)), narrow(), narrow(), theta, weights, 2)
    np.testing.assert_array_equal(present.means[2:6], theta[[400, 401, 400, 401]])
    assert list(present.basins) == [0, 1, 1, 0, 1, 0, -1, -1]
    np.testing.assert_array_equal(present.scales, anchors.scales)
    assert present.weights.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(present.weights[-2:], narrow().weights[-2:])


def test_one_of_two_components_follows_the_points_near_by():
    """All of them, of equal weight but for the heaviest: their second moments about it."""
    rng = np.random.default_rng(1)
    theta = rng.normal(size=(15, 2))
    weights = np.append(np.ones(14), 1.5) / 15.5
    grown, _ = grow(Given(np.eye(2)), narrow(), narrow(), theta, weights, 1)
    share = weights + weights.mean()
    expected = np.cov((theta - theta[14]).T, aweights=share, ddof=0)
    offset = np.average(theta - theta[14], axis=0, weights=share)
    np.testing.assert_allclose(grown.scales[2], expected + np.outer(offset, offset), rtol=1e-5)


def test_the_other_is_as_narrow_as_the_hessian_says_and_as_wide_as_the_starts():
    theta, weights = lacking()
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    # Stiff along one axis; along the other hardly curved, or curved the wrong way.
    for soft in (0.01, -5.0):
        hessian = turn @ np.diag([400.0, soft]) @ turn.T
        grown, _ = grow(Given(hessian), narrow(), narrow(), theta, weights, 1)
        scale = grown.scales[3]
        stiff = turn[:, 0]
        # The inverse of the larger of the two precisions along each common axis: by the
        # eigenvectors of a product that is not symmetric, where ours whitens.
        curvatures, axes = np.linalg.eig(STARTS @ hessian)
        axes = axes / np.sqrt(np.einsum("ik,ij,jk->k", axes, np.linalg.inv(STARTS), axes))
        expected = (axes / np.maximum(curvatures, 1.0)) @ axes.T
        np.testing.assert_allclose(scale, expected, rtol=1e-9, atol=1e-12)
        assert 1 / (stiff @ np.linalg.inv(scale) @ stiff) == pytest.approx(1 / 400, rel=0.01)


def test_nothing_is_added_where_no_point_weighs_more_than_its_share():
    theta, _ = lacking()
    even = np.full(len(theta), 1 / len(theta))
    before = narrow()
    present, anchors = grow(Given(np.eye(2)), before, before, theta, even, 3)
    assert present is before
    assert anchors is before


@given(arrays(float, (2, 2), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_whatever_the_hessian_a_component_has_a_shape_within_the_starts(raw):
    theta, weights = lacking()
    with np.errstate(all="ignore"):
        hessian = 0.5 * (raw + raw.T)
    grown, _ = grow(Given(hessian), narrow(), narrow(), theta, weights, 1)
    scale = grown.scales[3]
    np.linalg.cholesky(scale)
    assert np.linalg.eigvalsh(STARTS - scale).min() > -1e-6
    assert np.isfinite(grown.log_prob(theta)).all()
