"""Truth for two Gaussian-process posteriors, got without any of bayescape's code.

Run ``python tests/reference/gp_posteriors.py`` with NumPy, SciPy and nautilus-sampler (1.0.5)
installed; it takes about forty minutes and writes ``gp_posteriors.json`` beside itself.

The likelihood is written out in plain NumPy. Minima come of 200 BFGS quenches from draws of the
prior, transition states of a root finder on the gradient begun on the lines between minima. The
moments and the evidence are those of the neural nested sampler nautilus (J. U. Lange, MNRAS 525,
3181, 2023); occupation counts the minima that steepest descent leads 8,000 of its draws to.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from scipy import integrate, optimize, stats
from scipy.linalg.lapack import dpotrf, dpotri

HERE = Path(__file__).parent
NILE = HERE.parent.parent / "bayescape" / "study" / "bundled" / "nile.csv"


class Posterior:
    """Matern 5/2 ARD, zero mean, normal priors on the logarithms of all hyperparameters."""

    def __init__(self, inputs, outputs):
        n, p = inputs.shape
        self.inputs, self.y, self.n, self.p = inputs, outputs, n, p
        self.squares = (inputs[:, None] - inputs[None]) ** 2
        self.location = np.array([np.log(0.5)] * p + [0.0, 2 * np.log(0.3)])
        self.width = np.array([1.5] * p + [2.0, 3.0])

    def energy(self, theta):
        return self.energy_and_gradient(theta)[0]

    def energy_and_gradient(self, theta):
        p, n = self.p, self.n
        lengths, scale, noise = np.exp(theta[:p]), np.exp(theta[p]), np.exp(theta[p + 1])
        r = np.sqrt(5 * self.squares @ lengths**-2)
        decay = np.exp(-r)
        signal = scale * ((1 + r + r**2 / 3) * decay + 1e-6 * np.eye(n))
        factor, failed = dpotrf(signal + noise * np.eye(n), lower=1)
        if failed:
            return 1e300, np.zeros(p + 2)
        inverse = np.tril(dpotri(factor, lower=1)[0])
        inverse = inverse + np.tril(inverse, -1).T
        alpha = inverse @ self.y
        inner = inverse - np.outer(alpha, alpha)
        likelihood = (
            0.5 * self.y @ alpha + np.log(np.diag(factor)).sum() + 0.5 * n * np.log(2 * np.pi)
        )
        slope = inner * scale * 5 / 3 * (1 + r) * decay
        gradient = [0.5 * (slope * self.squares[..., i]).sum() / lengths[i] ** 2 for i in range(p)]
        gradient += [0.5 * (inner * signal).sum(), 0.5 * noise * np.trace(inner)]
        away = (theta - self.location) / self.width
        prior = -stats.norm.logpdf(away).sum() + np.log(self.width).sum()
        return likelihood + prior, np.array(gradient) + away / self.width

    def hessian(self, theta, step=1e-4):
        rows = [
            (self.energy_and_gradient(theta + e)[1] - self.energy_and_gradient(theta - e)[1])
            / (2 * step)
            for e in step * np.eye(len(theta))
        ]
        return 0.5 * (np.array(rows) + np.array(rows).T)

    def quench(self, theta):
        return optimize.minimize(
            self.energy_and_gradient, theta, jac=True, method="BFGS", options={"gtol": 1e-7}
        )

    def descend(self, theta):
        """Where steepest descent ends: the definition of a basin, at the price of an ODE solver.

        BFGS steps over low barriers: on the Nile's, of 0.002 nats, it ends elsewhere in one case of
        twenty.
        """

        def flat(_, x):
            return np.linalg.norm(self.energy_and_gradient(x)[1]) - 1e-3

        flat.terminal = True
        path = integrate.solve_ivp(
            lambda _, x: -self.energy_and_gradient(x)[1],
            (0, 400),
            theta,
            method="LSODA",
            rtol=1e-3,
            atol=1e-4,
            events=flat,
        )
        return path.y[:, -1]


def schwefel(rows=100, inputs=3, seed=1):
    """Points of Schwefel's function; the reference problem unless told otherwise."""
    x = np.random.default_rng(seed).uniform(-500, 500, (rows, inputs))
    y = 418.9829 * inputs - (x * np.sin(np.sqrt(np.abs(x)))).sum(axis=1)
    return Posterior(x / 500, (y - y.mean()) / y.std())


def nile():
    """The annual flow of the Nile, 1871-1970."""
    with NILE.open() as file:
        rows = np.array([[float(r["year"]), float(r["flow"])] for r in csv.DictReader(file)])
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return Posterior(standard[:, :1] / 1.7, standard[:, 1])


def distinct(posterior, points, index):
    """Converged stationary points of a given Hessian index, one of each, lowest first."""
    kept = []
    for x in sorted(points, key=posterior.energy):
        if np.linalg.norm(posterior.energy_and_gradient(x)[1]) > 1e-4:
            continue
        if (np.linalg.eigvalsh(posterior.hessian(x)) < 0).sum() != index:
            continue
        if all(np.linalg.norm(x - other) > 1e-2 for other in kept):
            kept.append(x)
    return np.array(kept).reshape(-1, posterior.p + 2)


def truth(posterior, rng):
    from nautilus import Sampler

    d = posterior.p + 2
    starts = posterior.location + posterior.width * rng.standard_normal((200, d))
    minima = distinct(posterior, [posterior.quench(s).x for s in starts], 0)
    energies = np.array([posterior.energy(m) for m in minima])
    roots = []
    for i in range(len(minima)):
        for j in range(i):
            for t in np.linspace(0.1, 0.9, 17):
                for jitter in (0.0, 0.3, 0.6):
                    x = t * minima[i] + (1 - t) * minima[j] + jitter * rng.standard_normal(d)
                    found = optimize.root(lambda x: posterior.energy_and_gradient(x)[1], x)
                    if found.success:
                        roots.append(found.x)
    states = distinct(posterior, roots, 1)

    def prior(u):
        return posterior.location + posterior.width * stats.norm.ppf(u)

    def log_likelihood(x):
        away = (x - posterior.location) / posterior.width
        log_prior = stats.norm.logpdf(away).sum() - np.log(posterior.width).sum()
        return -posterior.energy(x) - log_prior

    sampler = Sampler(prior, log_likelihood, d, n_live=3000, seed=1)
    sampler.run(n_eff=60_000, discard_exploration=True)
    points, log_w, _ = sampler.posterior()
    w = np.exp(log_w - log_w.max())
    w /= w.sum()
    mean = w @ points
    sd = np.sqrt(w @ (points - mean) ** 2)
    picked = points[rng.choice(len(points), 8000, p=w)]
    ends = np.array([posterior.descend(x) for x in picked])
    basin = np.linalg.norm(ends[:, None] - minima, axis=2).argmin(axis=1)
    return {
        "minima": minima.tolist(),
        "energy": energies.tolist(),
        "transition_state_energy": [posterior.energy(s) for s in states],
        "log_evidence": float(sampler.log_z),
        "effective_draws": float(sampler.n_eff),
        "mean": mean.tolist(),
        "sd": sd.tolist(),
        "occupation": (np.bincount(basin, minlength=len(minima)) / len(basin)).tolist(),
        "occupation_draws": len(basin),
    }


if __name__ == "__main__":
    answers = {
        name: truth(make(), np.random.default_rng(7))
        for name, make in (("schwefel", schwefel), ("nile", nile))
    }
    (HERE / "gp_posteriors.json").write_text(json.dumps(answers, indent=1) + "\n")
