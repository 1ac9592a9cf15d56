"""Surfaces of which every stationary point is known, mapped from twenty seeds."""

import networkx as nx
import numpy as np
import pytest

from bayescape.explore import explore
from bayescape.targets.surfaces import SixHumpCamel
from benchmarks.mapping.judge import faults, match, stationary
from benchmarks.mapping.problems import problem
from tests.reference.surfaces import (
    MUELLER_BROWN_MINIMA,
    MUELLER_BROWN_SADDLES,
    SIX_HUMP_LOWEST,
)

SEEDS = range(20)


def mapped(target, seed):
    """A map whose every point and every join was checked without the explorer."""
    landscape = explore(target, seed=seed, progress=False)
    assert faults(landscape, target) == []
    return landscape


def all_found(landscape, on):
    """Nothing is missing, nothing is there twice, and nothing that does not exist."""
    for points, known, index in (
        (landscape.minima["theta"].values, on.minima, 0),
        (landscape.transition_states["theta"].values, on.states, 1),
    ):
        known = stationary(on.target, known, on.box, index)
        assert len(points) == len(known)
        assert match(points, known, on.box) == len(known)


@pytest.mark.parametrize("seed", SEEDS)
def test_mueller_brown(seed):
    on = problem("mueller-brown")
    landscape = mapped(on.target, seed)
    all_found(landscape, on)
    np.testing.assert_allclose(
        landscape.minima["energy"], sorted(MUELLER_BROWN_MINIMA.values()), atol=1e-3
    )
    np.testing.assert_allclose(
        landscape.transition_states["energy"], sorted(MUELLER_BROWN_SADDLES.values()), atol=1e-3
    )
    # The middle minimum, highest of the three, is joined to both others.
    joins = {tuple(j) for j in landscape.transition_states["joins"].values.tolist()}
    assert joins == {(0, 2), (1, 2)}
    assert landscape.coverage > 0.95
    assert not landscape.warnings


@pytest.mark.parametrize("seed", SEEDS)
def test_six_hump_camel(seed):
    """Six minima, seven saddles and two maxima: 6 - 7 + 2 = 1, as where all sides rise."""
    landscape = mapped(SixHumpCamel(), seed)
    assert landscape.minima.sizes["minimum"] == 6
    assert landscape.minima["energy"].values[0] == pytest.approx(SIX_HUMP_LOWEST, abs=1e-9)
    assert landscape.transition_states.sizes["transition_state"] == 7
    assert nx.is_connected(nx.Graph(landscape.graph))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_schwefel_in_two_dimensions(seed):
    on = problem("schwefel-2")
    assert (len(on.minima), len(on.states)) == (49, 84)
    all_found(mapped(on.target, seed), on)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_mixture_of_ten_modes_in_ten_dimensions(seed):
    on = problem("mixture")
    landscape = mapped(on.target, seed)
    assert landscape.minima.sizes["minimum"] == 10
    assert match(landscape.minima["theta"].values, on.target.means, on.box) == 10
    assert nx.is_connected(nx.Graph(landscape.graph))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_reference_posterior(seed):
    """Four minima and the four known passes, for at most 3,000 gradient equivalents."""
    on = problem("reference")
    landscape = mapped(on.target, seed)
    assert match(landscape.minima["theta"].values, on.minima, on.box) == 4
    above = landscape.transition_states["energy"].values - landscape.minima["energy"].values[0]
    for known in on.state_energies:
        assert np.abs(above - known).min() < 0.01
    assert landscape.evaluations.gradient_equivalents(on.d) <= 3000
