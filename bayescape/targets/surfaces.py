"""Analytic surfaces with known stationary points: what the methods are tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

__all__ = ["GaussianMixture", "MuellerBrown", "Schwefel", "SixHumpCamel"]

Array = NDArray[np.float64]


class _Surface:
    """What all surfaces share: evenly scattered starts in a box, and natural units of their own."""

    names: tuple[str, ...]
    box: Array

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """Points spread evenly over the surface's box, ``(count, d)``."""
        return rng.uniform(self.box[0], self.box[1], (count, len(self.names)))

    def constrain(self, theta: Array) -> dict[str, Array]:
        """The coordinates by name."""
        return {name: theta[:, i] for i, name in enumerate(self.names)}


class MuellerBrown(_Surface):
    """The Mueller-Brown potential: three minima, two transition states, a curved valley.

    K. Mueller, L. D. Brown, Theor. Chim. Acta 53, 75 (1979). ``scale`` multiplies the energy, whose
    original barriers of up to 100 are out of reach at temperature 1.

    Parameters
    ----------
    scale
        Positive factor of the energy.
    """

    names = ("x", "y")
    box = np.array([[-1.7, -0.5], [1.2, 2.0]])

    _height = np.array([-200.0, -100.0, -170.0, 15.0])
    _centre = np.array([[1.0, 0.0], [0.0, 0.5], [-0.5, 1.5], [-1.0, 1.0]])
    _form = np.array(
        [
            [[-1.0, 0.0], [0.0, -10.0]],
            [[-1.0, 0.0], [0.0, -10.0]],
            [[-6.5, 5.5], [5.5, -6.5]],
            [[0.7, 0.3], [0.3, 0.7]],
        ]
    )

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def _terms(self, theta: Array) -> tuple[Array, Array]:
        """Each exponential, ``(B, 4)``, and the slope of each exponent, ``(B, 4, 2)``."""
        away = theta[:, None] - self._centre
        slope = 2 * np.einsum("kij,bkj->bki", self._form, away)
        with np.errstate(over="ignore"):
            return self.scale * self._height * np.exp(0.5 * (slope * away).sum(axis=2)), slope

    def energy(self, theta: Array) -> Array:
        """Sum of four exponentials, ``(B,)``."""
        return self._terms(theta)[0].sum(axis=1)

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient."""
        terms, slope = self._terms(theta)
        return terms.sum(axis=1), np.einsum("bk,bki->bi", terms, slope)

    def hessian(self, theta: Array) -> Array:
        """Second derivatives."""
        terms, slope = self._terms(theta)
        curved = np.einsum("bk,bki,bkj->bij", terms, slope, slope)
        return curved + 2 * np.einsum("bk,kij->bij", terms, self._form)


class SixHumpCamel(_Surface):
    """The six-hump camel: ``(4 - 2.1 x^2 + x^4/3) x^2 + x y + (4 y^2 - 4) y^2``.

    Six minima and seven transition states; L. C. W. Dixon, G. P. Szego, *Towards Global
    Optimisation 2*, North-Holland (1978).
    """

    names = ("x", "y")
    box = np.array([[-2.0, -1.2], [2.0, 1.2]])

    def energy(self, theta: Array) -> Array:
        """The polynomial, ``(B,)``."""
        x, y = theta.T
        return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient."""
        x, y = theta.T
        slope = np.stack([8 * x - 8.4 * x**3 + 2 * x**5 + y, x + 16 * y**3 - 8 * y], axis=1)
        return self.energy(theta), slope

    def hessian(self, theta: Array) -> Array:
        """Second derivatives."""
        x, y = theta.T
        hessian = np.ones((len(theta), 2, 2))
        hessian[:, 0, 0] = 8 - 25.2 * x**2 + 10 * x**4
        hessian[:, 1, 1] = 48 * y**2 - 8
        return hessian


class Schwefel(_Surface):
    """Schwefel's function ``418.9829 d - sum x sin sqrt |x|`` between walls at 500.

    H.-P. Schwefel, *Numerical Optimization of Computer Models*, Wiley (1981). In each coordinate it
    has seven minima inside the walls; it is a sum, so a product of these in ``d``.

    Parameters
    ----------
    d
        Number of coordinates.
    """

    def __init__(self, d: int) -> None:
        self.names = tuple(f"x[{i}]" for i in range(d))
        self.box = self.bounds = np.stack([np.full(d, -500.0), np.full(d, 500.0)])

    def energy(self, theta: Array) -> Array:
        """The function, ``+inf`` beyond the walls, ``(B,)``."""
        inside = ((theta >= -500) & (theta <= 500)).all(axis=1)
        value = 418.9829 * theta.shape[1] - (theta * np.sin(np.sqrt(np.abs(theta)))).sum(axis=1)
        return np.where(inside, value, np.inf)

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient."""
        root = np.sqrt(np.abs(theta))
        return self.energy(theta), -np.sin(root) - 0.5 * root * np.cos(root)

    def hessian(self, theta: Array) -> Array:
        """Second derivatives; the kink of the curvature at 0 is given its limit, 0."""
        root = np.sqrt(np.abs(theta))
        safe = np.where(root > 0, root, 1.0)
        curvature = np.sign(theta) * (0.25 * np.sin(root) - 0.75 * np.cos(root) / safe)
        return np.einsum("bi,ij->bij", curvature, np.eye(theta.shape[1]))


class GaussianMixture(_Surface):
    """A mixture of Gaussians: every moment, and the evidence, in closed form.

    Parameters
    ----------
    weights
        Shape ``(K,)``, positive, summing to one.
    means, covariances
        Shapes ``(K, d)``, ``(K, d, d)``.
    log_evidence
        Log of the unnormalised density's integral, nats.
    """

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        log_evidence: float = 0.0,
    ) -> None:
        self.weights = np.array(weights, dtype=float)
        self.means = np.array(means, dtype=float)
        self.covariances = np.array(covariances, dtype=float)
        self.log_evidence = log_evidence
        d = self.means.shape[1]
        self.names = tuple(f"x[{i}]" for i in range(d))
        self._precisions = np.linalg.inv(self.covariances)
        log_det = np.linalg.slogdet(self.covariances)[1]
        self._constants = np.log(self.weights) - 0.5 * (log_det + d * np.log(2 * np.pi))
        reach = 3 * np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        self.box = np.stack([(self.means - reach).min(axis=0), (self.means + reach).max(axis=0)])

    @property
    def mean(self) -> Array:
        """Mean, ``(d,)``."""
        return self.weights @ self.means

    @property
    def sd(self) -> Array:
        """Standard deviations, ``(d,)``."""
        second = np.diagonal(self.covariances, axis1=1, axis2=2) + (self.means - self.mean) ** 2
        return np.sqrt(self.weights @ second)

    def _parts(self, theta: Array) -> tuple[Array, Array]:
        """Log of each weighted density, ``(B, K)``, and its negative slope, ``(B, K, d)``."""
        away = theta[:, None] - self.means
        pull = np.einsum("kij,bkj->bki", self._precisions, away)
        return self._constants - 0.5 * (away * pull).sum(axis=2), pull

    def energy(self, theta: Array) -> Array:
        """Negative log density, ``(B,)``."""
        return -logsumexp(self._parts(theta)[0], axis=1) - self.log_evidence

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient."""
        parts, pull = self._parts(theta)
        total = logsumexp(parts, axis=1)
        share = np.exp(parts - total[:, None])
        return -total - self.log_evidence, np.einsum("bk,bki->bi", share, pull)

    def hessian(self, theta: Array) -> Array:
        """Second derivatives."""
        parts, pull = self._parts(theta)
        share = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
        slope = np.einsum("bk,bki->bi", share, pull)
        return (
            np.einsum("bk,kij->bij", share, self._precisions)
            - np.einsum("bk,bki,bkj->bij", share, pull, pull)
            + slope[:, :, None] * slope[:, None, :]
        )
