"""Families of targets of which every fold is known."""

import numpy as np

from bayescape.targets.surfaces import GaussianMixture


class Ridge:
    """``P(u) + nu u + k w^2 / 2`` in coordinates turned and stretched from ``(u, w)``.

    Its stationary points are those of ``nu = -P'(u)``, which is one curve; its folds are where
    ``P''(u) = 0``.
    """

    names = ("x", "y")

    def __init__(self, nu, coefficients, stiffness=2.0, angle=0.6, stretch=(1.0, 3.0)):
        self.nu, self.stiffness = nu, stiffness
        self.P = np.polynomial.Polynomial(coefficients)
        c, s = np.cos(angle), np.sin(angle)
        self.A = np.array([[c, s], [-s, c]]) / np.array(stretch)
        self.reach = np.max(np.abs(self.P.deriv(2).roots())) + 1

    def energy(self, theta):
        u, w = self.A @ theta.T
        return self.P(u) + self.nu * u + 0.5 * self.stiffness * w**2

    def energy_and_gradient(self, theta):
        u, w = self.A @ theta.T
        slope = np.stack([self.P.deriv()(u) + self.nu, self.stiffness * w], axis=1)
        return self.energy(theta), slope @ self.A

    def hessian(self, theta):
        u = (self.A @ theta.T)[0]
        inner = np.zeros((len(theta), 2, 2))
        inner[:, 0, 0], inner[:, 1, 1] = self.P.deriv(2)(u), self.stiffness
        return self.A.T @ inner @ self.A

    def starts(self, count, rng):
        return rng.uniform(-1, 1, (count, 2)) * self.reach @ np.linalg.inv(self.A).T

    def constrain(self, theta):
        return {"x": theta[:, 0], "y": theta[:, 1]}

    def folds(self):
        """Parameter and point of every fold, by parameter."""
        roots = self.P.deriv(2).roots()
        u = np.real(roots[np.abs(np.imag(roots)) < 1e-9])
        points = np.linalg.solve(self.A, np.stack([u, np.zeros_like(u)])).T
        order = np.argsort(-self.P.deriv()(u))
        return -self.P.deriv()(u)[order], points[order]


def spreading_mixture(seed):
    """The random mixture of six Gaussians whose centres move apart, as a function of how far."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 6))
    centres, weights = rng.normal(0, 1, (6, d)), rng.dirichlet(np.full(6, 3.0))
    roots = rng.normal(0, 1, (6, d, d))
    covariances = 0.3 * np.einsum("kij,klj->kil", roots, roots) / d + 0.3 * np.eye(d)
    return lambda spread: GaussianMixture(weights, spread * centres, covariances)
