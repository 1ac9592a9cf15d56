"""Draws where there is no map, and the coordinates without walls in which they are made."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

import bayescape as bs
from bayescape.sample.unwalled import Unwalled

INF = np.inf
BOUNDS = [[-INF, -INF, 2.0, -1.5], [INF, 0.5, INF, 4.0]]  # none, above, below, both


def density(x):
    return -0.5 * ((x - torch.tensor([0.3, -0.5, 3.0, 1.0])) ** 2).sum() - 0.1 * x[0] * x[3]


def walled():
    return bs.from_torch(
        density, ["free", "above", "below", "both"], bounds=BOUNDS, starts=lambda n, rng: start(n)
    )


def start(count):
    return np.tile([0.0, 0.0, 3.0, 1.0], (count, 1))


UNWALLED = Unwalled(walled())
Z = st.tuples(*[st.floats(-15, 15)] * 4)


@given(Z)
def test_every_point_inside_has_one_without_walls(z):
    z = np.array(z)
    theta = UNWALLED.theta(z)
    low, high = np.array(BOUNDS)
    assert ((low <= theta) & (theta <= high)).all()
    # How near a wall a point is, is known to the digits of its coordinate.
    assert (np.abs(UNWALLED.z(theta) - z) <= 1e-9 + 1e-14 * np.exp(np.abs(z))).all()
    assert UNWALLED.theta(UNWALLED.z(theta)) == pytest.approx(theta, rel=1e-12, abs=1e-12)


def test_the_gradient_is_that_of_the_energy():
    rng = np.random.default_rng(0)
    z, h = rng.normal(0.0, 1.5, (20, 4)), 1e-5
    _, gradient = UNWALLED.energy_and_gradient(z)
    for i, step in enumerate(h * np.eye(4)):
        ahead, behind = (UNWALLED.energy_and_gradient(z + s)[0] for s in (step, -step))
        assert gradient[:, i] == pytest.approx((ahead - behind) / (2 * h), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(
    "bounds", [[[-INF], [INF]], [[-1.0], [INF]], [[-INF], [2.0]], [[-1.0], [2.5]]]
)
def test_the_integral_is_the_same(bounds):
    target = bs.from_torch(lambda x: -0.5 * ((x - 0.4) ** 2).sum(), ["x"], bounds=bounds)
    unwalled = Unwalled(target)
    whole, _ = integrate.quad(
        lambda x: np.exp(-target.energy(np.array([[x]]))[0]),
        -9,
        9,
        limit=400,
        points=[b[0] for b in bounds if np.isfinite(b[0])],
    )
    found, _ = integrate.quad(
        lambda z: np.exp(-unwalled.energy_and_gradient(np.array([[z]]))[0][0]),
        -40,
        40,
        limit=400,
        points=[-2.0, 0.0, 2.0],
    )
    assert found == pytest.approx(whole, rel=1e-7)


def test_a_start_on_a_wall_begins_inside():
    z = UNWALLED.z(np.array([[0.0, 0.5, 2.0, -1.5], [0.0, 0.5, 2.0, 4.0]]))
    assert np.isfinite(z).all()
    energy, gradient = UNWALLED.energy_and_gradient(z)
    assert np.isfinite(energy).all()
    assert np.isfinite(gradient).all()


def test_a_density_that_rises_into_a_corner_is_drawn_from_rightly_and_not_relied_on():
    """Trajectories that end at walls took 60 gradients a draw, and left an sd off by a seventh."""
    rate, wall = np.array([1.0, 3.0]), 4.0
    target = bs.from_torch(
        lambda x: -(torch.tensor(rate) * x).sum(), ["x", "y"], bounds=[[0, 0], [wall, wall]]
    )
    posterior = bs.sample(target, 2000, seed=1, groups=(), progress=False)
    kept = -np.expm1(-rate * wall)
    mean = 1 / rate - wall * np.exp(-rate * wall) / kept
    sd = np.sqrt(2 / rate**2 - (wall**2 + 2 * wall / rate) * np.exp(-rate * wall) / kept - mean**2)
    theta = posterior["unconstrained_posterior"]["theta"].values.reshape(-1, 2)
    assert np.abs((theta.mean(axis=0) - mean) / sd).max() < 0.1
    assert theta.std(axis=0) / sd == pytest.approx(1.0, abs=0.12)
    assert posterior["sample_stats"]["energy"].values.ravel() == pytest.approx(theta @ rate)
    assert posterior.attrs["reliable"] == 0
    assert "No minimum was found" in posterior.attrs["warnings"]
    assert json.loads(posterior.attrs["evaluations"])["gradient"] < 20 * 4 * (1000 + 500)
