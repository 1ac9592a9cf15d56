"""A straight line with a known noise: its predictions can be written down."""

import numpy as np
import pytest
import xarray as xr

from tests.reference.maps import map_of_minima


class Line:
    """Predicts ``slope * x`` with variance ``exp(log_noise)``, or 0.01 of it without noise."""

    names = ("slope", "log_noise")
    input_names = ("distance",)
    output_name = "height"
    X = np.linspace(-1, 1, 5)[:, None]

    def __init__(self):
        self.batches = []

    def predict(self, theta, X_new, noise=True):
        self.batches.append(len(theta))
        mean = theta[:, :1] * X_new[:, 0]
        variance = np.exp(theta[:, 1:]) * np.ones_like(mean) * (1.0 if noise else 0.01)
        return mean, variance


def landscape_of(theta, energies, hessians, target):
    return map_of_minima(target, theta, energies=energies, hessians=hessians)


def posterior_of(theta, method="hmc"):
    """Draws ``(chain, draw, coordinate)`` in a tree."""
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"method": method}),
            "/unconstrained_posterior": xr.Dataset(
                {"theta": (("chain", "draw", "coordinate"), theta)}
            ),
        }
    )


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def landscape(line):
    """Three minima; energies 1, 0, 3 and widths such that the first has the most volume."""
    hessians = np.array([np.diag([0.04, 1.0]), np.diag([1.0, 1.0]), np.diag([4.0, 1.0])])
    theta = np.array([[1.0, 0.0], [2.0, -1.0], [-1.0, 0.5]])
    return landscape_of(theta, [1.0, 0.0, 3.0], hessians, line)


@pytest.fixture
def posterior():
    draws = np.random.default_rng(3).normal([1.5, -0.5], [0.3, 0.2], (2, 40, 2))
    return posterior_of(draws)


@pytest.fixture
def make_landscape():
    """The function that makes a landscape of minima alone."""
    return landscape_of


@pytest.fixture
def make_posterior():
    """The function that puts draws in a tree."""
    return posterior_of
