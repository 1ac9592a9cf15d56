"""PyMC models as targets: the same density, the same labels, the same draws as PyMC's own."""

import json
import pickle
import warnings

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.op import Op
from scipy import stats

import bayescape as bs
from bayescape.evaluations import Counted
from bayescape.sample.result import posterior_tree

from .pymc_models import (
    EFFECTS,
    ERRORS,
    MODELS,
    TRANSFORMED,
    conjugate,
    eight_schools,
    hierarchical,
    logistic,
    two_modes,
)

QUICK = {"mode": "FAST_COMPILE"}


@pytest.fixture(scope="module", params=[*MODELS, *TRANSFORMED])
def case(request):
    with warnings.catch_warnings():
        # PyMC says that it will impute, and of some distributions that it knows no typical point.
        warnings.simplefilter("ignore", UserWarning)
        model = (MODELS | TRANSFORMED)[request.param]()
        return model, bs.from_pymc(model, **QUICK)


def points_of(model, theta):
    """Points as PyMC takes them."""
    split = [value.size for value in map(np.asarray, model.initial_point().values())]
    for point in theta:
        parts = np.split(point, np.cumsum(split)[:-1])
        yield {
            name: part.reshape(np.shape(value))
            for (name, value), part in zip(model.initial_point().items(), parts, strict=True)
        }


def test_density_and_gradient_are_pymc_s_own(case):
    model, target = case
    theta = target.starts(4, np.random.default_rng(5))
    points = list(points_of(model, theta))
    logp, slope = model.compile_logp(**QUICK), model.compile_dlogp(**QUICK)
    energy, gradient = target.energy_and_gradient(theta)
    np.testing.assert_allclose(energy, [-logp(p) for p in points], rtol=1e-12)
    np.testing.assert_allclose(gradient, [-slope(p) for p in points], rtol=1e-9, atol=1e-10)


def test_variables_dims_and_coords_are_those_of_pm_sample(case):
    model, target = case
    theta = target.starts(8, np.random.default_rng(5))
    posterior = posterior_tree(target, theta.reshape(2, 4, -1), {}, {})
    with model:
        theirs = pm.sample(
            draws=4,
            tune=4,
            chains=2,
            cores=1,
            step=pm.Metropolis(compile_kwargs=dict(QUICK)),
            progressbar=False,
            compute_convergence_checks=False,
            random_seed=0,
        )
    ours, expected = posterior["posterior"].to_dataset(), theirs.posterior
    expected = expected.to_dataset() if hasattr(expected, "to_dataset") else expected
    assert set(ours.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        assert ours[name].dims == expected[name].dims
        assert ours[name].shape == expected[name].shape
        assert ours[name].dtype == expected[name].dtype
    assert set(ours.coords) == set(expected.coords)
    for name in set(expected.coords) - {"chain", "draw"}:
        assert list(ours[name].values) == list(expected[name].values)
    assert set(posterior["observed_data"].data_vars) == set(theirs.observed_data.data_vars)
    for name, value in theirs.observed_data.data_vars.items():
        np.testing.assert_array_equal(posterior["observed_data"][name].values, value.values)
        assert posterior["observed_data"][name].dims == value.dims
    assert all(len(value) == 0 for value in target.constrain(theta[:0]).values())


def test_labels_are_arviz_s():
    assert bs.from_pymc(eight_schools(), **QUICK).names[:3] == ("mu", "tau_log__", "z[Choate]")
    assert bs.from_pymc(logistic(), **QUICK).names == (
        "slope[age, cured]",
        "slope[age, ill]",
        "slope[dose, cured]",
        "slope[dose, ill]",
    )
    names = bs.from_pymc(hierarchical(), **QUICK).names
    assert names == (
        *("mu", "spread_interval__", "level[0]", "level[1]", "level[2]", "noise_log__"),
    )
    with pm.Model(coords={"twice": ["a", "a"]}) as model:
        pm.Normal("x", dims="twice")
    assert bs.from_pymc(model, **QUICK).names == ("x[0]", "x[1]")


def test_the_jacobian_and_every_term_are_in_the_energy():
    """Eight schools by SciPy's densities, tau by its logarithm."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(3, 10))
    mu, tau, z = theta[:, 0], np.exp(theta[:, 1]), theta[:, 2:]
    expected = (
        stats.norm.logpdf(mu, 0, 5)
        + stats.halfcauchy.logpdf(tau, scale=5)
        + theta[:, 1]
        + stats.norm.logpdf(z).sum(axis=1)
        + stats.norm.logpdf(EFFECTS, mu[:, None] + tau[:, None] * z, ERRORS).sum(axis=1)
    )
    target = bs.from_pymc(eight_schools(), **QUICK)
    energy = target.energy(theta)
    np.testing.assert_allclose(np.diff(energy), -np.diff(expected), rtol=1e-11)
    # PyMC has some of its constants in single precision.
    np.testing.assert_allclose(energy, -expected, atol=1e-6)
    np.testing.assert_allclose(target.constrain(theta)["tau"], tau)
    np.testing.assert_allclose(
        target.constrain(theta)["theta"], mu[:, None] + tau[:, None] * z, rtol=1e-12
    )


def test_sample_takes_a_model_and_finds_both_modes():
    """The evidence by quadrature, and half of the draws on either side."""
    posterior = bs.sample(two_modes(), 1000, seed=3, progress=False)
    grid = np.linspace(-6, 6, 40001)
    density = stats.norm.pdf(grid, 0, 2) * stats.norm.pdf(2.0, grid**2, 0.5)
    log_evidence = np.log(density.sum() * (grid[1] - grid[0]))
    assert posterior.attrs["reliable"] == 1, posterior.attrs["warnings"]
    assert len(json.loads(posterior.attrs["occupation"])) == 2
    error = posterior.attrs["log_evidence_se"]
    assert error < 0.05
    assert abs(posterior.attrs["log_evidence"] - log_evidence) < 4 * error
    right = float((posterior["posterior"]["x"] > 0).mean())
    assert abs(right - 0.5) < 4 * np.sqrt(0.25 / 500)


def test_sample_is_right_where_the_answer_is_known():
    posterior = bs.sample(conjugate(), 2000, seed=4, progress=False)
    precision = 1 / 4 + 3 / 0.49
    mean = (1 / 4 + (0.3 + 1.9 + 2.2) / 0.49) / precision
    x = posterior["posterior"]["mean"].values
    assert abs(x.mean() - mean) < 4 / np.sqrt(precision * float(az.ess(x)))
    np.testing.assert_allclose(x.std(), precision**-0.5, rtol=0.1)
    assert float(az.ess(x)) > 1000


def test_the_draws_can_be_handed_back_to_pymc():
    model = logistic()
    posterior = bs.sample(bs.from_pymc(model, **QUICK), 20, chains=2, progress=False)
    with model:
        predictive = pm.sample_posterior_predictive(
            posterior["posterior"].to_dataset(),
            progressbar=False,
            random_seed=0,
            compile_kwargs=dict(QUICK),
        )
    assert predictive.posterior_predictive["y"].shape == (2, 10, 25, 2)


def test_hessian_by_pytensor_and_by_differences_agree_and_say_which_they_are():
    model = hierarchical()
    by_differences = bs.from_pymc(model, **QUICK)
    by_pytensor = bs.from_pymc(model, hessian="pytensor", **QUICK)
    assert "Hessian by PyTensor" in repr(by_pytensor)
    assert "Hessian by differences (asked for)" in repr(by_differences)
    theta = by_pytensor.starts(3, np.random.default_rng(0))
    one, two = by_differences.hessian(theta), by_pytensor.hessian(theta)
    assert (np.abs(one - two).max() < 1e-9 * np.abs(two).max()).all()
    counted = Counted(by_differences)
    counted.hessian(theta)
    assert counted.evaluations.asdict() == {"value": 0, "gradient": 3 * 4 * 6, "hessian": 0}
    counted = Counted(by_pytensor)
    counted.hessian(theta)
    assert counted.evaluations.hessian == 3


class Square(Op):
    """Has a gradient, which has none."""

    itypes = (pt.dscalar,)
    otypes = (pt.dscalar,)
    slope = True

    def perform(self, node, inputs, outputs):
        outputs[0][0] = np.asarray(inputs[0] ** 2)

    def L_op(self, inputs, outputs, gradients):
        if not self.slope:
            raise NotImplementedError("no slope")
        return [gradients[0] * Twice()(inputs[0])]

    pullback = L_op


class Twice(Square):
    """The slope, by an operation without one."""

    slope = False

    def perform(self, node, inputs, outputs):
        outputs[0][0] = np.asarray(2 * inputs[0])


def around(op):
    with pm.Model() as model:
        x = pm.Normal("x", 0, 2)
        pm.Normal("y", op(x), 0.5, observed=2.0)
    return model


def test_without_second_derivatives_differences_are_taken_and_said_to_be():
    target = bs.from_pymc(around(Square()), hessian="pytensor", **QUICK)
    assert "Hessian by differences (PyTensor has none: no slope" in repr(target)
    theta = np.array([[0.7], [-1.2]])
    plain = bs.from_pymc(two_modes(), **QUICK)
    np.testing.assert_allclose(target.hessian(theta), plain.hessian(theta), rtol=1e-9)


def discrete():
    with pm.Model() as model:
        count = pm.Poisson("count", 3)
        pm.Normal("y", count, 1, observed=2.0)
    return model


def flat():
    with pm.Model() as model:
        x = pm.HalfFlat("x")
        pm.Normal("y", x, 1, observed=2.0)
    return model


def impossible():
    with pm.Model() as model:
        pm.Normal("x")
        pm.Potential("never", pt.constant(-np.inf))
    return model


@pytest.mark.parametrize(
    ("make", "arguments", "match"),
    [
        (discrete, {}, r"discrete free variables \(count\)"),
        (flat, {}, r"flat priors \(x\)"),
        (pm.Model, {}, "has no free variables"),
        (lambda: around(Twice()), {}, "`model` has no gradient.*: no slope"),
        (impossible, {}, "was not finite at 8 of 8 starts"),
        (dict, {}, "`model` must be a pymc.Model, got dict"),
        (conjugate, {"hessian": "exact"}, "`hessian` must be"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_a_sentence(make, arguments, match):
    with pytest.raises(ValueError, match=match):
        bs.from_pymc(make(), **(QUICK | arguments))


def test_flat_priors_are_taken_with_starts():
    target = bs.from_pymc(flat(), starts=[[0.5], [1.0]], **QUICK)
    assert bs.explore(target, progress=False).minima.sizes["minimum"] == 1


def test_sample_refuses_what_is_no_model():
    with pytest.raises(ValueError, match="`landscape` must be a Landscape, a Target or a pymc"):
        bs.sample([1.0, 2.0])


def centred():
    """The density rises without end towards a spread of zero, but little of its mass is there."""
    with pm.Model() as model:
        spread = pm.HalfNormal("spread", 2)
        x = pm.Normal("x", 0, spread, shape=3)
        pm.Normal("y", x, 0.5, observed=[0.5, -0.4, 0.3])
    return model


def test_without_a_minimum_the_draws_are_nuts_s_and_are_not_relied_on():
    target = bs.from_pymc(centred())
    landscape = bs.explore(target, progress=False)
    assert landscape.minima.sizes["minimum"] == 0
    posterior = bs.sample(landscape, 800, seed=1, progress=False)
    assert posterior.attrs["reliable"] == 0
    assert posterior.attrs["method"] == "hmc"
    assert "No minimum was found, so there is no map" in posterior.attrs["warnings"]
    assert (posterior["sample_stats"]["basin"].values == -1).all()
    theta = posterior["unconstrained_posterior"]["theta"].values
    energy = posterior["sample_stats"]["energy"].values
    np.testing.assert_allclose(energy.ravel(), target.energy(theta.reshape(-1, 4)), rtol=1e-12)
    # The spread's mean by quadrature: given it, every y is normal.
    grid = np.linspace(1e-3, 12, 4000)
    weight = stats.halfnorm.pdf(grid, scale=2) * np.prod(
        [stats.norm.pdf(y, 0, np.hypot(grid, 0.5)) for y in (0.5, -0.4, 0.3)], axis=0
    )
    expected = (grid * weight).sum() / weight.sum()
    spread = posterior["posterior"]["spread"].values
    error = spread.std() / np.sqrt(float(az.ess(spread)))
    assert error < 0.15
    assert abs(spread.mean() - expected) < 4 * error
    with pytest.raises(ValueError, match=r"`method` must be 'auto' or 'hmc' .* got 'jumps'"):
        bs.sample(landscape, 200, "jumps", progress=False)


def test_explore_takes_a_model():
    model = conjugate()
    landscape = bs.explore(model, seed=2, progress=False)
    same = bs.explore(bs.from_pymc(model), seed=2, progress=False)
    np.testing.assert_array_equal(landscape.minima["theta"], same.minima["theta"])
    with pytest.raises(ValueError, match=r"`target` must be a Target or a pymc\.Model, got int"):
        bs.explore(3)


def test_a_model_travels_with_its_starts():
    target = bs.from_pymc(two_modes(), **QUICK)
    back = pickle.loads(pickle.dumps(target))
    rng = np.random.default_rng
    np.testing.assert_array_equal(back.starts(6, rng(1)), target.starts(6, rng(1)))
    theta = target.starts(6, rng(1))
    np.testing.assert_array_equal(back.hessian(theta), target.hessian(theta))


def test_replaced_data_is_seen():
    model = logistic()
    target = bs.from_pymc(model, **QUICK)
    theta = target.starts(2, np.random.default_rng(0))
    before = target.energy(theta)
    with model:
        pm.set_data({"X": 2 * model["X"].get_value()})
    np.testing.assert_allclose(target.energy(0.5 * theta), before + _prior(theta), rtol=1e-10)


def _prior(theta):
    """What halving the slopes takes off their prior's energy."""
    return ((0.5 * theta) ** 2 - theta**2).sum(axis=1) / 8
