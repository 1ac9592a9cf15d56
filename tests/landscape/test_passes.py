"""Passes, superbasins and the tree: by hand, and against brute force on random graphs."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescape.landscape import (
    barriers,
    disconnectivity_tree,
    merges,
    pass_energies,
    superbasins,
)

from .conftest import network


def test_merges_are_the_lowest_ones(chain_of_four):
    assert [(m.energy, m.left, m.right) for m in merges(chain_of_four)] == [
        (3.0, (0,), (1,)),
        (4.0, (0, 1), (2,)),
    ]


def test_pass_energies_are_minimax(chain_of_four):
    passes = pass_energies(chain_of_four)
    assert passes[0, 1] == 3.0
    assert passes[0, 2] == passes[1, 2] == 4.0
    assert np.isinf(passes[3, :3]).all()
    np.testing.assert_array_equal(np.diag(passes), [0.0, 1.0, 2.0, 2.5])
    np.testing.assert_array_equal(passes, passes.T)


def test_barriers_are_climbed_from_where_one_starts(chain_of_four):
    expected = np.full((4, 4), np.inf)
    np.fill_diagonal(expected, 0.0)
    expected[0, 1], expected[1, 0] = 3.0, 2.0
    expected[0, 2], expected[2, 0] = 4.0, 2.0
    expected[1, 2], expected[2, 1] = 3.0, 2.0
    np.testing.assert_array_equal(barriers(chain_of_four), expected)


@pytest.mark.parametrize(
    ("energy", "expected"),
    [
        (-1.0, []),
        (0.0, [(0,)]),
        (2.2, [(0,), (1,), (2,)]),
        (3.0, [(0, 1), (2,), (3,)]),  # at the energy of a pass it is open
        (4.5, [(0, 1, 2), (3,)]),
        (np.inf, [(0, 1, 2), (3,)]),
    ],
)
def test_superbasins_by_hand(chain_of_four, energy, expected):
    assert superbasins(chain_of_four, energy) == expected


def test_superbasins_at_no_energy_are_refused(chain_of_four):
    with pytest.raises(ValueError, match="`energy` must be a number"):
        superbasins(chain_of_four, np.nan)


def test_the_tree_by_hand(chain_of_four):
    tree = disconnectivity_tree(chain_of_four)
    assert [(n.energy, n.minima, n.transition_state, n.children, n.parent) for n in tree] == [
        (0.0, (0,), None, (), 4),
        (1.0, (1,), None, (), 4),
        (2.0, (2,), None, (), 5),
        (2.5, (3,), None, (), None),
        (3.0, (0, 1), 1, (0, 1), 5),
        (4.0, (0, 1, 2), 2, (4, 2), None),
    ]


def test_an_empty_map_has_none_of_it(landscape_of):
    empty = landscape_of(np.empty((0, 2)), [], [])
    assert disconnectivity_tree(empty) == superbasins(empty, 0.0) == []
    assert barriers(empty).shape == (0, 0)


@st.composite
def networks(draw):
    """A few minima and states at energies with ties; loops, repeats and separate parts allowed."""
    count = draw(st.integers(1, 7))
    energies = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    minimum = st.integers(0, count - 1)
    links = draw(st.lists(st.tuples(st.integers(0, 6), minimum, minimum), max_size=12))
    states = [(max(energies[a], energies[b]) + rise, a, b) for rise, a, b in links]
    return network(np.array(energies, float), states)


def groups_below(landscape, energy):
    """Connected components of the graph with everything above the energy cut away."""
    graph = nx.Graph()
    graph.add_nodes_from(np.flatnonzero(landscape.minima["energy"].values <= energy).tolist())
    states = landscape.transition_states
    open_ = states["joins"].values[states["energy"].values <= energy]
    graph.add_edges_from(open_.tolist())
    return sorted(tuple(sorted(group)) for group in nx.connected_components(graph))


@settings(deadline=None, max_examples=150)
@given(networks())
def test_everything_agrees_with_cutting_the_graph_at_each_energy(landscape):
    energies = landscape.minima["energy"].values
    levels = np.unique(np.append(landscape.transition_states["energy"].values, energies))
    expected = np.full((len(energies),) * 2, np.inf)
    for level in levels[::-1]:
        groups = groups_below(landscape, level)
        assert superbasins(landscape, level) == groups
        for group in groups:
            expected[np.ix_(group, group)] = level
    np.fill_diagonal(expected, energies)
    np.testing.assert_array_equal(pass_energies(landscape), expected)
    np.testing.assert_array_equal(barriers(landscape), expected - energies[:, None])

    tree = disconnectivity_tree(landscape)
    roots = [node for node in tree if node.parent is None]
    assert sorted(root.minima for root in roots) == groups_below(landscape, np.inf)
    for position, node in enumerate(tree):
        assert all(tree[child].parent == position for child in node.children)
        if node.children:
            left, right = (tree[child].minima for child in node.children)
            assert node.minima == tuple(sorted(left + right))
            assert left[0] < right[0]
            assert (expected[np.ix_(left, right)] == node.energy).all()


def test_a_thousand_minima_in_a_row_are_read_quickly(network_of):
    count = 1000
    states = [(m + 0.5, m - 1, m) for m in range(1, count)]
    row = network_of(np.arange(count, dtype=float), states)
    assert len(disconnectivity_tree(row)) == 2 * count - 1
    assert superbasins(row, 500.0) == [tuple(range(500)), (500,)]
    assert barriers(row)[0, -1] == count - 0.5
