import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from bayescape.plots import style
from bayescape.plots.coordinates import Coordinate, coordinates_of
from bayescape.plots.disconnectivity import plot_disconnectivity


def luminance(colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_basin_colours_are_distinct_and_seen_on_white():
    colours = [style.basin_colour(m) for m in range(6)]
    assert len(set(colours)) == 6
    assert style.basin_colour(6) == style.basin_colour(-1) == style.UNKNOWN
    # Contrast with white by the formula of WCAG 2; yellow, left out of the cycle, has 1.3.
    assert all(1.05 / (luminance(colour) + 0.05) > 2 for colour in colours)


def test_figures_do_not_pile_up_in_pyplot(four):
    import matplotlib.pyplot as plt

    for _ in range(25):  # pyplot itself warns beyond twenty, and warnings are errors here
        plot_disconnectivity(four)
    assert plt.get_fignums() == []


def test_a_notebook_shows_a_figure(four):
    assert plot_disconnectivity(four)._repr_png_().startswith(b"\x89PNG")


def test_pyplot_is_used_where_it_has_windows(monkeypatch):
    made = []

    class Pyplot:
        @staticmethod
        def figure(**settings):
            made.append(settings)
            return Figure(**settings)

    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", Pyplot)
    monkeypatch.setattr(style.matplotlib, "get_backend", lambda: "QtAgg")
    style.new_figure(3.0, 2.0)
    assert made == [{"figsize": (3.0, 2.0), "layout": "constrained"}]


def test_coordinates_are_named_after_inputs_and_drawn_in_natural_units(make_landscape):
    class Named:
        input_names = ("year", "depth")

    names = ("log_lengthscale[0]", "log_lengthscale[1]", "log_noise", "mean")
    landscape = make_landscape([0.0], [], names=names, target=Named())
    coordinates = coordinates_of(landscape)
    assert [c.label for c in coordinates] == [
        "lengthscale of year",
        "lengthscale of depth",
        "noise",
        "mean",
    ]
    assert [c.logarithmic for c in coordinates] == [True, True, True, False]
    np.testing.assert_allclose(coordinates[0].natural([0.0, np.log(10)]), [1, 10])
    np.testing.assert_array_equal(coordinates[3].natural([-2.0]), [-2.0])
    assert [c.label for c in coordinates_of(make_landscape([0.0], [], names=names))][:2] == [
        "lengthscale[0]",
        "lengthscale[1]",
    ]


@pytest.mark.parametrize(
    "span", [(-0.3, 0.2), (-1.4, -0.02), (-3.0, 1.0), (-14.0, 9.0), (-60.0, 40.0)]
)
def test_logarithmic_axes_have_a_few_plain_ticks(span):
    figure = style.new_figure(3, 2)
    ax = figure.subplots()
    Coordinate(0, "noise", True).scale(ax.xaxis, span)
    figure.canvas.draw()
    low, high = np.exp(span)
    seen = [
        label.get_text()
        for label, tick in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
        if low <= tick <= high
    ]
    assert 3 <= len(seen) <= 5
    assert len(set(seen)) == len(seen)


def test_overflow_of_the_exponential_is_kept_in_range():
    far = Coordinate(0, "noise", True).natural([-5000.0, 5000.0])
    assert np.isfinite(far).all()
    assert (far > 0).all()
