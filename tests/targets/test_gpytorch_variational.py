"""Sparse variational models of GPyTorch: the bound at its best ``q``, which the model gets."""

import gpytorch
import numpy as np
import pytest
import torch
from gpytorch.kernels import MaternKernel, RBFKernel, ScaleKernel
from gpytorch.likelihoods import (
    BernoulliLikelihood,
    FixedNoiseGaussianLikelihood,
    GaussianLikelihood,
    PoissonLikelihood,
    StudentTLikelihood,
)
from gpytorch.priors import NormalPrior
from gpytorch.variational import (
    CholeskyVariationalDistribution,
    DeltaVariationalDistribution,
    MeanFieldVariationalDistribution,
    NaturalVariationalDistribution,
    UnwhitenedVariationalStrategy,
    VariationalStrategy,
)
from scipy import stats
from scipy.special import log_ndtr, logsumexp

import bayescape as bs

from .gpytorch_models import Sparse

rng = np.random.default_rng(0)
X = torch.tensor(np.sort(rng.uniform(0, 6, 20))[:, None])
OUTPUTS = {
    "gaussian": 3 + np.sin(2 * X[:, 0].numpy()) + 0.3 * rng.normal(size=20),
    "bernoulli": (np.sin(2 * X[:, 0].numpy()) + 0.5 * rng.normal(size=20) > 0).astype(float),
    "poisson": rng.poisson(2 + 1.5 * np.sin(2 * X[:, 0].numpy())).astype(float),
}
LIKELIHOODS = {
    "gaussian": GaussianLikelihood,
    "bernoulli": BernoulliLikelihood,
    "poisson": PoissonLikelihood,
}


POINTS = np.linspace(0.2, 5.8, 6)[:, None]


def outputs(kind):
    return torch.tensor(OUTPUTS[kind])


def made(kind, model=None, **arguments):
    model = model or Sparse(POINTS)
    return bs.from_gpytorch(model, LIKELIHOODS[kind](), data=(X, outputs(kind)), **arguments)


def matern(a, b, s, length):
    """Order 5/2, by its closed form."""
    r = np.sqrt(5) * np.abs(a - b.T) / length
    return s * (1 + r + r**2 / 3) * np.exp(-r)


def values_of(target, point, *names):
    natural = target.constrain(point[None])
    return (float(natural[name][0]) for name in names)


@pytest.mark.parametrize("form", [VariationalStrategy, UnwhitenedVariationalStrategy])
@pytest.mark.parametrize("q", [CholeskyVariationalDistribution, NaturalVariationalDistribution])
def test_gaussian_noise_gives_the_collapsed_bound(form, q):
    """Titsias (2009), equation 9, dense; with the strategy's jitter."""
    model = Sparse(POINTS, q=q, form=form, jitter_val=1e-6)
    target = made("gaussian", model, missing="flat")
    assert set(target.names) == {"constant", "log_outputscale", "log_lengthscale", "log_noise"}
    theta, expected = target.starts(4, np.random.default_rng(0)), []
    x, y = X.numpy(), OUTPUTS["gaussian"]
    for point in theta:
        s, length, noise, mean = values_of(
            target, point, "outputscale", "lengthscale", "noise", "constant"
        )
        within, across = (matern(a, POINTS, s, length) for a in (POINTS, x))
        low_rank = across @ np.linalg.solve(within + 1e-6 * np.eye(6), across.T)
        normal = stats.multivariate_normal(np.full(20, mean), low_rank + noise * np.eye(20))
        expected.append(normal.logpdf(y) - (20 * s - np.trace(low_rank)) / (2 * noise))
    np.testing.assert_allclose(-target.energy(theta), expected, rtol=1e-9)


def test_each_row_may_have_its_own_noise():
    noise = np.linspace(0.05, 0.5, 20)
    likelihood = FixedNoiseGaussianLikelihood(torch.tensor(noise))
    model = Sparse(POINTS)
    data = (X, outputs("gaussian"))
    target = bs.from_gpytorch(model, likelihood, data=data, missing="flat")
    assert set(target.names) == {"constant", "log_outputscale", "log_lengthscale"}
    (point,) = target.starts(1, np.random.default_rng(0))
    s, length, mean = values_of(target, point, "outputscale", "lengthscale", "constant")
    within, across = (matern(a, POINTS, s, length) for a in (POINTS, X.numpy()))
    low_rank = across @ np.linalg.solve(within + 1e-6 * np.eye(6), across.T)
    normal = stats.multivariate_normal(np.full(20, mean), low_rank + np.diag(noise))
    lost = 0.5 * ((s - np.diag(low_rank)) / noise).sum()
    expected = normal.logpdf(OUTPUTS["gaussian"]) - lost
    np.testing.assert_allclose(-target.energy(point[None])[0], expected, rtol=1e-9)


def test_with_an_inducing_point_at_every_row_it_is_the_exact_marginal_likelihood():
    class Exact(gpytorch.models.ExactGP):
        def __init__(self, likelihood):
            super().__init__(X, outputs("gaussian"), likelihood)
            self.mean_module = gpytorch.means.ConstantMean()
            self.covar_module = ScaleKernel(MaternKernel(nu=2.5))

        def forward(self, x):
            mean, covariance = self.mean_module(x), self.covar_module(x)
            return gpytorch.distributions.MultivariateNormal(mean, covariance)

    exact = bs.from_gpytorch(Exact(GaussianLikelihood()))
    target = made("gaussian", Sparse(X, jitter_val=1e-10))
    order = [exact.names.index(name) for name in target.names]
    theta = exact.starts(4, np.random.default_rng(1))
    np.testing.assert_allclose(
        target.energy(theta[:, order]), exact.energy(theta), rtol=1e-6, atol=1e-6
    )
    new = np.linspace(-1, 7, 5)[:, None]
    for one, two in zip(
        target.predict(theta[:, order], new), exact.predict(theta, new), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)


class Probit(BernoulliLikelihood):
    """GPyTorch's with an exact normal integral: its own (1.15) is off by up to 0.002 below -1."""

    def expected_log_prob(self, observations, function_dist):
        signs = 2 * observations - 1
        return self.quadrature(lambda f: torch.special.log_ndtr(signs * f), function_dist)


def elbo_of(model, kind):
    """By GPyTorch, in nats."""
    likelihood = Probit() if kind == "bernoulli" else model.likelihood
    mll = gpytorch.mlls.VariationalELBO(likelihood, model, num_data=20)
    return lambda: 20 * mll(model(X), outputs(kind))


def trained(target, point, kind):
    """The ELBO of the model's own ``q``, trained by L-BFGS with hyperparameters held, by GPyTorch.

    It begins at the prior, not at the best ``q`` that the target has put there.
    """
    model = target.gpytorch_model(point).train()
    q = CholeskyVariationalDistribution(6).double()
    model.variational_strategy._variational_distribution = q
    bound = elbo_of(model, kind)
    optimiser = torch.optim.LBFGS(
        q.parameters(), max_iter=300, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        loss = -bound()
        loss.backward()
        return loss

    optimiser.step(closure)
    return -closure().item()


@pytest.mark.parametrize("kind", sorted(OUTPUTS))
def test_no_trained_q_has_a_larger_bound(kind):
    target = made(kind, missing="flat")
    for point in target.starts(2, np.random.default_rng(2)):
        # The bound is a density in the coordinates but for the Jacobian, of which flat ones have
        # none. GPyTorch adds the jitter to the variance of every row as well.
        best = -target.energy(point[None])[0]
        found = trained(target, point, kind)
        assert found < best + 1e-8
        assert found > best - 2e-3
        with torch.no_grad():
            loaded = elbo_of(target.gpytorch_model(point).train(), kind)().item()
        assert found - 1e-8 < loaded < best + 1e-8


def test_the_bound_of_few_labels_is_below_their_evidence():
    """With an inducing point at each of two rows only ``q`` is approximate; by quadrature."""
    rows, labels = torch.tensor([[0.0], [1.0]]), torch.tensor([1.0, 0.0])
    model = Sparse(rows, jitter_val=1e-9)
    target = bs.from_gpytorch(
        model, BernoulliLikelihood(), data=(rows, labels), missing="flat", compiled=False
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    share = np.outer(weights, weights).ravel() / (2 * np.pi)
    for point in target.starts(4, np.random.default_rng(0)):
        s, length, mean = values_of(target, point, "outputscale", "lengthscale", "constant")
        root = np.linalg.cholesky(matern(rows.numpy(), rows.numpy(), s, length))
        f = mean + grid @ root.T
        evidence = logsumexp(log_ndtr(f[:, 0]) + log_ndtr(-f[:, 1]), b=share)
        bound = -target.energy(point[None])[0]
        assert bound < evidence
        assert bound > evidence - 0.2


@pytest.mark.parametrize("kind", sorted(OUTPUTS))
def test_derivatives_against_differences(kind):
    target = made(kind, Sparse(POINTS, ScaleKernel(RBFKernel())))
    theta = target.starts(3, np.random.default_rng(4))
    by_gradients = {"hessian": {"gradient": 4 * theta.shape[1]}}
    assert target.costs == ({} if kind == "gaussian" else by_gradients)
    gradient, hessian = target.energy_and_gradient(theta)[1], target.hessian(theta)
    for i, e in enumerate(np.eye(theta.shape[1])):
        near, far = 1e-3 * e, 2e-3 * e
        slopes, bends = (
            (8 * (of(theta + near) - of(theta - near)) - (of(theta + far) - of(theta - far)))
            / (12 * 1e-3)
            for of in (target.energy, lambda t: target.energy_and_gradient(t)[1])
        )
        np.testing.assert_allclose(gradient[:, i], slopes, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(hessian[:, i], bends, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", [VariationalStrategy, UnwhitenedVariationalStrategy])
def test_points_come_back_as_a_batch_of_gpytorch_s_with_the_best_q(form):
    target = made("gaussian", Sparse(POINTS, form=form))
    theta = target.starts(5, np.random.default_rng(0))
    averaged = target.gpytorch_model(theta)
    new = torch.linspace(-1, 7, 4, dtype=torch.float64)[:, None]
    with torch.no_grad():
        seen = averaged.likelihood(averaged(new.expand(5, 4, 1)))
    mean, variance = target.predict(theta, new.numpy())
    np.testing.assert_allclose(seen.mean, mean, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(seen.variance, variance, rtol=1e-5)
    # Not independent given the hyperparameters, and a bound is no density of the data.
    assert target.pointwise_log_likelihood(theta) == {}
    assert target.posterior_predictive(theta, np.random.default_rng(0)) == {}


def test_predictions_are_titsias_s():
    """His equation 6, dense; GPyTorch adds the jitter to the variance of every row as well."""
    target = made("gaussian", Sparse(POINTS, jitter_val=1e-4))
    (point,) = target.starts(1, np.random.default_rng(1))
    s, length, noise, mean = values_of(
        target, point, "outputscale", "lengthscale", "noise", "constant"
    )
    x, new = X.numpy(), np.array([[-0.5], [1.0], [7.0]])
    within, across, ahead = (matern(a, POINTS, s, length) for a in (POINTS, x, new))
    within += 1e-4 * np.eye(6)
    sigma = np.linalg.inv(within + across.T @ across / noise)
    expected = mean + ahead @ sigma @ across.T @ (OUTPUTS["gaussian"] - mean) / noise
    spread = s - np.diag(ahead @ (np.linalg.inv(within) - sigma) @ ahead.T)
    means, variances = target.predict(point[None], new)
    np.testing.assert_allclose(means[0], expected, rtol=1e-5)
    np.testing.assert_allclose(variances[0], spread + noise + 1e-4, rtol=1e-5)


def test_distances_between_few_points_have_no_second_derivative_in_torch():
    target = made("gaussian")
    assert "differences of gradients" in repr(target)
    model = Sparse(POINTS, ScaleKernel(RBFKernel()))
    assert "differences of gradients" not in repr(made("gaussian", model))


def test_classes_are_predicted_by_gpytorch():
    target = made("bernoulli")
    theta = target.starts(3, np.random.default_rng(0))
    new = torch.tensor([[np.pi / 4], [3 * np.pi / 4]])
    together = target.gpytorch_model(theta)
    with torch.no_grad():
        found = together.likelihood(together(new.expand(3, 2, 1))).mean
        for point, expected in zip(theta, found, strict=True):
            alone = target.gpytorch_model(point)
            torch.testing.assert_close(alone.likelihood(alone(new)).mean, expected)
    with pytest.raises(NotImplementedError, match="GPyTorch's to make"):
        target.predict(theta, new.numpy())


@pytest.mark.slow
def test_classes_are_mapped():
    target = made("bernoulli", Sparse(POINTS, ScaleKernel(RBFKernel())))
    landscape = bs.explore(target, max_quenches=6, progress=False)
    model = target.gpytorch_model(landscape.minima["theta"].values[0])
    with torch.no_grad():
        found = model.likelihood(model(X)).mean
    labels = outputs("bernoulli")
    log_score = torch.where(labels == 1, found, 1 - found).log().sum()
    share = labels.mean()
    assert log_score > 20 * (share * share.log() + (1 - share) * (1 - share).log())


def test_inducing_points_are_coordinates_only_with_a_prior():
    model = Sparse(POINTS[:2])
    assert model.variational_strategy.inducing_points.requires_grad
    assert len(made("gaussian", model).names) == 4
    held = model.variational_strategy.inducing_points.clone()
    model.variational_strategy.register_prior("places", NormalPrior(3.0, 2.0), "inducing_points")
    target = made("gaussian", model)
    assert [name for name in target.names if "inducing" in name] == [
        "inducing_points[0]",
        "inducing_points[1]",
    ]
    theta = target.starts(3, np.random.default_rng(0))
    assert np.isfinite(target.energy(theta)).all()
    assert torch.equal(model.variational_strategy.inducing_points, held)


def elbo(model, likelihood, rows=20, **other):
    return gpytorch.mlls.VariationalELBO(likelihood, model, num_data=rows, **other)


def test_the_elbo_may_be_given_and_names_the_likelihood():
    model, likelihood = Sparse(POINTS), GaussianLikelihood()
    data = (X, outputs("gaussian"))
    one = bs.from_gpytorch(model, mll=elbo(model, likelihood), data=data)
    two = bs.from_gpytorch(model, likelihood, data=[X.numpy(), OUTPUTS["gaussian"]])
    theta = one.starts(2, np.random.default_rng(0))
    np.testing.assert_array_equal(one.energy(theta), two.energy(theta))


GAUSSIAN = GaussianLikelihood()
DATA = (X, outputs("gaussian"))
MODEL = Sparse(POINTS)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "`likelihood` must be one of GaussianLikelihood, .*PoissonLikelihood .* got None"),
        ({"likelihood": StudentTLikelihood()}, "`likelihood` must be one of .*unique"),
        ({"likelihood": GAUSSIAN}, r"`data` must be a pair \(X, y\) .*does not hold, got None"),
        ({"likelihood": GAUSSIAN, "data": (X,)}, "`data` must be a pair .* got 1 parts"),
        ({"likelihood": GAUSSIAN, "data": (X, X[:3, 0])}, "`X` has 20 rows but `y` has 3"),
        (
            {"likelihood": BernoulliLikelihood(), "data": DATA},
            "`data` must have outputs 0 or 1",
        ),
        (
            {"likelihood": PoissonLikelihood(), "data": DATA},
            "`data` must have counts as outputs",
        ),
        (
            {"likelihood": GAUSSIAN, "data": DATA, "mll": elbo(MODEL, GAUSSIAN, 19)},
            "`mll` must have num_data=20",
        ),
        (
            {"likelihood": GAUSSIAN, "data": DATA, "mll": elbo(MODEL, GAUSSIAN, beta=0.5)},
            "`mll` must be a VariationalELBO with beta=1",
        ),
        (
            {
                "likelihood": GAUSSIAN,
                "data": DATA,
                "mll": gpytorch.mlls.PredictiveLogLikelihood(GAUSSIAN, MODEL, 20),
            },
            "`mll` must be a VariationalELBO .* got PredictiveLogLikelihood",
        ),
        (
            {"likelihood": GAUSSIAN, "data": DATA, "mll": elbo(Sparse(POINTS), GAUSSIAN)},
            "`mll` must be of `model`",
        ),
        (
            {"model": Sparse(POINTS, q=MeanFieldVariationalDistribution)},
            "`model` must have .* full covariance, .* got .* MeanFieldVariationalDistribution",
        ),
        (
            {"model": Sparse(POINTS, q=DeltaVariationalDistribution)},
            "`model` must have .* full covariance",
        ),
    ],
)
def test_what_has_no_best_q_is_refused_in_a_sentence(arguments, match):
    with pytest.raises(ValueError, match=match):
        bs.from_gpytorch(**({"model": MODEL} | arguments))


def test_data_beside_those_of_an_exact_model_are_refused():
    class Exact(gpytorch.models.ExactGP):
        covar_module = RBFKernel()

    with pytest.raises(ValueError, match="`data` must be None for an ExactGP"):
        bs.from_gpytorch(Exact(X, outputs("gaussian"), GAUSSIAN), data=DATA)
