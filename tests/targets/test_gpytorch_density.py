"""GPyTorch models as targets: the same posterior, fast where it can be, and back to GPyTorch."""

import gpytorch
import numpy as np
import pytest
import torch
from gpytorch.kernels import InducingPointKernel, MaternKernel, RBFKernel, ScaleKernel
from gpytorch.priors import GammaPrior
from scipy import stats

import bayescape as bs
from bayescape.targets.gpytorch_fast import CompiledDensity

from .gpytorch_models import Exact, Warped, bounded, common, composite, data, exact

INFINITE = np.inf


def log_joint_by_hand(target, theta):
    """Log likelihood by SciPy and GPyTorch's kernel, at the parameters that ``constrain`` gives."""
    X, y = data()
    found = []
    for point in theta:
        model = target.gpytorch_model(point)
        with torch.no_grad():
            K = model.covar_module(X).to_dense() + model.likelihood.noise * torch.eye(len(X))
            found.append(stats.multivariate_normal.logpdf(y, model.mean_module(X), K))
    return np.array(found)


def test_energy_is_likelihood_times_priors_times_jacobian():
    """Log-normal, gamma and half-Cauchy priors by SciPy; the mean's weak one from the data."""
    target = bs.from_gpytorch(common())
    assert set(target.names) == {
        "log_noise",
        "constant",
        "log_outputscale",
        "log_lengthscale[0]",
        "log_lengthscale[1]",
    }
    theta = target.starts(5, np.random.default_rng(0))
    v, y = target.constrain(theta), data()[1].numpy()
    log_prior = (
        stats.lognorm.logpdf(v["lengthscale"], s=1.2, scale=np.exp(0.4)).sum(axis=1)
        + stats.gamma.logpdf(v["outputscale"], 2.0, scale=1 / 0.15)
        + stats.halfcauchy.logpdf(v["noise"], scale=0.7)
        + stats.norm.logpdf(v["constant"], y.mean(), y.std())
    )
    jacobian = (
        np.log(v["lengthscale"]).sum(axis=1) + np.log(v["outputscale"]) + np.log(v["noise"] - 1e-4)
    )
    expected = log_joint_by_hand(target, theta) + log_prior + jacobian
    # GPyTorch's numbers for priors and bounds are of single precision.
    np.testing.assert_allclose(target.energy(theta), -expected, rtol=2e-6)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, INFINITE])
@pytest.mark.parametrize("ard", [2, None])
@pytest.mark.parametrize("missing", ["weak", "flat"])
def test_the_compiled_way_and_torch_s_are_the_same(nu, ard, missing):
    model = common(nu, ard)
    fast = bs.from_gpytorch(model, model.likelihood, missing=missing)
    slow = bs.from_gpytorch(model, model.likelihood, missing=missing, compiled=False)
    assert isinstance(fast.density, CompiledDensity)
    assert "compiled" not in repr(slow)
    theta = fast.starts(4, np.random.default_rng(3))
    assert fast.names == slow.names
    one, two = fast.energy_and_gradient(theta), slow.energy_and_gradient(theta)
    # Of order 1/2 the correlation is linear in the distance, and GPyTorch takes it as the root of
    # a difference of squares, which where points coincide is the root of a rounding error.
    loose = 1e4 if nu == 0.5 else 1.0
    np.testing.assert_allclose(one[0], two[0], rtol=1e-12 * loose)
    np.testing.assert_allclose(fast.energy(theta), one[0], rtol=1e-13)
    scale = np.linalg.norm(two[1], axis=1, keepdims=True)
    assert (np.abs(one[1] - two[1]) / scale).max() < 1e-11 * loose
    curved = slow.hessian(theta)
    error = np.abs(fast.hessian(theta) - curved).max(axis=(1, 2))
    assert (error / np.linalg.norm(curved, axis=(1, 2))).max() < 1e-10 * loose


@pytest.mark.parametrize(
    "make",
    [
        lambda: common(form=Warped),
        composite,
        bounded,
        lambda: exact(ScaleKernel(MaternKernel(active_dims=[0]))),
        lambda: exact(MaternKernel()),
    ],
    ids=["forward", "composite", "bounded", "active-dims", "unscaled"],
)
def test_what_only_looks_like_the_common_model_goes_by_torch(make):
    target = bs.from_gpytorch(make())
    assert not isinstance(target.density, CompiledDensity)
    assert np.isfinite(target.energy(target.starts(4, np.random.default_rng(0)))).all()


def test_constraints_are_kept_and_named():
    target = bs.from_gpytorch(bounded())
    assert set(target.names) == {
        "log_noise",
        "constant",
        "minus_log_gap_outputscale",
        "logit_lengthscale",
    }
    v = target.constrain(target.starts(200, np.random.default_rng(0)))
    assert ((v["lengthscale"] > 0.05) & (v["lengthscale"] < 30)).all()
    assert (v["outputscale"] < 50).all()
    assert (v["noise"] > 1e-3).all()


def test_an_interval_without_a_prior_is_uniform():
    """The density of the lengthscale without data's pull: likelihood taken off, by quadrature."""
    target = bs.from_gpytorch(bounded())
    at = target.names.index("logit_lengthscale")
    theta = np.repeat(target.starts(1, np.random.default_rng(0)), 2, axis=0)
    theta[:, at] = [-1.0, 1.5]
    lengths = target.constrain(theta)["lengthscale"]
    share = (lengths - 0.05) / 29.95
    change = np.diff(-target.energy(theta)) - np.diff(log_joint_by_hand(target, theta))
    np.testing.assert_allclose(change, np.diff(np.log(share * (1 - share))), rtol=1e-5)


def test_sampled_posterior_is_that_of_the_same_gaussian_process():
    """A zero-mean model with our default priors on standardised data is `GaussianProcess`'s."""
    X, y = data(20, 1)
    ours = bs.GaussianProcess(X.numpy(), y.numpy(), jitter=0.0)
    model = Exact(
        torch.tensor(ours.X),
        torch.tensor(ours.y),
        gpytorch.likelihoods.GaussianLikelihood(noise_constraint=gpytorch.constraints.Positive()),
        ScaleKernel(MaternKernel(nu=2.5)),
        gpytorch.means.ZeroMean(),
    )
    target = bs.from_gpytorch(model)
    order = [ours.names.index(name) for name in target.names]
    theta = ours.starts(6, np.random.default_rng(0))
    np.testing.assert_allclose(target.energy(theta[:, order]), ours.energy(theta), rtol=1e-12)


@pytest.mark.parametrize("make", [common, composite])
def test_predictions_and_the_batched_model_are_gpytorch_s(make):
    model = make()
    target = bs.from_gpytorch(model)
    theta = target.starts(3, np.random.default_rng(1))
    new = np.random.default_rng(2).uniform(-3, 7, (5, 2))
    batched = target.gpytorch_model(theta)
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        latent = batched(torch.tensor(new).expand(3, 5, 2))
        seen = batched.likelihood(latent)
        one = target.gpytorch_model(theta[0])(torch.tensor(new))
    mean, variance = target.predict(theta, new)
    np.testing.assert_allclose(mean, seen.mean, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(variance, seen.variance, rtol=1e-6, atol=1e-8)
    without = target.predict(theta, new, noise=False)[1]
    np.testing.assert_allclose(without, latent.variance, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(mean[0], one.mean, rtol=1e-7, atol=1e-7)
    assert model.covar_module.batch_shape == torch.Size([])


def test_draws_come_back_as_a_model_with_a_batch():
    target = bs.from_gpytorch(common())
    landscape = bs.explore(target, progress=False)
    posterior = bs.sample(landscape, 60, progress=False)
    model = bs.to_gpytorch(posterior, landscape, maximum_draws=20)
    new = np.array([[0.5, 1.0], [6.0, -2.0]])
    with torch.no_grad():
        mean = model.likelihood(model(torch.tensor(new).expand(20, 2, 2))).mean
    expected = bs.predict(landscape, posterior, new, maximum_draws=20)["mean"]
    np.testing.assert_allclose(mean.mean(dim=0), expected, rtol=1e-6)
    assert set(posterior["posterior"].data_vars) == {
        "noise",
        "constant",
        "outputscale",
        "lengthscale",
    }


def test_a_gaussian_process_of_ours_comes_back_as_a_batch_too():
    X, y = data()
    target = bs.GaussianProcess(X.numpy(), y.numpy(), mean="constant", nu=1.5)
    posterior = bs.sample(target, 40, progress=False)
    model = bs.to_gpytorch(posterior, target, maximum_draws=10)
    new = np.array([[0.5, 1.0], [6.0, -2.0], [1.0, 1.0]])
    inputs = torch.tensor(target.data.scale_inputs(new))
    with torch.no_grad():
        mean = model.likelihood(model(inputs.expand(10, 3, 2))).mean.mean(dim=0)
    expected = bs.predict(target, posterior, new, maximum_draws=10)["mean"]
    scaled = target.data.y_centre + target.data.y_scale * mean
    np.testing.assert_allclose(scaled, expected, rtol=1e-6)
    free = bs.GaussianProcess(X.numpy(), y.numpy(), nu="free")
    with pytest.raises(ValueError, match="`theta` must be one point"):
        free.gpytorch_model(free.starts(2, np.random.default_rng(0)))
    with pytest.raises(TypeError, match="`target` must be of from_gpytorch"):
        bs.to_gpytorch(posterior, bs.from_torch(lambda x: -x.square().sum(), ["x"]))


def test_another_objective_is_taken():
    model = common()
    mll = gpytorch.mlls.LeaveOneOutPseudoLikelihood(model.likelihood, model)
    target = bs.from_gpytorch(model, model.likelihood, mll)
    exact_one = bs.from_gpytorch(model, compiled=False)
    theta = target.starts(2, np.random.default_rng(0))
    energy, slope = target.energy_and_gradient(theta)
    assert np.abs(energy - exact_one.energy(theta)).max() > 0.1
    step = 1e-4
    for i in range(theta.shape[1]):
        move = step * np.eye(theta.shape[1])[i]
        difference = (target.energy(theta + move) - target.energy(theta - move)) / (2 * step)
        np.testing.assert_allclose(slope[:, i], difference, rtol=1e-4, atol=1e-4)
    same = bs.from_gpytorch(
        model, model.likelihood, gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
    )
    np.testing.assert_allclose(same.energy(theta), exact_one.energy(theta), rtol=1e-10)


def untrainable():
    model = common()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def without_data():
    return Exact(None, None, gpytorch.likelihoods.GaussianLikelihood(), RBFKernel())


def in_a_batch():
    X, y = data()
    likelihood = gpytorch.likelihoods.GaussianLikelihood(batch_shape=torch.Size([2]))
    return Exact(X.expand(2, 14, 2), y.expand(2, 14), likelihood, RBFKernel())


@pytest.mark.parametrize(
    ("make", "arguments", "match"),
    [
        (common, {"missing": "refuse"}, "no prior on constant"),
        (common, {"missing": "none"}, "`missing` must be one of"),
        (
            RBFKernel,
            {},
            "`model` must be a gpytorch.models.ExactGP or A.* got RBFKernel",
        ),
        (
            common,
            {"likelihood": gpytorch.likelihoods.GaussianLikelihood()},
            "`likelihood` must be the one",
        ),
        (untrainable, {}, "has no trainable parameters"),
        (without_data, {}, "has no training data"),
        (in_a_batch, {}, r"training targets of shape \(n,\)"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_a_sentence(make, arguments, match):
    with pytest.raises(ValueError, match=match):
        bs.from_gpytorch(make(), **arguments)


def test_fixed_parameters_are_no_coordinates():
    model = exact(ScaleKernel(RBFKernel(), outputscale_prior=GammaPrior(2.0, 0.15)))
    model.likelihood.noise_covar.raw_noise.requires_grad_(False)
    target = bs.from_gpytorch(model)
    assert "log_noise" not in target.names
    assert len(target.names) == 3


def test_the_model_given_is_left_alone():
    model = common().float()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    target = bs.from_gpytorch(model)
    target.energy(target.starts(2, np.random.default_rng(0)))
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert model.likelihood.noise.dtype == torch.float32


def test_inducing_points_give_the_collapsed_bound_with_one_noise():
    """Titsias (2009), equation 9, by hand; the kernel holds the likelihood a second time."""
    X, y = data(40, 1)
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    kernel = InducingPointKernel(
        ScaleKernel(MaternKernel(nu=0.5)), inducing_points=X[::6].clone(), likelihood=likelihood
    )
    target = bs.from_gpytorch(Exact(X, y, likelihood, kernel), missing="flat")
    assert set(target.names) == {"log_noise", "constant", "log_outputscale", "log_lengthscale"}
    theta = target.starts(4, np.random.default_rng(0))
    x, z = X.numpy(), X.numpy()[::6]
    expected = []
    for point in theta:
        s, length, noise, mean = (
            float(target.constrain(point[None])[name][0])
            for name in ("outputscale", "lengthscale", "noise", "constant")
        )
        within, across = (s * np.exp(-np.abs(a - z.T) / length) for a in (z, x))
        low_rank = across @ np.linalg.solve(within, across.T)
        normal = stats.multivariate_normal(np.full(40, mean), low_rank + noise * np.eye(40))
        expected.append(normal.logpdf(y.numpy()) - (40 * s - np.trace(low_rank)) / (2 * noise))
    np.testing.assert_allclose(-target.energy(theta), expected, rtol=1e-8)
    posterior = bs.from_gpytorch(Exact(X, y, likelihood, kernel))
    assert bs.explore(posterior, progress=False).minima.sizes["minimum"] >= 1
    assert np.isfinite(posterior.predict(theta, X[:3] + 0.1)[1]).all()
    assert posterior.gpytorch_model(theta[0]).covar_module.likelihood is not likelihood


def test_a_sparse_model_of_few_rows_has_hessians_too():
    """torch cannot differentiate distances between up to 25 points twice; gradients it can."""
    X, y = data(12, 1)
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    kernel = InducingPointKernel(
        ScaleKernel(MaternKernel(nu=2.5)), inducing_points=X[::4].clone(), likelihood=likelihood
    )
    target = bs.from_gpytorch(Exact(X, y, likelihood, kernel))
    assert target.costs == {"hessian": {"gradient": 16}}
    theta = target.starts(1, np.random.default_rng(0))
    hessian = target.hessian(theta)[0]
    move = 1e-3 * np.eye(4)
    for i in range(4):
        ahead, behind = (target.energy_and_gradient(theta + k * move[i])[1][0] for k in (1, -1))
        np.testing.assert_allclose(hessian[i], (ahead - behind) / 2e-3, rtol=1e-3, atol=1e-3)
