"""A small classifier, and points near its minimum."""

import numpy as np
from torch import nn

import bayescape as bs


def classifier(classes=3, l2=0.1, rows=60):
    """A network of one linear layer on four inputs, of which only the first two matter."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 4))
    y = np.digitize(X[:, 0] + 0.5 * X[:, 1], np.linspace(-1, 1, classes + 1)[1:-1])
    target = bs.NetworkLoss(nn.Linear(4, classes), X, y, l2=l2)
    return target, X, y


def near_the_best(target, count, spread=0.1, seed=0):
    """Points around the one minimum, ``(count, d)``."""
    best = bs.explore(target, progress=False, max_quenches=4).minima["theta"].values[0]
    return best + spread * np.random.default_rng(seed).normal(size=(count, len(best)))
