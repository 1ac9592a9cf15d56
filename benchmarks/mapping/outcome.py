"""What one participant found on one problem, and the meter that counts what it cost."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Evaluations
from bayescape.targets.target import Target

__all__ = ["Metered", "Outcome", "Spent"]

Array = NDArray[np.float64]

HIGH = 1e10  # what a minimiser that knows no infinity is told where the energy is not finite


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run of one method on one problem came to.

    Attributes
    ----------
    method, setting
        Who, and with which of its settings where several were tried.
    seed
        Of this run.
    minima, states
        Points claimed to be minima and transition states, ``(n, d)``, repeats and errors included.
    evaluations
        Points at which the function was evaluated, by kind.
    seconds, cpu
        Wall time and processor time, compilation and start of the interpreter left out. On one
        thread of an idle machine they are the same; of a busy one, processor time tells more.
    stopped
        Why the run ended.
    capped
        Whether that was this benchmark's doing: a cap on evaluations or seconds.
    paid
        Gradient equivalents spent when each of ``minima`` was claimed, ``(n,)``, where known.
    """

    method: str
    setting: str
    seed: int
    minima: Array
    states: Array
    evaluations: Evaluations
    seconds: float
    cpu: float
    stopped: str
    capped: bool = False
    paid: Array | None = None

    def gradient_equivalents(self) -> float:
        """Cost in gradients, a value counted as one half and a Hessian as ``d + 1``."""
        return self.evaluations.gradient_equivalents(self.minima.shape[1])

    def asdict(self) -> dict[str, Any]:
        """Numbers and words for a file, the points left out."""
        return {
            "method": self.method,
            "setting": self.setting,
            "seed": self.seed,
            "evaluations": self.evaluations.asdict(),
            "gradient_equivalents": self.gradient_equivalents(),
            "seconds": self.seconds,
            "cpu": self.cpu,
            "stopped": self.stopped,
            "capped": self.capped,
        }


class Spent(Exception):
    """A cap was reached; the message says which."""


class Metered:
    """A target as a function of one point in the unit cube, counted, with caps.

    The box's edges have length one, so that a method with one step size for all coordinates has a
    fair one.

    Parameters
    ----------
    target
        The function.
    box
        Lowest and highest coordinates, ``(2, d)``.
    most_equivalents, most_seconds
        Caps after which any further call raises `Spent`.
    """

    def __init__(
        self, target: Target, box: Array, *, most_equivalents: float, most_seconds: float
    ) -> None:
        self.target, self.low, self.width = target, box[0], box[1] - box[0]
        self.most_equivalents, self.most_seconds = most_equivalents, most_seconds
        self.evaluations = Evaluations()
        self.begun, self.cpu_begun = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Since the meter was made."""
        return time.perf_counter() - self.begun

    @property
    def cpu(self) -> float:
        """Processor seconds since the meter was made."""
        return time.process_time() - self.cpu_begun

    @property
    def gradient_equivalents(self) -> float:
        """Spent so far."""
        return self.evaluations.gradient_equivalents(len(self.width))

    def natural(self, unit: Array) -> Array:
        """Coordinates of the target, of points in the unit cube."""
        return self.low + self.width * unit

    def unit(self, natural: Array) -> Array:
        """Coordinates in the unit cube, of points in those of the target."""
        return (natural - self.low) / self.width

    def value(self, unit: Array) -> float:
        """The energy at one point, counted as a value."""
        self._check()
        self.evaluations += Evaluations(value=1)
        energy = float(self.target.energy(self.natural(np.array(unit, dtype=float))[None])[0])
        return energy if np.isfinite(energy) else HIGH

    def value_and_gradient(self, unit: Array) -> tuple[float, Array]:
        """The energy at one point and its gradient, counted as a gradient."""
        self._check()
        self.evaluations += Evaluations(gradient=1)
        point = self.natural(np.array(unit, dtype=float))
        energy, gradient = self.target.energy_and_gradient(point[None])
        if not (np.isfinite(energy[0]) and np.isfinite(gradient[0]).all()):
            return HIGH, np.zeros(len(self.width))
        return float(energy[0]), gradient[0] * self.width

    def _check(self) -> None:
        if self.gradient_equivalents >= self.most_equivalents:
            raise Spent(f"the cap of {self.most_equivalents:,.0f} gradient equivalents was reached")
        if self.seconds > self.most_seconds:
            raise Spent(f"the cap of {self.most_seconds:g} s was reached")
