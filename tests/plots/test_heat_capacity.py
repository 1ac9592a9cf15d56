import numpy as np
import pytest
from matplotlib.figure import Figure

from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.plots.heat_capacity import plot_heat_capacity


def bands_of(ax):
    """Thickness of every filled band at its own temperatures, by label."""
    found = {}
    for band in ax.collections:
        path = band.get_paths()[0].vertices
        found[band.get_label()] = {
            t: np.ptp(path[path[:, 0] == t, 1]) for t in np.unique(path[:, 0])
        }
    return found


def test_the_bands_are_the_parts_and_the_line_is_their_sum(four, picture):
    thermo = thermodynamics(four, np.geomspace(0.1, 10, 21))
    ax = picture(plot_heat_capacity(thermo)).axes[0]
    total = next(line for line in ax.lines if line.get_label() == "total")
    np.testing.assert_array_equal(total.get_ydata(), thermo["heat_capacity"])
    bands = bands_of(ax)
    assert list(bands) == [f"minimum {m}" for m in range(4)]
    for m in range(4):
        for i in (3, 10, 17):
            t = thermo["temperature"].values[i]
            part = thermo["heat_capacity_by_minimum"].values[i, m]
            assert bands[f"minimum {m}"][t] == pytest.approx(part, rel=1e-9)


def test_many_minima_share_a_band(sixty, picture):
    thermo = thermodynamics(sixty, [0.5, 1.0, 2.0])
    ax = picture(plot_heat_capacity(thermo)).axes[0]
    bands = bands_of(ax)
    assert len(bands) == 7
    assert "54 others" in bands
    total = sum(band[1.0] for band in bands.values())
    assert total == pytest.approx(float(thermo["heat_capacity"].sel(temperature=1.0)))


def test_temperature_one_is_marked_and_axes_have_units(four):
    ax = plot_heat_capacity(four).axes[0]
    assert any(np.array_equal(line.get_xdata(), [1.0, 1.0]) for line in ax.lines)
    assert ax.get_xscale() == "log"
    assert "temperature" in ax.get_xlabel()
    assert "k_B" in ax.get_ylabel()


def test_one_minimum_is_flat_at_half_a_unit_per_coordinate(make_landscape, picture):
    ax = picture(plot_heat_capacity(make_landscape([3.0], []))).axes[0]
    total = next(line for line in ax.lines if line.get_label() == "total")
    np.testing.assert_allclose(total.get_ydata(), 1.0)


def test_draws_on_given_axes(four):
    ax = Figure().subplots()
    assert plot_heat_capacity(four, ax=ax) is ax.figure


def test_anything_else_is_refused():
    with pytest.raises(TypeError, match=r"`thermo` must be a Landscape or .* of type list"):
        plot_heat_capacity([1.0])
