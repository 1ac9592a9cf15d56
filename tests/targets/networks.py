"""Network losses of every kind, for the contract and for tests of their own."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import nn

from bayescape.targets import NetworkLoss

__all__ = ["NETWORKS", "Residual", "classes_of", "data"]


class Residual(nn.Module):
    """No plain sequence, with a buffer, a norm, and a parameter that nobody initialises."""

    def __init__(self):
        super().__init__()
        self.into, self.within = nn.Linear(3, 3), nn.Linear(3, 3)
        self.norm, self.out = nn.BatchNorm1d(3), nn.Linear(3, 2)
        self.gain = nn.Parameter(torch.ones(()))
        self.norm.running_mean += torch.arange(3.0)

    def forward(self, x):
        x = self.into(x)
        return self.out(x + self.gain * torch.tanh(self.norm(self.within(x))))


def data(n=40, p=3, seed=0):
    """Inputs and a smooth function of them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2]


def classes_of(y, count):
    """About as many rows in each class, by size."""
    return np.searchsorted(np.quantile(y, np.arange(1, count) / count), y)


def perceptron(*widths, activation=nn.Tanh, **settings):
    """Linear layers with an activation between them."""
    parts = []
    for fed, feeding in itertools.pairwise(widths):
        parts += [nn.Linear(fed, feeding, **settings), activation()]
    return nn.Sequential(*parts[:-1])


X, Y = data()

NETWORKS = {
    "network-three-classes": lambda: NetworkLoss(perceptron(3, 4, 3), X, classes_of(Y, 3), l2=0.1),
    "network-one-output": lambda: NetworkLoss(
        perceptron(3, 3, 3, 1, activation=nn.Softplus), X, classes_of(Y, 2), l2=0.1
    ),
    "network-squares": lambda: NetworkLoss(
        perceptron(3, 4, 1, activation=nn.GELU, bias=False), X, Y, "mse", l2=0.1, noise=0.1
    ),
    "network-curve": lambda: NetworkLoss(
        perceptron(3, 4, 1), X, classes_of(Y, 2), "auc", l2=0.1, sharpness=2.0
    ),
    "network-residual": lambda: NetworkLoss(Residual(), X, classes_of(Y, 2), l2=0.1),
}
