"""PyMC models that everyone knows, small."""

from __future__ import annotations

import numpy as np
import pymc as pm

from bayescape.targets import from_pymc

EFFECTS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
SCHOOLS = ("Choate", "Deerfield", "Phillips Andover", "Phillips Exeter", "Hotchkiss")
SCHOOLS += ("Lawrenceville", "St. Paul's", "Mt. Hermon")


def eight_schools_centred():
    """Rubin (1981), by the effects themselves."""
    with pm.Model(coords={"school": SCHOOLS}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        theta = pm.Normal("theta", mu, tau, dims="school")
        pm.Normal("effect", theta, ERRORS, observed=EFFECTS, dims="school")
    return model


def eight_schools():
    """The same by standardised effects, the effects deterministic."""
    with pm.Model(coords={"school": SCHOOLS}) as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfCauchy("tau", 5)
        z = pm.Normal("z", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * z, dims="school")
        pm.Normal("effect", theta, ERRORS, observed=EFFECTS, dims="school")
    return model


def mixture():
    """Two normal components whose labels can be exchanged; the weights on a simplex."""
    rng = np.random.default_rng(1)
    data = np.concatenate([rng.normal(-2, 0.7, 12), rng.normal(1.5, 0.7, 18)])
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(2))
        centres = pm.Normal("centres", 0, 3, shape=2)
        sigma = pm.HalfNormal("sigma", 1)
        pm.NormalMixture("y", weights, centres, sigma, observed=data)
    return model


def hierarchical():
    """Groups of unequal sizes, without dims; an interval and a count of groups above zero."""
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1, 2], [2, 5, 4])
    data = rng.normal([0.5, -1.0, 2.0], 0.3)[group] + 0.5 * rng.normal(size=11)
    with pm.Model() as model:
        mu = pm.StudentT("mu", nu=4, mu=0, sigma=2)
        spread = pm.Uniform("spread", 0.05, 5)
        level = pm.Normal("level", mu, spread, shape=3)
        noise = pm.Exponential("noise", 1)
        pm.Deterministic("above", (level > 0).sum())
        pm.Normal("y", level[group], noise, observed=data)
    return model


def logistic():
    """Logistic regression on data that can be replaced, coefficients in two dims."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(25, 2))
    y = rng.uniform(size=(25, 2)) < 1 / (1 + np.exp(-(X @ np.array([[1.0, -0.5], [2.0, 0.3]]))))
    with pm.Model(coords={"input": ["age", "dose"], "outcome": ["cured", "ill"]}) as model:
        data = pm.Data("X", X)
        slope = pm.Normal("slope", 0, 2, dims=("input", "outcome"))
        pm.Bernoulli("y", logit_p=data @ slope, observed=y.astype(int))
    return model


def two_modes():
    """One coordinate of which only the square is seen."""
    with pm.Model() as model:
        x = pm.Normal("x", 0, 2)
        pm.Normal("y", x**2, 0.5, observed=2.0)
    return model


def conjugate():
    """A normal mean under a normal prior: everything in closed form."""
    with pm.Model() as model:
        mean = pm.Normal("mean", 1.0, 2.0)
        pm.Normal("y", mean, 0.7, observed=np.array([0.3, 1.9, 2.2]))
    return model


def correlated():
    """A covariance by its packed Cholesky factor, which makes deterministics of its own."""
    rng = np.random.default_rng(4)
    with pm.Model(coords={"outcome": ["p", "q"]}) as model:
        scales = pm.Exponential.dist(1.0, shape=2)
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2, sd_dist=scales)
        mu = pm.Normal("mu", 0, 1, dims="outcome")
        pm.MvNormal("y", mu, chol=chol, observed=rng.normal(size=(12, 2)))
    return model


def balanced():
    """Effects that sum to zero: one coordinate fewer than effects."""
    with pm.Model(coords={"group": list("abc")}) as model:
        effect = pm.ZeroSumNormal("effect", dims="group")
        pm.Normal("y", effect, 1, observed=[1.0, 2.0, 0.0], dims="group")
    return model


def incomplete():
    """An observation is missing, and becomes a free variable."""
    with pm.Model(coords={"day": range(4)}) as model:
        mu = pm.Normal("mu")
        observed = np.ma.masked_invalid([1.0, np.nan, 2.0, 0.0])
        pm.Normal("y", mu, 1, observed=observed, dims="day")
    return model


def walk():
    """A latent random walk, and a bounded cut-off under censoring."""
    with pm.Model() as model:
        step = pm.Exponential("step", 1)
        level = pm.GaussianRandomWalk("level", sigma=step, init_dist=pm.Normal.dist(0, 1), steps=3)
        shift = pm.TruncatedNormal("shift", 0, 1, lower=-1)
        seen = pm.Normal.dist(level + shift, 0.5)
        pm.Censored("y", seen, lower=None, upper=1.5, observed=[1.0, 1.5, 0.0, 1.0])
    return model


MODELS = {
    "eight-schools-centred": eight_schools_centred,
    "eight-schools": eight_schools,
    "mixture": mixture,
    "hierarchical": hierarchical,
    "logistic": logistic,
}

# PyTensor without C: seconds saved on each.
PYMC = {
    f"pymc-{name}": lambda make=make: from_pymc(make(), mode="FAST_COMPILE")
    for name, make in MODELS.items()
}

# Models in which coordinates and variables are far apart.
TRANSFORMED = {
    "correlated": correlated,
    "balanced": balanced,
    "incomplete": incomplete,
    "walk": walk,
}
