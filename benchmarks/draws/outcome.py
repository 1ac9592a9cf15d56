"""What one run of one sampler came to, and the meter that counts and stops it."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Counted, Evaluations
from bayescape.targets.target import Target

__all__ = ["Capped", "Clock", "Drawn", "Spent", "Unavailable"]

Array = NDArray[np.float64]


class Spent(Exception):
    """A run reached its cap; the message says which."""


class Unavailable(Exception):
    """A participant cannot run here; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What a sampler returned.

    Attributes
    ----------
    theta
        Equally weighted draws, ``(chain, draw, d)``; ``None`` where a cap ended the run first.
    evaluations
        By kind.
    seconds, cpu
        Wall time and processor time, compilation left out.
    effective
        Effective sample size, where the sampler weights its points; ``None`` for chains, whose
        smallest bulk effective sample size over the coordinates is taken.
    log_evidence, log_evidence_se
        Where it is estimated.
    stopped
        What ended the run, if that was not its own doing.
    """

    theta: Array | None
    evaluations: Evaluations
    seconds: float
    cpu: float
    effective: float | None = None
    log_evidence: float | None = None
    log_evidence_se: float | None = None
    stopped: str = ""
    said: dict[str, Any] = dataclasses.field(default_factory=dict)


class Clock:
    """Wall time and processor time since it was made."""

    def __init__(self) -> None:
        self.begun, self.cpu_begun = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """As `Drawn` has them."""
        return {
            "seconds": time.perf_counter() - self.begun,
            "cpu": time.process_time() - self.cpu_begun,
        }


class Capped(Counted):
    """A target that counts its evaluations and raises `Spent` where they cost more than a cap.

    Parameters
    ----------
    target
        What is sampled.
    most
        Gradient equivalents: a value is one half, a Hessian in d coordinates d + 1.
    """

    def __init__(self, target: Target, most: float) -> None:
        super().__init__(target)
        self.most = most

    def log_likelihood(self, theta: Array) -> Array:
        """Log likelihood ``(B, d) -> (B,)``, counted as values; the lowest float where infinite."""
        self._count("value", len(theta))
        found = np.full(len(theta), -1e300)
        inside = np.isfinite(theta).all(axis=1)
        found[inside] = self.target.log_likelihood(theta[inside])  # type: ignore[attr-defined]
        return np.where(np.isfinite(found), found, -1e300)

    def _count(self, kind: str, points: int) -> None:
        super()._count(kind, points)
        spent = self.evaluations.gradient_equivalents(len(self.names))
        if spent > self.most:
            raise Spent(f"the cap of {self.most:,.0f} gradient equivalents was reached")
