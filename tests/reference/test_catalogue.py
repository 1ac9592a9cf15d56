"""The catalogue itself, and a sample of what benchmarks/silent_failures.py does with it."""

import json

import numpy as np
import pytest

import bayescape as bs
from bayescape import Target
from tests.reference.catalogue import CATALOGUE, Truth
from tests.reference.catalogue.judge import borne_out, mistakes

BY_NAME = {posterior.name: posterior for posterior in CATALOGUE}
QUIET = {"progress": False}
# One of each kind that is quick.
HONEST = ("two-gaussians-2d", "t-mixture-2d", "banana-2d", "log-gamma-3d", "half-normal-2d")
FOOLING = ("wide-and-narrow-5d", "needle-8d", "improper-plain-2d", "funnel-mild-3d")


def test_there_are_forty_and_each_says_what_it_is_for():
    assert len(CATALOGUE) >= 40
    assert len(BY_NAME) == len(CATALOGUE)
    assert all(posterior.how and posterior.catches for posterior in CATALOGUE)


@pytest.mark.parametrize("posterior", CATALOGUE, ids=lambda p: p.name)
def test_targets_have_the_derivatives_that_they_say(posterior):
    target = posterior.make()
    assert isinstance(target, Target)
    points = target.starts(6, np.random.default_rng(2))
    energy, gradient = target.energy_and_gradient(points)
    assert np.isfinite(energy).all()
    width = np.ptp(target.starts(200, np.random.default_rng(3)), axis=0)
    step = 1e-5 * width[0]
    ahead, behind = (target.energy(points + s * step * np.eye(len(width))[0]) for s in (1, -1))
    inside = np.isfinite(ahead) & np.isfinite(behind)
    slope = ((ahead - behind) / (2 * step))[inside]
    rounding = 1e-9 * np.abs(energy).max() / step
    np.testing.assert_allclose(gradient[inside, 0], slope, rtol=1e-4, atol=1e-6 + rounding)


@pytest.mark.parametrize("posterior", CATALOGUE, ids=lambda p: p.name)
def test_known_minima_are_minima(posterior):
    truth = posterior.truth()
    assert len(truth.centres) == len(truth.occupation)
    if len(truth.centres):
        target = posterior.make()
        near = truth.centres + 0.3 * truth.sd * np.random.default_rng(0).standard_normal(
            (20, *truth.centres.shape)
        )
        around = target.energy(near.reshape(-1, near.shape[-1])).reshape(20, -1)
        # Of a mixture's centre or a grid's node the minimum is a little aside.
        assert (around >= target.energy(truth.centres) - 0.05).mean() > 0.9
        assert truth.occupation.sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    "name", ["two-gaussians-2d", "banana-2d", "skew-normal-2d", "t-mixture-2d"]
)
def test_closed_forms_agree_with_sums_over_a_grid(name):
    target, truth = BY_NAME[name].make(), BY_NAME[name].truth()
    axes = [
        np.linspace(m - 14 * s, m + 14 * s, 1500) for m, s in zip(truth.mean, truth.sd, strict=True)
    ]
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.exp(-target.energy(theta))
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    assert np.log(mass.sum() * cell) == pytest.approx(truth.log_evidence, abs=2e-3)
    mean = mass @ theta / mass.sum()
    np.testing.assert_allclose(mean, truth.mean, atol=2e-3 * truth.sd.max())
    sd = np.sqrt(mass @ (theta - mean) ** 2 / mass.sum())
    np.testing.assert_allclose(sd, truth.sd, rtol=5e-3)


@pytest.mark.parametrize("name", [*HONEST, *FOOLING])
def test_nothing_is_wrong_in_silence(name):
    posterior = BY_NAME[name]
    landscape = bs.explore(posterior.make(), seed=1, **QUIET)
    result = bs.sample(landscape, 4000, method="superposition", seed=1, **QUIET)
    wrong = mistakes(posterior.truth(), result)
    assert not (result.attrs["reliable"] and wrong), wrong
    if not posterior.adversarial:
        assert result.attrs["reliable"], result.attrs["warnings"]


def test_the_judge_sees_every_kind_of_mistake():
    """Against a truth that was moved, a right result is wrong in every respect."""
    posterior = BY_NAME["two-gaussians-far-8d"]
    result = bs.sample(posterior.make(), 1000, method="superposition", seed=0, **QUIET)
    true = posterior.truth()
    assert mistakes(true, result) == []
    moved = Truth(
        true.mean + 0.3 * true.sd,
        1.2 * true.sd,
        true.log_evidence + 0.3,
        true.centres,
        true.occupation[::-1],
    )
    said = " ".join(mistakes(moved, result))
    for kind in ("mean of", "sd of", "log evidence", "occupation"):
        assert kind in said


def test_warnings_are_borne_out_by_what_no_sample_tells():
    truth = Truth(np.zeros(2), np.array([np.nan, 1.0]), 0.0)
    names = ("heavy", "light")
    of_heavy, of_light = (f"The standard deviation of {n} is known to 12% only." for n in names)
    assert borne_out(truth, names, [of_heavy])
    assert not borne_out(truth, names, [of_light])
    assert not borne_out(truth, names, [of_heavy, of_light])
    assert not borne_out(truth, names, [of_heavy, "The largest R-hat is 1.2."])
    assert not borne_out(truth, names, [])
    known = Truth(np.zeros(2), np.ones(2), 0.0)
    assert not borne_out(known, names, [of_heavy])


def test_what_is_said_of_a_tail_without_moments_is_borne_out():
    """The Pareto k of such a tail under t components is 2/3, near enough to be told of by some."""
    posterior = BY_NAME["cauchy-2d"]
    result = bs.sample(posterior.make(), 4000, method="superposition", seed=1, **QUIET)
    said = json.loads(result.attrs["warnings"])
    assert borne_out(posterior.truth(), posterior.make().names, said), said
