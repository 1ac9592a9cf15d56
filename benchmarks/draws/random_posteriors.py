"""Posteriors drawn at random, with their truth: what no constant of the package was chosen on.

Each is a mixture of Gaussians or of t distributions, with up to six components of unequal weights
and shapes in two to eight dimensions, led through maps with an inverse in closed form: stretched
and skewed along each axis by a hyperbolic sine (Jones and Pewsey, *Biometrika* 96 (2009) 761),
bent along one axis by another, and turned. Its log evidence is zero, and its moments are those of
``SAMPLE`` points drawn directly; where so few draws as are judged would not tell a standard
deviation, for one in a thousand of them makes it, it is not judged.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from tests.reference.catalogue.posterior import Posterior, Truth
from tests.reference.catalogue.shapes import spread

__all__ = ["Drawn", "drawn", "random_posterior"]

Array = NDArray[np.float64]
Tensor = torch.Tensor

SAMPLE = 1_000_000
TELLING = 40.0  # kurtosis: above it 4,000 independent draws know a standard deviation to 5% at best
DEGREES = (6.0, 30.0)  # of freedom, of t distributions: the fourth moment exists


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A random density: a mixture in ``u``, and how ``x`` is made from it.

    Attributes
    ----------
    weights, means, factors
        Shapes ``(K,)``, ``(K, d)``, and ``(K, d, d)``: lower Cholesky factors.
    degrees
        Of freedom, or infinity for Gaussians.
    skew, tail
        Of the hyperbolic sine along each axis, ``(d,)``; 0 and 1 for none.
    bends
        Along axis ``i``, by an amount times the square of axis ``j``.
    turn
        Orthogonal, ``(d, d)``.
    """

    weights: Array
    means: Array
    factors: Array
    degrees: float
    skew: Array
    tail: Array
    bends: tuple[tuple[int, int, float], ...]
    turn: Array

    @cached_property
    def inverses(self) -> Array:
        """Of the factors, ``(K, d, d)``."""
        return np.linalg.inv(self.factors)

    @cached_property
    def at_centre(self) -> float:
        """Log density of a standard component at its centre."""
        centre, nu = np.zeros(self.means.shape[1]), self.degrees
        if np.isinf(nu):
            return float(-0.5 * len(centre) * np.log(2 * np.pi))
        return float(stats.multivariate_t(centre, np.eye(len(centre)), df=nu).logpdf(centre))

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """Points ``(count, d)``."""
        d = self.means.shape[1]
        component = rng.choice(len(self.weights), count, p=self.weights)
        z = rng.standard_normal((count, d))
        if np.isfinite(self.degrees):
            z *= np.sqrt(self.degrees / rng.chisquare(self.degrees, count))[:, None]
        u = np.empty((count, d))
        for k in range(len(self.weights)):
            of = component == k
            u[of] = self.means[k] + z[of] @ self.factors[k].T
        u = np.sinh((np.arcsinh(u) + self.skew) / self.tail)
        for i, j, amount in self.bends:
            u[:, i] += amount * u[:, j] ** 2
        return u @ self.turn.T

    def log_density(self, x: Tensor) -> Tensor:
        """Log density of one point ``(d,)``."""
        u = torch.as_tensor(self.turn.T) @ x
        for i, j, amount in reversed(self.bends):
            u = u - amount * u[j] ** 2 * torch.eye(len(u), dtype=u.dtype)[i]
        tail, skew = torch.as_tensor(self.tail), torch.as_tensor(self.skew)
        inner = torch.arcsinh(u) * tail - skew
        slope = torch.log(torch.cosh(inner)) + torch.log(tail) - 0.5 * torch.log1p(u**2)
        v = torch.sinh(inner)
        away = (v - torch.as_tensor(self.means))[..., None]
        square = ((torch.as_tensor(self.inverses) @ away)[..., 0] ** 2).sum(dim=1)
        widths = torch.diagonal(torch.as_tensor(self.factors), dim1=1, dim2=2)
        logs = torch.as_tensor(np.log(self.weights)) - torch.log(widths).sum(dim=1)
        if np.isfinite(nu := self.degrees):
            logs = logs - 0.5 * (nu + len(v)) * torch.log1p(square / nu)
        else:
            logs = logs - 0.5 * square
        return torch.logsumexp(logs, 0) + self.at_centre + slope.sum()


def drawn(rng: np.random.Generator, hardness: float) -> Drawn:
    """A density drawn at random; see `random_posterior`."""
    d, count = int(rng.integers(2, 9)), int(rng.integers(1, 7))
    axes = np.exp(rng.normal(0.0, 0.5 * hardness, (count, d)))
    turned = [stats.special_ortho_group.rvs(d, random_state=rng) for _ in range(count)]
    covariances = [t @ np.diag(a**2) @ t.T for t, a in zip(turned, axes, strict=True)]
    heavy = rng.random() < 0.3
    shaped = not heavy and rng.random() < 0.6  # a square of a t would have no fourth moment
    bends = ()
    if shaped:
        pairs = [rng.choice(d, 2, replace=False) for _ in range(int(rng.integers(1, 3)))]
        bends = tuple((int(i), int(j), float(rng.normal(0.0, 0.3 * hardness))) for i, j in pairs)
    return Drawn(
        weights=rng.dirichlet(np.full(count, 1.5)),
        means=rng.normal(0.0, hardness * rng.uniform(1.0, 4.0), (count, d)),
        factors=np.linalg.cholesky(np.array(covariances)),
        degrees=float(rng.uniform(*DEGREES)) if heavy else np.inf,
        skew=rng.normal(0.0, 0.3 * hardness, d) if shaped else np.zeros(d),
        tail=np.exp(rng.uniform(-0.1, 0.25, d) * hardness) if shaped else np.ones(d),
        bends=bends,
        turn=stats.special_ortho_group.rvs(d, random_state=rng),
    )


def random_posterior(seed: int, hardness: float) -> Posterior:
    """A posterior drawn at random, the same for the same seed.

    Parameters
    ----------
    seed
        Whole, from 0.
    hardness
        Multiplies the spread of widths, as logarithms, of positions, and of what bends and skews.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 77]))
    density = drawn(rng, hardness)
    points = density.sample(SAMPLE, rng)
    low, high = np.quantile(points, [0.001, 0.999], axis=0)
    mean, sd = points.mean(axis=0), points.std(axis=0)
    kurtosis = (((points - mean) / sd) ** 4).mean(axis=0)
    sd[kurtosis > TELLING] = np.nan
    truth = Truth(mean, sd, 0.0)
    kind = "t" if np.isfinite(density.degrees) else "bent" if density.bends else "gaussian"
    return Posterior(
        f"random-{seed}-{kind}-{len(density.weights)}-in-{len(low)}d",
        make=lambda: spread(density.log_density, len(low), low, high),
        truth=lambda: truth,
        how="a million points drawn directly; a normalised density",
        catches="a constant that suits the catalogue alone",
    )
