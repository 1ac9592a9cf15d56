"""Any log density as a target: where it ends, what its batches are, where its starts come from.

What computes the density is a `LogDensity`: NumPy functions, torch functions, a PyMC model. What
every target promises beyond it is kept here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_array, shown
from bayescape.targets.starting_points import StartingPoints, Starts

__all__ = ["OUTSIDE", "PROBES", "Constrain", "DensityTarget", "LogDensity", "validate_names"]

Array = NDArray[np.float64]
Constrain = Callable[[Array], Mapping[str, ArrayLike]]

# What a density raises where it is not defined; anything else is a mistake, and is let through.
OUTSIDE: tuple[type[Exception], ...] = (
    ValueError,
    ArithmeticError,
    np.linalg.LinAlgError,
    torch.linalg.LinAlgError,
)
PROBES = 8  # starts at which a density is tried when its target is made


class LogDensity(Protocol):
    """What computes a log density and its derivatives, for points inside its domain or not."""

    def value(self, theta: Array) -> Array:
        """``(B, d) -> (B,)``; not finite, or an exception in ``OUTSIDE``, outside the domain."""
        ...

    def value_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """``(B, d) -> (B,), (B, d)``."""
        ...

    def hessian(self, theta: Array) -> Array:
        """``(B, d) -> (B, d, d)``, symmetric."""
        ...


class DensityTarget:
    """A target made of a log density; see `bayescape.from_torch` and its siblings.

    Parameters
    ----------
    density
        What computes it.
    names
        One label per coordinate.
    starts, constrain, bounds
        As `bayescape.from_numpy` takes them.
    dims, coords
        How the arrays of ``constrain`` are labelled: dims beyond the first by variable, and
        coordinates by dim.
    observed
        Observed data by name, for the posterior's ``observed_data``.
    """

    def __init__(
        self,
        density: LogDensity,
        names: Sequence[str],
        *,
        starts: Starts = None,
        constrain: Constrain | None = None,
        bounds: ArrayLike | None = None,
        dims: Mapping[str, Sequence[str]] | None = None,
        coords: Mapping[str, Sequence[Any] | NDArray[Any]] | None = None,
        observed: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self.density = density
        self.names = validate_names(names)
        self.bounds = _walls(bounds, len(self.names))
        self._starts = StartingPoints.of(starts, self.bounds)
        if constrain is not None and not callable(constrain):
            raise ValueError(f"`constrain` must be a function of points, got {constrain!r}")
        self._constrain = constrain
        self.dims = {name: tuple(of) for name, of in (dims or {}).items()}
        self.coords = dict(coords or {})
        self.observed = dict(observed or {})

    @property
    def costs(self) -> Mapping[str, Mapping[str, int]]:
        """What a gradient and a Hessian cost where they are made of other evaluations."""
        return getattr(self.density, "costs", {})

    def energy(self, theta: Array) -> Array:
        """Negative log density, ``(B, d) -> (B,)``, nats; ``+inf`` outside the domain."""
        (energies,) = self._ask("value", theta)
        return energies

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient, ``(B, d) -> (B,), (B, d)``."""
        energies, gradients = self._ask("value_and_gradient", theta)
        return energies, gradients

    def hessian(self, theta: Array) -> Array:
        """Second derivatives, ``(B, d) -> (B, d, d)``; of no meaning outside the domain."""
        (hessians,) = self._ask("hessian", theta)
        return hessians

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """Points from which to begin looking, ``(count, d)``."""
        return self._starts.draw(count, rng)

    def constrain(self, theta: Array) -> dict[str, Array]:
        """Natural units, ``(B, d)`` to named arrays whose first axis is ``B``."""
        theta = np.asarray(theta, dtype=float)
        if self._constrain is None:
            return {name: theta[:, i].copy() for i, name in enumerate(self.names)}
        with np.errstate(all="ignore"):
            natural = {name: np.asarray(a) for name, a in self._constrain(theta).items()}
        for name, array in natural.items():
            if array.shape[:1] != (len(theta),):
                raise ValueError(
                    f"`constrain` must return arrays whose first axis is that of the {len(theta)} "
                    f"points, but {name!r} has shape {array.shape}"
                )
        return natural

    def probe(self) -> DensityTarget:
        """Try the density at a few starts, for a mistake in it is best told of at once.

        Raises
        ------
        ValueError
            If no start lies in the domain; from the density's own exception, if it raised one.
        """
        points = self.starts(PROBES, np.random.default_rng(0))
        reason: Exception | None = None
        for point in points:
            try:
                if np.isfinite(self._raw("value", point[None])[0]).all():
                    return self
            except OUTSIDE as error:
                reason = error
        said = f"raised {type(reason).__name__}: {reason}" if reason else "was not finite"
        raise ValueError(
            f"the log density {said} at {PROBES} of {PROBES} starts: correct it, or give `starts` "
            "inside its domain"
        ) from reason

    def _raw(self, kind: str, theta: Array) -> tuple[Array, ...]:
        """The density's own answer, as arrays of their own."""
        with np.errstate(all="ignore"):
            answer = getattr(self.density, kind)(theta)
        parts = answer if isinstance(answer, tuple) else (answer,)
        return tuple(np.array(part, dtype=float) for part in parts)

    def _ask(self, kind: str, theta: Array) -> tuple[Array, ...]:
        """The density's answer turned into energies, with ``+inf`` and NaN outside its domain."""
        theta = np.asarray(theta, dtype=float)
        found = _nothing(kind, theta)
        low, high = self.bounds
        inside = (np.isfinite(theta) & (theta >= low) & (theta <= high)).all(axis=1)
        if inside.any():
            for array, part in zip(found, self._tried(kind, theta[inside]), strict=True):
                array[inside] = -part
        if kind == "hessian":
            return found
        out = ~np.isfinite(found[0])
        found[0][out] = np.inf
        if kind == "value_and_gradient":
            found[1][out] = np.nan
        return found

    def _tried(self, kind: str, theta: Array) -> tuple[Array, ...]:
        """The answer for each point, NaN for those where the density raises."""
        try:
            return self._raw(kind, theta)
        except OUTSIDE:
            if len(theta) == 1:
                return _nothing(kind, theta)
        apart = [self._tried(kind, point[None]) for point in theta]
        return tuple(np.concatenate(parts) for parts in zip(*apart, strict=True))

    def __repr__(self) -> str:
        d = len(self.names)
        shown = ", ".join(self.names[:8]) + (", ..." if d > 8 else "")
        return f"<bayescape target of {d} coordinates: {shown}>\n  {self.density!r}"


def _nothing(kind: str, theta: Array) -> tuple[Array, ...]:
    """NaN in the shapes of an answer."""
    b, d = theta.shape
    shapes: list[tuple[int, ...]] = {
        "value": [(b,)],
        "value_and_gradient": [(b,), (b, d)],
        "hessian": [(b, d, d)],
    }[kind]
    return tuple(np.full(shape, np.nan) for shape in shapes)


def validate_names(names: Sequence[str]) -> tuple[str, ...]:
    """Labels of coordinates as a tuple.

    Raises
    ------
    ValueError
        If there is none, or one twice.
    """
    if not isinstance(names, Iterable):
        raise ValueError(f"`names` must name every coordinate, got {shown(names)}")
    labels = (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    if not labels:
        raise ValueError(f"`names` must name at least one coordinate, got {shown(names)}")
    if len(set(labels)) < len(labels):
        twice = next(name for name in labels if labels.count(name) > 1)
        raise ValueError(f"`names` must differ from each other, but {twice!r} occurs twice")
    return labels


def _walls(bounds: ArrayLike | None, d: int) -> Array:
    if bounds is None:
        return np.stack([np.full(d, -np.inf), np.full(d, np.inf)])
    said = f"of shape (2, {d}), lower walls below upper ones"
    walls = check_array("bounds", bounds, said)
    if walls.shape != (2, d) or not (walls[0] < walls[1]).all():
        raise ValueError(
            f"`bounds` must have shape (2, {d}), lower walls below upper ones, got {shown(bounds)} "
            f"of shape {walls.shape}"
        )
    return walls
