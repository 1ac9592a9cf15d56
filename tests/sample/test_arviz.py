"""What ArviZ makes of a result, in either generation, and whether a file gives it back whole."""

import importlib.util
import warnings

import arviz as az
import gpytorch
import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import pytest
import torch
import xarray as xr
from scipy import stats
from scipy.special import logsumexp

import bayescape as bs
from bayescape.sample.arviz_tree import as_arviz_tree
from bayescape.sample.groups import further_groups
from bayescape.sample.result import posterior_tree

from ..targets.gpytorch_models import common, composite, data, from_gpytorch
from ..targets.pymc_models import MODELS, TRANSFORMED

QUICK = {"mode": "FAST_COMPILE"}


@pytest.fixture(scope="module")
def line():
    """A straight line through twelve points, by a PyMC model with dims."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 12)
    with pm.Model(coords={"term": ["level", "slope"], "day": np.arange(3, 15)}) as model:
        beta = pm.Normal("beta", 0, 3, dims="term")
        sigma = pm.HalfNormal("sigma", 1)
        mean = beta[0] + beta[1] * x
        pm.Normal("y", mean, sigma, observed=1 + 2 * x + 0.4 * rng.normal(size=12), dims="day")
    return bs.sample(bs.from_pymc(model, **QUICK), 200, seed=1, progress=False)


@pytest.fixture(scope="module")
def process():
    rng = np.random.default_rng(0)
    X = np.linspace(0, 3, 9)[:, None]
    y = 10 + np.sin(2 * X[:, 0]) + 0.3 * rng.normal(size=9)
    return bs.GaussianProcess(X, y, input_names=["time"])


@pytest.fixture(scope="module")
def drawn(process):
    return bs.sample(process, 200, seed=1, progress=False)


@pytest.fixture(scope="module")
def thermometer():
    """GPyTorch's most common model."""
    return from_gpytorch(common(n=10))


@pytest.fixture(scope="module")
def gpytorch_drawn(thermometer):
    return bs.sample(thermometer, 200, seed=1, progress=False)


@pytest.fixture(params=["line", "drawn", "gpytorch_drawn"])
def posterior(request):
    return request.getfixturevalue(request.param)


def quiet():
    """ArviZ warns of what 200 draws of nine rows are too few for, and of its own future."""
    caught = warnings.catch_warnings()
    caught.__enter__()
    warnings.simplefilter("ignore")
    return caught


def named(*names):
    """What ArviZ calls it in this generation."""
    return next(getattr(az, name) for name in names if hasattr(az, name))


def test_groups_are_where_arviz_has_them(line, drawn, gpytorch_drawn):
    for tree in (line, drawn, gpytorch_drawn):
        observed = tree["observed_data"]["y"]
        for group in ("log_likelihood", "posterior_predictive"):
            assert tree[group]["y"].dims == ("chain", "draw", *observed.dims)
            for dim in observed.dims:
                assert list(tree[group][dim].values) == list(observed[dim].values)
            assert np.isfinite(tree[group]["y"].values).all()
    assert list(drawn["posterior"]["lengthscale_dim_0"].values) == ["time"]


def matern(X, values):
    """GPyTorch's scaled kernel of order 5/2 with one lengthscale each, by its closed form."""
    r = np.sqrt(5) * np.linalg.norm((X[:, None] - X) / values["lengthscale"].values, axis=-1)
    return float(values["outputscale"]) * (1 + r + r**2 / 3) * np.exp(-r)


def test_groups_of_a_gpytorch_model_are_those_of_its_draws(thermometer, gpytorch_drawn):
    """The likelihood of a row given all others by conditioning the dense normal on them."""
    X, y = (part.numpy() for part in data(10))
    np.testing.assert_array_equal(gpytorch_drawn["observed_data"]["y"], y)
    draws = gpytorch_drawn["posterior"].to_dataset()
    for chain, draw in ((0, 0), (3, 21)):
        values = draws.isel(chain=chain, draw=draw)
        K = matern(X, values) + float(values["noise"]) * np.eye(10)
        residual = y - float(values["constant"])
        found = gpytorch_drawn["log_likelihood"]["y"].values[chain, draw]
        for i in range(10):
            rest = np.delete(np.arange(10), i)
            gain = np.linalg.solve(K[np.ix_(rest, rest)], K[rest, i])
            normal = stats.norm(gain @ residual[rest], np.sqrt(K[i, i] - gain @ K[rest, i]))
            assert found[i] == pytest.approx(normal.logpdf(residual[i]), rel=1e-7)
    theta = gpytorch_drawn["unconstrained_posterior"]["theta"].values.reshape(-1, 5)
    kept = gpytorch_drawn["sample_stats"]
    np.testing.assert_allclose(kept["energy"].values.ravel(), thermometer.energy(theta))
    assert kept["log_weight"].dims == kept["basin"].dims == ("chain", "draw")
    assert set(np.unique(kept["basin"])) <= set(gpytorch_drawn["minima"]["minimum"].values)
    assert np.isfinite(kept["log_weight"]).all()


@pytest.mark.parametrize("form", ["compiled", "torch"])
def test_groups_of_a_gpytorch_model_are_right_either_way(form, thermometer):
    """Moments of replicates against the dense normal; likelihoods against the other way."""
    X, y = (part.numpy() for part in data(10))
    other = from_gpytorch(common(n=10), compiled=False)
    target = {"compiled": thermometer, "torch": other}[form]
    theta = target.starts(1, np.random.default_rng(1))
    count = 20_000 if form == "compiled" else 600
    found = target.posterior_predictive(np.repeat(theta, count, axis=0), np.random.default_rng(2))
    values = xr.Dataset({k: ("p", v[0]) if v[0].ndim else v[0]
                         for k, v in target.constrain(theta).items()})  # fmt: skip
    K, noise = matern(X, values), float(values["noise"]) * np.eye(10)
    gain = np.linalg.solve(K + noise, K).T
    mean = float(values["constant"]) + gain @ (y - float(values["constant"]))
    covariance = K - gain @ K + noise
    scale = np.sqrt(np.diag(covariance))
    assert (np.abs(found["y"].mean(axis=0) - mean) < 4.5 * scale / np.sqrt(count)).all()
    apart = np.cov(found["y"].T) / np.outer(scale, scale) - covariance / np.outer(scale, scale)
    assert np.abs(apart).max() < 6 / np.sqrt(count)
    one, two = (each.pointwise_log_likelihood(theta)["y"] for each in (thermometer, other))
    np.testing.assert_allclose(one, two, rtol=1e-8)


def test_a_composite_gpytorch_model_has_its_groups():
    target = from_gpytorch(composite())
    theta = target.starts(4, np.random.default_rng(0))[None]
    groups, left_out = further_groups(target, theta, None, np.random.default_rng(0))
    assert set(groups) == {"log_likelihood", "posterior_predictive"}
    assert not left_out
    total = target.gpytorch_model(theta[0, 0])
    with torch.no_grad():
        prior = total.likelihood(total.forward(total.train_inputs[0]))
    precision = np.linalg.inv(prior.covariance_matrix.numpy())
    residual = (total.train_targets - prior.mean).numpy()
    # Rasmussen & Williams (2006), equations 5.10 to 5.12.
    variance = 1 / np.diag(precision)
    expected = stats.norm.logpdf(variance * (precision @ residual), scale=np.sqrt(variance))
    np.testing.assert_allclose(groups["log_likelihood"]["y"][0, 0], expected, rtol=1e-6)


def test_arviz_takes_what_sample_returns(posterior):
    """Numbers are those that ArviZ finds for the same arrays outside of any tree."""
    caught = quiet()
    summary = az.summary(posterior)
    group = posterior["posterior"].to_dataset()
    name = next(name for name in group.data_vars if group[name].ndim == 2)
    assert float(summary.loc[name, "mean"]) == pytest.approx(float(group[name].mean()), rel=0.05)
    ess = az.ess(posterior)[name] if name in az.ess(posterior) else az.ess(posterior)
    assert float(ess) == pytest.approx(float(az.ess(group[name].values)))

    for plot in (
        lambda: named("plot_trace_dist", "plot_trace")(posterior),
        lambda: named("plot_trace")(posterior),
        lambda: az.plot_pair(posterior),
        lambda: named("plot_ppc_dist", "plot_ppc")(posterior),
    ):
        assert plot() is not None
        plt.close("all")

    loo = az.loo(posterior)
    compared = az.compare({"one": posterior, "two": posterior})
    caught.__exit__(None, None, None)
    elpd = getattr(loo, "elpd", None) or loo.elpd_loo
    pointwise = posterior["log_likelihood"].to_dataset()
    (values,) = (array.values for array in pointwise.data_vars.values())
    lppd = logsumexp(values, axis=(0, 1)) - np.log(values.shape[0] * values.shape[1])
    assert elpd < lppd.sum()
    assert len(compared) == 2


def test_new_arviz_s_parts_take_it_as_well(posterior):
    import arviz_plots
    import arviz_stats

    caught = quiet()
    assert len(arviz_stats.summary(posterior))
    assert np.isfinite(arviz_stats.loo(posterior).elpd)
    for plot in (arviz_plots.plot_trace, arviz_plots.plot_dist, arviz_plots.plot_ppc_dist):
        assert plot(posterior) is not None
        plt.close("all")
    caught.__exit__(None, None, None)


def evidence(target, grid):
    """The log evidence by the midpoint rule over a grid of equal cells ``(m, d)``."""
    return logsumexp(-target.energy(grid))


def test_leave_one_out_of_a_process_is_the_ratio_of_evidences():
    """``p(y_i | y_-i) = p(y) / p(y_-i)``, each integrated over the hyperparameters on a grid.

    The two sides share nothing but the likelihood: a group of anything else than the conditional
    densities, such as the noise's about the fitted function, is off by nats.
    """
    rng = np.random.default_rng(3)
    X = np.linspace(0, 3, 8)[:, None]
    y = np.sin(2 * X[:, 0]) + 0.3 * rng.normal(size=8)
    bounds = {"lengthscale": (0.2, 3.0), "outputscale": (0.2, 4.0), "noise": (0.02, 1.0)}
    form = {"kernel": "rbf", "priors": None, "bounds": bounds, "standardise": False}
    target = bs.GaussianProcess(X, y, **form)
    low, high = target.bounds
    axes = [a + (b - a) * (np.arange(24) + 0.5) / 24 for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    rest = [bs.GaussianProcess(np.delete(X, i, 0), np.delete(y, i), **form) for i in range(8)]
    exact = np.array([evidence(target, grid) - evidence(part, grid) for part in rest])

    count = 40_000
    weights = np.exp(-target.energy(grid) + target.energy(grid).min())
    picked = grid[rng.choice(len(grid), count, p=weights / weights.sum())].reshape(4, -1, 3)
    groups, _ = further_groups(target, picked, ["log_likelihood"], rng)
    caught = quiet()
    parts = {
        "posterior": xr.Dataset({"t": (("chain", "draw"), picked[..., 0])}),
        "log_likelihood": xr.Dataset(
            {"y": (("chain", "draw", "row"), groups["log_likelihood"]["y"])}
        ),
    }
    loo = az.loo(as_arviz_tree(parts), pointwise=True)
    caught.__exit__(None, None, None)
    found = np.asarray(getattr(loo, "elpd_i", None) if hasattr(loo, "elpd_i") else loo.loo_i)
    assert np.abs(found - exact).max() < 0.03, (found, exact)


def test_replicates_of_a_process_have_the_moments_of_gpytorch(process):
    """Mean, variance and correlation of repeated measurements, by an independent implementation."""
    theta = process.starts(1, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    count = 20_000
    found = process.posterior_predictive(np.repeat(theta, count, axis=0), rng)["y"]
    mean, variance = process.predict(theta, process.X_raw)
    error = np.sqrt(variance[0] / count)
    assert (np.abs(found.mean(axis=0) - mean[0]) < 4 * error).all()
    np.testing.assert_allclose(found.var(axis=0), variance[0], rtol=4 * np.sqrt(2 / count))
    model = process.gpytorch_model(theta[0])
    with torch.no_grad(), gpytorch.settings.debug(False):  # which warns of the training inputs
        seen = model.likelihood(model(model.train_inputs[0])).covariance_matrix.numpy()
    scale = np.sqrt(np.diag(seen))
    correlation = np.corrcoef(found.T)
    assert np.abs(correlation - seen / np.outer(scale, scale)).max() < 5 / np.sqrt(count)


@pytest.mark.parametrize("name", [*MODELS, *TRANSFORMED])
def test_likelihoods_and_replicates_of_a_model_are_pymc_s(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # imputation, and no typical point
        model = (MODELS | TRANSFORMED)[name]()
        target = bs.from_pymc(model, **QUICK)
    theta = target.starts(6, np.random.default_rng(5)).reshape(2, 3, -1)
    tree = posterior_tree(target, theta, {}, {})
    theirs = pm.compute_log_likelihood(
        {"posterior": tree["posterior"].to_dataset()},
        model=model,
        extend_inferencedata=False,
        progressbar=False,
        compile_kwargs=dict(QUICK),
    )
    groups, left_out = further_groups(
        target, theta, ["log_likelihood", "posterior_predictive"], np.random.default_rng(0)
    )
    found = groups["log_likelihood"]
    assert set(found) == {rv.name for rv in model.observed_RVs}
    tree = posterior_tree(target, theta, {}, {}, further=groups)
    ours = tree["log_likelihood"].to_dataset()
    for variable in theirs.data_vars:
        xr.testing.assert_allclose(ours[variable], theirs[variable], rtol=1e-12)
    # All log likelihoods and the prior are the log density.
    points = {v.name: p for v, p in zip(model.value_vars, _split(model, theta[1, 2]), strict=True)}
    total = sum(array[1, 2].sum() for array in found.values())
    expected = model.compile_logp(vars=model.observed_RVs, **QUICK)(points)
    assert total == pytest.approx(float(expected), rel=1e-6)
    if "posterior_predictive" in left_out:
        assert left_out["posterior_predictive"]
        return
    for variable, array in groups["posterior_predictive"].items():
        assert array.shape[:2] == (2, 3), variable
    assert {rv.name for rv in model.observed_RVs} <= set(groups["posterior_predictive"])


def _split(model, point):
    start = model.initial_point()
    sizes = np.cumsum([np.size(value) for value in start.values()])[:-1]
    parts = np.split(point, sizes)
    return [p.reshape(np.shape(v)) for p, v in zip(parts, start.values(), strict=True)]


def test_what_a_model_cannot_replicate_is_left_out_and_said():
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.CustomDist("y", x, logp=lambda value, x: -((value - x) ** 2), observed=np.ones(3))
    posterior = bs.sample(bs.from_pymc(model, **QUICK), 20, progress=False)
    assert "log_likelihood" in posterior.children
    assert "posterior_predictive" not in posterior.children
    assert "posterior_predictive" in posterior.attrs["groups_left_out"]


def test_groups_of_many_observations_are_there_only_if_asked_for():
    from bayescape.sample.groups import UNASKED, further_groups

    rng = np.random.default_rng(0)
    target = bs.GaussianProcess(rng.uniform(size=(201, 1)), rng.standard_normal(201))
    theta = target.starts(2, rng)[:, None]
    groups, left_out = further_groups(target, theta, None, rng)
    assert set(groups) == {"log_likelihood"}
    assert "more than 200 observations, here 201" in left_out["posterior_predictive"]
    groups, left_out = further_groups(target, theta, list(UNASKED), rng)
    assert set(groups) == set(UNASKED)
    assert not left_out


def test_groups_that_are_not_asked_for_are_not_there(process):
    posterior = bs.sample(process, 20, groups=(), progress=False)
    assert not {"log_likelihood", "posterior_predictive"} & set(posterior.children)
    with pytest.raises(ValueError, match=r"`groups` must be some of .*, got 'prior'"):
        bs.sample(process, 20, groups="prior", progress=False)


def assert_same(back, tree):
    """Values, dtypes, dims, coords and attributes, with their types."""
    assert set(back.groups) == set(tree.groups)
    for path in tree.groups:
        one, two = back[path].to_dataset(), tree[path].to_dataset()
        xr.testing.assert_identical(one, two)
        for name in two.variables:
            assert one[name].dtype == two[name].dtype, (path, name)
            assert one[name].dims == two[name].dims
            assert type(one[name].values.flat[0]) is type(two[name].values.flat[0]), (path, name)
        for key, value in two.attrs.items():
            assert type(one.attrs[key]) is type(value), (path, key)


def test_netcdf_changes_nothing(posterior, tmp_path):
    posterior.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    back = bs.load_posterior(tmp_path / "posterior.nc")
    assert_same(back, posterior)
    assert len(az.summary(back)) == len(az.summary(posterior))


@pytest.mark.skipif(
    importlib.util.find_spec("zarr") is None,
    reason="zarr is not installed; the extra bayescape[zarr] brings it",
)
def test_zarr_changes_nothing(posterior, tmp_path):
    caught = quiet()  # of strings in a format that has no specification yet
    posterior.to_zarr(tmp_path / "posterior.zarr")
    caught.__exit__(None, None, None)
    assert_same(bs.load_posterior(tmp_path / "posterior.zarr"), posterior)


def test_nothing_to_load_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`path` must be .* a netCDF file .*nowhere"):
        bs.load_posterior(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"`path` must be the path .* got 3"):
        bs.load_posterior(3)
