"""Minima that are one up to exchanges of hidden units: each mapped once, with its multiplicity."""

import dataclasses
import itertools
import sys

import networkx as nx
import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

import bayescape as bs
from bayescape.explore.captors import Captors
from bayescape.explore.scales import Scales, by_gradients
from bayescape.explore.symmetry import Symmetry
from bayescape.targets import Equivalence, Exchange
from tests.targets.networks import classes_of, data

GRID = np.linspace(-2, 2, 40)


class Plain:
    """A target without what it says of its symmetries."""

    def __init__(self, target):
        self.names = target.names
        self.energy, self.energy_and_gradient = target.energy, target.energy_and_gradient
        self.hessian, self.starts, self.constrain = target.hessian, target.starts, target.constrain


def network(values, hidden):
    module = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, 1))
    return bs.NetworkLoss(module, GRID[:, None], values, "mse", l2=0.1, noise=0.1)


def planted():
    """A network of two units that learns what two units compute: one solution and its images."""
    return network(np.tanh(3 * GRID + 1) - 1.5 * np.tanh(1.5 * GRID - 1), 2)


def images(target, theta):
    """All that a permutation of the two units, or a change of their signs, makes of a point."""
    (layer,) = target.equivalence.layers
    found = []
    for order, signs in itertools.product([[0, 1], [1, 0]], itertools.product([-1, 1], repeat=2)):
        image = theta.copy()
        image[layer.units] = np.array(signs)[:, None] * theta[layer.units[order]]
        found.append(image)
    return np.array(found)


@pytest.fixture(scope="module")
def rugged():
    """A network with several minima, and its map."""
    noise = np.random.default_rng(1).normal(size=40)
    target = network(np.sin(3 * GRID) + 0.3 * noise, 2)
    return target, bs.explore(target, progress=False, max_quenches=60)


def test_planted_copies_of_one_solution_are_one_minimum_with_their_number():
    target = planted()
    landscape = bs.explore(target, progress=False)
    listed = bs.explore(Plain(target), progress=False)
    assert landscape.minima.sizes["minimum"] == 1
    assert listed.minima.sizes["minimum"] == 8
    assert np.exp(landscape.minima["log_multiplicity"].values) == pytest.approx(8)
    # All quenches count, whichever of the images they came to, and the occupation is of them all.
    # The two for each scattered one that set out from known minima are no hits.
    assert 3 * landscape.minima["hits"].values[0] == landscape.ends["minimum"]
    assert landscape.coverage > 0.999
    whole, each = (bs.thermodynamics(m, [0.5, 1.0]) for m in (landscape, listed))
    np.testing.assert_allclose(whole["log_z"], each["log_z"], atol=1e-5)
    np.testing.assert_allclose(whole["energy"], each["energy"], atol=1e-5)


def test_every_point_of_a_rugged_map_is_one_of_a_kind(rugged):
    target, landscape = rugged
    assert landscape.minima.sizes["minimum"] > 1
    assert landscape.transition_states.sizes["transition_state"] > 0
    for points in (landscape.minima, landscape.transition_states):
        theta, energy = points["theta"].values, points["energy"].values
        np.testing.assert_allclose(target.energy(theta), energy, rtol=1e-12)
        for point, multiplicity in zip(theta, points["log_multiplicity"].values, strict=True):
            every = images(target, point)
            apart = np.linalg.norm(every[:, None] - every, axis=2)
            different = len(np.unique((apart < 1e-2).argmax(axis=1)))
            assert np.exp(multiplicity) == pytest.approx(different)
        for a, b in itertools.combinations(range(len(theta)), 2):
            nearest = np.linalg.norm(images(target, theta[a]) - theta[b], axis=1).min()
            assert nearest > 1e-2


def test_points_of_a_map_are_stationary_and_of_their_index(rugged):
    target, landscape = rugged
    for points, index in ((landscape.minima, 0), (landscape.transition_states, 1)):
        theta, hessian = points["theta"].values, points["hessian"].values
        assert (np.linalg.norm(target.energy_and_gradient(theta)[1], axis=1) < 1e-6).all()
        np.testing.assert_allclose(target.hessian(theta), hessian, rtol=1e-6, atol=1e-6)
        assert ((np.linalg.eigvalsh(hessian) < 0).sum(axis=1) == index).all()


def test_fresh_quenches_come_to_images_of_what_the_map_holds(rugged):
    target, landscape = rugged
    search = bs.explore(Plain(target), progress=False, max_quenches=24, seed=5, budget=4000)
    energies = landscape.minima["energy"].values
    for energy in search.minima["energy"].values[search.minima["hits"].values > 0]:
        assert np.abs(energies - energy).min() < 1e-6


def test_a_map_goes_on_and_keeps_its_multiplicities_in_a_file(rugged, tmp_path):
    target, landscape = rugged
    landscape.save(tmp_path / "map.nc")
    back = bs.load_landscape(tmp_path / "map.nc", target)
    assert back.minima.identical(landscape.minima)
    assert back.transition_states.identical(landscape.transition_states)
    # Given any image of what it knows, an exploration enters it once.
    index, sign = target.equivalence.random(np.random.default_rng(0))
    moved = landscape.minima.assign(theta=sign * landscape.minima["theta"][:, index])
    turned = sign[:, None] * sign * landscape.minima["hessian"].values[:, index][:, :, index]
    moved = moved.assign(hessian=(moved["hessian"].dims, turned))
    known = dataclasses.replace(landscape, minima=moved)
    again = bs.explore(target, progress=False, max_quenches=1, known=known)
    assert set(np.round(landscape.minima["energy"].values, 6)) <= set(
        np.round(again.minima["energy"].values, 6)
    )
    assert len(np.unique(np.round(again.minima["energy"].values, 6))) == again.minima["energy"].size


def test_known_points_catch_at_every_image():
    equivalence = Equivalence(4, [Exchange(np.array([[0, 1], [2, 3]]), 1, odd=True)])
    hessian = np.diag([1.0, 2.0, 3.0, 4.0])
    point = np.array([1.0, 2.0, -3.0, 0.5])
    known = Captors.none(4, equivalence).with_point(point, 1.0, hessian)
    beside = point + np.array([0.1, -0.2, 0.1, 0.05])
    energy = 1.0 + 0.5 * (beside - point) @ hessian @ (beside - point)
    slope = hessian @ (beside - point)
    for index, sign in ((np.array([2, 3, 0, 1]), np.array([1.0, 1, -1, -1])),):
        image, turned = sign * beside[index], sign * slope[index]
        assert known.catch(image[None], np.array([energy]), turned[None])[0] == 0
        assert known.catch(image[None], np.array([energy]), -turned[None])[0] == -1
        assert known.same((sign * point[index])[None], np.array([1.0]))[0, 0]
        assert not known.same(image[None], np.array([1.0]))[0, 0]
    plain = Captors.none(4).with_point(point, 1.0, hessian)
    assert not plain.same((sign * point[index])[None], np.array([1.0]))[0, 0]


def test_a_target_lists_its_symmetries_or_has_a_group():
    target = planted()
    target.symmetries = -np.eye(7)[None]
    with pytest.raises(ValueError, match="not both"):
        Symmetry(target)


def test_draws_are_refused_where_a_minimum_stands_for_its_images(rugged):
    _, landscape = rugged
    with pytest.raises(ValueError, match=r"set `target.equivalence` to None and map again"):
        bs.sample(landscape, 20, progress=False)


@pytest.mark.slow
def test_draws_come_from_all_images_where_all_are_listed():
    target = planted()
    target.equivalence = None
    posterior = bs.sample(bs.explore(target, progress=False), 200, progress=False)
    assert len(posterior["minima"]["energy"]) == 8


def test_a_network_of_more_than_fifty_weights_is_mapped_and_joined():
    X, values = data(n=30)
    module = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
    target = bs.NetworkLoss(module, X, classes_of(values, 3), l2=0.3)
    assert len(target.names) == 59
    assert not by_gradients(target)
    landscape = bs.explore(target, progress=False, max_quenches=8)
    minima, states = landscape.minima, landscape.transition_states
    assert minima.sizes["minimum"] > 1
    assert nx.number_connected_components(landscape.graph) == 1
    for points, index in ((minima, 0), (states, 1)):
        theta = points["theta"].values
        assert (np.linalg.norm(target.energy_and_gradient(theta)[1], axis=1) < 1e-6).all()
        for point in theta:  # by products that no search made use of
            curvatures = eigsh(curved(target, point), k=3, which="SA", return_eigenvectors=False)
            assert (curvatures < 0).sum() == index


def curved(target, point):
    """The Hessian at a point, as an operator on vectors."""
    return LinearOperator(
        (len(point), len(point)),
        matvec=lambda v: target.hessian_vector_product(point[None], v.reshape(1, -1))[0],
        dtype=float,
    )


def test_the_scales_of_what_units_exchange_are_one_and_their_box_holds_all_images():
    target = planted()
    scales = Scales.of(target)
    units = target.equivalence.layers[0].units
    np.testing.assert_array_equal(scales.unit[units[0]], scales.unit[units[1]])
    rng = np.random.default_rng(0)
    points = 5 * rng.standard_normal((3, 7))
    box = scales.around(points)
    for image in np.concatenate([images(target, point) for point in points]):
        assert not box.outside(image[None], 0.0).any()
    assert box.outside(10 * points, 0.0).all()


def test_an_exploration_ends_before_its_hessians_fill_the_memory(rugged, monkeypatch):
    target, _ = rugged
    # Room for two points: their Hessians, the eigenvectors, and the map's own copy.
    monkeypatch.setattr(sys.modules["bayescape.explore.search"], "MEMORY", 2 * 24.0 * 7**2)
    landscape = bs.explore(target, progress=False, max_quenches=60)
    points = landscape.minima.sizes["minimum"]
    points += landscape.transition_states.sizes["transition_state"]
    assert landscape.stopped.startswith(f"the Hessians of {points} points in 7 coordinates fill")
    assert any("not complete: the Hessians of" in warning for warning in landscape.warnings)


def test_a_target_without_cheap_hessians_goes_by_gradients():
    target = planted()
    assert not by_gradients(target)
    wide = nn.Sequential(nn.Linear(1, 200), nn.Tanh(), nn.Linear(200, 1))
    assert by_gradients(bs.NetworkLoss(wide, GRID[:, None], GRID, "mse"))
    half = nn.Sequential(nn.Linear(1, 60), nn.Tanh(), nn.Linear(60, 1))
    dense = bs.NetworkLoss(half, GRID[:, None], GRID, "mse")
    assert not by_gradients(dense)
    assert by_gradients(Plain(dense))
