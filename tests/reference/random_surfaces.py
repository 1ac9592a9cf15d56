"""Random surfaces of which every minimum is known: what statements of coverage are measured on.

Three families, in turn by seed, in two to eight coordinates and with one to thirty minima:

* ``mixture``: a Gaussian mixture with full covariances, whose widths differ by up to a factor of
  four, and weights that have nothing to do with the widths. A narrow component may hold much of the
  probability and be the end of hardly any quench.
* ``ripples``: a quadratic bowl with waves in one to three random directions. Minima of one depth
  and width or another lie side by side, as in a posterior with a periodic part.
* ``curved``: a mixture bent by a shear that keeps volumes, so that valleys are curved and
  quadratics hold only in a small part of each basin.

The truth uses none of the explorer: quenches by its own code from the region in which theory says
all stationary points lie, from points scattered over the box of the starts, from draws of the
density itself, and from the lines between all pairs of minima found. Occupations are the shares of
exact draws (resampled ones, for the ripples) which short steps downhill lead to each minimum.

``python -m tests.reference.random_surfaces`` computes the truth of the first surfaces again and
writes ``random_surfaces.npz`` beside this file.
"""

from __future__ import annotations

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.surfaces import GaussianMixture

STORE = Path(__file__).with_suffix(".npz")
STORED = 240  # surfaces whose truth is in the file
FAMILIES = ("mixture", "ripples", "curved")
MOST = 30  # minima of a surface; one with more is drawn again
CANDIDATES, SCATTERED, DRAWN = 1500, 500, 5000  # quenches that make the truth

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class RandomSurface:
    """A surface and everything that is known of its minima.

    Attributes
    ----------
    seed, family
        What it was drawn by, and one of ``FAMILIES``.
    target
        The surface.
    minima, energies, hessians
        Shapes ``(M, d)``, ``(M,)``, ``(M, d, d)``, lowest energy first.
    occupations
        Probability of each minimum's basin, ``(M,)``; its standard error is about
        ``sqrt(p / DRAWN)``.
    """

    seed: int
    family: str
    target: Mixture | Ripples | Curved
    minima: Array
    energies: Array
    hessians: Array
    occupations: Array


class Mixture(GaussianMixture):
    """A Gaussian mixture that can be drawn from."""

    def draws(self, count: int, rng: np.random.Generator) -> Array:
        """Exact draws, ``(count, d)``."""
        part = rng.choice(len(self.weights), count, p=self.weights / self.weights.sum())
        normal = rng.standard_normal((count, len(self.names)))
        factors = np.linalg.cholesky(self.covariances)
        return self.means[part] + np.einsum("bij,bj->bi", factors[part], normal)

    @property
    def width(self) -> float:
        """The smallest standard deviation in any direction."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariances).min()))

    def candidates(self, count: int, rng: np.random.Generator) -> Array:
        """The means, and points of the ridgeline manifold, on which all stationary points lie.

        It is ``(sum_k a_k P_k)^-1 sum_k a_k P_k m_k`` over the simplex of ``a``, with precisions
        ``P`` and means ``m``: S. Ray, B. G. Lindsay, Ann. Statist. 33, 2042 (2005), theorem 1.
        """
        concentration = np.full(len(self.weights), 1.0 / len(self.weights))
        share = np.maximum(rng.dirichlet(concentration, count), 1e-12)
        precisions = np.linalg.inv(self.covariances)
        pulls = np.einsum("kij,kj->ki", precisions, self.means)
        total = np.einsum("bk,kij->bij", share, precisions)
        return np.concatenate(
            [self.means, np.linalg.solve(total, (share @ pulls)[..., None])[..., 0]]
        )


class _Scattered:
    """Even starts in a box, and coordinates without natural units."""

    names: tuple[str, ...]
    box: Array

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """Points spread evenly over the box, ``(count, d)``."""
        return rng.uniform(self.box[0], self.box[1], (count, len(self.names)))

    def constrain(self, theta: Array) -> dict[str, Array]:
        """The coordinates by name."""
        return {name: theta[:, i] for i, name in enumerate(self.names)}


class Ripples(_Scattered):
    """A bowl with waves: ``x' A x / 2 + sum_j a_j cos(w_j' x + p_j)``.

    Parameters
    ----------
    bowl
        ``A``, positive definite, ``(d, d)``.
    heights, waves, phases
        ``a`` in nats, ``w`` and ``p``: ``(J,)``, ``(J, d)``, ``(J,)``.
    """

    def __init__(self, bowl: Array, heights: Array, waves: Array, phases: Array) -> None:
        self.bowl, self.heights, self.waves, self.phases = bowl, heights, waves, phases
        self.names = tuple(f"x[{i}]" for i in range(len(bowl)))
        self.box = 4.0 * np.sqrt(np.diagonal(np.linalg.inv(bowl))) * np.array([[-1.0], [1.0]])

    def energy(self, theta: Array) -> Array:
        """The surface, ``(B,)``."""
        ripple = np.cos(theta @ self.waves.T + self.phases) @ self.heights
        return 0.5 * ((theta @ self.bowl) * theta).sum(axis=1) + ripple

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient."""
        slope = -np.sin(theta @ self.waves.T + self.phases) * self.heights
        return self.energy(theta), theta @ self.bowl + slope @ self.waves

    def hessian(self, theta: Array) -> Array:
        """Second derivatives."""
        d = len(self.names)
        curved = -np.cos(theta @ self.waves.T + self.phases) * self.heights
        squares = np.einsum("ji,jk->jik", self.waves, self.waves).reshape(-1, d * d)
        return self.bowl + (curved @ squares).reshape(-1, d, d)

    def draws(self, count: int, rng: np.random.Generator) -> Array:
        """Draws of the bowl's normal distribution, resampled by the ripples, ``(count, d)``."""
        wide = np.linalg.inv(np.linalg.cholesky(self.bowl / 2.0))  # flatter than the bowl
        proposals = rng.standard_normal((400_000, len(self.names))) @ wide
        flatter = 0.25 * ((proposals @ self.bowl) * proposals).sum(axis=1)
        log_weight = flatter - self.energy(proposals)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        if 1 / (weight**2).sum() < count:
            raise ArithmeticError(f"only {1 / (weight**2).sum():.0f} effective draws")
        ladder = (rng.uniform() + np.arange(count)) / count
        picked = np.minimum(np.searchsorted(weight.cumsum(), ladder), len(weight) - 1)
        return proposals[picked]

    @property
    def width(self) -> float:
        """A quarter of the shortest wave's radian, or the bowl's smallest standard deviation."""
        shortest = 1 / np.linalg.norm(self.waves, axis=1).max()
        return float(min(shortest, np.linalg.eigvalsh(self.bowl).max() ** -0.5))

    def candidates(self, count: int, rng: np.random.Generator) -> Array:
        """Points of the region in which all stationary points lie, ``A^-1 W'c``, ``|c| <= a``.

        In every direction of the waves' span, out to as far as the region reaches.
        """
        shifts = np.linalg.solve(self.bowl, self.waves.T)  # (d, J)
        towards = rng.standard_normal((count, len(self.names))) @ shifts
        farthest = self.heights * np.sign(towards)
        radius = rng.uniform(size=(count, 1)) ** (1 / np.linalg.matrix_rank(self.waves))
        return (radius * farthest) @ shifts.T


class Curved(_Scattered):
    """A mixture seen through a shear: ``U(z)``, ``z = R'x + bend (r'x)^2`` with ``r`` R's first.

    The Jacobian's determinant is one, so that the probability of every region is kept.

    Parameters
    ----------
    mixture
        The mixture in straight coordinates.
    rotation
        Orthogonal ``R``, ``(d, d)``.
    bend
        Shape ``(d,)``; its first element is zero.
    """

    def __init__(self, mixture: Mixture, rotation: Array, bend: Array) -> None:
        self.mixture, self.rotation, self.bend = mixture, rotation, bend
        self.names = mixture.names
        sample = np.concatenate(
            [self.bent(mixture.means), self.draws(20_000, np.random.default_rng(0))]
        )
        low, high = sample.min(axis=0), sample.max(axis=0)
        self.box = np.stack([low, high])

    def straight(self, theta: Array) -> Array:
        """Coordinates of the mixture, ``(B, d)``."""
        turned = theta @ self.rotation
        return turned + turned[:, :1] ** 2 * self.bend

    def bent(self, z: Array) -> Array:
        """The inverse of `straight`."""
        return (z - z[:, :1] ** 2 * self.bend) @ self.rotation.T

    def energy(self, theta: Array) -> Array:
        """Negative log density, ``(B,)``."""
        return self.mixture.energy(self.straight(theta))

    def _along(self, theta: Array) -> Array:
        """Derivatives of `straight`: ``(B, d, d)``, first the mixture's coordinate."""
        first = self.rotation[:, 0]
        growth = 2 * (theta @ first)[:, None] * self.bend
        return self.rotation.T + growth[:, :, None] * first

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient."""
        energy, slope = self.mixture.energy_and_gradient(self.straight(theta))
        return energy, np.einsum("bzi,bz->bi", self._along(theta), slope)

    def hessian(self, theta: Array) -> Array:
        """Second derivatives."""
        z, along, first = self.straight(theta), self._along(theta), self.rotation[:, 0]
        slope = self.mixture.energy_and_gradient(z)[1]
        pulled = np.swapaxes(along, 1, 2) @ self.mixture.hessian(z) @ along
        return pulled + 2 * (slope @ self.bend)[:, None, None] * np.outer(first, first)

    def draws(self, count: int, rng: np.random.Generator) -> Array:
        """Exact draws, ``(count, d)``."""
        return self.bent(self.mixture.draws(count, rng))

    @property
    def width(self) -> float:
        """That of the mixture."""
        return self.mixture.width

    def candidates(self, count: int, rng: np.random.Generator) -> Array:
        """Those of the mixture: a change of coordinates moves stationary points along."""
        return self.bent(self.mixture.candidates(count, rng))


def draw(seed: int, attempt: int = 0) -> Mixture | Ripples | Curved:
    """The surface of a seed; ``attempt`` counts those that were drawn before and refused."""
    rng = np.random.default_rng([seed, attempt])
    d = int(rng.integers(2, 9))
    family = FAMILIES[seed % len(FAMILIES)]
    if family == "mixture":
        return _draw_mixture(rng, d, count=int(rng.integers(1, 31)))
    if family == "ripples":
        return _draw_ripples(rng, d)
    mixture = _draw_mixture(rng, d, count=int(rng.integers(1, 16)), stretch=rng.uniform(1, 3))
    # A parabola that rises by about one to two standard deviations towards the ends of the first.
    direction = rng.standard_normal(d - 1)
    direction *= rng.uniform(0.5, 2.0) / np.linalg.norm(direction)
    spread = mixture.sd
    bend = np.concatenate([[0.0], direction * spread[1:] / spread[0] ** 2])
    return Curved(mixture, _rotation(rng, d), bend)


def _rotation(rng: np.random.Generator, d: int) -> Array:
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def _draw_mixture(rng: np.random.Generator, d: int, count: int, stretch: float = 1.0) -> Mixture:
    """Components in a cube about the origin, closer or less close; widths from 1/2 to 2."""
    side = rng.uniform(3.0, 7.0) * count ** (1 / d)
    means = rng.uniform(-0.5, 0.5, (count, d)) * side
    scale = 2.0 ** rng.uniform(-1, 1, count)
    longest = np.ones(d)
    longest[0] = stretch
    covariances = []
    for s in scale:
        turn = _rotation(rng, d)
        shape = (turn * np.exp(rng.uniform(-0.7, 0.7, d))) @ turn.T
        covariances.append(s**2 * shape * np.outer(longest, longest))
    means[:, 0] *= stretch
    weights = rng.dirichlet(np.full(count, rng.uniform(0.5, 1.0)))
    weights = np.maximum(weights, 1e-6)
    return Mixture(weights / weights.sum(), means, covariances)


def _draw_ripples(rng: np.random.Generator, d: int) -> Ripples:
    """A bowl of widths 1 to 4 and waves of wavelengths about 2 to 6 in up to three directions."""
    turn = _rotation(rng, d)
    bowl = (turn * np.exp(rng.uniform(-2 * np.log(4.0), 0, d))) @ turn.T
    directions = int(rng.integers(1, min(d, 3) + 1))
    count = int(rng.integers(2, 4 + 3 * directions))
    frame = _rotation(rng, d)[:, :directions]
    waves = rng.standard_normal((count, directions))
    waves *= 2 * np.pi / rng.uniform(2, 6, (count, 1)) / np.linalg.norm(waves, axis=1)[:, None]
    heights = rng.exponential(1.0, count)
    heights *= np.exp(rng.uniform(0, np.log(8.0))) / np.linalg.norm(heights)
    return Ripples(bowl, heights, waves @ frame.T, rng.uniform(0, 2 * np.pi, count))


def descend(
    target: Mixture | Ripples | Curved, theta: Array, longest: float, steps: int = 600
) -> tuple[Array, NDArray[np.bool_]]:
    """Walk points downhill by Newton's steps in the magnitude of the curvature.

    Parameters
    ----------
    target
        What to walk on.
    theta
        Shape ``(B, d)``.
    longest
        The longest step far from convergence.
    steps
        Steps at most.

    Returns
    -------
    tuple
        Ends, ``(B, d)``, and which of them are minima: no gradient, all curvatures positive.
    """
    theta = theta.copy()
    radius = np.full(len(theta), longest)
    energy, gradient = target.energy_and_gradient(theta)
    lowest = np.full(len(theta), -np.inf)
    open_rows = np.arange(len(theta))
    for _ in range(steps):
        values, vectors = np.linalg.eigh(target.hessian(theta[open_rows]))
        slope = np.einsum("bik,bi->bk", vectors, gradient[open_rows])
        lowest[open_rows] = values[:, 0]
        curvature = np.maximum(np.abs(values), 1e-9)
        along = -slope / curvature
        length = np.linalg.norm(along, axis=1)
        done = (np.linalg.norm(slope, axis=1) < 1e-9) | (radius[open_rows] < 1e-13)
        # On a saddle: leave along its lowest mode.
        stuck = done & (values[:, 0] < 0) & (np.linalg.norm(slope, axis=1) < 1e-9)
        along[stuck, 0] = 0.1 * longest
        length[stuck] = 0.1 * longest
        done &= ~stuck
        along *= np.minimum(1.0, radius[open_rows] / np.maximum(length, 1e-300))[:, None]
        foretold = (slope * along + 0.5 * values * along**2).sum(axis=1)
        trial = theta[open_rows] + np.einsum("bik,bk->bi", vectors, along)
        trial_energy, trial_gradient = target.energy_and_gradient(trial)
        change = trial_energy - energy[open_rows]
        rounding = 1e-12 * (1 + np.abs(energy[open_rows]))
        smaller = np.linalg.norm(trial_gradient, axis=1) <= np.linalg.norm(slope, axis=1)
        better = (change < -rounding) | ((np.abs(change) <= rounding) & smaller) | stuck
        better &= ~done
        as_foretold = better & (np.abs(change - foretold) < 0.25 * np.abs(foretold))
        moved = open_rows[better]
        theta[moved], energy[moved] = trial[better], trial_energy[better]
        gradient[moved] = trial_gradient[better]
        step = np.linalg.norm(along, axis=1)
        grown = np.minimum(2 * radius[open_rows], longest)
        radius[open_rows] = np.where(as_foretold, grown, radius[open_rows])
        radius[open_rows] = np.where(better | done, radius[open_rows], 0.25 * step)
        open_rows = open_rows[~done]
        if not len(open_rows):
            break
    flat = np.linalg.norm(gradient, axis=1) < 1e-7
    return theta, flat & (lowest > 0)


class _Known:
    """Minima found so far, and the quenches that led to each."""

    def __init__(self, target: Mixture | Ripples | Curved) -> None:
        self.target, self.width = target, target.width
        self.points = np.empty((0, len(target.names)))

    def near(self, theta: Array) -> NDArray[np.int_]:
        """Which minimum each point is so close to that nothing lies between; -1 for none."""
        if not len(self.points):
            return np.full(len(theta), -1)
        away = np.linalg.norm(theta[:, None] - self.points, axis=2)
        nearest = away.argmin(axis=1)
        return np.where(away[np.arange(len(theta)), nearest] < 1e-4 * self.width, nearest, -1)

    def quench(self, theta: Array, longest: float) -> NDArray[np.int_]:
        """Walk down from points, take up new minima, and say which minimum each came to."""
        ends, settled = descend(self.target, theta, longest)
        basins = np.full(len(theta), -1)
        for row in np.flatnonzero(settled):
            basins[row] = self.near(ends[[row]])[0]
            if basins[row] < 0:
                basins[row] = len(self.points)
                self.points = np.concatenate([self.points, ends[[row]]])
        return basins


def find_truth(target: Mixture | Ripples | Curved, rng: np.random.Generator) -> tuple[Array, Array]:
    """Every minimum, ``(M, d)``, and its occupation, ``(M,)``; gives up beyond ``MOST``."""
    known = _Known(target)
    low, high = target.box
    known.quench(target.candidates(300, rng), 0.5 * target.width)
    if len(known.points) > MOST:
        return known.points, np.empty(0)
    known.quench(target.candidates(CANDIDATES, rng), 0.5 * target.width)
    known.quench(rng.uniform(low, high, (SCATTERED, len(low))), 10 * target.width)
    known.quench(_between(known.points), 0.5 * target.width)
    basins = known.quench(target.draws(DRAWN, rng), target.width)
    known.quench(_between(known.points), 0.5 * target.width)
    lost = (basins < 0).mean()
    if lost > 0.001:
        raise ArithmeticError(f"{lost:.2%} of the draws were led to no minimum")
    counts = np.bincount(basins[basins >= 0], minlength=len(known.points))
    return known.points, counts / counts.sum()


def _between(points: Array) -> Array:
    """Points on the lines between all pairs, ``(9 M (M - 1) / 2, d)``."""
    first, second = np.triu_indices(len(points), 1)
    share = np.linspace(0.1, 0.9, 9)[:, None, None]
    on_lines = (1 - share) * points[first] + share * points[second]
    return on_lines.reshape(-1, points.shape[1])


def compute(seed: int) -> tuple[int, Array, Array]:
    """The truth of a seed: which attempt was taken, its minima, their occupations."""
    for attempt in range(1000):
        target = draw(seed, attempt)
        try:
            minima, occupations = find_truth(target, np.random.default_rng([seed, attempt, 1]))
        except ArithmeticError:
            continue
        if 1 <= len(minima) <= MOST:
            order = np.argsort(target.energy(minima))
            return attempt, minima[order], occupations[order]
    raise RuntimeError(f"no surface of seed {seed} has 1 to {MOST} minima")


@cache
def _stored() -> dict[int, tuple[int, Array, Array]]:
    """What is in the file, by seed; nothing when there is no file."""
    if not STORE.exists():
        return {}
    with np.load(STORE) as arrays:
        a = {name: arrays[name] for name in arrays.files}
    truth, row, place = {}, 0, 0
    for seed, attempt, count, d in zip(
        *(a[k] for k in ("seed", "attempt", "count", "d")), strict=True
    ):
        minima = a["minima"][place : place + count * d].reshape(count, d)
        truth[int(seed)] = int(attempt), minima, a["occupations"][row : row + count]
        row, place = row + count, place + count * d
    return truth


def random_surface(seed: int) -> RandomSurface:
    """The surface of a seed, with its truth from the file, or computed where the file has none.

    Parameters
    ----------
    seed
        Any non-negative integer.
    """
    stored = _stored()
    attempt, minima, occupations = stored[seed] if seed in stored else compute(seed)
    target = draw(seed, attempt)
    return RandomSurface(
        seed=seed,
        family=FAMILIES[seed % len(FAMILIES)],
        target=target,
        minima=minima,
        energies=target.energy(minima),
        hessians=target.hessian(minima),
        occupations=occupations,
    )


def main() -> None:
    """Compute the truth and write the file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=STORED, help="surfaces, from seed 0")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--keep", action="store_true", help="compute only what the file lacks")
    options = parser.parse_args()
    truth = dict(_stored()) if options.keep else {}
    seeds = [seed for seed in range(options.count) if seed not in truth]
    with ProcessPoolExecutor(options.workers) as pool:
        truth |= dict(zip(seeds, pool.map(compute, seeds, chunksize=4), strict=True))
    kept = sorted(truth)
    np.savez_compressed(
        STORE,
        seed=np.array(kept, dtype=np.int32),
        attempt=np.array([truth[seed][0] for seed in kept], dtype=np.int32),
        count=np.array([len(truth[seed][1]) for seed in kept], dtype=np.int32),
        d=np.array([truth[seed][1].shape[1] for seed in kept], dtype=np.int32),
        minima=np.concatenate([truth[seed][1].ravel() for seed in kept]),
        occupations=np.concatenate([truth[seed][2] for seed in kept]),
    )


if __name__ == "__main__":
    main()
