"""Searches from gradients alone, in so many coordinates that Hessians are dear."""

import sys

import numpy as np
import pytest

from bayescape.evaluations import Counted
from bayescape.explore import captors, explore
from bayescape.explore.hybrid import follow_by_gradients
from bayescape.explore.limited_memory import LimitedMemory, across
from bayescape.explore.path import relax_string, summits
from bayescape.explore.quench import QuenchStatus, quench
from bayescape.explore.saddle import SaddleStatus
from bayescape.explore.scales import Scales
from bayescape.explore.softest_mode import softest_modes
from bayescape.targets.equivalence import Equivalence, Exchange
from bayescape.targets.surfaces import GaussianMixture, MuellerBrown, SixHumpCamel
from tests.reference.surfaces import MUELLER_BROWN_SADDLES


class Chain:
    """Double wells in a row, ``sum h (x_i^2 - 1)^2 + c/2 (x_i - x_(i+1))^2``.

    Strongly coupled, it has two minima, all sites at 1 or all at -1, and two transition states: a
    kink in the middle, ``tanh((i - middle) / w)`` with ``w = sqrt(c / (2 h))`` where that is many
    sites and the ends are far, and its mirror image.
    """

    def __init__(self, d, h=0.005, c=2.0):
        self.names = tuple(f"x[{i}]" for i in range(d))
        self.h, self.c = h, c

    def energy(self, theta):
        return self.energy_and_gradient(theta)[0]

    def energy_and_gradient(self, theta):
        well, pull = theta**2 - 1, self.c * np.diff(theta, axis=1)
        energy = self.h * (well**2).sum(axis=1) + 0.5 / self.c * (pull**2).sum(axis=1)
        gradient = 4 * self.h * well * theta
        gradient[:, 1:] += pull
        gradient[:, :-1] -= pull
        return energy, gradient

    def hessian(self, theta):
        d = theta.shape[1]
        bonds = np.diff(np.eye(d), axis=0)
        wells = self.h * (12 * theta**2 - 4)
        return self.c * bonds.T @ bonds + wells[:, :, None] * np.eye(d)

    def starts(self, count, rng):
        return rng.uniform(-1.5, 1.5, (count, len(self.names)))

    def constrain(self, theta):
        return {}


def mixture(d, seed=3):
    """Four modes at the corners of a square, five standard deviations apart."""
    rng = np.random.default_rng(seed)
    means = np.zeros((4, d))
    means[1, 0] = means[2, 1] = 5.0
    means[3, :2] = 5.0
    covariances = [np.diag(rng.uniform(0.5, 2.0, d)) for _ in means]
    return GaussianMixture([0.4, 0.3, 0.2, 0.1], means, covariances)


def quadratic(d, rng):
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (turn * np.geomspace(0.1, 10.0, d)) @ turn.T


def test_the_limited_memory_step_is_that_of_the_whole_formula():
    rng = np.random.default_rng(0)
    d = 8
    matrix = quadratic(d, rng)
    memory, row = LimitedMemory(1, d), np.array([0])
    steps = rng.standard_normal((5, d))
    # The BFGS formula for the inverse, from the multiple of the identity that the memory begins at.
    last = steps[-1]
    change = matrix @ last
    inverse = (last @ change) / (change @ change) * np.eye(d)
    for step in steps:
        change = matrix @ step
        memory.learn(row, step[None], change[None])
        share = 1 / (step @ change)
        project = np.eye(d) - share * np.outer(step, change)
        inverse = project @ inverse @ project.T + share * np.outer(step, step)
    gradient = rng.standard_normal(d)
    np.testing.assert_allclose(memory.downhill(row, gradient[None])[0], -inverse @ gradient)


def test_the_memory_keeps_no_negative_curvature_and_forgets_on_demand():
    memory, rows = LimitedMemory(2, 3), np.arange(2)
    step = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    memory.learn(rows, step, np.array([[-2.0, 0.0, 0.0], [4.0, 0.0, 0.0]]))
    gradient = np.ones((2, 3))
    down = memory.downhill(rows, gradient)
    np.testing.assert_array_equal(down[0], -gradient[0])
    assert down[1, 0] == pytest.approx(-0.25)
    memory.forget(rows)
    np.testing.assert_array_equal(memory.downhill(rows, gradient), -gradient)


def test_the_softest_mode_is_the_lowest_eigenvector():
    target = mixture(80)
    rng = np.random.default_rng(1)
    # Between two modes one curvature is negative.
    theta = np.array([0.5 * (target.means[0] + target.means[1]), rng.standard_normal(80)])
    values, vectors = np.linalg.eigh(target.hessian(theta))
    gradient = target.energy_and_gradient(theta)[1]
    guess = rng.standard_normal((2, 80))
    guess /= np.linalg.norm(guess, axis=1, keepdims=True)
    counted = Counted(target)
    value, mode = softest_modes(
        lambda x: counted.energy_and_gradient(x)[1], theta, gradient, guess, most=60
    )
    # A residual of a twentieth of the curvature bounds the error of the curvature by as much.
    np.testing.assert_allclose(value, values[:, 0], rtol=0.05)
    assert abs(mode[0] @ vectors[0, :, 0]) > 0.99
    assert ((mode * guess).sum(axis=1) > 0).all()
    # From the mode itself one product is enough.
    before = counted.evaluations.gradient
    again, _ = softest_modes(
        lambda x: counted.energy_and_gradient(x)[1], theta, gradient, vectors[:, :, 0]
    )
    np.testing.assert_allclose(again, values[:, 0], rtol=1e-3)
    assert counted.evaluations.gradient - before == 2


def test_a_mode_where_the_gradient_ends_is_nan_and_harms_no_other():
    theta = np.array([[0.0, 0.0], [1.0, 0.0]])

    def gradient_at(x):
        return np.where(x[:, :1] > 0.5, np.nan, x * [2.0, 1.0])

    value, mode = softest_modes(gradient_at, theta, theta * [2.0, 1.0], np.eye(2)[[0, 0]])
    assert value[0] == pytest.approx(2.0)
    assert np.isnan(value[1])
    assert np.isnan(mode[1]).all()


@pytest.mark.parametrize("target", [SixHumpCamel(), MuellerBrown(), mixture(6)])
def test_quenches_by_gradients_end_in_minima_too(target):
    starts = target.starts(40, np.random.default_rng(2))
    ends = quench(target, starts, by_gradients=True)
    whole = quench(target, starts, by_gradients=False)
    assert (ends.status == QuenchStatus.MINIMUM).all()
    assert (ends.gradient_norm < 1e-6).all()
    assert (np.linalg.eigvalsh(ends.hessian) > 0).all()
    assert set(np.round(ends.energy, 6)) == set(np.round(whole.energy, 6))


def test_a_quench_by_gradients_costs_no_hessian_but_at_its_end():
    target = Counted(mixture(200))
    starts = target.starts(6, np.random.default_rng(0))
    ends = quench(target, starts)
    assert (ends.status == QuenchStatus.MINIMUM).all()
    assert target.evaluations.hessian == 6
    assert target.evaluations.gradient < 6 * 200


def test_a_quench_by_gradients_leaves_a_flat_top():
    """Near a saddle the gradient grows on the way down, and the fall drowns in rounding."""
    target = Chain(60, h=0.25)
    ends = quench(target, target.starts(16, np.random.default_rng(5)))
    assert (ends.status == QuenchStatus.MINIMUM).all()


def test_walls_hold_a_quench_by_gradients():
    class Walled(Chain):
        bounds = np.stack([np.full(60, 0.5), np.full(60, 0.9)])

        def starts(self, count, rng):
            return rng.uniform(0.5, 0.9, (count, 60))

    target = Walled(60)
    ends = quench(target, target.starts(3, np.random.default_rng(0)))
    assert (ends.status == QuenchStatus.AT_BOUND).all()
    np.testing.assert_allclose(ends.theta, 0.9)


@pytest.mark.parametrize(("place", "energy"), MUELLER_BROWN_SADDLES.items())
def test_following_by_gradients_finds_what_hessians_find(place, energy):
    target = MuellerBrown()
    mode = np.linalg.eigh(target.hessian(np.array([place])))[1][:, :, 0]
    found = follow_by_gradients(target, np.array([place]) + 0.03, mode)
    assert found.status[0] == SaddleStatus.TRANSITION_STATE
    assert found.gradient_norm[0] < 1e-6
    np.testing.assert_allclose(found.theta[0], place, atol=2e-3)
    assert found.energy[0] == pytest.approx(energy, abs=1e-3)


def test_a_string_finds_the_way_round_a_high_top():
    target = Chain(56)
    scales = Scales.of(target)
    rng = np.random.default_rng(0)
    ends = np.array([[-1.0], [1.0]]) * np.ones(56)
    aside = across(rng.standard_normal((1, 56)), np.full((1, 56), 56**-0.5))[0]
    string, energies = relax_string(target, *ends, scales.unit, bend=aside)
    kink = np.tanh((np.arange(56) - 27.5) / np.sqrt(2.0 / (2 * 0.005)))
    top = target.energy(np.stack([kink, np.zeros(56)]))
    assert energies.max() < 1.05 * top[0] < top[1]
    found = follow_by_gradients(target, *summits(string, energies), scales=scales)
    assert SaddleStatus.TRANSITION_STATE in found.status


class Ridge(Chain):
    """A path around a bend, and a narrow ridge across it that few images step over."""

    def __init__(self):
        super().__init__(60)

    def _parts(self, theta):
        x, rest = theta[:, 0], theta[:, 1:] - 0.05 * (1 - theta[:, :1] ** 2)
        return x, rest, np.exp(-0.5 * ((x - 0.27) / 0.08) ** 2)

    def energy(self, theta):
        _, rest, ridge = self._parts(theta)
        return ridge + 8 * (rest**2).sum(axis=1)

    def energy_and_gradient(self, theta):
        x, rest, ridge = self._parts(theta)
        along = -ridge * (x - 0.27) / 0.08**2 + 16 * (rest * 0.1 * x[:, None]).sum(axis=1)
        return self.energy(theta), np.concatenate([along[:, None], 16 * rest], axis=1)


def test_images_are_added_to_a_string_where_it_steps_over_a_ridge(monkeypatch):
    target, unit = Ridge(), np.ones(60)
    # Where images settle on a ridge so sharp depends on rounding, so many strings are looked at.
    rng = np.random.default_rng(0)
    ends = 1e-9 * rng.standard_normal((9, 2, 60))
    ends[:, :, 0] += -1, 1
    strings, energies = zip(*(relax_string(target, *pair, unit) for pair in ends), strict=True)
    assert all(11 < len(string) < 22 for string in strings)
    assert np.median([energy.max() for energy in energies]) > 0.95  # of the ridge's 1
    # A path without a ridge needs none, and without them this one is not seen.
    plain, _ = relax_string(Chain(56), *(np.array([[-1.0], [1.0]]) * np.ones(56)), np.ones(56))
    assert len(plain) == 11
    monkeypatch.setattr(sys.modules[relax_string.__module__], "REFINED", 0)
    assert np.median([relax_string(target, *pair, unit)[1].max() for pair in ends]) < 0.9


def test_a_chain_s_two_minima_are_joined_by_its_kinks():
    target = Chain(56)
    landscape = explore(target, seed=0, progress=False)
    np.testing.assert_allclose(
        np.sort(landscape.minima["theta"].values[:, 0]), [-1.0, 1.0], atol=1e-5
    )
    states = landscape.transition_states["theta"].values
    assert len(states) == 2
    np.testing.assert_allclose(states[0], -states[1], atol=1e-3)
    _, gradient = target.energy_and_gradient(states)
    assert (np.linalg.norm(gradient, axis=1) < 1e-6).all()
    assert ((np.linalg.eigvalsh(target.hessian(states)) < 0).sum(axis=1) == 1).all()
    assert (landscape.transition_states["joins"].values == [0, 1]).all()


def test_a_mixture_in_a_hundred_coordinates_is_mapped_by_gradients():
    target = mixture(100)
    landscape = explore(target, seed=0, progress=False)
    away = np.linalg.norm(landscape.minima["theta"].values[:, None] - target.means, axis=2)
    assert landscape.minima.sizes["minimum"] == 4
    assert (away.min(axis=0) < 0.5).all()
    # Modes at the corners of a square: its four sides are passes.
    means = away.argmin(axis=1)
    joined = {frozenset(means[join]) for join in landscape.transition_states["joins"].values}
    assert joined >= {frozenset(side) for side in ((0, 1), (0, 2), (1, 3), (2, 3))}
    # One Hessian for each of them all, and a few for what was come to twice.
    assert landscape.evaluations.hessian < 20


@pytest.mark.parametrize("symmetric", [False, True])
def test_large_matrices_are_decomposed_one_by_one_to_the_same_effect(symmetric, monkeypatch):
    rng = np.random.default_rng(4)
    d, count = 12, 5
    layers = [Exchange(np.arange(d).reshape(3, 4), 2, odd=True)] if symmetric else []
    equivalence = Equivalence(d, layers) if symmetric else None
    matrices = np.array([quadratic(d, rng) for _ in range(count)])
    points, energies = 0.2 * rng.standard_normal((count, d)), 0.01 * rng.standard_normal(count)
    near = np.repeat(points, 4, axis=0)
    away = rng.standard_normal(near.shape) * np.tile([0, 1e-4, 0.05, 0.3], count)[:, None]
    which = np.repeat(np.arange(count), 4)
    slopes = np.einsum("pij,pj->pi", matrices[which], away)
    rise = energies[which] + 0.5 * (away * slopes).sum(axis=1)
    answers = []
    for large in (200, 0):
        monkeypatch.setattr(captors, "LARGE", large)
        known = captors.Captors.none(d, equivalence)
        for point, energy, matrix in zip(points, energies, matrices, strict=True):
            known = known.with_point(point, energy, matrix)
        answers.append((known.catch(near + away, rise, slopes), known.same(near + away, rise)))
    (caught, same), (one_by_one, same_one_by_one) = answers
    assert (caught >= 0).sum() >= 2 * count
    assert same.sum() >= count
    np.testing.assert_array_equal(caught, one_by_one)
    np.testing.assert_array_equal(same, same_one_by_one)
