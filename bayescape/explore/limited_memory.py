"""Curvature from the last few steps: for walks in so many coordinates that a matrix is dear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LimitedMemory", "across"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

PAIRS = 12  # steps that are remembered
CURVED = 1e-10  # cosine between a step and its change of gradient, below which it is not kept


class LimitedMemory:
    """The limited-memory BFGS formula for a batch of walks.

    Parameters
    ----------
    count, d
        Number of walks, and of coordinates.

    References
    ----------
    J. Nocedal, S. J. Wright, *Numerical Optimization*, Springer (2006), algorithm 7.4.
    """

    def __init__(self, count: int, d: int) -> None:
        self.step = np.zeros((count, PAIRS, d))  # newest first
        self.change = np.zeros((count, PAIRS, d))
        self.inverse = np.zeros((count, PAIRS))  # of their inner product; 0 where there is no pair

    def forget(self, rows: Rows) -> None:
        """Begin again, with the identity."""
        self.inverse[rows] = 0.0

    def learn(self, rows: Rows, step: Array, change: Array) -> None:
        """Take up steps and changes of the gradient over them, ``(R, d)``.

        Steps over which the gradient did not grow are left out: the formula knows positive
        curvature only.
        """
        along = (step * change).sum(axis=1)
        lengths = np.linalg.norm(step, axis=1) * np.linalg.norm(change, axis=1)
        kept = np.isfinite(lengths) & (along > CURVED * lengths)
        rows = rows[kept]
        for memory, newest in (
            (self.step, step[kept]),
            (self.change, change[kept]),
            (self.inverse, 1 / along[kept]),
        ):
            memory[rows, 1:] = memory[rows, :-1]
            memory[rows, 0] = newest

    def downhill(self, rows: Rows, gradient: Array) -> Array:
        """Quasi-Newton steps down gradients, both ``(R, d)``."""
        step, change, inverse = self.step[rows], self.change[rows], self.inverse[rows]
        q = gradient.copy()
        share = np.zeros((len(rows), PAIRS))
        for i in range(PAIRS):
            share[:, i] = inverse[:, i] * np.einsum("bi,bi->b", step[:, i], q)
            q -= share[:, i, None] * change[:, i]
        square = np.einsum("bi,bi->b", change[:, 0], change[:, 0]) * inverse[:, 0]
        q /= np.where(square > 0, square, 1.0)[:, None]
        for i in reversed(range(PAIRS)):
            back = inverse[:, i] * np.einsum("bi,bi->b", change[:, i], q)
            q += (share[:, i] - back)[:, None] * step[:, i]
        return -q


def across(vectors: Array, direction: Array) -> Array:
    """What is left of vectors across directions of length one, both ``(B, d)``."""
    along = np.einsum("bi,bi->b", vectors, direction)
    return vectors - along[:, None] * direction
