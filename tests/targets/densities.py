"""Log densities as a user would write them, for NumPy and torch, at the module's top to be pickled.

All are the same asymmetric density of three coordinates: a rate and its size under Poisson counts,
and a correlated nuisance, so that a swapped or a dropped derivative shows.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from bayescape.targets import from_numpy, from_torch

NAMES = ("log_rate", "trend", "offset")
TIMES = np.array([0.0, 1.0, 2.0, 3.5])
COUNTS = np.array([3.0, 4.0, 9.0, 11.0])


def looped(theta):
    """Plain Python, one count at a time."""
    rate, trend, offset = theta
    total = -0.5 * (rate**2 + (offset - 0.3 * trend) ** 2) - 0.125 * trend**4
    for time, count in zip(TIMES, COUNTS, strict=True):
        predictor = rate + trend * time + math.sin(offset)
        total += count * predictor - math.exp(predictor)
    return total


def batched(theta):
    """NumPy over all points."""
    rate, trend, offset = theta.T
    prior = -0.5 * (rate**2 + (offset - 0.3 * trend) ** 2) - 0.125 * trend**4
    predictor = rate[:, None] + trend[:, None] * TIMES + np.sin(offset)[:, None]
    return prior + (COUNTS * predictor - np.exp(predictor)).sum(axis=1)


def gradient(theta):
    """Of ``looped``."""
    rate, trend, offset = theta
    rest = COUNTS - np.exp(rate + trend * TIMES + np.sin(offset))
    away = offset - 0.3 * trend
    return np.array(
        [
            rest.sum() - rate,
            rest @ TIMES + 0.3 * away - 0.5 * trend**3,
            rest.sum() * np.cos(offset) - away,
        ]
    )


def hessian(theta):
    """Of ``looped``."""
    rate, trend, offset = theta
    mean = np.exp(rate + trend * TIMES + np.sin(offset))
    by = np.stack([np.ones(4), TIMES, np.full(4, np.cos(offset))])
    found = -(by * mean) @ by.T
    found[2, 2] -= (COUNTS - mean).sum() * np.sin(offset)
    slope = np.array([0.0, -0.3, 1.0])
    return found - np.outer(slope, slope) - np.diag([1.0, 1.5 * trend**2, 0.0])


def in_torch(theta):
    """The same."""
    rate, trend, offset = theta
    prior = -0.5 * (rate**2 + (offset - 0.3 * trend) ** 2) - 0.125 * trend**4
    predictor = rate + trend * torch.tensor(TIMES) + offset.sin()
    return prior + (torch.tensor(COUNTS) * predictor - predictor.exp()).sum()


def in_torch_with_a_branch(theta):
    """The same, in a way that cannot be mapped."""
    return in_torch(theta) if theta[0].item() > -1e9 else -theta.square().sum()


def natural(theta):
    """Natural units."""
    return {"rate": np.exp(theta[:, 0]), "rest": theta[:, 1:]}


NEAR = np.array([[0.5, 0.3, 0.1], [1.0, 0.5, -0.4], [0.2, 0.7, 0.6]])

DENSITIES = {
    "torch": lambda: from_torch(in_torch, NAMES, starts=NEAR),
    "torch-point-by-point": lambda: from_torch(in_torch_with_a_branch, NAMES, starts=NEAR),
    "numpy-exact": lambda: from_numpy(looped, gradient, hessian, names=NAMES, starts=NEAR),
    "numpy-gradient": lambda: from_numpy(looped, gradient, names=NAMES, starts=NEAR),
    "numpy-value": lambda: from_numpy(looped, names=NAMES, starts=NEAR, constrain=natural),
    "numpy-batched": lambda: from_numpy(
        batched, names=NAMES, batched=True, bounds=[[-3.0, -2.0, -2.0], [2.0, 1.0, 2.0]]
    ),
}
