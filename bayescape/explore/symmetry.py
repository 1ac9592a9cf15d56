"""Symmetries that a target declares: operations on the coordinates that leave the energy alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.equivalence import Equivalence
from bayescape.targets.target import Target

__all__ = ["Symmetry"]

Array = NDArray[np.float64]

LARGEST = 10_000  # operations that are listed


class Symmetry:
    """The group that a target's declared symmetries generate.

    A target declares them by an attribute ``symmetries`` of shape ``(G, d, d)``: orthogonal
    matrices, ``energy(theta @ matrix.T) == energy(theta)``. Products of them need not be listed.

    Parameters
    ----------
    target
        The target.

    Raises
    ------
    ValueError
        If they have another shape, are not orthogonal, or make more than 10,000 operations, or the
        target has an ``equivalence`` as well.

    Attributes
    ----------
    operations
        All of them, ``(G, d, d)``, the identity first.
    equivalence
        Of the target: a group too large to list, of which but one image of each point is kept.
    """

    def __init__(self, target: Target) -> None:
        self.d = len(target.names)
        declared = getattr(target, "symmetries", None)
        generators = np.empty((0, self.d, self.d))
        if declared is not None:
            generators = np.array(declared, dtype=float)
        if generators.ndim != 3 or generators.shape[1:] != (self.d, self.d):
            raise ValueError(
                f"`target.symmetries` must have shape (G, {self.d}, {self.d}), "
                f"got {generators.shape}"
            )
        if not np.allclose(generators @ generators.transpose(0, 2, 1), np.eye(self.d), atol=1e-10):
            raise ValueError("`target.symmetries` must be orthogonal matrices")
        self.operations = _closure(generators, self.d)
        self.equivalence: Equivalence | None = getattr(target, "equivalence", None)
        if self.equivalence is not None and len(generators):
            raise ValueError("`target` must have `symmetries` or an `equivalence`, not both")

    def __len__(self) -> int:
        return len(self.operations)

    def points(self, theta: Array) -> Array:
        """Images of a point, itself first, ``(G, d)``; the same image may come twice."""
        return self.operations @ theta

    def images(self, theta: Array, hessian: Array) -> Iterator[tuple[Array, Array]]:
        """Images of a point with its Hessian, itself first."""
        yield theta, hessian
        for operation in self.operations[1:]:
            yield operation @ theta, operation @ hessian @ operation.T


def _closure(generators: Array, d: int) -> Array:
    """All products of the generators, the identity first."""
    found = {_key(np.eye(d)): np.eye(d)}
    fresh = [np.eye(d)]
    while fresh:
        products = [g @ f for f in fresh for g in generators]
        fresh = []
        for product in products:
            if _key(product) not in found:
                found[_key(product)] = product
                fresh.append(product)
        if len(found) > LARGEST:
            raise ValueError(f"`target.symmetries` make more than {LARGEST:,} operations")
    return np.stack(list(found.values()))


def _key(matrix: Array) -> bytes:
    return (np.round(matrix, 8) + 0.0).tobytes()
