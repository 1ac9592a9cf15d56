"""Which way down, and how far: steps of a batch of walks within their radii.

Two ways, of one interface. `ByHessian` knows all of the curvature, negative too, and is the one in
few coordinates; `ByGradients` keeps no matrix, and is the one in many.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.limited_memory import LimitedMemory
from bayescape.explore.secant import symmetric_rank_one
from bayescape.explore.steepest import steepest_steps

__all__ = ["ByGradients", "ByHessian", "Descent", "lowest_on_the_way"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


class Descent(Protocol):
    """Steps downhill; everything is in units of the length scales."""

    uses_hessians: bool

    def steps(
        self, rows: Rows, gradient: Array, held: NDArray[np.bool_], radius: Array
    ) -> tuple[Array, Array]:
        """Steps of some walks, ``(R, d)``, and the falls that they foretell, ``(R,)``.

        ``gradient`` is zero in the coordinates that are ``held``, both ``(R, d)``, and no step is
        longer than its ``radius``, ``(R,)``.
        """
        ...

    def learn(self, rows: Rows, step: Array, change: Array) -> None:
        """Take up steps that were made and the changes of the gradient over them, ``(R, d)``."""
        ...

    def renew(self, rows: Rows, hessians: Array) -> None:
        """Begin again where learning went wrong: with Hessians, if the way uses them."""
        ...


class ByHessian:
    """Steps along the steepest-descent path of a model Hessian that learns by the rank-one formula.

    Parameters
    ----------
    models
        First guesses, ``(B, d, d)``.
    """

    uses_hessians = True

    def __init__(self, models: Array) -> None:
        self.model = models

    def steps(
        self, rows: Rows, gradient: Array, held: NDArray[np.bool_], radius: Array
    ) -> tuple[Array, Array]:
        """As `Descent.steps`."""
        model = self.model[rows]
        model[held[:, :, None] | held[:, None, :]] = 0.0
        values, vectors = np.linalg.eigh(model)
        slope = np.einsum("bik,bi->bk", vectors, gradient)
        along = steepest_steps(values, slope, radius)
        fall = -(slope * along + 0.5 * values * along**2).sum(axis=1)
        return np.einsum("bik,bk->bi", vectors, along), fall

    def learn(self, rows: Rows, step: Array, change: Array) -> None:
        """As `Descent.learn`."""
        self.model[rows] = symmetric_rank_one(self.model[rows], step, change)

    def renew(self, rows: Rows, hessians: Array) -> None:
        """As `Descent.renew`."""
        self.model[rows] = hessians


class ByGradients:
    """Limited-memory quasi-Newton steps; where the last one met no curvature, as long as may be.

    Parameters
    ----------
    count, d
        Number of walks, and of coordinates.
    """

    uses_hessians = False

    def __init__(self, count: int, d: int) -> None:
        self.memory = LimitedMemory(count, d)
        self.concave = np.zeros(count, dtype=bool)

    def steps(
        self, rows: Rows, gradient: Array, held: NDArray[np.bool_], radius: Array
    ) -> tuple[Array, Array]:
        """As `Descent.steps`."""
        step = np.where(held, 0.0, self.memory.downhill(rows, gradient))
        slope = (gradient * step).sum(axis=1)
        length = np.linalg.norm(step, axis=1)
        share = radius / np.maximum(length, 1e-300)
        concave = self.concave[rows]
        share = np.where(concave, share, np.minimum(1.0, share))
        # Along a quasi-Newton step the model falls by its slope, less half of it at the full step.
        return share[:, None] * step, -slope * np.where(concave, share, share - 0.5 * share**2)

    def learn(self, rows: Rows, step: Array, change: Array) -> None:
        """As `Descent.learn`."""
        self.memory.learn(rows, step, change)
        self.concave[rows] = (step * change).sum(axis=1) < 0

    def renew(self, rows: Rows, hessians: Array) -> None:
        """As `Descent.renew`."""
        self.memory.forget(rows)
        self.concave[rows] = False


def lowest_on_the_way(here: Array, there: Array, fall: Array) -> Array:
    """Where along steps that were refused the energy is lowest, as shares of them, ``(R,)``.

    By the cubic through energies and slopes at both ends, and within a tenth and a half; a quarter
    where these are not finite.

    Parameters
    ----------
    here, there
        Slopes at the beginning and at the end of each step, nats per step.
    fall
        By how much the energy fell over the step.

    References
    ----------
    J. Nocedal, S. J. Wright, *Numerical Optimization*, Springer (2006), equation 3.59.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        first = here + there + 3 * fall
        second = np.sqrt(first**2 - here * there)
        share = 1 - (there + second - first) / (there - here + 2 * second)
    return np.clip(np.where(np.isfinite(share), share, 0.25), 0.1, 0.5)
