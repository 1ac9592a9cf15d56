"""Posteriors in closed form for the sampling room, each with a mistake that it can catch."""

from __future__ import annotations

import numpy as np

from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape
from bayescape.targets.surfaces import GaussianMixture


class Mixture(GaussianMixture):
    """Gaussian modes with an evidence that is not one, and natural units that are not flat."""

    def constrain(self, theta):
        return {"scale": np.exp(theta[:, 0]), "rest": theta[:, 1:]}


def far_apart():
    """Two basins eight widths apart: NUTS never crosses, so a chain's occupation is its start's.

    Unequal weights, widths and tilts catch a swapped basin and weights by depth alone; the evidence
    of e^-7.25 catches a lost normalisation.
    """
    return Mixture(
        [0.3, 0.7],
        [[-5.0, 0.0, 1.0], [5.0, 2.0, 0.0]],
        [np.diag([1.0, 0.5, 2.0]), [[0.6, 0.3, 0.0], [0.3, 1.0, 0.0], [0.0, 0.0, 0.2]]],
        log_evidence=-7.25,
    )


def single():
    """One basin, strongly correlated: a metric that is not the Hessian's costs draws."""
    return Mixture([1.0], [[1.0, -2.0]], [[[4.0, 1.9], [1.9, 1.0]]], log_evidence=3.5)


def map_of(target, known=None, coverage=0.99):
    """The landscape of a mixture of well separated modes: their means, without any search."""
    known = np.arange(len(target.means)) if known is None else np.array(known)
    theta = target.means[known]
    d = theta.shape[1]
    return Landscape.from_arrays(
        names=target.names,
        minima=theta,
        energies=target.energy(theta),
        hessians=target.hessian(theta),
        hits=np.ones(len(known), int),
        transition_states=np.empty((0, d)),
        transition_energies=[],
        transition_hessians=np.empty((0, d, d)),
        joins=[],
        coverage=coverage,
        evaluations=Evaluations(),
        stopped="given",
        target=target,
    )
