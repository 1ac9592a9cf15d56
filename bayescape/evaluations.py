"""Evaluations of a target, counted by kind: the currency in which methods are compared."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.target import Target

__all__ = ["Counted", "Evaluations"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluations:
    """How many points a target was evaluated at, by what was asked of it.

    Attributes
    ----------
    value, gradient, hessian
        Points at which the energy alone, the energy with its gradient, the Hessian was asked for.
    """

    value: int = 0
    gradient: int = 0
    hessian: int = 0

    def __add__(self, other: Evaluations) -> Evaluations:
        return Evaluations(
            self.value + other.value,
            self.gradient + other.gradient,
            self.hessian + other.hessian,
        )

    def __sub__(self, other: Evaluations) -> Evaluations:
        return Evaluations(
            self.value - other.value,
            self.gradient - other.gradient,
            self.hessian - other.hessian,
        )

    @property
    def total(self) -> int:
        """All evaluations, each kind counted as one."""
        return self.value + self.gradient + self.hessian

    def gradient_equivalents(self, d: int) -> float:
        """Cost in gradients: a value counts one half, a Hessian in ``d`` coordinates ``d + 1``."""
        return 0.5 * self.value + self.gradient + (d + 1) * self.hessian

    def asdict(self) -> dict[str, int]:
        """The counts by kind, for files and tables."""
        return dataclasses.asdict(self)


class Counted:
    """A target that counts its evaluations, and is otherwise the target that it wraps.

    It hands over copies of the points, so that a target which writes on its input harms nobody. A
    target whose ``costs`` say that its gradient or Hessian is made of other evaluations is counted
    by these.

    Parameters
    ----------
    target
        The target to count. A ``Counted`` one is unwrapped first, so that counts never nest.
    """

    def __init__(self, target: Target) -> None:
        self.target: Target = target.target if isinstance(target, Counted) else target
        self.evaluations = Evaluations()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "target":  # pickle looks before the fields exist
            raise AttributeError(name)
        return getattr(self.target, name)

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the coordinates."""
        return self.target.names

    def energy(self, theta: Array) -> Array:
        """Energy, counted as values."""
        self._count("value", len(theta))
        return self.target.energy(np.array(theta, dtype=float))

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient, counted as gradients."""
        self._count("gradient", len(theta))
        return self.target.energy_and_gradient(np.array(theta, dtype=float))

    def hessian(self, theta: Array) -> Array:
        """Hessian, counted as Hessians."""
        self._count("hessian", len(theta))
        return self.target.hessian(np.array(theta, dtype=float))

    def starts(self, count: int, rng: np.random.Generator) -> Array:
        """Starting points of the wrapped target."""
        return self.target.starts(count, rng)

    def constrain(self, theta: Array) -> dict[str, Array]:
        """Natural units by the wrapped target."""
        return self.target.constrain(theta)

    def _count(self, kind: str, points: int) -> None:
        made_of = getattr(self.target, "costs", {}).get(kind, {kind: 1})
        self.evaluations += Evaluations(**{part: points * n for part, n in made_of.items()})
