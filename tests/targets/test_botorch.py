"""Models of BoTorch: their posterior, and draws of it in the place of a fully Bayesian model."""

import copy

import gpytorch
import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp

import bayescape as bs
from bayescape.predict.predictions import thinned_draws

botorch = pytest.importorskip("botorch")

from botorch.acquisition.analytic import LogExpectedImprovement  # noqa: E402
from botorch.acquisition.logei import (  # noqa: E402
    qLogExpectedImprovement,
    qLogNoisyExpectedImprovement,
)
from botorch.models import SingleTaskGP  # noqa: E402
from botorch.models.transforms import Normalize  # noqa: E402
from botorch.optim import optimize_acqf  # noqa: E402

rng = np.random.default_rng(0)
X = torch.tensor(rng.uniform(0, 6, (12, 2)))
Y = 10 + torch.sin(X).sum(dim=1, keepdim=True) + 0.2 * torch.tensor(rng.normal(size=(12, 1)))
BOUNDS = torch.tensor([[0.0, 0.0], [6.0, 6.0]], dtype=torch.float64)
ROWS = torch.tensor(rng.uniform(0, 6, (5, 2)))


def own(**changed):
    """As BoTorch has it by default, on inputs in their own units."""
    return SingleTaskGP(X, Y, input_transform=Normalize(2, bounds=BOUNDS), **changed)


def with_values(theta, target):
    """BoTorch's model with the values of a point put in by hand."""
    model, values = own(), target.constrain(theta[None])
    model.covar_module.raw_lengthscale.data = torch.tensor(values["lengthscale"])
    model.likelihood.noise_covar.raw_noise.data = torch.tensor(values["noise"])
    model.mean_module.raw_constant.data = torch.tensor(values["constant"][0])
    return model


@pytest.fixture(scope="module")
def target():
    return bs.from_gpytorch(own())


@pytest.fixture(scope="module")
def drawn(target):
    return bs.sample(target, 40, "superposition", seed=0, progress=False)


def test_the_density_is_botorch_s_objective_and_the_jacobian(target):
    """Bounds that BoTorch leaves to its optimiser are where coordinates end, logarithms here."""
    assert set(target.names) == {
        "log_noise",
        "constant",
        "log_lengthscale[0]",
        "log_lengthscale[1]",
    }
    theta = target.starts(3, np.random.default_rng(1))
    values, expected = target.constrain(theta), []
    assert (values["noise"] > 1e-4).all()
    for point in theta:
        model = with_values(point, target).train()
        mll = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
        with torch.no_grad():
            expected.append(12 * mll(model(X), model.train_targets).item())
    free = target.names.index("constant")
    jacobian = np.delete(theta, free, axis=1).sum(axis=1)
    # BoTorch has no prior on the mean: a weak one about the mean of the outputs, as wide as they.
    y = target.observed["y"]
    weak = stats.norm.logpdf(theta[:, free], y.mean(), y.std())
    np.testing.assert_allclose(-target.energy(theta), expected + jacobian + weak, rtol=1e-6)


def test_what_is_at_its_bound_is_moved_off_it():
    model = own()
    model.likelihood.noise_covar.raw_noise.data.fill_(1e-4)
    target = bs.from_gpytorch(model)
    theta = target.starts(8, np.random.default_rng(0))
    assert np.isfinite(theta).all()
    assert np.isfinite(target.energy(theta)).all()
    assert model.likelihood.noise.item() == pytest.approx(1e-4, rel=1e-6)


def test_draws_are_an_ensemble_of_botorch_s_own_posteriors(target, drawn):
    """Each component is the posterior of the model with the values of its draw, in units of Y."""
    ensemble = bs.to_gpytorch(drawn, target, maximum_draws=6)
    assert ensemble.batch_shape == torch.Size([6])
    alone = [with_values(point, target) for point in thinned_draws(drawn, 6)]
    for noise in (False, True):
        found = ensemble.posterior(ROWS, observation_noise=noise)
        expected = [model.posterior(ROWS, observation_noise=noise) for model in alone]
        means, variances = (
            torch.stack([getattr(one, name) for one in expected]) for name in ("mean", "variance")
        )
        torch.testing.assert_close(found.mean, means, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(found.variance, variances, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.mixture_mean, means.mean(dim=0), rtol=1e-6, atol=1e-6)


def test_acquisition_functions_are_averaged_over_the_draws(target, drawn):
    ensemble = bs.to_gpytorch(drawn, target, maximum_draws=6)
    points, best = ROWS[:, None], Y.max()
    with torch.no_grad():
        found = LogExpectedImprovement(ensemble, best_f=best)(points)
        each = [
            LogExpectedImprovement(with_values(point, target), best_f=best)(points).numpy()
            for point in thinned_draws(drawn, 6)
        ]
        np.testing.assert_allclose(found, logsumexp(each, axis=0) - np.log(6), rtol=1e-5)
        noisy = qLogNoisyExpectedImprovement(ensemble, X_baseline=X)(points)
        assert noisy.shape == (5,)
        assert torch.isfinite(noisy).all()
    copied = copy.deepcopy(ensemble)
    candidates, value = optimize_acqf(
        qLogExpectedImprovement(copied, best_f=best),
        bounds=BOUNDS,
        q=2,
        num_restarts=2,
        raw_samples=16,
    )
    assert candidates.shape == (2, 2)
    assert torch.isfinite(value)


def test_predictions_are_in_the_units_of_the_training_targets(target, drawn):
    """BoTorch's posterior undoes its outcome transform; a target knows the model's targets only."""
    found = bs.predict(target, drawn, ROWS.numpy(), maximum_draws=6)["mean"].values
    model = bs.to_gpytorch(drawn, target, maximum_draws=6)
    in_units = Y.mean() + Y.std() * torch.tensor(found)
    theirs = model.posterior(ROWS).mixture_mean.squeeze(-1)
    torch.testing.assert_close(in_units, theirs, rtol=1e-6, atol=1e-6)
