"""The GPyTorch kernel against GPyTorch's own, under autograd, and in models."""

import gpytorch
import numpy as np
import pytest
import torch
from gpytorch.constraints import Interval
from gpytorch.priors import GammaPrior, LogNormalPrior

import bayescape as bs
from bayescape.kernels import MaternKernel, correlation
from bayescape.kernels.torch_correlation import of_fixed_order, of_order, squared_distance

X = torch.tensor(np.random.default_rng(0).normal(size=(30, 2)))


def test_is_found_by_its_public_name():
    assert bs.kernels.MaternKernel is MaternKernel
    with pytest.raises(AttributeError, match="CosineKernel"):
        _ = bs.kernels.CosineKernel


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("ard", [None, 2])
def test_equals_gpytorch_s_where_that_has_one(nu, ard):
    theirs = gpytorch.kernels.MaternKernel(nu=nu, ard_num_dims=ard).double()
    ours = MaternKernel(nu, ard_num_dims=ard).double()
    for kernel in (theirs, ours):
        kernel.lengthscale = torch.tensor([[0.4, 1.3]]) if ard else 0.7
    a, b = theirs(X, X[:9]), ours(X, X[:9])
    # Theirs takes the root of an expanded square: 1e-16 becomes 1e-8 between equal rows.
    torch.testing.assert_close(b.to_dense(), a.to_dense(), rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(ours(X, diag=True), theirs(X, diag=True))
    torch.testing.assert_close(ours(X[:9], X[9:18], diag=True), theirs(X[:9], X[9:18], diag=True))
    assert ours.is_stationary


def test_equal_rows_have_correlation_one():
    twice = torch.cat([1e3 + X, 1e3 + X])
    dense = MaternKernel(0.2).double()(twice).to_dense()
    assert (dense.diagonal(offset=30) == 1.0).all()


@pytest.mark.parametrize("nu", [0.3, 0.5, 1.0, 1.5, 2.3, 2.5, 7.0, float("inf")])
def test_differentiable_twice(nu):
    rng = np.random.default_rng(1)
    kernel = correlation("matern", nu)

    def function(x1, x2, lengthscale):
        return of_fixed_order(squared_distance(x1 / lengthscale, x2 / lengthscale), kernel)

    arguments = [torch.tensor(rng.normal(size=s), requires_grad=True) for s in ((4, 2), (3, 2))]
    arguments.append(torch.tensor([[0.6, 1.4]], dtype=torch.double, requires_grad=True))
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments)


@pytest.mark.parametrize("orders", [[[[0.3]]], [[[1.0]]], [[[0.6]], [[2.5]], [[14.0]]]])
def test_differentiable_twice_in_the_order(orders):
    rng = np.random.default_rng(2)

    def function(x1, x2, nu):
        return of_order(squared_distance(x1, x2), nu)

    arguments = [torch.tensor(rng.normal(size=s), requires_grad=True) for s in ((4, 2), (3, 2))]
    arguments.append(torch.tensor(orders, requires_grad=True, dtype=torch.double))
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments)


def test_a_third_derivative_is_refused_not_wrong():
    q = torch.tensor([[0.5]], dtype=torch.double, requires_grad=True)
    first = torch.autograd.grad(of_fixed_order(q, correlation("matern", 2.3)), q, create_graph=True)
    second = torch.autograd.grad(first, q, create_graph=True)
    with pytest.raises(NotImplementedError, match="third derivatives"):
        torch.autograd.grad(second[0] + q**2, q)


def test_batches_of_orders_and_lengthscales():
    kernel = MaternKernel(1.7, learn_nu=True, batch_shape=torch.Size([3])).double()
    kernel.nu = torch.tensor([[0.6], [1.7], [9.0]])
    kernel.lengthscale = torch.tensor([[[0.3]], [[1.0]], [[2.0]]])
    batch = X[:27].reshape(3, 9, 2)
    dense = kernel(batch).to_dense()
    assert dense.shape == (3, 9, 9)
    for one, nu, length, rows in zip(dense, kernel.nu, kernel.lengthscale, batch, strict=True):
        single = MaternKernel(nu.item()).double()
        single.lengthscale = length
        torch.testing.assert_close(one, single(rows).to_dense(), rtol=1e-12, atol=1e-13)
    assert kernel(batch, diag=True).shape == (3, 9)
    dense.sum().backward()
    assert kernel.raw_nu.grad.shape == (3, 1)
    assert (kernel.raw_nu.grad != 0).all()


def test_active_dims_and_single_precision():
    whole = MaternKernel(1.2, active_dims=(1,)).double()
    part = MaternKernel(1.2).double()
    torch.testing.assert_close(whole(X).to_dense(), part(X[:, 1:]).to_dense())
    assert MaternKernel(1.2)(X.float()).to_dense().dtype == torch.float32


def test_parameters_priors_and_constraints_are_gpytorch_s():
    kernel = MaternKernel(
        1.1,
        learn_nu=True,
        nu_prior=LogNormalPrior(0.5, 1.0),
        nu_constraint=Interval(0.5, 4.0),
        ard_num_dims=2,
        lengthscale_prior=GammaPrior(3.0, 6.0),
    )
    assert kernel.nu.item() == pytest.approx(1.1)
    assert {name for name, *_ in kernel.named_priors()} == {"nu_prior", "lengthscale_prior"}
    kernel.nu = 2.2
    assert kernel.nu.item() == pytest.approx(2.2)
    assert {name for name, _ in kernel.named_parameters()} == {"raw_nu", "raw_lengthscale"}
    copy = MaternKernel(1.1, learn_nu=True, nu_constraint=Interval(0.5, 4.0), ard_num_dims=2)
    copy.load_state_dict(kernel.state_dict(), strict=False)
    assert copy.nu.item() == pytest.approx(2.2)
    fixed = MaternKernel(1.1)
    fixed.nu = 3.3
    assert fixed.nu == 3.3
    assert "raw_nu" not in dict(fixed.named_parameters())


class Regression(gpytorch.models.ExactGP):
    def __init__(self, x, y, kernel):
        super().__init__(x, y, gpytorch.likelihoods.GaussianLikelihood())
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(kernel)

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def test_trains_the_order_in_a_plain_model():
    """Rough data pull the order down, smooth data up."""
    learned = {}
    rng = np.random.default_rng(0)
    x = torch.linspace(0, 1, 80, dtype=torch.double)[:, None]
    for name, nu in (("rough", 0.5), ("smooth", 4.5)):
        true = MaternKernel(nu).double()
        true.lengthscale = 0.2
        with torch.no_grad():
            root = torch.linalg.cholesky(true(x).to_dense() + 1e-8 * torch.eye(80))
            y = root @ torch.tensor(rng.normal(size=80))
        model = Regression(x, y, MaternKernel(1.5, learn_nu=True)).double()
        model.likelihood.noise = 1e-3
        optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
        objective = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
        model.train()
        first = None
        for _ in range(60):
            optimiser.zero_grad()
            loss = -objective(model(x), y)
            loss.backward()
            optimiser.step()
            first = loss.item() if first is None else first
        assert loss.item() < first
        learned[name] = model.covar_module.base_kernel.nu.item()
    assert learned["rough"] < 1.2 < 1.5 < learned["smooth"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nu": 0.1}, "`nu` must be a number from 0"),
        ({"nu": "free"}, "`nu` must be a number"),
        ({"nu": 60.0, "learn_nu": True}, "`nu` must be within its constraint"),
        ({"nu_prior": LogNormalPrior(0.0, 1.0)}, "need `learn_nu=True`"),
        (
            {"learn_nu": True, "nu_constraint": Interval(0.1, 3.0)},
            "`nu_constraint` must lie within",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaternKernel(**arguments)
