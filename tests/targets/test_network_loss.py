"""A network's loss: what it says against torch itself, and what it refuses."""

import copy

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from bayescape.targets import NetworkLoss
from benchmarks.mapping.numpy_network import TanhNetwork

from .networks import NETWORKS, Residual, X, Y, classes_of, perceptron
from .test_target_contract import differences


def with_weights(target, module, theta):
    """The module itself, its parameters set to a point."""
    module = copy.deepcopy(module).double().eval()
    arrays = target.constrain(theta[None])
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name in arrays:
                parameter.copy_(torch.tensor(arrays[name][0]))
    return module


def minus_log_density(errors, spread):
    """Of independent normal errors, ``(B, n)``, by torch's own distribution."""
    zero = torch.zeros((), dtype=torch.float64)
    return -torch.distributions.Normal(zero, zero + spread).log_prob(errors).sum(1).numpy()


def prior(theta, l2):
    """Minus the log density of the weights."""
    return minus_log_density(torch.tensor(theta), l2**-0.5)


@pytest.mark.parametrize("module", [perceptron(3, 4, 3), Residual(), nn.Linear(3, 2)])
def test_the_energy_is_that_of_torch_s_own_loss(module):
    y = classes_of(Y, 3 if isinstance(module, nn.Sequential) else 2)
    target = NetworkLoss(module, X, y, l2=0.3)
    theta = target.starts(3, np.random.default_rng(0))
    for point, energy in zip(theta, target.energy(theta) - prior(theta, 0.3), strict=True):
        outputs = with_weights(target, module, point)(torch.tensor(X))
        expected = nn.functional.cross_entropy(outputs, torch.tensor(y), reduction="sum")
        assert energy == pytest.approx(expected.item(), rel=1e-12)
        mine = target.outputs(point[None], X)[0]
        np.testing.assert_allclose(mine, outputs.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_derivatives_are_those_of_formulas_written_without_torch():
    y = classes_of(Y, 3)
    target = NetworkLoss(perceptron(3, 4, 3), X, y, l2=0.3)
    formulas = TanhNetwork({"inputs": X, "labels": y, "hidden": 4, "l2": 0.3})
    theta = 2 * target.starts(3, np.random.default_rng(0))
    for mine, theirs in zip(
        (*target.energy_and_gradient(theta), target.hessian(theta)),
        (*formulas.energy_and_gradient(theta), formulas.hessian(theta)),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)


def test_one_output_is_the_difference_of_two():
    y = classes_of(Y, 2)
    one = NetworkLoss(perceptron(3, 2, 1), X, y, l2=0.1)
    two = NetworkLoss(perceptron(3, 2, 2), X, y, l2=0.1)
    theta = one.starts(4, np.random.default_rng(0))
    both = np.zeros((4, len(two.names)))
    places = {name: i for i, name in enumerate(two.names)}
    for i, name in enumerate(one.names):
        second = name.replace("2.weight[0", "2.weight[1").replace("2.bias[0", "2.bias[1")
        both[:, places[second]] = theta[:, i]
    without = [t.energy(x) - prior(x, 0.1) for t, x in ((one, theta), (two, both))]
    np.testing.assert_allclose(*without, rtol=1e-12)
    np.testing.assert_allclose(one.predict_proba(theta, X), two.predict_proba(both, X), rtol=1e-10)


def test_squared_errors_are_a_normal_likelihood():
    target = NETWORKS["network-squares"]()
    theta = target.starts(3, np.random.default_rng(0))
    errors = torch.tensor(target.outputs(theta, X)[:, :, 0] - Y)
    expected = minus_log_density(errors, 0.1**0.5)
    np.testing.assert_allclose(target.energy(theta) - prior(theta, 0.1), expected, rtol=1e-12)


def test_a_sharp_curve_loss_counts_the_pairs_in_the_wrong_order():
    y = classes_of(Y, 2)
    target = NetworkLoss(perceptron(3, 4, 2), X, y, "auc", sharpness=1e6)
    theta = target.starts(3, np.random.default_rng(0))
    scores = np.diff(target.outputs(theta, X), axis=2)[:, :, 0]
    expected = [len(y) * (1 - roc_auc_score(y, score)) for score in scores]
    np.testing.assert_allclose(target.energy(theta) - prior(theta, 1e-3), expected, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_hessian_vector_products_against_differences(name):
    target = NETWORKS[name]()
    rng = np.random.default_rng(1)
    theta = target.starts(3, rng)
    v = rng.standard_normal(theta.shape)
    product = target.hessian_vector_product(theta, v)

    def along(step):
        return target.energy_and_gradient(theta + step * v)[1]

    expected = differences(along, np.zeros((1, 1)), 1e-3)[..., 0]
    assert np.abs(product - expected).max() / np.abs(expected).max() < 1e-6
    whole = np.einsum("bij,bj->bi", target.hessian(theta), v)
    np.testing.assert_allclose(product, whole, rtol=1e-9, atol=1e-10)


def test_little_room_changes_nothing(monkeypatch):
    target = NETWORKS["network-three-classes"]()
    theta = target.starts(5, np.random.default_rng(0))
    whole = target.energy(theta), *target.energy_and_gradient(theta), target.hessian(theta)
    monkeypatch.setattr("bayescape.targets.network_loss.ROOM", 2 * target._size)
    parts = target.energy(theta), *target.energy_and_gradient(theta), target.hessian(theta)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_nothing_that_a_point_is_raises():
    target = NETWORKS["network-three-classes"]()
    theta = np.full((3, len(target.names)), np.array([[np.nan], [np.inf], [1e308]]))
    energy, gradient = target.energy_and_gradient(theta)
    assert np.isposinf(energy).all()
    assert np.isposinf(target.energy(theta)).all()
    assert np.isnan(gradient).all()
    assert target.hessian_vector_product(theta, theta).shape == theta.shape


def test_probabilities_are_those_of_the_classes_in_their_order():
    labels = np.array(["low", "middle", "high"])
    y = labels[classes_of(Y, 3)]
    target = NetworkLoss(perceptron(3, 4, 3), X, y, classes=labels)
    theta = target.starts(2, np.random.default_rng(0))
    probabilities = target.predict_proba(theta, X)
    assert probabilities.shape == (2, len(X), 3)
    np.testing.assert_allclose(probabilities.sum(axis=2), 1.0, rtol=1e-12)
    right = np.take_along_axis(probabilities, classes_of(Y, 3)[None, :, None], axis=2)
    expected = -np.log(right).sum(axis=(1, 2))
    np.testing.assert_allclose(target.energy(theta) - prior(theta, 1e-3), expected, rtol=1e-11)


def test_dropout_is_off_buffers_count_and_what_needs_no_gradient_is_a_constant():
    module = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2)
    )
    module[0].weight.requires_grad_(False)
    target = NetworkLoss(module, X, classes_of(Y, 2))
    assert not any(name.startswith("0.weight") for name in target.names)
    theta = target.starts(2, np.random.default_rng(0))
    np.testing.assert_array_equal(target.energy(theta), target.energy(theta))
    outputs = with_weights(target, module, theta[1])(torch.tensor(X))
    np.testing.assert_allclose(target.outputs(theta, X)[1], outputs.detach().numpy(), rtol=1e-10)
    # It was copied: what the caller does to the module later is the caller's affair.
    with torch.no_grad():
        module[0].weight.zero_()
    assert target.energy(theta)[0] == pytest.approx(target.energy(theta[:1])[0])


def test_starts_are_what_the_module_would_draw_and_leave_torch_s_own_seed_alone():
    target = NETWORKS["network-three-classes"]()
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    starts = target.starts(400, np.random.default_rng(0))
    assert torch.equal(before, torch.random.get_rng_state())
    # Linear layers draw from between plus and minus the inverse root of their inputs.
    widths = np.array([3**-0.5 if name.startswith("0.") else 4**-0.5 for name in target.names])
    assert (np.abs(starts) <= widths).all()
    np.testing.assert_allclose(np.abs(starts).max(axis=0), widths, rtol=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": 3}, "`module` must be a torch.nn.Module, got 3 of type int"),
        ({"module": nn.Tanh()}, "`module` must have a parameter"),
        ({"module": nn.Linear(4, 2)}, r"`module` must take `X`, of shape \(40, 3\)"),
        ({"module": nn.Linear(3, 3)}, "`module` must have 2 or one outputs"),
        ({"X": X[:, 0]}, r"`X` must have shape \(N, ...\)"),
        ({"X": np.where(X > 2, np.nan, X)}, "`X` must hold finite numbers"),
        ({"X": [["a", "b", "c"]]}, "`X` must be an array of numbers"),
        ({"y": classes_of(Y, 2)[1:]}, "`y` must have as many rows as `X`, 40"),
        ({"y": np.zeros(40)}, "`y` must have two classes or more"),
        ({"y": np.full(40, np.nan)}, "`y` must have a label in every row"),
        ({"classes": [0, 2]}, r"`y` must hold only labels of `classes`, \[0, 2\]"),
        ({"classes": [0, 0]}, "`classes` must have two classes or more"),
        ({"loss": "mse"}, "`y` must have shape"),
        ({"loss": "mse", "classes": [0, 1]}, "`classes` is for the losses"),
        ({"loss": "mse", "y": ["a"] * 40}, "`y` must hold numbers"),
        ({"loss": "auc", "y": np.arange(40) % 3}, "`y` must have rows of two classes"),
        ({"loss": "auc", "module": nn.Linear(3, 3)}, "one or two outputs"),
        ({"loss": "hinge"}, "`loss` must be one of"),
        ({"l2": 0.0}, "`l2` must be a finite number above 0, got 0.0"),
        ({"sharpness": -1.0}, "`sharpness` must be a finite number above 0"),
        ({"noise": np.inf}, "`noise` must be a finite number above 0"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(changes, message):
    given = {"module": nn.Linear(3, 2), "X": X, "y": classes_of(Y, 2)} | changes
    with pytest.raises(ValueError, match=message):
        NetworkLoss(given.pop("module"), given.pop("X"), given.pop("y"), **given)


def test_regression_has_no_probabilities():
    target = NETWORKS["network-squares"]()
    with pytest.raises(ValueError, match="`predict_proba` needs classes"):
        target.predict_proba(target.starts(1, np.random.default_rng(0)), X)


def test_points_may_lie_in_memory_in_any_way():
    target = NetworkLoss(nn.Linear(3, 2), np.eye(3), [0, 1, 1])
    theta = target.starts(4, np.random.default_rng(0))
    for way in (theta[::-1], np.asfortranarray(theta)[::-1]):
        np.testing.assert_array_equal(target.energy(way), target.energy(theta)[::-1])
        np.testing.assert_array_equal(
            target.hessian_vector_product(way, way),
            target.hessian_vector_product(theta, theta)[::-1],
        )
        assert target.predict_proba(way, np.eye(3)[::-1]).shape == (4, 3, 2)


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(3, 2),
        nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2, bias=False)),
        nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Flatten(), nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2)),
    ],
)
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "auc"])
def test_derivatives_by_layers_are_those_of_the_recorded_graph(module, loss):
    y = classes_of(Y, 2) if loss != "mse" else np.stack([Y, Y**2], axis=1)
    target = NetworkLoss(module, X, y, loss, l2=0.1)
    assert target.network.layers(target._X) is not None
    theta = 2 * np.random.default_rng(0).normal(size=(7, len(target.names)))
    points = torch.tensor(theta).requires_grad_()
    energy = target._energy(points)
    (gradient,) = torch.autograd.grad(energy.sum(), points)
    found = target.energy_and_gradient(theta)
    np.testing.assert_allclose(found[0], energy.detach(), rtol=1e-12)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 2), nn.Tanh()),
    ],
)
def test_other_layers_are_left_to_the_recorded_graph(module):
    target = NetworkLoss(module, X, classes_of(Y, 2), l2=0.1)
    assert target.network.layers(target._X) is None
