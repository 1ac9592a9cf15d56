"""The energy of a Gaussian process's hyperparameters in plain NumPy and SciPy.

It is written apart from `bayescape`, so that what the catalogue takes for true does not rest on the
code that it judges.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.linalg import cho_factor, cho_solve

__all__ = ["Energy", "Prior", "default_priors"]

Array = NDArray[np.float64]
Prior = tuple[str, float, float]

JITTER = 1e-6  # of the outputscale, on the diagonal
NU_STEP = 1e-5  # of log nu, in differences of the correlation
REFUSED = 1e300  # energy where the covariance is not positive definite, or outside the walls


def default_priors(inputs: int) -> dict[str, Prior]:
    """The documented default priors for standardised data, as numbers."""
    location = np.sqrt(2) + 0.5 * np.log(inputs) + 0.5 * np.log(12)
    return {
        "lengthscale": ("lognormal", location, np.sqrt(3)),
        "outputscale": ("gamma", 2.0, 0.15),
        "noise": ("lognormal", -4.0, 1.0),
        "nu": ("inverse-gamma", 1.5, 2.0),
        "mean": ("normal", 0.0, 1.0),
    }


def _correlation(kernel: str, nu: float, z: Array) -> tuple[Array, Array]:
    """Correlation at ``z = sqrt(2 nu) r``, and minus its slope over ``z``, 0 where ``z`` is."""
    if kernel == "rbf":
        return np.exp(-0.5 * z**2), np.exp(-0.5 * z**2)
    if nu == 0.5:
        return np.exp(-z), np.exp(-z) / np.where(z > 0, z, np.inf)
    if nu == 1.5:
        return (1 + z) * np.exp(-z), np.exp(-z)
    if nu == 2.5:
        return (1 + z + z**2 / 3) * np.exp(-z), (1 + z) * np.exp(-z) / 3
    apart = z > 0
    x = z[apart]
    value, slope = np.ones_like(z), np.zeros_like(z)
    log_constant = (1 - nu) * np.log(2) - special.gammaln(nu)
    # Scaled Bessel functions: the plain ones are zero from 700 on, and infinite near zero.
    value[apart] = np.exp(log_constant + nu * np.log(x) - x) * special.kve(nu, x)
    slope[apart] = np.exp(log_constant + (nu - 1) * np.log(x) - x) * special.kve(nu - 1, x)
    value[~np.isfinite(value)] = 1.0
    slope[~np.isfinite(slope)] = 0.0
    return value, slope


@dataclasses.dataclass(frozen=True)
class Energy:
    """Negative log of marginal likelihood times prior over the coordinates, in nats.

    Attributes
    ----------
    inputs, outputs
        In the model's units, ``(n, p)`` and ``(n,)``.
    kernel, nu
        ``"rbf"``, or ``"matern"`` and its order or ``"free"``.
    priors
        One for each coordinate, ``None`` where it is flat.
    walls
        ``(2, d)``.
    mean
        Whether the last coordinate is a constant mean.
    """

    inputs: Array
    outputs: Array
    kernel: str
    nu: float | str
    priors: Sequence[Prior | None]
    walls: Array
    mean: bool = False

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return len(self.priors)

    def __call__(self, theta: Array) -> float:
        return self.with_gradient(theta)[0]

    def with_gradient(self, theta: Array) -> tuple[float, Array]:
        """At one point ``(d,)``."""
        theta = np.asarray(theta, dtype=float)
        n, p = self.inputs.shape
        outside = (theta < self.walls[0]) | (theta > self.walls[1])
        if outside.any() or np.abs(theta).max() > 300:
            return REFUSED, np.zeros(self.d)
        squares = (self.inputs[:, None] - self.inputs[None]) ** 2 * np.exp(-2 * theta[:p])
        scale, noise = np.exp(theta[p : p + 2])
        distance = np.sqrt(squares.sum(axis=2))
        order = float(np.exp(theta[p + 2])) if self.nu == "free" else self.nu

        def at(nu: float) -> tuple[Array, Array, float]:
            factor = 1.0 if self.kernel == "rbf" else np.sqrt(2 * nu)
            return *_correlation(self.kernel, nu, factor * distance), factor**2

        correlation, slope, factor = at(order)
        signal = scale * (correlation + JITTER * np.eye(n))
        try:
            chol = cho_factor(signal + noise * np.eye(n), lower=True)
        except np.linalg.LinAlgError:
            return REFUSED, np.zeros(self.d)
        y = self.outputs - (theta[-1] if self.mean else 0.0)
        alpha = cho_solve(chol, y)
        energy = 0.5 * y @ alpha + np.log(np.diag(chol[0])).sum() + 0.5 * n * np.log(2 * np.pi)
        inner = 0.5 * (cho_solve(chol, np.eye(n)) - np.outer(alpha, alpha))
        gradient = [(inner * scale * factor * slope * squares[..., i]).sum() for i in range(p)]
        gradient += [(inner * signal).sum(), noise * np.trace(inner)]
        if self.nu == "free":
            up, down = (at(order * np.exp(s))[0] for s in (NU_STEP, -NU_STEP))
            gradient.append((inner * scale * (up - down)).sum() / (2 * NU_STEP))
        if self.mean:
            gradient.append(-alpha.sum())
        slopes = np.array(gradient)
        for i, prior in enumerate(self.priors):
            if prior is not None:
                value, change = _prior(prior, theta[i])
                energy -= value
                slopes[i] -= change
        return float(energy), slopes


def _prior(prior: Prior, t: float) -> tuple[float, float]:
    """Log density over a coordinate, Jacobian of the logarithm included, and its slope."""
    kind, a, b = prior
    if kind in ("normal", "lognormal"):  # the logarithm of a log-normal variable is normal
        return stats.norm.logpdf(t, a, b), (a - t) / b**2
    if kind == "gamma":
        return stats.gamma.logpdf(np.exp(t), a, scale=1 / b) + t, a - b * np.exp(t)
    if kind == "inverse-gamma":
        return stats.invgamma.logpdf(np.exp(t), a, scale=b) + t, b * np.exp(-t) - a
    raise ValueError(f"`prior` must be of a known kind, got {kind!r}")
