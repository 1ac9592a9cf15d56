"""Maps put together from plain arrays."""

import numpy as np
import pytest

from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape


def make(
    minima,
    energies,
    hessians,
    states=(),
    state_energies=(),
    state_hessians=(),
    joins=(),
    **fields,
):
    d = np.shape(minima)[1]
    return Landscape.from_arrays(
        names=[f"x{i}" for i in range(d)],
        minima=minima,
        energies=energies,
        hessians=hessians,
        hits=np.ones(len(minima), int),
        transition_states=states,
        transition_energies=state_energies,
        transition_hessians=state_hessians,
        joins=joins,
        **({"coverage": 1.0, "evaluations": Evaluations()} | fields),
    )


def network(energies, states, seed=0):
    """Minima with these energies and transition states ``(energy, a, b)``, Hessians at random."""
    rng = np.random.default_rng(seed)
    count, links = len(energies), len(states)
    stiffness = np.exp(rng.normal(0, 1, (count, 3)))
    saddles = np.exp(rng.normal(0, 1, (links, 3)))
    saddles[:, 0] *= -1
    return make(
        rng.normal(0, 1, (count, 3)),
        energies,
        stiffness[:, :, None] * np.eye(3),
        rng.normal(0, 1, (links, 3)),
        [energy for energy, _, _ in states],
        saddles[:, :, None] * np.eye(3),
        [(a, b) for _, a, b in states],
    )


@pytest.fixture(scope="session")
def landscape_of():
    """The function that makes a map of arrays."""
    return make


@pytest.fixture(scope="session")
def network_of():
    """The function that makes a map of energies and joins."""
    return network


@pytest.fixture
def chain_of_four():
    """0 - 1 at 3, 1 - 2 at 5 and again at 4, 3 alone; one state joins 2 to itself."""
    saddle = np.diag([-1.0, 2.0])
    return make(
        [[0, 0], [1, 0], [2, 0], [3, 0]],
        [0.0, 1.0, 2.0, 2.5],
        [np.eye(2)] * 4,
        [[0.5, 0], [1.5, 0], [1.5, 1], [2, 1]],
        [3.0, 5.0, 4.0, 2.2],
        [saddle] * 4,
        [[0, 1], [1, 2], [2, 1], [2, 2]],
    )
