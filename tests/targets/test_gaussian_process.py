"""The Gaussian process against GPyTorch and SciPy, its priors, its bounds, and bad input."""

import contextlib
import itertools

import gpytorch
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, special, stats
from torch.distributions import Gamma, LogNormal, Normal

from bayescape.targets import GaussianProcess
from bayescape.targets.priors import CoordinatePrior, default_priors
from bayescape.targets.torch_likelihood import TorchLikelihood

from .catalogue import KERNELS, data, gaussian_process, number

CASES = [(kernel, mean) for kernel in KERNELS for mean in ("zero", "constant")]


@contextlib.contextmanager
def exactly():
    """GPyTorch by Cholesky factors throughout."""
    with (
        gpytorch.settings.fast_computations(False, False, False),
        gpytorch.settings.cholesky_max_tries(1),
        gpytorch.settings.fast_pred_var(False),
        gpytorch.settings.skip_posterior_variances(False),
        torch.no_grad(),
    ):
        yield


@pytest.mark.parametrize(("kernel", "mean"), CASES)
@pytest.mark.parametrize("ard", [True, False])
def test_marginal_likelihood_equals_gpytorch_s(kernel, mean, ard):
    target = gaussian_process(kernel, mean, "default", ard)
    theta = target.starts(5, np.random.default_rng(1))
    for point, ours in zip(theta, target.log_likelihood(theta), strict=True):
        model = target.gpytorch_model(point)
        model.train()
        with exactly():
            mll = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
            X, y = model.train_inputs[0], model.train_targets
            theirs = float(mll(model(X), y)) * len(y)
        assert ours == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize(("kernel", "mean"), CASES)
def test_predictions_equal_gpytorch_s(kernel, mean):
    target = gaussian_process(kernel, mean, "default")
    theta = target.starts(4, np.random.default_rng(2))
    new = np.random.default_rng(3).uniform(-5, 9, (7, 2))
    scale, centre = target.data.y_scale, target.data.y_centre
    for noise in (True, False):
        means, variances = target.predict(theta, new, noise=noise)
        for b, point in enumerate(theta):
            model = target.gpytorch_model(point)
            with exactly():
                latent = model(torch.tensor(target.data.scale_inputs(new)))
                theirs = model.likelihood(latent) if noise else latent
                mean_, variance_ = theirs.mean.numpy(), theirs.variance.numpy()
            np.testing.assert_allclose(means[b], centre + scale * mean_, rtol=1e-8)
            # A latent variance is a difference of the outputscale: as exact as that allows.
            floor = 1e-9 * scale**2 * target.constrain(point[None])["outputscale"][0]
            np.testing.assert_allclose(variances[b], scale**2 * variance_, rtol=1e-8, atol=floor)


@pytest.mark.parametrize(("kernel", "mean"), CASES)
def test_marginal_likelihood_is_a_normal_density(kernel, mean):
    """By SciPy's density and Bessel function, with the covariance written out entry by entry."""
    target = gaussian_process(kernel, mean, "lognormal", standardise=False)
    X, y = data()
    theta = target.starts(3, np.random.default_rng(4))
    natural = target.constrain(theta)
    for b in range(3):
        away = (X[:, None] - X[None]) / natural["lengthscale"][b]
        r = np.sqrt((away**2).sum(axis=2))
        nu = natural["nu"][b] if kernel == "free" else KERNELS[kernel].get("nu")
        if nu is None:
            correlation = np.exp(-0.5 * r**2)
        else:
            s = np.sqrt(2 * nu) * r
            apart = np.where(s > 0, s, 1.0)
            bessel = 2 ** (1 - nu) / special.gamma(nu) * apart**nu * special.kv(nu, apart)
            correlation = np.where(s > 0, bessel, 1.0)
        covariance = natural["outputscale"][b] * (correlation + 1e-6 * np.eye(len(y)))
        covariance += natural["noise"][b] * np.eye(len(y))
        centre = natural["mean"][b] if mean == "constant" else 0.0
        expected = stats.multivariate_normal(np.full(len(y), centre), covariance).logpdf(y)
        assert target.log_likelihood(theta[b : b + 1])[0] == pytest.approx(expected, rel=1e-8)


def test_energy_is_likelihood_prior_and_jacobian():
    target = gaussian_process("matern52", "constant", "lognormal")
    theta = target.starts(6, np.random.default_rng(5))
    natural = target.constrain(theta)
    priors = target._priors
    log_prior = np.zeros(6)
    for name, value in natural.items():
        at = torch.tensor(value)
        term = priors[name].distribution.log_prob(at).numpy()
        if name != "mean":
            term = term + np.log(value)  # d exp(t) / dt
        log_prior += term.reshape(6, -1).sum(axis=1)
    np.testing.assert_allclose(target.log_prior(theta), log_prior, rtol=1e-10)
    np.testing.assert_allclose(
        target.energy(theta), -target.log_likelihood(theta) - log_prior, rtol=1e-10
    )


@pytest.mark.parametrize(
    ("distribution", "logarithmic"),
    [
        (LogNormal(number(0.3), number(1.2)), True),
        (Gamma(number(2.0), number(0.15)), True),
        (torch.distributions.HalfNormal(number(2.0)), True),
        (torch.distributions.Uniform(number(0.5), number(3.0)), True),
        (gpytorch.priors.HalfCauchyPrior(number(1.0)), True),
        (Normal(number(-1.0), number(0.7)), False),
        (torch.distributions.StudentT(number(3.0)), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_prior_is_a_density_over_its_coordinate(distribution, logarithmic):
    prior = CoordinatePrior(distribution, logarithmic)

    def density(t):
        return np.exp(prior.log_density(np.array([[t]]))[0, 0])

    # In pieces: quadrature steps over a jump unless told where to look.
    edges = [-60, -5, np.log(0.5), 0, np.log(3.0), 5, 60]
    total = sum(integrate.quad(density, a, b)[0] for a, b in itertools.pairwise(edges))
    assert total == pytest.approx(1.0, abs=2e-2 if not logarithmic else 1e-6)


def test_default_priors_are_the_documented_ones():
    priors = default_priors(3)
    location = np.sqrt(2) + np.log(3) / 2 + np.log(12) / 2
    assert float(priors["lengthscale"].loc) == pytest.approx(location, rel=1e-12)
    assert float(priors["lengthscale"].scale) == pytest.approx(np.sqrt(3), rel=1e-12)
    assert (float(priors["noise"].loc), float(priors["noise"].scale)) == (-4.0, 1.0)
    assert float(priors["outputscale"].concentration) == 2.0
    assert float(priors["outputscale"].rate) == 0.15
    X, y = data(p=3)
    assert set(GaussianProcess(X, y)._priors) == {"lengthscale", "outputscale", "noise"}


def test_single_precision_parameters_lose_nothing_more():
    """Torch makes 32-bit parameters of Python's floats; all arithmetic on them is in 64 bits."""
    X, y = data()
    rounded = float(torch.tensor(np.log(0.5), dtype=torch.float32))
    single = {
        "lengthscale": LogNormal(np.log(0.5), 1.5),
        "outputscale": Gamma(2.0, 0.5),
        "noise": torch.distributions.HalfCauchy(1.0),
    }
    double = {
        "lengthscale": LogNormal(number(rounded), number(1.5)),
        "outputscale": Gamma(number(2.0), number(0.5)),
        "noise": torch.distributions.HalfCauchy(number(1.0)),
    }
    one, two = (GaussianProcess(X, y, priors=p) for p in (single, double))
    theta = one.starts(5, np.random.default_rng(0))
    np.testing.assert_allclose(one.energy(theta), two.energy(theta), rtol=1e-13)
    np.testing.assert_allclose(one.hessian(theta), two.hessian(theta), rtol=1e-10, atol=1e-12)


def test_standardising_is_a_change_of_units():
    X, y = data()
    target = GaussianProcess(X, y)
    np.testing.assert_allclose(target.X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(target.X.std(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(target.y.std(), 1, rtol=1e-12)
    np.testing.assert_array_equal(target.X_raw, X)
    np.testing.assert_array_equal(target.y_raw, y)
    moved = GaussianProcess(3 * X - 7, 10 * y + 4)
    theta = target.starts(3, np.random.default_rng(0))
    np.testing.assert_allclose(moved.energy(theta), target.energy(theta), rtol=1e-9)
    mean, variance = target.predict(theta, X[:4])
    mean_moved, variance_moved = moved.predict(theta, 3 * X[:4] - 7)
    np.testing.assert_allclose(mean_moved, 10 * mean + 4, rtol=1e-9)
    np.testing.assert_allclose(variance_moved, 100 * variance, rtol=1e-8)


def test_bounds_are_walls():
    X, y = data()
    target = GaussianProcess(X, y, bounds={"noise": (1e-3, 2.0)})
    np.testing.assert_allclose(target.bounds[:, -1], np.log([1e-3, 2.0]))
    assert np.isinf(target.bounds[:, :-1]).all()
    inside = target.starts(1, np.random.default_rng(0))
    outside = inside.copy()
    outside[0, -1] = np.log(2.1)
    assert np.isfinite(target.energy(inside)).all()
    assert np.isposinf(target.energy(outside)).all()


def test_without_priors_the_energy_is_the_bare_likelihood():
    X, y = data()
    target = GaussianProcess(X, y, priors=None)
    theta = target.starts(4, np.random.default_rng(0))
    np.testing.assert_array_equal(target.energy(theta), -target.log_likelihood(theta))
    np.testing.assert_allclose(target.bounds[:, 0], np.log([1e-2, 1e2]))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n):
    target = GaussianProcess(np.arange(n) * 1.0, np.arange(n) + 1.0, standardise=False)
    theta = target.starts(5, np.random.default_rng(0))
    assert np.isfinite(target.energy(theta)).all()
    assert np.isfinite(target.hessian(theta)).all()
    mean, variance = target.predict(theta, [0.5])
    assert mean.shape == variance.shape == (5, 1)


def test_a_singular_covariance_is_outside_the_domain():
    X = np.zeros((4, 1))
    target = GaussianProcess(X, [1.0, -1.0, 0.5, 2.0], standardise=False, jitter=0.0, kernel="rbf")
    theta = np.array([[0.0, 0.0, -700.0], [0.0, 0.0, 0.0]])
    energy, gradient = target.energy_and_gradient(theta)
    assert np.isposinf(energy[0])
    assert np.isfinite(energy[1])
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()
    assert np.isnan(target.predict(theta, [[1.0]])[0][0]).all()
    assert np.isnan(target.leave_one_out(theta)[0][0]).all()
    assert np.isfinite(target.leave_one_out(theta)[0][1]).all()


@pytest.mark.parametrize("mean", ["zero", "constant"])
@pytest.mark.parametrize("nu", [2.5, 1.7, "free"])
@pytest.mark.parametrize("by", ["compiled", "torch"])
def test_rows_left_out_are_predicted_as_without_them(by, nu, mean):
    X, y = data()
    form = {"nu": nu, "mean": mean, "standardise": False}
    target = GaussianProcess(X, y, **form)
    if by == "torch":
        target.likelihood = TorchLikelihood(
            target.likelihood.correlation, X, y, ard=True, mean=mean == "constant",
            jitter=1e-6, device="cpu",
        )  # fmt: skip
    theta = target.starts(3, np.random.default_rng(0))
    means, variances = target.leave_one_out(theta)
    assert means.shape == variances.shape == (3, len(y))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        without = GaussianProcess(X[rest], y[rest], **form)
        mean_i, variance_i = without.predict(theta, X[i : i + 1])
        np.testing.assert_allclose(means[:, i], mean_i[:, 0], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(variances[:, i], variance_i[:, 0], rtol=1e-7)


def test_rows_left_out_are_in_the_units_of_the_data():
    X, y = data()
    theta = GaussianProcess(X, y).starts(3, np.random.default_rng(0))
    means, variances = GaussianProcess(X, y).leave_one_out(theta)
    moved, wider = GaussianProcess(3 * X - 7, 10 * y + 4).leave_one_out(theta)
    np.testing.assert_allclose(moved, 10 * means + 4, rtol=1e-8)
    np.testing.assert_allclose(wider, 100 * variances, rtol=1e-8)


def test_a_constant_column_is_kept():
    X, y = data()
    target = GaussianProcess(np.column_stack([X, np.full(len(X), 3.7)]), y)
    theta = target.starts(3, np.random.default_rng(0))
    assert np.isfinite(target.energy(theta)).all()
    moved = theta.copy()
    moved[:, 2] += 1.0  # its lengthscale is left to the prior
    np.testing.assert_allclose(target.log_likelihood(moved), target.log_likelihood(theta))


def test_names_and_natural_units():
    X, y = data()
    target = GaussianProcess(X, y, mean="constant")
    assert target.names == (
        "log_lengthscale[0]",
        "log_lengthscale[1]",
        "log_outputscale",
        "log_noise",
        "mean",
    )
    natural = target.constrain(np.log([[1.0, 2.0, 3.0, 4.0, np.e]]))
    np.testing.assert_allclose(natural["lengthscale"], [[1.0, 2.0]])
    assert natural["outputscale"] == pytest.approx(3.0)
    assert natural["noise"] == pytest.approx(4.0)
    assert natural["mean"] == pytest.approx(1.0)
    assert GaussianProcess(X, y, ard=False).names[0] == "log_lengthscale"
    assert GaussianProcess(X[:, 0], y).names[0] == "log_lengthscale"


def test_repr_tells_the_model_and_its_priors():
    X, y = data()
    text = repr(
        GaussianProcess(
            X,
            y,
            priors={
                "lengthscale": LogNormal(number(0.5), number(1.5)),
                "outputscale": Gamma(number(2.0), number(0.15)),
                "noise": LogNormal(number(-4.0), number(1.0)),
            },
        )
    )
    for part in ("18 rows", "2 inputs", "matern nu=2.5 ARD", "LogNormal(loc: 0.5, scale: 1.5)"):
        assert part in text


GOOD = data()


@pytest.mark.parametrize(
    ("X", "y", "changes", "message"),
    [
        (GOOD[0][:5], GOOD[1], {}, "`X` has 5 rows but `y` has 18"),
        (np.empty((0, 2)), [], {}, "no rows"),
        (GOOD[0], np.full(18, 2.0), {}, "`y` is constant"),
        (GOOD[0], np.full(18, 0.1) + 1e-17, {}, "`y` is constant"),
        (np.where(np.arange(36).reshape(18, 2) == 5, np.nan, GOOD[0]), GOOD[1], {}, r"X\[2, 1\]"),
        (GOOD[0], np.where(np.arange(18) == 3, np.inf, GOOD[1]), {}, r"y\[3\] is inf"),
        ([["a", "b"]], [1.0], {}, "`X` must hold numbers only"),
        (GOOD[0], [[1.0, 2.0]] * 18, {}, "`y` must have shape"),
        (GOOD[0][None], GOOD[1], {}, "`X` must have shape"),
        (GOOD[0] * 1e200, GOOD[1], {}, "`X` must not exceed"),
        (*GOOD, {"kernel": "cubic"}, "`kernel` must be"),
        (*GOOD, {"nu": 51.0}, "`nu` must be a number"),
        (*GOOD, {"nu": "free", "bounds": {"nu": (0.1, 3.0)}}, "must be .low, high. within 0.2 and"),
        (*GOOD, {"device": "abacus"}, "`device` must be 'cpu' or"),
        (*GOOD, {"mean": "linear"}, "`mean` must be"),
        (*GOOD, {"jitter": -1.0}, "`jitter` must be"),
        (*GOOD, {"priors": "flat"}, "`priors` must be"),
        (*GOOD, {"priors": {"nosie": Normal(0, 1)}}, "`priors` names 'nosie'"),
        (*GOOD, {"priors": {"noise": 3.0}}, "must be a torch distribution"),
        (*GOOD, {"priors": {"noise": LogNormal(0.0, 1.0)}}, "`lengthscale` has neither"),
        (*GOOD, {"priors": {"lengthscale": LogNormal(torch.zeros(5), 1.0)}}, "have 2 entries"),
        (*GOOD, {"bounds": {"noise": (2.0, 1.0)}}, "low < high"),
        (*GOOD, {"bounds": {"noise": (0.0, 1.0)}}, "both positive"),
        (*GOOD, {"bounds": {"noise": 3.0}}, "low, high"),
        (*GOOD, {"input_names": ["a"]}, "`input_names` must name 2"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(X, y, changes, message):
    with pytest.raises(ValueError, match=message):
        GaussianProcess(X, y, **changes)


def test_new_inputs_are_checked():
    target = GaussianProcess(*GOOD)
    theta = target.starts(1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="`X_new` must have 2 columns"):
        target.predict(theta, [[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="`theta` must have shape"):
        target.gpytorch_model(theta[:, :-1])


def test_the_caller_s_arrays_are_not_the_target_s():
    X, y = data()
    target = GaussianProcess(X, y)
    before = target.energy(target.starts(1, np.random.default_rng(0)))
    X[...] = 0
    y[...] = 0
    np.testing.assert_array_equal(target.energy(target.starts(1, np.random.default_rng(0))), before)


@settings(max_examples=40, deadline=None)
@given(
    arrays(float, (4, 4), elements=st.floats(-1e300, 1e300) | st.just(np.inf) | st.just(-np.nan))
)
def test_any_point_has_an_energy_that_is_a_number_or_infinite(theta):
    target = GaussianProcess(*GOOD)
    with np.errstate(all="ignore"):
        energy = target.energy(theta)
    assert not np.isnan(energy).any()
    assert not np.isneginf(energy).any()
