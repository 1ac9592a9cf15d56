"""Well-known PyMC models with a long run of NUTS on each.

Run ``python tests/reference/pymc_classics.py [NAME ...]`` with PyMC (5.28) installed; it takes
some minutes and writes ``pymc_classics.json`` beside itself: for every scalar of the variables
compared, mean and standard deviation of 4 chains of 5000 draws by ``pm.sample`` with a target
acceptance of 0.95 (of 2000 draws for the differential equation, whose gradient is the dearest),
with their Monte Carlo errors, the largest R-hat and the number of divergences.

Where labels can be exchanged only functions are compared that do not depend on them; by symmetry
chains that stay with one labelling have the right ones. The centred funnel, on which NUTS is known
to fail, is not run: its first coordinate is normal with a standard deviation of 3.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from arviz_stats.base import array_stats

STORED = Path(__file__).with_suffix(".json")
AXES = {"chain_axis": 0, "draw_axis": 1}
DRAWS = {"lotka_volterra": 2000}  # by chain, where they are not 5000


def funnel_centred():
    """Neal (2003)."""
    with pm.Model() as model:
        v = pm.Normal("v", 0, 3)
        pm.Normal("x", 0, pm.math.exp(v / 2), shape=9)
    return model, ["v"]


def funnel():
    """The same by standardised coordinates."""
    with pm.Model() as model:
        v = pm.Normal("v", 0, 3)
        z = pm.Normal("z", 0, 1, shape=9)
        pm.Deterministic("x", z * pm.math.exp(v / 2))
    return model, ["v", "z"]


def hierarchical():
    """Rubin's (1981) eight schools, effects standardised."""
    effects = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    errors = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, shape=8)
        theta = pm.Deterministic("theta", mu + tau * z)
        pm.Normal("effect", theta, errors, observed=effects)
    return model, ["mu", "tau", "theta"]


def _heights():
    rng = np.random.default_rng(1)
    return np.concatenate([rng.normal(-2, 0.7, 12), rng.normal(1.5, 0.7, 18)])


def mixture_of_known_scale():
    """Two components whose labels can be exchanged."""
    with pm.Model() as model:
        centres = pm.Normal("centres", 0, 3, shape=2)
        pm.NormalMixture("y", np.full(2, 0.5), centres, 0.7, observed=_heights())
        pm.Deterministic("low", centres.min())
        pm.Deterministic("high", centres.max())
    return model, ["low", "high"]


def mixture_of_unknown_scale():
    """The same with weights on a simplex and a common scale."""
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(2))
        centres = pm.Normal("centres", 0, 3, shape=2)
        sigma = pm.HalfNormal("sigma", 1)
        pm.NormalMixture("y", weights, centres, sigma, observed=_heights())
        pm.Deterministic("low", centres.min())
        pm.Deterministic("high", centres.max())
        pm.Deterministic("share", weights[pt.argmin(centres)])
    return model, ["low", "high", "share", "sigma"]


def poisson_process():
    """Counts whose logarithmic rate is a Gaussian process, whitened."""
    t = np.linspace(0, 4, 9)[:, None]
    counts = np.random.default_rng(2).poisson(np.exp(1 + np.sin(1.5 * t[:, 0])))
    with pm.Model() as model:
        lengthscale = pm.LogNormal("lengthscale", 0, 0.5)
        scale = pm.HalfNormal("scale", 1)
        level = pm.Normal("level", 1, 1)
        process = pm.gp.Latent(cov_func=scale**2 * pm.gp.cov.Matern52(1, lengthscale))
        f = process.prior("f", X=t)
        pm.Poisson("count", pm.math.exp(level + f), observed=counts)
    return model, ["lengthscale", "scale", "level", "f"]


def latent_process():
    """Gaussian-process regression with its function values kept."""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 4, 8)[:, None]
    y = np.sin(1.5 * t[:, 0]) + 0.3 * rng.normal(size=8)
    with pm.Model() as model:
        lengthscale = pm.LogNormal("lengthscale", 0, 0.5)
        scale = pm.HalfNormal("scale", 1)
        noise = pm.LogNormal("noise", -1, 0.5)
        process = pm.gp.Latent(cov_func=scale**2 * pm.gp.cov.ExpQuad(1, lengthscale))
        f = process.prior("f", X=t)
        pm.Normal("y", f, noise, observed=y)
    return model, ["lengthscale", "scale", "noise", "f"]


def autoregression():
    """AR(1), its first value about zero."""
    rng = np.random.default_rng(4)
    y = np.zeros(40)
    for i in range(1, 40):
        y[i] = 0.7 * y[i - 1] + 0.5 * rng.normal()
    with pm.Model() as model:
        rho = pm.Uniform("rho", -1, 1)
        sigma = pm.HalfNormal("sigma", 1)
        pm.AR("y", rho, sigma, init_dist=pm.Normal.dist(0, 1), observed=y)
    return model, ["rho", "sigma"]


def logistic():
    """Logistic regression with an intercept, of few observations."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(30, 3))
    chance = 1 / (1 + np.exp(-(0.5 + X @ np.array([1.5, -1.0, 0.0]))))
    with pm.Model() as model:
        level = pm.Normal("level", 0, 2)
        slope = pm.Normal("slope", 0, 2, shape=3)
        seen = (rng.uniform(size=30) < chance).astype(int)
        pm.Bernoulli("y", logit_p=level + X @ slope, observed=seen)
    return model, ["level", "slope"]


def _lotka_volterra(rates, state, dt, steps):
    """States after each of ``steps`` Runge-Kutta steps of fourth order, ``(steps, 2)``."""
    growth, meeting = pt.stack([rates[0], -rates[2]]), pt.stack([-rates[1], rates[3]])

    def slope(u, growth, meeting):
        return u * (growth + meeting * u[::-1])

    def step(u, *of):
        a = slope(u, *of)
        b = slope(u + dt / 2 * a, *of)
        c = slope(u + dt / 2 * b, *of)
        d = slope(u + dt * c, *of)
        return u + dt / 6 * (a + 2 * b + 2 * c + d)

    return pytensor.scan(
        step,
        outputs_info=[state],
        non_sequences=[growth, meeting],
        n_steps=steps,
        return_updates=False,
    )


def lotka_volterra():
    """Predator and prey by their differential equation; noise in the logarithms."""
    rng = np.random.default_rng(6)
    truth = np.array([0.6, 0.3, 0.8, 0.25])
    clean = _lotka_volterra(pt.constant(truth), pt.constant([3.0, 2.0]), 0.5, 20).eval()[1::2]
    data = np.log(clean) + 0.15 * rng.normal(size=clean.shape)
    with pm.Model() as model:
        rates = pm.LogNormal("rates", np.log(0.5), 0.5, shape=4)
        sigma = pm.LogNormal("sigma", -1.5, 0.5)
        states = _lotka_volterra(rates, pt.constant([3.0, 2.0]), 0.5, 20)[1::2]
        pm.Normal("y", pt.log(states), sigma, observed=data)
    return model, ["rates", "sigma"]


CLASSICS = {
    make.__name__: make
    for make in (
        funnel_centred,
        funnel,
        hierarchical,
        mixture_of_known_scale,
        mixture_of_unknown_scale,
        poisson_process,
        latent_process,
        autoregression,
        logistic,
        lotka_volterra,
    )
}


def scalars(dataset, names):
    """Scalar parts of variables by label, each ``(chain, draw)``."""
    found = {}
    for name in names:
        values = dataset[name].values
        for index in np.ndindex(values.shape[2:]):
            label = f"{name}[{', '.join(map(str, index))}]" if index else name
            found[label] = values[(slice(None), slice(None), *index)]
    return found


def described(values):
    """Mean, standard deviation and their Monte Carlo errors, of ``(chain, draw)``."""
    return {
        "mean": float(values.mean()),
        "mean_error": float(array_stats.mcse(values, **AXES, method="mean")),
        "sd": float(values.std()),
        "sd_error": float(array_stats.mcse(values, **AXES, method="sd")),
    }


def run(make):
    """A long run of NUTS."""
    model, names = make()
    started = time.perf_counter()
    with model:
        trace = pm.sample(
            DRAWS.get(make.__name__, 5000),
            tune=min(2000, DRAWS.get(make.__name__, 5000) // 2),
            chains=4,
            cores=1,
            target_accept=0.95,
            random_seed=20,
            progressbar=False,
            compute_convergence_checks=False,
        )
    parts = scalars(trace.posterior, names)
    return {
        "seconds": round(time.perf_counter() - started),
        "rhat": max(float(array_stats.rhat(values, **AXES)) for values in parts.values()),
        "divergences": int(trace.sample_stats["diverging"].values.sum()),
        "scalars": {label: described(values) for label, values in parts.items()},
    }


if __name__ == "__main__":
    logging.getLogger("pymc").setLevel(logging.ERROR)
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    for name in sys.argv[1:] or [name for name in CLASSICS if name != "funnel_centred"]:
        stored[name] = run(CLASSICS[name])
        STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
