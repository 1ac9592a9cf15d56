"""What every target promises, held against every shipped one."""

import pickle

import numpy as np
import pytest

from bayescape.targets import Target, bounds_of

from .catalogue import PROCESSES, SURFACES, points_of, target_named

NAMES = [*PROCESSES, *SURFACES]


def differences(function, theta, step):
    """Fourth-order central differences of ``(B, d) -> (B, ...)``, the new axis last.

    The error is about ``step^4 / 30`` fifth derivatives plus the function's rounding over ``step``.
    """
    columns = []
    for e in np.eye(theta.shape[1]) * step:
        far, near = (function(theta + k * e) - function(theta - k * e) for k in (2, 1))
        columns.append((8 * near - far) / (12 * step))
    return np.stack(columns, axis=-1)


def step_of(name):
    """Length of a step: the surfaces' natural scales differ, a process's coordinates are logs.

    Starts of two of GPyTorch's models reach periods of a hundredth of the inputs' range, and values
    of a hundredth of what is left to their upper bound.
    """
    steps = {"schwefel": 0.05, "gpytorch-bounded": 2e-5, "gpytorch-composite": 2e-5}
    return steps.get(name, 2e-3)


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    target = target_named(request.param)
    return request.param, target, points_of(request.param, target)


def test_shapes_types_and_names(case):
    _, target, theta = case
    b, d = theta.shape
    assert isinstance(target, Target)
    assert len(target.names) == len(set(target.names)) == d
    energy, gradient = target.energy_and_gradient(theta)
    for value, shape in (
        (target.energy(theta), (b,)),
        (energy, (b,)),
        (gradient, (b, d)),
        (target.hessian(theta), (b, d, d)),
        (target.starts(5, np.random.default_rng(0)), (5, d)),
    ):
        assert value.shape == shape
        assert value.dtype == np.float64
        assert np.isfinite(value).all()
    np.testing.assert_allclose(energy, target.energy(theta), rtol=1e-10)
    assert all(len(value) == b for value in target.constrain(theta).values())
    assert target.energy(theta[:0]).shape == (0,)
    assert target.hessian(theta[:0]).shape == (0, d, d)


def test_gradient_against_differences(case):
    """Relative to the gradient's norm: a component that happens to vanish has no relative error."""
    name, target, theta = case
    gradient = target.energy_and_gradient(theta)[1]
    expected = differences(target.energy, theta, step_of(name))
    error = np.abs(gradient - expected).max(axis=1) / np.linalg.norm(gradient, axis=1)
    assert error.max() < 1e-6


def test_hessian_against_differences(case):
    name, target, theta = case
    hessian = target.hessian(theta)
    np.testing.assert_allclose(hessian, np.swapaxes(hessian, 1, 2), rtol=1e-12, atol=1e-13)
    expected = differences(lambda t: target.energy_and_gradient(t)[1], theta, step_of(name))
    error = np.abs(hessian - expected).max(axis=(1, 2)) / np.linalg.norm(hessian, axis=(1, 2))
    assert error.max() < 1e-5


def test_points_are_left_alone_and_batches_do_not_matter(case):
    _, target, theta = case
    before = theta.copy()
    for method in ("energy", "energy_and_gradient", "hessian"):
        together = getattr(target, method)(theta)
        apart = [getattr(target, method)(point[None]) for point in theta]
        if method == "energy_and_gradient":
            together, apart = together[1], [value[1] for value in apart]
        np.testing.assert_allclose(together, np.concatenate(apart), rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(theta, before)


def test_starts_are_reproducible_inside_and_spread(case):
    _, target, _ = case
    one, two = (target.starts(40, np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    low, high = bounds_of(target)
    assert ((one >= low) & (one <= high)).all()
    assert np.isfinite(target.energy(one)).all()
    assert (one.std(axis=0) > 0).all()


def test_outside_the_domain_is_infinite_and_never_an_exception(case):
    _, target, theta = case
    wild = np.concatenate([theta[:1] * 0 + v for v in (1e3, -1e3, 1e200, np.inf, -np.inf, np.nan)])
    with np.errstate(all="ignore"):
        energy = target.energy(wild)
        also, _ = target.energy_and_gradient(wild)
        target.hessian(wild)
    if hasattr(target, "likelihood"):
        assert not np.isnan(energy).any()
        assert np.isposinf(energy[1:]).all()
        np.testing.assert_array_equal(np.isposinf(energy), np.isposinf(also))
    low, high = bounds_of(target)
    if np.isfinite(low).all():
        assert np.isposinf(target.energy(np.stack([low - 1e-6, high + 1e-6]))).all()


def test_it_travels_to_another_process(case):
    _, target, theta = case
    back = pickle.loads(pickle.dumps(target))
    np.testing.assert_array_equal(back.energy(theta), target.energy(theta))
