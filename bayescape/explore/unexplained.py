"""Points of a density that the basins known do not account for: where another may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["unexplained"]

Array = NDArray[np.float64]

FLOOR = 0.1  # nats above the lowest minimum, added before heights are compared by their ratio


def unexplained(
    theta: Array,
    energies: Array,
    minima: Array,
    depths: Array,
    hessians: Sequence[Array] | Array,
    count: int,
) -> NDArray[np.int_]:
    """Which points lie lowest beneath what the harmonic superposition of the minima foretells.

    Foretold is the lowest of the minima's quadratics. A point well below it, by the ratio of the
    heights above the lowest minimum, is in a basin of its own or where a known one departs most
    from its quadratic: on surfaces whose hidden minima are known the first twentieth of hot draws
    leads to one three to five times as often as all of them do, for the price of values.

    Parameters
    ----------
    theta, energies
        Points, ``(N, d)``, and their energies in nats, ``(N,)``.
    minima, depths, hessians
        Those known, ``(M, d)``, one at least, their energies and Hessians.
    count
        How many to name.

    Returns
    -------
    numpy.ndarray
        Positions, the least explained first; fewer than ``count`` where fewer energies are finite.
    """
    foretold = np.full(len(theta), np.inf)
    for point, depth, hessian in zip(minima, depths, hessians, strict=True):
        away = theta - point
        foretold = np.minimum(foretold, depth + 0.5 * ((away @ hessian) * away).sum(axis=1))
    judged = np.flatnonzero(np.isfinite(energies))
    heights = [np.maximum(e[judged] - depths.min(), 0.0) + FLOOR for e in (foretold, energies)]
    return judged[np.argsort(heights[1] / heights[0], kind="stable")[:count]]
