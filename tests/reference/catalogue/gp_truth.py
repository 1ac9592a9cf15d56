"""Truth for the catalogue's Gaussian processes, got without bayescape's explorer or samplers.

Run ``python -m tests.reference.catalogue.gp_truth [NAMES]`` from the repository's root, with
nautilus-sampler (1.0.6) installed. It takes about an hour on one core and writes
``gaussian_processes.json``, entry by entry; entries named are made anew, and without names those
that are missing.

* Minima: 200 L-BFGS-B quenches of the energy in plain NumPy from draws of the prior, or from
  between the walls, polished by Newton steps. Those at a wall are none.
* Moments and evidence, up to four coordinates: the trapezium rule along each, which converges
  faster than any power for smooth densities that vanish at both ends, and Gauss's where a wall cuts
  the density off. Nodes that a coarse grid shows to be `DEEP` nats up are left out. Grids become
  finer until two agree; what they differ by is stored as the error. Beyond four coordinates:
  nautilus (J. U. Lange, MNRAS 525, 3181, 2023).
* Occupation: where steepest descent, by LSODA, leads points drawn by their weights. Which way is
  steepest depends on the units of the coordinates: here, as in `bayescape`, the prior's spread.

For speed, quadrature, nautilus and descent call bayescape's compiled energy and gradient, once
these are found equal to those in plain NumPy at 200 points.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, ndimage, optimize, special, stats

from bayescape import GaussianProcess
from tests.reference.catalogue.gaussian_processes import (
    BY_QUADRATURE,
    PROBLEMS,
    STORED,
    Problem,
)
from tests.reference.catalogue.gp_energy import REFUSED, Energy

Array = NDArray[np.float64]

QUENCHES = 200
KEPT = 12.0  # nats above the lowest minimum: those higher hold no mass to speak of
DEEP = 20.0  # nats above the lowest, where there is no mass to speak of
REACH = 6.5  # prior standard deviations that the grids reach
COARSE = 0.6  # spacing of the grid that shows where the mass is
# In units of the smallest standard deviation that a variance can have by so many rows, the root of
# 2 / n: the trapezium rule's relative error on a Gaussian of this width is 2 exp(-2 pi^2 /
# spacing^2), 9e-4 and 2e-6 for the first two. Finer ones follow until two in a row agree.
SPACINGS = (1.6, 1.2, 0.8, 0.6, 0.45)
AGREED = 0.005  # nats of evidence, standard deviations of means, half the relative error of others
WIDEST = 0.3  # spacing of the finer grid, however few the rows
GAUSS = 1.6  # times as many nodes where they are not even: they are sparser in the middle
CHUNK = 20_000
FOLLOWED = 40_000
STAGES = (0.0, 3.0, 20.0, 100.0, 400.0)  # of the descent, after which it is looked at
ARRIVED = 0.02  # from a minimum, in every coordinate
LIVE, EFFECTIVE = 2000, 60_000


def from_prior(energy: Energy, u: Array) -> Array:
    """Points of the prior's cumulative probabilities, or evenly between the walls."""
    inverse: dict[str, Callable[..., Array]] = {
        "lognormal": lambda q, a, b: stats.norm.ppf(q, a, b),
        "normal": lambda q, a, b: stats.norm.ppf(q, a, b),
        "gamma": lambda q, a, b: np.log(stats.gamma.ppf(q, a, scale=1 / b)),
        "inverse-gamma": lambda q, a, b: np.log(stats.invgamma.ppf(q, a, scale=b)),
    }
    theta = np.empty_like(u)
    for i, prior in enumerate(energy.priors):
        low, high = energy.walls[:, i]
        if prior is None:
            theta[..., i] = low + (high - low) * u[..., i]
        else:
            found = inverse[prior[0]](u[..., i], *prior[1:])
            theta[..., i] = np.clip(found, low, high)
    return theta


def check(energy: Energy, target: GaussianProcess, points: Array) -> float:
    """How far the compiled energy and gradient are off, relatively; it must not be far."""
    pairs = [energy.with_gradient(x) for x in points]
    there = np.array([e < REFUSED for e, _ in pairs])
    known, slopes = np.array([e for e, _ in pairs]), np.array([g for _, g in pairs])
    found, gradients = target.energy_and_gradient(points)
    off = np.abs(found - known)[there] / np.maximum(1, np.abs(known[there]))
    size = np.maximum(1, np.abs(slopes[there]).max(axis=1))
    tilt = np.abs(gradients - slopes)[there].max(axis=1) / size
    assert there.sum() > 150, there.sum()
    assert off.max() < 1e-8, off.max()
    assert tilt.max() < 1e-5, tilt.max()
    return float(off.max())


def polished(energy: Energy, x: Array) -> tuple[Array, Array]:
    """A stationary point by Newton steps on differences of the gradient, and its Hessian there."""
    step = 1e-4 * np.eye(energy.d)
    for _ in range(6):
        hessian = np.array(
            [(energy.with_gradient(x + e)[1] - energy.with_gradient(x - e)[1]) / 2e-4 for e in step]
        )
        hessian = 0.5 * (hessian + hessian.T)
        gradient = energy.with_gradient(x)[1]
        if np.linalg.norm(gradient) < 1e-9:
            break
        move = np.linalg.lstsq(hessian, -gradient, rcond=None)[0]
        x = x + move / max(1.0, float(np.linalg.norm(move)))
    return x, hessian


def minima_of(energy: Energy, rng: np.random.Generator) -> Array:
    """Interior minima, lowest first, up to ``KEPT`` above the lowest."""
    found: list[Array] = []
    spread = 0.5 + 0.99 * (rng.uniform(size=(QUENCHES, energy.d)) - 0.5)
    for start in from_prior(energy, spread):
        end = optimize.minimize(
            energy.with_gradient,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(*energy.walls, strict=True)),
            options={"ftol": 1e-13, "gtol": 1e-6, "maxiter": 500},
        ).x
        at_wall = (np.abs(end - energy.walls) < 1e-3).any()
        if at_wall or any(np.abs(end - other).max() < 1e-2 for other in found):
            continue
        x, hessian = polished(energy, end)
        settled = np.linalg.norm(energy.with_gradient(x)[1]) < 1e-6
        inside = ((x > energy.walls[0]) & (x < energy.walls[1])).all()
        is_new = all(np.abs(x - other).max() > 1e-3 for other in found)
        if settled and inside and is_new and np.linalg.eigvalsh(hessian).min() > 0:
            found.append(x)
    found.sort(key=energy)
    return np.array([x for x in found if energy(x) < energy(found[0]) + KEPT])


def rule(energy: Energy, box: Array, spacing: float) -> tuple[list[Array], list[Array]]:
    """Nodes and logarithms of weights along each axis."""
    axes, log_weights = [], []
    for (low, high), walls in zip(box.T, energy.walls.T, strict=True):
        count = int(np.ceil((high - low) / spacing)) + 1
        if low > walls[0] and high < walls[1]:
            axes.append(np.linspace(low, high, count))
            log_weights.append(np.full(count, np.log((high - low) / (count - 1))))
        else:
            x, w = special.roots_legendre(int(np.ceil(GAUSS * count)))
            axes.append(0.5 * (high + low) + 0.5 * (high - low) * x)
            log_weights.append(np.log(0.5 * (high - low) * w))
    return axes, log_weights


def evaluated(target: GaussianProcess, theta: Array) -> Array:
    """Energies of many points, some at a time."""
    parts = [target.energy(theta[i : i + CHUNK]) for i in range(0, len(theta), CHUNK)]
    return np.concatenate(parts)


def where_mass_is(
    energy: Energy, target: GaussianProcess, box: Array, lowest: float
) -> tuple[list[Array], NDArray[np.bool_]]:
    """A coarse grid's axes, and which of its nodes are near to some mass."""
    axes = [np.linspace(*ends, int(np.ceil((ends[1] - ends[0]) / COARSE)) + 1) for ends in box.T]
    theta = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    low = evaluated(target, theta).reshape([len(a) for a in axes]) < lowest + DEEP
    return axes, ndimage.binary_dilation(low, np.ones((3,) * energy.d))


def _agree(one: tuple[Array, Array, float], other: tuple[Array, Array, float]) -> bool:
    """Whether two grids do, in means, standard deviations and evidence."""
    sd = other[1]
    return bool(
        (np.abs(one[0] - other[0]) < AGREED * sd).all()
        and (np.abs(one[1] - sd) < 2 * AGREED * sd).all()
        and abs(one[2] - other[2]) < AGREED
    )


def by_quadrature(
    energy: Energy, target: GaussianProcess, minima: Array, rng: np.random.Generator
) -> tuple[dict[str, Any], Array]:
    """Moments and evidence with what two grids differ by, and points drawn by weight."""
    tail = stats.norm.cdf(-REACH)
    box = from_prior(energy, np.array([[tail] * energy.d, [1 - tail] * energy.d]))
    # Between walls the tails of an even density are all but the walls themselves.
    box = np.where(np.abs(box - energy.walls) < 1e-6, energy.walls, box)
    coarse, near = where_mass_is(energy, target, box, energy(minima[0]))
    unit = min(np.sqrt(2 / len(energy.outputs)), WIDEST / SPACINGS[1])
    found = []
    for spacing in SPACINGS:
        axes, log_weights = rule(energy, box, spacing * unit)
        closest = [np.abs(a[:, None] - c).argmin(axis=1) for a, c in zip(axes, coarse, strict=True)]
        at = np.nonzero(near[np.ix_(*closest)])
        theta = np.stack([a[k] for a, k in zip(axes, at, strict=True)], axis=1)
        log_w = np.sum([w[k] for w, k in zip(log_weights, at, strict=True)], axis=0)
        log_mass = log_w - evaluated(target, theta)
        top = log_mass.max()
        mass = np.exp(log_mass - top)
        weights = mass / mass.sum()
        mean = weights @ theta
        sd = np.sqrt(weights @ (theta - mean) ** 2)
        found.append((mean, sd, float(np.log(mass.sum()) + top)))
        if len(found) > 1 and _agree(*found[-2:]):
            break
    (mean_0, sd_0, evidence_0), (mean, sd, evidence) = found[-2:]
    ranks = (np.arange(FOLLOWED) + rng.uniform()) / FOLLOWED
    picked = theta[np.searchsorted(np.cumsum(weights), ranks).clip(max=len(theta) - 1)]
    return {
        "how": "quadrature",
        "nodes": len(theta),
        "log_evidence": evidence,
        "log_evidence_error": abs(evidence - evidence_0),
        "mean": mean.tolist(),
        "mean_error": np.abs(mean - mean_0).tolist(),
        "sd": sd.tolist(),
        "sd_error": np.abs(sd - sd_0).tolist(),
    }, picked


def by_nautilus(
    energy: Energy, target: GaussianProcess, rng: np.random.Generator
) -> tuple[dict[str, Any], Array]:
    """Moments and evidence of a long run, with its errors, and points drawn by weight."""
    from nautilus import Sampler

    assert all(prior is not None for prior in energy.priors)
    sampler = Sampler(
        lambda u: from_prior(energy, u),
        lambda x: -target.energy(x) - target.log_prior(x),
        energy.d,
        n_live=LIVE,
        vectorized=True,
        seed=1,
    )
    sampler.run(n_eff=EFFECTIVE, discard_exploration=True)
    theta, log_w, _ = sampler.posterior()
    weights = np.exp(log_w - log_w.max())
    weights /= weights.sum()
    mean = weights @ theta
    sd = np.sqrt(weights @ (theta - mean) ** 2)
    fourth = weights @ ((theta - mean) / sd) ** 4
    root = np.sqrt(float(sampler.n_eff))
    return {
        "how": "nautilus",
        "effective_draws": float(sampler.n_eff),
        "values": int(sampler.n_like),
        "log_evidence": float(sampler.log_z),
        "log_evidence_error": 1 / root,
        "mean": mean.tolist(),
        "mean_error": (sd / root).tolist(),
        "sd": sd.tolist(),
        "sd_error": (0.5 * sd * np.sqrt(fourth - 1) / root).tolist(),
    }, theta[rng.choice(len(theta), FOLLOWED, p=weights)]


def spread(energy: Energy) -> Array:
    """Standard deviation of the prior by coordinate, as for a normal one with its quartiles."""
    low, high = from_prior(energy, np.array([[0.25], [0.75]]) * np.ones(energy.d))
    return (high - low) / (stats.norm.ppf(0.75) - stats.norm.ppf(0.25))


def basin_of(target: GaussianProcess, walls: Array, unit: Array, x: Array, minima: Array) -> int:
    """The minimum at which steepest descent ends; -1 for none. At a wall it goes along it."""

    def slope(x: Array, _: float) -> Array:
        inside = np.clip(x, walls[0] + 1e-9, walls[1] - 1e-9)
        down = -(unit**2) * target.energy_and_gradient(inside[None])[1][0]
        return np.where(((x <= walls[0]) & (down < 0)) | ((x >= walls[1]) & (down > 0)), 0.0, down)

    for begin, end in itertools.pairwise(STAGES):
        x = integrate.odeint(slope, x, [begin, end], rtol=1e-3, atol=1e-4, mxstep=20_000)[-1]
        away = np.abs(x - minima).max(axis=1)
        if away.min() < ARRIVED:
            return int(away.argmin())
    return -1


def truth(problem: Problem) -> dict[str, Any]:
    """All that is stored of a posterior."""
    begun = time.process_time()
    rng = np.random.default_rng(7)
    energy, target = problem.energy(), problem.target()
    off = check(energy, target, from_prior(energy, rng.uniform(0.01, 0.99, (200, energy.d))))
    minima = minima_of(energy, rng)
    if energy.d <= BY_QUADRATURE:
        answer, picked = by_quadrature(energy, target, minima, rng)
    else:
        answer, picked = by_nautilus(energy, target, rng)
    walled = np.isfinite(energy.walls).any() and None in energy.priors
    if len(minima) > 1 or walled:
        unit = spread(energy)
        basins = np.array([basin_of(target, energy.walls, unit, x, minima) for x in picked])
        share = np.array([(basins == k).mean() for k in range(len(minima))])
    else:  # all descents end in the only minimum
        share = np.ones(1)
    return answer | {
        "minima": minima.tolist(),
        "energy": [energy(x) for x in minima],
        "occupation": share.tolist(),
        "occupation_error": np.sqrt(share * (1 - share) / len(picked)).tolist(),
        "occupation_draws": len(picked),
        "energies_agree_to": off,
        "seconds": round(time.process_time() - begun, 1),
    }


def main(names: list[str]) -> None:
    """Make what is missing, or what is named."""
    answers = json.loads(STORED.read_text()) if STORED.exists() else {}
    for problem in PROBLEMS:
        if problem.name in names or (not names and problem.name not in answers):
            answers[problem.name] = truth(problem)
            STORED.write_text(json.dumps(answers, indent=1) + "\n")
            done = answers[problem.name]
            sys.stderr.write(f"{problem.name}: {done['seconds']} s, {done['occupation']}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
