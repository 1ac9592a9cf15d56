"""Between the searches and a target that may misbehave: no exception passes, and budgets hold."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Counted
from bayescape.targets.target import Target

__all__ = ["CutShort", "Guarded"]

Array = NDArray[np.float64]


class CutShort(Exception):
    """A search may not evaluate any further; what it has is kept."""


class Guarded(Counted):
    """A counted target that fails by ``+inf`` and NaN, never by an exception, and within a budget.

    Where a batch raises, its points are tried again one by one, and those that raise once more get
    an infinite energy and NaN derivatives; ``errors`` counts them by what was raised.

    Parameters
    ----------
    target
        The target.
    allowance
        Gradient equivalents that may be spent; `CutShort` is raised before one more.
    deadline
        By `time.time`, when to stop: `CutShort` is raised before a batch that would end later, if
        it took as long for each point as the one before.
    """

    def __init__(
        self, target: Target, *, allowance: float = np.inf, deadline: float = np.inf
    ) -> None:
        super().__init__(target)
        self.allowance, self.deadline = allowance, deadline
        self.d = len(target.names)
        self.errors: Counter[str] = Counter()
        self.interrupted = False
        self._seconds: dict[str, float] = {}  # for a point, by kind, at the last call

    def energy(self, theta: Array) -> Array:
        """Energy; ``+inf`` where it is not a number or the target raised."""
        (energy,) = self._call("energy", theta, 0.5)
        return energy

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Energy and gradient."""
        energy, gradient = self._call("energy_and_gradient", theta, 1.0)
        return energy, gradient

    def hessian(self, theta: Array) -> Array:
        """Hessian; NaN where the target raised."""
        (hessian,) = self._call("hessian", theta, self.d + 1.0)
        return hessian

    def _call(self, kind: str, theta: Array, cost: float) -> tuple[Array, ...]:
        count = len(theta)
        spent = self.evaluations.gradient_equivalents(self.d)
        if spent + cost * count > self.allowance:
            raise CutShort
        started = time.time()
        if started + self._seconds.get(kind, 0.0) * count > self.deadline:
            raise CutShort
        try:
            answer = self._answer(kind, theta)
        except KeyboardInterrupt:
            self.interrupted = True
            raise CutShort from None
        if count:
            self._seconds[kind] = (time.time() - started) / count
        return answer

    def _answer(self, kind: str, theta: Array) -> tuple[Array, ...]:
        ask = getattr(super(), kind)
        try:
            return self._checked(kind, ask(theta), len(theta))
        except Exception as error:
            if len(theta) == 1:
                self.errors[_in_words(error)] += 1
                return self._nothing(kind)
        parts = [self._answer(kind, point[None]) for point in theta]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _shapes(self, kind: str, count: int) -> tuple[tuple[int, ...], ...]:
        return {
            "energy": ((count,),),
            "energy_and_gradient": ((count,), (count, self.d)),
            "hessian": ((count, self.d, self.d),),
        }[kind]

    def _checked(self, kind: str, answer: Any, count: int) -> tuple[Array, ...]:
        """The answer as float64 arrays, if it has the shapes that it should have."""
        parts = answer if kind == "energy_and_gradient" else (answer,)
        arrays = tuple(np.array(part, dtype=float) for part in parts)
        shapes = self._shapes(kind, count)
        if tuple(a.shape for a in arrays) != shapes:
            raise ValueError(
                f"`target.{kind}` must return {' and '.join(map(str, shapes))} for {count} points "
                f"in {self.d} coordinates, got {' and '.join(str(a.shape) for a in arrays)}"
            )
        if kind != "hessian":
            arrays = (np.where(np.isnan(arrays[0]), np.inf, arrays[0]), *arrays[1:])
        return arrays

    def _nothing(self, kind: str) -> tuple[Array, ...]:
        shapes = self._shapes(kind, 1)
        nothing = tuple(np.full(shape, np.nan) for shape in shapes)
        return nothing if kind == "hessian" else (np.full(shapes[0], np.inf), *nothing[1:])


def _in_words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
