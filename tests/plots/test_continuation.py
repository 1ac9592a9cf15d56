import numpy as np
import pytest
from matplotlib.figure import Figure

from bayescape.evaluations import Evaluations
from bayescape.landscape.continuation import Continuation
from bayescape.landscape.folds import Fold
from bayescape.plots.continuation import plot_continuation
from bayescape.plots.style import basin_colour


def fold_at(parameter, energy, side):
    return Fold(
        theta=np.zeros(1),
        parameter=parameter,
        energy=energy,
        null_vector=np.ones(1),
        gradient_norm=0.0,
        smallest_eigenvalue=0.0,
        cubic=1.0,
        transversality=-float(side),
    )


@pytest.fixture
def branches():
    """A minimum throughout; one that ends with a transition state at 1.5; two saddles from 0.5."""
    nan = np.nan
    energy = np.array(
        [[1.0, 0.5, 0.0, -0.5], [2.0, 2.2, nan, nan], [3.0, 2.8, nan, nan], [nan, 5.0, 5.1, 5.2]]
    )
    return Continuation.from_arrays(
        names=["x"],
        parameter="nu",
        grid=[0.0, 1.0, 2.0, 3.0],
        theta=energy[:, :, None],
        energy=energy,
        softest=energy,
        index=[0, 0, 1, 1],
        begins=["grid", "grid", "grid", "fold"],
        ends=["grid", "fold", "fold", "grid"],
        folds=[fold_at(1.5, 2.5, -1), fold_at(0.5, 4.9, 1)],
        joins=[[1, 2], [3, -1]],
        indices=[[0, 1], [1, 2]],
        evaluations=Evaluations(),
    )


def lines_of(ax):
    return {line.get_gid(): line for line in ax.lines if line.get_gid()}


def test_lines_are_the_branches_up_to_their_folds(branches, picture):
    ax = picture(plot_continuation(branches)).axes[0]
    lines = lines_of(ax)
    np.testing.assert_array_equal(lines["branch 0"].get_xydata()[:, 1], [1.0, 0.5, 0.0, -0.5])
    np.testing.assert_array_equal(lines["branch 1"].get_xydata(), [[0, 2.0], [1, 2.2], [1.5, 2.5]])
    np.testing.assert_array_equal(lines["branch 2"].get_xydata(), [[0, 3.0], [1, 2.8], [1.5, 2.5]])
    np.testing.assert_array_equal(
        lines["branch 3"].get_xydata(), [[0.5, 4.9], [1, 5.0], [2, 5.1], [3, 5.2]]
    )
    assert [lines[f"branch {b}"].get_linestyle() for b in range(4)] == ["-", "-", "--", "--"]
    assert [lines[f"branch {b}"].get_color() for b in range(2)] == [
        basin_colour(0),
        basin_colour(1),
    ]
    assert ax.get_xlabel() == r"Matérn order $\nu$"
    assert ax.get_ylabel() == "energy (nats)"


def test_folds_of_minima_are_filled_and_others_open(branches):
    marks = [line for line in plot_continuation(branches).axes[0].lines if not line.get_gid()]
    filled, hollow = marks
    np.testing.assert_array_equal(filled.get_xydata(), [[1.5, 2.5]])
    np.testing.assert_array_equal(hollow.get_xydata(), [[0.5, 4.9]])
    assert hollow.get_markerfacecolor() == "white"


def test_relative_energies_are_from_the_lowest_minimum_there(branches):
    ax = plot_continuation(branches, relative=True).axes[0]
    lines = lines_of(ax)
    np.testing.assert_array_equal(lines["branch 0"].get_ydata(), 0)
    # At 1.5 the lowest is half-way between 0.5 and 0.
    np.testing.assert_allclose(lines["branch 1"].get_ydata(), [1.0, 1.7, 2.25])
    assert "above the lowest minimum" in ax.get_ylabel()


def test_draws_on_given_axes(branches):
    ax = Figure().subplots()
    assert plot_continuation(branches, ax) is ax.figure


def test_anything_else_is_refused():
    with pytest.raises(TypeError, match=r"`continuation` must be a Continuation.*got dict"):
        plot_continuation({})
