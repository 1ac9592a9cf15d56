import itertools

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from bayescape.landscape.passes import pass_energies
from bayescape.plots.disconnectivity import layout_branches, plot_disconnectivity
from bayescape.plots.style import basin_colour


def everything(roots):
    return [branch for root in roots for branch in root.walk()]


def lines_of(ax):
    """Vertical lines by the minima that they stand for: x, bottom, top."""
    found = {}
    for line in ax.lines:
        x, y = line.get_xdata(), line.get_ydata()
        assert x[0] == x[1]
        minima = frozenset(int(m) for m in line.get_label().removeprefix("_branch ").split())
        found[minima] = (x[0], y[0], y[1])
    return found


def test_leaves_end_at_their_energies_and_join_at_the_thresholds(four, picture):
    ax = picture(plot_disconnectivity(four)).axes[0]
    lines = lines_of(ax)
    expected = {  # energies above the lowest minimum: bottom, top
        frozenset({0}): (0.0, 1.5),
        frozenset({2}): (1.0, 1.5),
        frozenset({1}): (0.5, 4.0),
        frozenset({3}): (3.0, 4.0),
        frozenset({0, 2}): (1.5, 6.0),
        frozenset({1, 3}): (4.0, 6.0),
        frozenset({0, 1, 2, 3}): (6.0, ax.get_ylim()[1]),
    }
    assert set(lines) == set(expected)
    for minima, ends in expected.items():
        np.testing.assert_allclose(lines[minima][1:], ends)


def test_joins_are_bars_between_the_branches_that_join(four):
    ax = plot_disconnectivity(four).axes[0]
    lines = lines_of(ax)
    bars = {round(bar[0][1], 9): sorted(bar[:, 0]) for bar in ax.collections[0].get_segments()}
    assert set(bars) == {1.5, 4.0, 6.0}
    for energy, pair in {1.5: ({0}, {2}), 4.0: ({1}, {3}), 6.0: ({0, 2}, {1, 3})}.items():
        assert bars[energy] == sorted(lines[frozenset(side)][0] for side in pair)


def test_labels_say_which_minimum_its_occupation_and_the_thresholds(four):
    ax = plot_disconnectivity(four).axes[0]
    lines, labels = lines_of(ax), {}
    for text in ax.texts:
        labels[text.get_text()] = text.xy
    shares = np.exp(-np.array([0, 0.5, 1, 3]))  # all Hessians are alike
    for m, share in enumerate(shares / shares.sum()):
        x, bottom, _ = lines[frozenset({m})]
        np.testing.assert_allclose(labels[f"{m}\n{share:.0%}"], (x, bottom))
    assert {"1.50", "4.00", "6.00"} <= set(labels)
    assert ax.get_ylabel() == "energy above the lowest minimum (nats)"


def test_leaves_have_the_colours_of_their_basins(four):
    ax = plot_disconnectivity(four).axes[0]
    for line in ax.lines:
        name = line.get_label().removeprefix("_branch ")
        if " " not in name:
            assert same_color(line.get_color(), basin_colour(int(name)))


def test_a_leaf_with_hardly_a_barrier_is_still_seen(make_landscape):
    ax = plot_disconnectivity(make_landscape([0.0, 1.2188], [(1.2191, 0, 1)])).axes[0]
    dots = {
        line.get_label(): line.get_ydata()[line.get_markevery()[0]]
        for line in ax.lines
        if line.get_marker() == "o"
    }
    assert dots == {"_branch 0": 0.0, "_branch 1": pytest.approx(1.2188)}


def test_unconnected_parts_stand_apart_and_are_dashed_to_the_top(make_landscape, picture):
    landscape = make_landscape([0.0, 0.5, 1.0, 2.0, 2.2], [(3.0, 0, 1), (4.0, 2, 4)])
    ax = picture(plot_disconnectivity(landscape)).axes[0]
    dashed = {line.get_label() for line in ax.lines if line.get_linestyle() == "--"}
    assert dashed == {"_branch 0 1", "_branch 2 4", "_branch 3"}
    top = ax.get_ylim()[1]
    lines = lines_of(ax)
    for part in ({0, 1}, {2, 4}, {3}):
        assert lines[frozenset(part)][2] == top
    assert len(ax.collections[0].get_segments()) == 2
    assert any("no known path" in text.get_text() for text in ax.texts)


def test_a_connected_map_has_no_dashes(four):
    ax = plot_disconnectivity(four).axes[0]
    assert {line.get_linestyle() for line in ax.lines} == {"-"}
    assert not any("no known path" in text.get_text() for text in ax.texts)


def test_one_minimum_is_one_line(make_landscape, picture):
    ax = picture(plot_disconnectivity(make_landscape([5.0], []))).axes[0]
    (line,) = ax.lines
    np.testing.assert_allclose(line.get_ydata(), [0.0, ax.get_ylim()[1]])
    assert [text.get_text() for text in ax.texts] == ["0\n100%"]


def test_sixty_minima_all_have_a_leaf_and_a_label(sixty, picture):
    ax = picture(plot_disconnectivity(sixty)).axes[0]
    leaves = {m: v for m, v in lines_of(ax).items() if len(m) == 1}
    assert len(leaves) == 60
    assert sorted(x for x, _, _ in leaves.values()) == list(range(60))
    energies = sixty.minima["energy"].values
    for (m,), (_, bottom, _) in leaves.items():
        assert bottom == pytest.approx(energies[m] - energies[0], abs=1e-12)
    assert {text.get_text() for text in ax.texts} == {str(m) for m in range(60)}


def test_where_two_leaves_meet_is_the_lowest_pass(sixty):
    passes = pass_energies(sixty)
    (root,) = layout_branches(sixty)
    for a, b in itertools.combinations(range(0, 60, 7), 2):
        both = [branch for branch in root.walk() if {a, b} <= set(branch.minima)]
        assert min(branch.bottom for branch in both) == passes[a, b]


def test_no_line_crosses_another(sixty, four):
    for landscape in (sixty, four):
        branches = everything(layout_branches(landscape))
        uprights = [(b.x, b.bottom, b.top) for b in branches]
        for join in branches:
            if not join.children:
                continue
            low, high = sorted(child.x for child in join.children)
            crossing = [
                x for x, bottom, top in uprights if low < x < high and bottom < join.bottom < top
            ]
            assert not crossing
            assert low <= join.x <= high


def test_a_transition_state_within_one_basin_joins_nothing(make_landscape):
    landscape = make_landscape([0.0, 1.0], [(1.5, 0, 0), (2.0, 0, 1), (1.2, 1, 1)])
    (root,) = layout_branches(landscape)
    assert len(root.walk()) == 3
    assert root.bottom == 2.0


def test_draws_on_given_axes(four):
    ax = Figure().subplots()
    assert plot_disconnectivity(four, ax=ax) is ax.figure
    assert len(ax.lines) == 7


def test_an_empty_map_is_refused(make_landscape):
    with pytest.raises(ValueError, match="no minimum"):
        plot_disconnectivity(make_landscape([], []))


def test_a_long_chain_needs_no_recursion_limit(make_landscape):
    count = 3000
    energies = np.arange(count, dtype=float)
    landscape = make_landscape(energies, [(m + 0.5, m - 1, m) for m in range(1, count)])
    (root,) = layout_branches(landscape)
    assert len(root.walk()) == 2 * count - 1


def test_branches_of_one_group_have_its_colour(four, picture):
    # The first merge joins two minima; the rest is in no group.
    lowest = min(
        (b for b in everything(layout_branches(four)) if b.children), key=lambda b: b.bottom
    )
    ax = picture(plot_disconnectivity(four, groups=[[], lowest.minima])).axes[0]
    for line in ax.lines:
        minima = {int(m) for m in line.get_label().removeprefix("_branch ").split()}
        if minima <= set(lowest.minima):
            assert same_color(line.get_color(), basin_colour(1))
        elif minima & set(lowest.minima):
            assert same_color(line.get_color(), "black")
        else:
            assert same_color(line.get_color(), basin_colour(-1))


@pytest.mark.parametrize("groups", ["a", 3, [[0], [4]], [[0.5]]])
def test_groups_that_are_no_minima_are_refused(four, groups):
    with pytest.raises(ValueError, match="`groups` must be lists of the 4 minima by position"):
        plot_disconnectivity(four, groups=groups)
