"""Points whose energy the others do not foretell: where a basin of its own may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["surprising"]

Array = NDArray[np.float64]

MOST = 1000  # points that are compared: the work grows with the cube
REACH = 2.0  # lengthscale, in standard deviations of the points
TREND = 1e3  # variance of the quadratic trend over that of what departs from it
NOISE = 1e-3  # and of what is no function of the place


def surprising(theta: Array, energies: Array, count: int) -> NDArray[np.int_]:
    """Which points' energies lie furthest from what all other points say of them.

    A Gaussian process with a quadratic trend is laid through the logarithms of the energies, and
    each point is held against its prediction from the others, in closed form. Where the density has
    few basins, wide ones, a narrow one that quenches seldom end in shows in this way for the price
    of values, ten of which cost as much as a quench. On a rugged density every point is as
    surprising as any other, and nothing is gained.

    Parameters
    ----------
    theta, energies
        Points, ``(N, d)``, and their energies in nats, ``(N,)``; what is not finite is left out,
        and so are the last of very many.
    count
        How many to name.

    Returns
    -------
    numpy.ndarray
        Positions, the most surprising first; fewer than ``count`` where there are fewer points.

    References
    ----------
    S. Sundararajan, S. S. Keerthi, "Predictive approaches for choosing hyperparameters in Gaussian
    processes", Neural Comput. 13, 1103 (2001), for the prediction of each from the others.
    """
    judged = np.flatnonzero(np.isfinite(energies))[:MOST]
    spread = theta[judged].std(axis=0) if len(judged) else np.zeros(theta.shape[1])
    if len(judged) < 3 or not (spread > 0).all():
        return judged[:count]
    d = theta.shape[1]
    white = (theta[judged] - theta[judged].mean(axis=0)) / spread
    height = np.log1p((energies[judged] - energies[judged].min()) / d)
    height = (height - height.mean()) / max(float(height.std()), 1e-12)
    inner = white @ white.T
    squares = np.diag(inner)
    away = np.sqrt(5 * np.maximum(squares[:, None] + squares - 2 * inner, 0.0)) / REACH
    # A Matern kernel of order 5/2, and the polynomial one whose functions are the quadratics.
    kernel = (1 + away + away**2 / 3) * np.exp(-away) + TREND * (1 + inner / d) ** 2
    precision = np.linalg.inv(kernel + NOISE * np.eye(len(judged)))
    residual = (precision @ height) / np.sqrt(np.diag(precision))
    return judged[np.argsort(-np.abs(residual), kind="stable")[:count]]
