"""A small classifier and a map of minima put together from plain arrays."""

import numpy as np
from torch import nn

import bayescape as bs
from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape


def classifier(classes=3, l2=0.1, rows=60):
    """A network of one linear layer on four inputs, of which only the first two matter."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 4))
    y = np.digitize(X[:, 0] + 0.5 * X[:, 1], np.linspace(-1, 1, classes + 1)[1:-1])
    target = bs.NetworkLoss(nn.Linear(4, classes), X, y, l2=l2)
    return target, X, y


def mapped(target, theta, *, energies=None, hessians=None):
    """A map of these points as minima, with the target's energies and Hessians or others."""
    d = theta.shape[1]
    energies = target.energy(theta) if energies is None else energies
    hessians = target.hessian(theta) if hessians is None else hessians
    return Landscape.from_arrays(
        names=target.names,
        minima=theta,
        energies=energies,
        hessians=hessians,
        hits=np.ones(len(theta)),
        transition_states=np.empty((0, d)),
        transition_energies=[],
        transition_hessians=np.empty((0, d, d)),
        joins=np.empty((0, 2)),
        coverage=1.0,
        evaluations=Evaluations(),
        target=target,
    )


def near_the_best(target, count, spread=0.1, seed=0):
    """Points around the one minimum, ``(count, d)``."""
    best = bs.explore(target, progress=False, max_quenches=4).minima["theta"].values[0]
    return best + spread * np.random.default_rng(seed).normal(size=(count, len(best)))
