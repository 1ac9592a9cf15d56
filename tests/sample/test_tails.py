"""Tails that fall too slowly to have an integral are seen, and no others."""

import json

import numpy as np
import pytest
import torch

import bayescape as bs
from bayescape.evaluations import Counted
from bayescape.sample.superposition import Superposition
from bayescape.sample.tails import slow_tails, tail_warnings

UNIT = Superposition(np.ones(1), np.zeros((1, 2)), np.eye(2)[None], np.zeros(1, int))


def power_law(power, bounds=None, one_way=False):
    """Falls like ``|y|**-power``, to one side or both, and as a Gaussian along x."""

    def log_density(x):
        y = torch.relu(x[1]) if one_way else x[1]
        other = -0.5 * torch.relu(-x[1]) ** 2 if one_way else 0.0
        return -0.5 * x[0] ** 2 - 0.5 * power * torch.log1p(y**2) + other

    return bs.from_torch(log_density, ["x", "y"], starts=np.zeros((1, 2)), bounds=bounds)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("one_way", [False, True])
def test_what_falls_like_the_inverse_distance_or_less_is_named(power, one_way):
    target = Counted(power_law(power, one_way=one_way))
    assert slow_tails(target, UNIT) == ("y",)
    assert target.evaluations.total == 8


@pytest.mark.parametrize("power", [1.2, 2.0, 3.5])
@pytest.mark.parametrize("one_way", [False, True])
def test_heavy_tails_that_have_an_integral_pass(power, one_way):
    assert slow_tails(power_law(power, one_way=one_way), UNIT) == ()


def test_walls_end_a_tail():
    assert slow_tails(power_law(0.0, bounds=[[-9, -50], [9, 50]]), UNIT) == ()
    assert slow_tails(power_law(0.0, bounds=[[-9, -50], [9, np.inf]]), UNIT) == ("y",)


def test_what_rises_without_end_is_named_too():
    def rises(x):
        return -0.5 * x[0] ** 2 + torch.relu(x[1] - 5)

    assert slow_tails(bs.from_torch(rises, ["x", "y"]), UNIT) == ("y",)


def test_the_lines_begin_at_a_basin():
    """A guard, however heavy, lies anywhere: here where the density ends."""
    guarded = Superposition(
        np.array([0.4, 0.6]),
        np.array([[0.0, 0.0], [1e4, 0.0]]),
        np.stack([np.eye(2)] * 2),
        np.array([0, -1]),
    )
    target = power_law(1.0, bounds=[[-1e3, -np.inf], [1e3, np.inf]])
    assert slow_tails(target, guarded) == ("y",)


@pytest.mark.parametrize("method", ["auto", "superposition"])
def test_draws_from_what_has_no_integral_say_so(method):
    """NUTS took five minutes on it, to be stopped in the end or to warn of its R-hat."""
    posterior = bs.sample(power_law(1.0), 400, method, seed=0, groups=(), progress=False)
    assert posterior.attrs["reliable"] == 0
    (said,) = [w for w in json.loads(posterior.attrs["warnings"]) if "1/|y|" in w]
    assert said == tail_warnings(("y",))[0]
    assert posterior.attrs["method"] == "superposition"
