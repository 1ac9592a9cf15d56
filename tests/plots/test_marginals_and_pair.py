import numpy as np
import pytest

from bayescape.plots.coordinates import Coordinate
from bayescape.plots.marginals import plot_marginals
from bayescape.plots.pair import plot_pair

FIVE = ("log_lengthscale[0]", "log_lengthscale[1]", "mean", "log_outputscale", "log_noise")
MANY = tuple(f"log_lengthscale[{i}]" for i in range(20))
STATES = [(1.5, 0, 1), (4.0, 1, 2)]


@pytest.fixture
def five(make_landscape):
    return make_landscape([0.0, 0.5, 1.0], STATES, names=FIVE)


def visible(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def by_label(ax, label):
    return [line for line in ax.lines if line.get_label() == f"_{label}"]


def area(ax, per_unit):
    """Area under all bars of a stacked histogram, in units of the density's axis."""
    total = 0.0
    for bars in ax.patches:
        values, edges, baseline = bars.get_data()
        width = np.diff(np.log(edges) if ax.get_xscale() == "log" else edges) / per_unit
        total += ((values - baseline) * width).sum()
    return total


def test_marginals_have_area_one_per_decade(five, make_posterior, picture):
    figure = picture(plot_marginals(five, make_posterior(five)))
    panels = visible(figure)
    assert [ax.get_xlabel() for ax in panels] == [
        "lengthscale[0]",
        "lengthscale[1]",
        "mean",
        "outputscale",
        "noise",
    ]
    for i, ax in enumerate(panels):
        logarithmic = i != 2
        assert (ax.get_xscale() == "log") == logarithmic
        # 3 of 600 draws may lie beyond the axis.
        assert 0.995 <= area(ax, np.log(10) if logarithmic else 1.0) <= 1 + 1e-12
        assert len(ax.patches) == 3  # one colour per basin
    assert panels[0].get_ylabel() == "density per decade"


def test_marginals_mark_the_minima_in_natural_units(five, make_posterior):
    panels = visible(plot_marginals(five, make_posterior(five)))
    theta = five.minima["theta"].values
    np.testing.assert_allclose(by_label(panels[0], "minima")[0].get_xdata(), np.exp(theta[:, 0]))
    np.testing.assert_allclose(by_label(panels[2], "minima")[0].get_xdata(), theta[:, 2])


def test_legends_give_the_share_of_each_basin(five, make_posterior):
    posterior = make_posterior(five, draws=300, unknown=60)
    for figure in (plot_marginals(five, posterior), plot_pair(five, posterior)):
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert labels[:4] == [
            "basin 0 (30%)",
            "basin 1 (30%)",
            "basin 2 (30%)",
            "other (10%)",
        ]


def test_draws_without_basins_are_drawn_without_a_legend(five, make_posterior, picture):
    posterior = make_posterior(five)
    del posterior["sample_stats"]
    figure = picture(plot_marginals(five, posterior))
    assert not figure.legends
    assert 0.995 <= area(visible(figure)[0], np.log(10)) <= 1 + 1e-12


def test_pairs_mark_every_minimum_and_transition_state(five, make_posterior, picture):
    figure = picture(plot_pair(five, make_posterior(five)))
    panels = visible(figure)
    assert len(panels) == 5 * 6 // 2
    pairs = [ax for ax in panels if by_label(ax, "transition states")]
    assert len(pairs) == 5 * 4 // 2
    corner = figure.axes[4 * 5 + 2]  # noise against mean: the one axis that is not logarithmic
    theta, states = five.minima["theta"].values, five.transition_states["theta"].values
    (crosses,) = by_label(corner, "transition states")
    np.testing.assert_allclose(crosses.get_xdata(), states[:, 2])
    np.testing.assert_allclose(crosses.get_ydata(), np.exp(states[:, 4]))
    circles = by_label(corner, "minimum")
    at = {(c.get_xdata()[0], c.get_ydata()[0]) for c in circles}
    assert at == {(t[2], np.exp(t[4])) for t in theta}
    numbers = {text.get_text(): text.xy for text in corner.texts}
    assert set(numbers) == {"0", "1", "2"}
    for m, t in enumerate(theta):
        np.testing.assert_allclose(numbers[str(m)], (t[2], np.exp(t[4])))
    assert (corner.get_xscale(), corner.get_yscale()) == ("linear", "log")
    assert (corner.get_xlabel(), corner.get_ylabel()) == ("mean", "")
    assert figure.axes[4 * 5].get_ylabel() == "noise"


def test_pairs_draw_each_basin_in_its_place(five, make_posterior):
    figure = plot_pair(five, make_posterior(five, draws=300, spread=0.01))
    panel = figure.axes[5]
    for m, theta in enumerate(five.minima["theta"].values):
        (points,) = by_label(panel, f"draws {m}")
        np.testing.assert_allclose(np.log(points.get_xdata()), theta[0], atol=0.06)
        np.testing.assert_allclose(np.log(points.get_ydata()), theta[1], atol=0.06)
        assert len(points.get_xdata()) == 200


def test_many_draws_are_thinned(five, make_posterior):
    figure = plot_pair(five, make_posterior(five, draws=6000))
    shown = [
        len(line.get_xdata())
        for line in figure.axes[5].lines
        if line.get_label().startswith("_draws")
    ]
    assert sum(shown) == 2000


def test_a_stray_draw_stretches_no_axis(five, make_posterior):
    posterior = make_posterior(five)
    before = plot_pair(five, posterior).axes[0].get_xlim()
    posterior["unconstrained_posterior"]["theta"].values[0, 0] = 50.0
    assert np.log(plot_pair(five, posterior).axes[0].get_xlim()[1] / before[1]) < 1
    labels = plot_pair(five, make_posterior(five, unknown=1)).legends[0].get_texts()
    assert "other (<1%)" in [text.get_text() for text in labels]


def test_standardised_units_are_named_below(four, five, make_posterior):
    posterior = make_posterior(four)
    for plot in (plot_pair, plot_marginals):
        assert not plot(four, posterior).get_supxlabel()
    four.target.X = four.target.X_raw / 10
    for plot in (plot_pair, plot_marginals):
        assert plot(four, posterior).get_supxlabel() == "in units of the standardised data"


def test_a_map_without_draws_can_be_drawn(five, picture):
    figure = picture(plot_pair(five))
    assert len(by_label(figure.axes[5], "minimum")) == 3


def test_high_minima_stretch_no_axis(make_landscape, make_posterior):
    landscape = make_landscape([0.0, 0.5, 30.0], STATES, names=FIVE)
    theta = landscape.minima["theta"].values
    low_two = landscape.minima.isel(minimum=slice(2))
    far = landscape.minima.assign(theta=landscape.minima["theta"].copy())
    far["theta"].values[2] = theta[2] + 25.0
    import dataclasses

    posterior = make_posterior(dataclasses.replace(landscape, minima=low_two))
    moved = dataclasses.replace(landscape, minima=far)
    for figure in (plot_marginals(moved, posterior), plot_pair(moved, posterior)):
        low, high = np.log(visible(figure)[0].get_xlim())
        assert high - low < 12


def test_of_many_coordinates_those_with_the_greatest_differences_are_drawn(
    make_landscape, make_posterior, picture
):
    landscape = make_landscape([0.0, 0.5], [(1.5, 0, 1)], names=MANY)
    theta = landscape.minima["theta"]
    theta.values[:] = 0.0
    theta.values[1, [3, 7, 8, 12, 15, 19]] = 5.0
    posterior = make_posterior(landscape)
    figure = picture(plot_pair(landscape, posterior))
    bottom = [ax.get_xlabel() for ax in visible(figure) if ax.get_xlabel()]
    assert bottom == [f"lengthscale[{i}]" for i in (3, 7, 8, 12, 15, 19)]
    assert len(visible(plot_marginals(landscape, posterior))) == 12
    assert len(visible(plot_marginals(landscape, posterior, maximum=20))) == 20


def test_coordinates_can_be_named(five, make_posterior):
    posterior = make_posterior(five)
    figure = plot_marginals(five, posterior, coordinates=["log_noise", "mean"])
    assert [ax.get_xlabel() for ax in visible(figure)] == ["noise", "mean"]
    assert len(visible(plot_pair(five, posterior, coordinates=["mean"]))) == 1
    with pytest.raises(ValueError, match=r"`coordinates` must be among .* got \['noise'\]"):
        plot_pair(five, posterior, coordinates=["noise"])


def test_one_minimum_and_equal_draws_have_axes_all_the_same(
    make_landscape, make_posterior, picture
):
    landscape = make_landscape([0.0], [], names=FIVE)
    posterior = make_posterior(landscape, spread=0.0)
    for figure in (plot_marginals(landscape, posterior), plot_pair(landscape, posterior)):
        for ax in visible(picture(figure)):
            low, high = ax.get_xlim()
            assert high > low


def test_draws_of_another_target_are_refused(five, four, make_posterior):
    with pytest.raises(ValueError, match="draws in 2 coordinates, but the landscape has 5"):
        plot_pair(five, make_posterior(four))


def test_density_unit_is_a_decade_or_one():
    assert Coordinate(0, "a", True).per_unit == pytest.approx(np.log(10))
    assert Coordinate(0, "a", False).per_unit == 1.0
