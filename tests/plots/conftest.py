"""A line with slope and noise, a map of any shape, and draws around its minima."""

import numpy as np
import pytest
import xarray as xr

from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape


class Line:
    """Predicts ``slope * x_0`` with variance ``exp(log_noise)``."""

    names = ("slope", "log_noise")
    output_name = "height (m)"

    def __init__(self, inputs=1):
        rng = np.random.default_rng(0)
        self.input_names = ("distance", "depth", "year")[:inputs]
        self.X_raw = rng.uniform(0, 10, (30, inputs))
        self.y_raw = 1.5 * self.X_raw[:, 0] + rng.normal(0, 1, 30)
        self.X = self.X_raw

    def predict(self, theta, X_new, noise=True):
        mean = theta[:, :1] * X_new[:, 0]
        return mean, np.exp(theta[:, 1:]) * np.ones_like(mean)


def landscape_of(energies, states, *, names=("slope", "log_noise"), target=None, seed=1):
    """A map with these energies, and transition states as ``(energy, a, b)``."""
    d, rng = len(names), np.random.default_rng(seed)
    minima = rng.normal(0, 2, (len(energies), d))
    ends = np.array([[a, b] for _, a, b in states], dtype=int).reshape(-1, 2)
    saddle = np.eye(d)
    saddle[0, 0] = -1.0
    return Landscape.from_arrays(
        names=names,
        minima=minima,
        energies=energies,
        hessians=np.tile(np.eye(d), (len(energies), 1, 1)),
        hits=np.ones(len(energies)),
        transition_states=minima[ends].mean(axis=1),
        transition_energies=[energy for energy, _, _ in states],
        transition_hessians=np.tile(saddle, (len(states), 1, 1)),
        joins=ends,
        coverage=1.0,
        evaluations=Evaluations(),
        target=target,
    )


def posterior_of(landscape, draws=300, spread=0.4, unknown=0):
    """Draws around the minima in turn, two chains; the first ``unknown`` have basin -1."""
    rng = np.random.default_rng(2)
    minima = landscape.minima["theta"].values
    basin = np.arange(2 * draws) % len(minima)
    theta = minima[basin] + spread * rng.normal(size=(2 * draws, minima.shape[1]))
    basin[:unknown] = -1
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"method": "superposition"}),
            "/unconstrained_posterior": xr.Dataset(
                {"theta": (("chain", "draw", "coordinate"), theta.reshape(2, draws, -1))}
            ),
            "/sample_stats": xr.Dataset({"basin": (("chain", "draw"), basin.reshape(2, draws))}),
        }
    )


@pytest.fixture
def make_landscape():
    """The function that makes a map of energies and transition states."""
    return landscape_of


@pytest.fixture
def make_posterior():
    """The function that makes draws around the minima of a map."""
    return posterior_of


@pytest.fixture
def make_line():
    """The class of the target that predicts."""
    return Line


@pytest.fixture
def four(make_line):
    """Four minima; 0 and 2 join at 1.5, 1 and 3 at 4, and both pairs at 6, above -10."""
    states = [(-8.5, 0, 2), (-6.0, 1, 3), (-4.0, 2, 3), (-3.0, 0, 1)]
    return landscape_of([-10.0, -9.5, -9.0, -7.0], states, target=make_line())


@pytest.fixture
def sixty():
    """Sixty minima in a funnel with random passes."""
    rng = np.random.default_rng(4)
    energies = np.sort(rng.gamma(3, 2, 60))
    states = [
        (float(max(energies[m], energies[k]) + rng.gamma(2, 1)), m, int(k))
        for m in range(1, 60)
        for k in rng.integers(0, m, 1)
    ]
    return landscape_of(energies, states)


@pytest.fixture
def picture(tmp_path):
    """Render a figure to PNG, as a report would; a warning in there is an error."""

    def render(figure):
        path = tmp_path / "picture.png"
        figure.savefig(path, dpi=60)
        assert path.stat().st_size > 2000
        return figure

    return render
