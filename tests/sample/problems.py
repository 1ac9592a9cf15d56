"""Posteriors in closed form for the sampling room, each with a mistake that it can catch."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape


class Mixture:
    """Gaussian modes with a known, not unit, evidence; unequal weights, widths and tilts.

    Catches a lost normalisation, a swapped basin, weights by depth instead of volume. Constrains to
    natural units by an exponential in the first coordinate.
    """

    log_evidence = -7.25

    def __init__(self, weights, means, covariances):
        self.weights = np.array(weights)
        self.means = np.array(means, dtype=float)
        self.covariances = np.array(covariances, dtype=float)
        self.precisions = np.linalg.inv(self.covariances)
        d = self.means.shape[1]
        self.names = tuple(f"x{i}" for i in range(d))
        log_det = np.linalg.slogdet(self.covariances)[1]
        self.constants = np.log(self.weights) - 0.5 * (log_det + d * np.log(2 * np.pi))

    def _parts(self, theta):
        away = theta[:, None] - self.means
        pull = np.einsum("kij,bkj->bki", self.precisions, away)
        return self.constants - 0.5 * (away * pull).sum(axis=2), pull

    def energy(self, theta):
        return -logsumexp(self._parts(theta)[0], axis=1) - self.log_evidence

    def energy_and_gradient(self, theta):
        parts, pull = self._parts(theta)
        total = logsumexp(parts, axis=1)
        share = np.exp(parts - total[:, None])
        return -total - self.log_evidence, np.einsum("bk,bki->bi", share, pull)

    def hessian(self, theta):
        parts, pull = self._parts(theta)
        share = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
        mean = np.einsum("bk,bki->bi", share, pull)
        return (
            np.einsum("bk,kij->bij", share, self.precisions)
            - np.einsum("bk,bki,bkj->bij", share, pull, pull)
            + np.einsum("bi,bj->bij", mean, mean)
        )

    def starts(self, count, rng):
        return rng.normal(scale=10, size=(count, self.means.shape[1]))

    def constrain(self, theta):
        return {"scale": np.exp(theta[:, 0]), "rest": theta[:, 1:]}

    @property
    def mean(self):
        return self.weights @ self.means

    @property
    def sd(self):
        away = self.means - self.mean
        second = np.diagonal(self.covariances, axis1=1, axis2=2) + away**2
        return np.sqrt(self.weights @ second)


def far_apart():
    """Two basins eight widths apart: NUTS never crosses, so a chain's occupation is its start's."""
    return Mixture(
        [0.3, 0.7],
        [[-5.0, 0.0, 1.0], [5.0, 2.0, 0.0]],
        [np.diag([1.0, 0.5, 2.0]), [[0.6, 0.3, 0.0], [0.3, 1.0, 0.0], [0.0, 0.0, 0.2]]],
    )


def single():
    """One basin, strongly correlated."""
    return Mixture([1.0], [[1.0, -2.0]], [[[4.0, 1.9], [1.9, 1.0]]])


def map_of(target, known=None, coverage=0.99):
    """The landscape of a mixture of well separated modes: their means, without any search."""
    known = np.arange(len(target.means)) if known is None else np.array(known)
    theta = target.means[known]
    d = theta.shape[1]
    fields = {
        "names": target.names,
        "minima": theta,
        "energies": target.energy(theta),
        "hessians": target.hessian(theta),
        "hits": np.ones(len(known), int),
        "transition_states": np.empty((0, d)),
        "transition_energies": [],
        "transition_hessians": np.empty((0, d, d)),
        "joins": [],
        "coverage": coverage,
        "evaluations": Evaluations(),
        "stopped": "given",
        "target": target,
    }
    return Landscape.from_arrays(**fields)
