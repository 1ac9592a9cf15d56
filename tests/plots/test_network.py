"""A picture of a network: every weight where it belongs, in the colour and width that it has."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import same_color
from torch import nn

import bayescape as bs
from bayescape.plots.style import BLUE, LIGHT, VERMILLION
from tests.reference.maps import map_of_minima

X = np.random.default_rng(0).normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(int)


class Twice(nn.Sequential):
    """Feeds its inputs to both layers."""

    def __init__(self):
        super().__init__(nn.Linear(3, 1), nn.Linear(3, 1))

    def forward(self, x):
        return self[0](x) + self[1](x)


def mapped(module, count=4):
    target = bs.NetworkLoss(module, X, Y, l2=0.1)
    theta = target.starts(count, np.random.default_rng(1))
    unit = np.tile(np.eye(len(target.names)), (count, 1, 1))
    return map_of_minima(target, theta, energies=np.arange(float(count)), hessians=unit)


@pytest.fixture(scope="module")
def two_layers():
    return mapped(nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2, bias=False)))


def drawn(ax):
    """Colour and width of every line, by the ends that it joins."""
    found = {}
    for lines in ax.collections:
        if str(lines.get_label()).startswith("_layer"):
            for segment, colour, width in zip(
                lines.get_segments(), lines.get_colors(), lines.get_linewidths(), strict=True
            ):
                found[tuple(segment.ravel().round(6))] = colour, width
    return found


def place(column, unit, count):
    return column, round(0.5 - (unit + 0.5) / count, 6)


def test_every_weight_is_drawn_with_its_sign_and_its_size(two_layers, picture):
    lines = drawn(picture(bs.plot_network(two_layers, minimum=2)).axes[0])
    theta = dict(zip(two_layers.names, two_layers.minima["theta"].values[2], strict=True))
    assert len(lines) == 3 * 2 + 2 * 2
    largest = max(map(abs, theta.values()))
    for layer, (name, (out, into)) in enumerate({"0": (2, 3), "2": (2, 2)}.items()):
        for i in range(out):
            for j in range(into):
                colour, width = lines[(*place(layer, j, into), *place(layer + 1, i, out))]
                value = theta[f"{name}.weight[{i},{j}]"]
                assert same_color(colour, BLUE if value > 0 else VERMILLION)
                assert width == pytest.approx(0.2 + 3.5 * abs(value) / largest)


def test_only_conserved_weights_are_in_colour_and_as_they_were_aligned(two_layers, picture):
    found = bs.conserved(two_layers, [[0, 1], [2, 3]], permutations=19)
    chosen = np.arange(len(two_layers.names)) % 3 == 0
    found.table["conserved"] = chosen
    found = dataclasses.replace(found, theta=-found.theta)
    ax = picture(bs.plot_network(two_layers, found, minimum=1, inputs=["a", "b", "c"])).axes[0]
    lines = drawn(ax)
    theta = dict(zip(two_layers.names, zip(found.theta[1], chosen, strict=True), strict=True))
    for i in range(2):
        for j in range(3):
            value, stands_out = theta[f"0.weight[{i},{j}]"]
            colour, _ = lines[(*place(0, j, 3), *place(1, i, 2))]
            expected = (BLUE if value > 0 else VERMILLION) if stands_out else LIGHT
            assert same_color(colour, expected)
    assert {"a", "b", "c"} < {text.get_text() for text in ax.texts}
    ax = plt.figure().subplots()
    assert bs.plot_network(two_layers, chosen, ax=ax) is ax.figure
    plt.close("all")


def test_what_is_no_stack_of_linear_layers_is_refused(two_layers):
    gaussian = bs.explore(bs.from_numpy(lambda x: -(x @ x), names=["a"]), progress=False)
    with pytest.raises(ValueError, match="over a network's weights, got a coordinate 'a'"):
        bs.plot_network(gaussian)
    with pytest.raises(ValueError, match="linear layers that feed one another, got '1'"):
        bs.plot_network(mapped(Twice(), 1))
