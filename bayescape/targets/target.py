"""The one interface that everything else rests on: a batched, unnormalised density."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Target", "bounds_of"]

Array = NDArray[np.float64]


@runtime_checkable
class Target(Protocol):
    """An unnormalised density over unconstrained coordinates ``theta`` of shape ``(d,)``.

    Every method takes a batch of points, shape ``(B, d)``, and leaves it unchanged. Outside the
    density's domain the energy is ``+inf`` and the derivatives may be NaN; no method raises because
    of where a point lies. Everything is float64.

    A target may also have these attributes: ``bounds`` of shape ``(2, d)``, hard walls outside of
    which the energy is ``+inf``; ``costs``, for a gradient or Hessian that is made of other
    evaluations, such as ``{"gradient": {"value": 21}}``; ``dims`` and ``coords``, which label the
    arrays of ``constrain`` as ArviZ does, dims beyond the first by variable and labels by dim; and
    ``observed``, observed data by name. The last three go into the posterior's tree.

    In more than 50 coordinates searches do without Hessians, unless ``dense`` is true: where a
    Hessian costs little beside as many gradients as there are coordinates. Points that are one and
    the same, as networks whose hidden units have changed places are, may be told by ``symmetries``,
    a few orthogonal matrices by which `bayescape.explore` enters all images, or by ``equivalence``,
    a group too large to list, of which it keeps one image of each point: see
    `bayescape.Equivalence`, whose ``alignment``, ``lengths``, ``levelled`` and ``log_multiplicity``
    it calls.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """One label per coordinate, length ``d``."""
        ...

    def energy(self, theta: Array) -> Array:
        """Negative log density in nats, ``(B, d) -> (B,)``."""
        ...

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and its gradient, ``(B, d) -> (B,), (B, d)``."""
        ...

    def hessian(self, theta: Array) -> Array:
        """Exact second derivatives of the energy, ``(B, d) -> (B, d, d)``."""
        ...

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """Points from which to begin looking, ``(count, d)``."""
        ...

    def constrain(self, theta: Array) -> dict[str, Array]:
        """The point in natural units, ``(B, d)`` to named arrays whose first axis is ``B``."""
        ...


def bounds_of(target: Target) -> Array:
    """Return the hard walls of ``target``, shape ``(2, d)``: infinite where it declares none."""
    bounds = getattr(target, "bounds", None)
    if bounds is None:
        d = len(target.names)
        return np.stack([np.full(d, -np.inf), np.full(d, np.inf)])
    return np.asarray(bounds, dtype=float)
