"""Log densities from NumPy and torch: accuracy, the domain's edge, mistakes, what is counted."""

import math

import numpy as np
import pytest
import torch

import bayescape as bs
from bayescape.evaluations import Counted
from bayescape.targets.differences import lengths_of_variation

from .densities import DENSITIES, NAMES, NEAR, gradient, hessian, in_torch, looped


@pytest.fixture(scope="module", params=list(DENSITIES))
def target(request):
    return DENSITIES[request.param]()


def test_value_and_derivatives_are_those_of_the_closed_form(target):
    """Differences: 12 digits of |E|, near 20, for gradients and 10 for Hessians, over unit scales.

    The scale found is that of the starts or less, here about a third: 3 and 10 times more.
    """
    points = NEAR - 0.05
    energy, slope = target.energy_and_gradient(points)
    np.testing.assert_allclose(energy, [-looped(p) for p in points], rtol=1e-13)
    np.testing.assert_allclose(slope, [-gradient(p) for p in points], atol=3e-10)
    np.testing.assert_allclose(target.hessian(points), [-hessian(p) for p in points], atol=1e-7)


def test_a_point_alone_is_answered_as_among_others(target):
    points = NEAR - 0.05
    energy, slope = target.energy_and_gradient(points)
    for i, point in enumerate(points):
        alone, its_slope = target.energy_and_gradient(point[None])
        assert alone[0] == pytest.approx(energy[i], rel=1e-13)
        np.testing.assert_allclose(its_slope[0], slope[i], atol=3e-10)
        assert target.energy(point[None])[0] == pytest.approx(energy[i], rel=1e-13)


def test_torch_maps_what_it_can_and_says_why_it_cannot():
    assert "all points at once" in repr(DENSITIES["torch"]())
    assert "point by point: vmap" in repr(DENSITIES["torch-point-by-point"]())


def test_evaluations_by_differences_are_counted_as_what_they_are():
    calls = 0

    def counting(theta):
        nonlocal calls
        calls += 1
        return looped(theta)

    def counting_gradient(theta):
        nonlocal calls
        calls += 1
        return gradient(theta)

    by_values = Counted(bs.from_numpy(counting, names=NAMES, starts=NEAR))
    calls = 0
    by_values.energy(NEAR)
    by_values.energy_and_gradient(NEAR)
    by_values.hessian(NEAR)
    assert by_values.evaluations.total == by_values.evaluations.value == calls

    by_gradients = Counted(bs.from_numpy(looped, counting_gradient, names=NAMES, starts=NEAR))
    calls = 0
    by_gradients.energy_and_gradient(NEAR)
    by_gradients.hessian(NEAR)
    assert by_gradients.evaluations.total == by_gradients.evaluations.gradient == calls


def test_the_scale_of_differences_follows_a_function_narrower_than_its_starts():
    def wavy(theta):
        return np.sin(theta[:, 0] / 1e-3) + np.exp(-(theta[:, 1] ** 2))

    found = lengths_of_variation(wavy, np.array([[0.2, 0.4], [0.7, 0.9]]), np.array([10.0, 1.0]))
    assert found[0] < 0.02
    assert found[1] > 0.2


def log_of(theta):
    """Defined right of zero only, by an exception."""
    return math.log(theta[0]) - theta[0]


def gamma_in_torch(theta):
    return theta[0].log() - theta[0]


def cholesky_in_torch(theta):
    """Raises in whole batches where one matrix is not positive definite."""
    one = torch.ones((), dtype=theta.dtype)
    matrix = torch.stack([torch.stack([theta[0], one]), torch.stack([one, 2 * one])])
    return -torch.linalg.cholesky(matrix).diagonal().log().sum() - theta[0]


@pytest.mark.parametrize(
    ("target", "edge"),
    [
        (lambda: bs.from_numpy(log_of, names=["x"], starts=[[1.0], [2.0]]), 0.0),
        (lambda: bs.from_torch(gamma_in_torch, ["x"], starts=[[1.0], [2.0]]), 0.0),
        (lambda: bs.from_torch(cholesky_in_torch, ["x"], starts=[[1.0], [2.0]]), 0.5),
    ],
    ids=["exception", "nan", "exception-in-a-batch"],
)
def test_outside_is_infinite_and_the_rest_of_the_batch_is_not(target, edge):
    target = target()
    points = np.array([[edge - 0.1], [edge + 1.0], [edge - 2.0], [edge + 0.5]])
    energy, slope = target.energy_and_gradient(points)
    np.testing.assert_array_equal(np.isposinf(energy), [True, False, True, False])
    np.testing.assert_array_equal(np.isnan(slope[:, 0]), [True, False, True, False])
    assert np.isfinite(target.hessian(points)[[1, 3]]).all()
    np.testing.assert_array_equal(target.energy(points), energy)
    for i, point in enumerate(points):
        alone, its_slope = target.energy_and_gradient(point[None])
        assert np.isposinf(alone[0]) == np.isposinf(energy[i])
        assert np.isnan(its_slope[0, 0]) == np.isnan(slope[i, 0])


def wrong(theta):
    return {}[theta[0] > 0]


@pytest.mark.parametrize(
    "make",
    [lambda: bs.from_numpy(wrong, names=["x"]), lambda: bs.from_torch(wrong, ["x"])],
    ids=["numpy", "torch"],
)
def test_a_mistake_in_the_function_comes_through_as_it_is(make):
    with pytest.raises(KeyError, match=r"True|False|tensor"):
        make()


def test_a_density_that_is_nowhere_finite_is_told_of_with_its_own_reason():
    def shapes(theta):
        return np.ones(3) @ np.ones(2)

    with pytest.raises(ValueError, match="raised ValueError: matmul"):
        bs.from_numpy(shapes, names=["x"])
    with pytest.raises(ValueError, match="was not finite at 8 of 8 starts"):
        bs.from_torch(lambda x: x.sum() * math.nan, ["x"])


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"names": []}, ValueError, "`names` must name"),
        ({"names": ["a", "a", "b"]}, ValueError, "'a' occurs twice"),
        ({"starts": [[1.0, 2.0]]}, ValueError, r"`starts` must have shape \(m, 3\)"),
        ({"starts": [[1.0, 2.0, np.nan]]}, ValueError, "`starts` must hold finite"),
        ({"starts": "here"}, ValueError, "`starts` must be an array"),
        ({"starts": lambda n, rng: np.zeros((n, 2))}, ValueError, r"`starts` must return shape"),
        ({"bounds": [[0, 0, 0], [1, -1, 1]]}, ValueError, r"`bounds` must have shape \(2, 3\)"),
        ({"constrain": 3}, ValueError, "`constrain` must be a function"),
        ({"scale": -1.0}, ValueError, "`scale` must be positive"),
        ({"gradient": 1.0}, ValueError, "`gradient` must be a function"),
        ({"log_density": lambda theta: theta}, TypeError, "`log_density` must return a number"),
        ({"batched": True}, TypeError, "must return shape"),
    ],
)
def test_bad_arguments_are_named(arguments, error, match):
    def spherical(theta):
        return -0.5 * float(np.sum(theta**2))

    with pytest.raises(error, match=match):
        bs.from_numpy(**({"log_density": spherical, "names": NAMES} | arguments))


def test_torch_arguments_are_checked():
    with pytest.raises(ValueError, match="`log_density` must be a function"):
        bs.from_torch(1.0, ["x"])
    with pytest.raises(TypeError, match="must return a scalar tensor"):
        bs.from_torch(lambda x: x, ["x", "y"])


def test_natural_units_are_those_asked_for():
    target = DENSITIES["numpy-value"]()
    natural = target.constrain(NEAR)
    np.testing.assert_array_equal(natural["rate"], np.exp(NEAR[:, 0]))
    assert natural["rest"].shape == (3, 2)
    assert list(DENSITIES["torch"]().constrain(NEAR)) == list(NAMES)
    summed = bs.from_torch(in_torch, NAMES, starts=NEAR, constrain=lambda t: {"a": t.sum(axis=0)})
    with pytest.raises(ValueError, match="`constrain` must return arrays whose first axis"):
        summed.constrain(NEAR[:2])


def test_draws_by_way_of_a_map_have_the_moments_of_quadrature():
    """Two wells in closed form by quadrature, the second coordinate normal given the first."""

    def wells(theta):
        x, y = theta
        return -2 * (x**2 - 1) ** 2 + 0.4 * x - 0.5 * (y - x) ** 2

    landscape = bs.explore(bs.from_numpy(wells, names=["x", "y"]), progress=False)
    assert landscape.minima.sizes["minimum"] == 2
    posterior = bs.sample(landscape, draws=2000, progress=False)
    grid = np.linspace(-4, 4, 20001)
    weight = np.exp(-2 * (grid**2 - 1) ** 2 + 0.4 * grid)
    right = weight[grid > 0].sum() / weight.sum()
    log_evidence = np.log(weight.sum() * (grid[1] - grid[0])) + 0.5 * np.log(2 * np.pi)
    share = float((posterior["posterior"]["x"] > 0).mean())
    assert abs(share - right) < 4 * np.sqrt(right * (1 - right) / 1000)
    error = posterior.attrs["log_evidence_se"]
    assert error < 0.05
    assert abs(posterior.attrs["log_evidence"] - log_evidence) < 4 * error
