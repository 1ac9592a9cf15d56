"""Exchanges of hidden units: what they leave alone, and how many images a point has."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from bayescape.targets import NetworkLoss
from bayescape.targets.equivalence import Equivalence, Exchange

from .networks import NETWORKS, Residual, X, Y, classes_of, perceptron


def target_of(module):
    return NetworkLoss(module, X, classes_of(Y, 2), l2=0.1)


def images(equivalence, theta):
    """Every image of a point, by brute force; the same one may come twice."""
    found = [theta]
    for layer in equivalence.layers:
        count = len(layer.units)
        signs = list(itertools.product([-1.0, 1.0] if layer.odd else [1.0], repeat=count))
        moved = []
        for point, order in itertools.product(found, itertools.permutations(range(count))):
            for sign in signs:
                image = point.copy()
                image[layer.units] = np.array(sign)[:, None] * point[layer.units[list(order)]]
                moved.append(image)
        found = moved
    return np.array(found)


DEEP = perceptron(3, 3, 2, 2)
ODD_AND_NOT = nn.Sequential(
    nn.Flatten(),
    nn.Linear(3, 2, bias=False),
    nn.Sequential(nn.Sigmoid(), nn.Dropout()),
    nn.Linear(2, 3),
    nn.Hardtanh(),
    nn.Identity(),
    nn.Linear(3, 1),
    nn.Tanh(),
)


@pytest.mark.parametrize("module", [perceptron(3, 4, 2), DEEP, ODD_AND_NOT])
def test_no_element_changes_the_energy_or_a_distance(module):
    target = target_of(module)
    rng = np.random.default_rng(0)
    theta = target.starts(2, rng)
    for _ in range(20):
        index, sign = target.equivalence.random(rng)
        moved = sign * theta[:, index]
        np.testing.assert_allclose(target.energy(moved), target.energy(theta), rtol=1e-12)
        lengths = target.equivalence.lengths
        np.testing.assert_allclose(lengths(moved), lengths(theta), rtol=1e-12)


def test_what_is_odd_flips_and_what_is_not_does_not():
    layers = target_of(ODD_AND_NOT).equivalence.layers
    assert [(len(layer.units), layer.odd) for layer in layers] == [(2, False), (3, True)]
    expected = np.log(2.0) + np.log(6.0) + 3 * np.log(2.0)
    assert target_of(ODD_AND_NOT).equivalence.log_order == pytest.approx(expected)


@pytest.mark.parametrize("module", [perceptron(3, 4, 2), DEEP, ODD_AND_NOT])
def test_an_image_is_aligned_with_the_point_and_has_its_canonical_form(module):
    target = target_of(module)
    equivalence, rng = target.equivalence, np.random.default_rng(2)
    for theta in target.starts(20, rng):
        index, sign = equivalence.random(rng)
        image = sign * theta[index]
        np.testing.assert_array_equal(equivalence.align(image, theta), theta)
        # Sums of squares in another order may round otherwise; the order of units may not.
        np.testing.assert_array_equal(equivalence.canonical(image), equivalence.canonical(theta))
        assert target.energy(equivalence.canonical(theta)[None]) == pytest.approx(
            target.energy(theta[None])
        )


def test_with_one_layer_the_aligned_image_is_the_nearest_of_all():
    equivalence = target_of(perceptron(3, 4, 2)).equivalence
    rng = np.random.default_rng(3)
    for _ in range(5):
        theta, reference = rng.standard_normal((2, equivalence.d))
        distances = np.linalg.norm(images(equivalence, theta) - reference, axis=1)
        aligned = equivalence.align(theta, reference)
        assert np.linalg.norm(aligned - reference) == pytest.approx(distances.min())


def test_with_more_layers_it_is_nearly_so():
    equivalence = target_of(DEEP).equivalence
    rng = np.random.default_rng(4)
    ratios = []
    for _ in range(20):
        theta, reference = rng.standard_normal((2, equivalence.d))
        distances = np.linalg.norm(images(equivalence, theta) - reference, axis=1)
        ratios.append(np.linalg.norm(equivalence.align(theta, reference) - reference))
        ratios[-1] /= distances.min()
    assert min(ratios) > 1 - 1e-12
    assert np.median(ratios) < 1.01
    assert max(ratios) < 1.1


@pytest.mark.parametrize(
    "change",
    ["none", "two alike", "two opposite", "three alike", "one dead", "two dead", "dead and alike"],
)
def test_the_multiplicity_counts_the_different_images(change):
    equivalence = target_of(perceptron(3, 4, 2)).equivalence
    theta = np.random.default_rng(5).standard_normal(equivalence.d)
    units = equivalence.layers[0].units
    if "alike" in change:
        theta[units[1]] = theta[units[0]]
    if change == "two opposite":
        theta[units[1]] = -theta[units[0]]
    if change == "three alike":
        theta[units[2]] = -theta[units[0]]
    if "dead" in change:
        theta[units[3]] = 0.0
    if change == "two dead":
        theta[units[2]] = 0.0
    different = np.unique(np.round(images(equivalence, theta), 9) + 0.0, axis=0)
    assert np.exp(equivalence.log_multiplicity(theta)) == pytest.approx(len(different))
    both = equivalence.log_multiplicity(np.stack([theta, theta]))
    np.testing.assert_array_equal(both, equivalence.log_multiplicity(theta))


def test_the_multiplicity_of_a_deep_network_is_of_all_its_layers():
    equivalence = target_of(DEEP).equivalence
    theta = np.random.default_rng(6).standard_normal(equivalence.d)
    first, second = (layer.units for layer in equivalence.layers)
    theta[first[2]] = -theta[first[0]]
    different = np.unique(np.round(images(equivalence, theta), 9) + 0.0, axis=0)
    assert np.exp(equivalence.log_multiplicity(theta)) == pytest.approx(len(different))
    theta[second[1]] = 0.0
    different = np.unique(np.round(images(equivalence, theta), 9) + 0.0, axis=0)
    assert np.exp(equivalence.log_multiplicity(theta)) == pytest.approx(len(different))


def hooked():
    module = perceptron(3, 4, 2)
    module[1].register_forward_hook(lambda part, given, found: found * torch.arange(1.0, 5.0))
    return module


def tied():
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2))
    module[2].weight = module[0].weight
    return module


def frozen():
    module = perceptron(3, 4, 2)
    module[2].weight.requires_grad_(False)
    return module


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Residual(), "Residual is not a plain nn.Sequential"),
        (nn.Linear(3, 2), "no linear layer between linear layers"),
        (hooked(), r"Tanh \(1\) has hooks"),
        (tied(), "2.weight is held fixed or shared"),
        (frozen(), "2.weight is held fixed or shared"),
        (
            nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)),
            r"LayerNorm \(1\) is not known to act on each unit alone",
        ),
        (
            nn.Sequential(nn.Linear(3, 4), nn.PReLU(4), nn.Linear(4, 2)),
            r"PReLU \(1\) is not known",
        ),
    ],
)
def test_what_is_not_understood_has_no_symmetry_and_says_so(module, reason):
    target = target_of(module)
    assert target.equivalence is None
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(repr(target))


def test_an_activation_used_twice_and_one_slope_for_all_are_understood():
    tanh = nn.Tanh()
    module = nn.Sequential(nn.Linear(3, 4), tanh, nn.Linear(4, 3), tanh, nn.Linear(3, 2))
    assert [layer.odd for layer in target_of(module).equivalence.layers] == [True, True]
    slope = nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2))
    target = target_of(slope)
    (layer,) = target.equivalence.layers
    assert not layer.odd
    index, sign = target.equivalence.random(np.random.default_rng(0))
    theta = target.starts(1, np.random.default_rng(0))
    assert target.energy(sign * theta[:, index]) == pytest.approx(target.energy(theta))


def test_the_representation_tells_the_symmetries():
    assert "3 units and their signs, of 2 units" not in repr(target_of(ODD_AND_NOT))
    assert "exchanges of 2 units, of 3 units and their signs" in repr(target_of(ODD_AND_NOT))
    assert "4 units and their signs" in repr(NETWORKS["network-three-classes"]())


@pytest.mark.parametrize("units", [[[0, 1], [1, 2]], [[0, 1], [2, 9]], [0, 1]])
def test_units_must_be_disjoint_and_exist(units):
    with pytest.raises(ValueError, match="`layers` must hold"):
        Equivalence(4, [Exchange(np.array(units), 1, odd=True)])
