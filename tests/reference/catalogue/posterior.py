"""What is known of a posterior that samplers are judged by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayescape import Target

__all__ = ["Posterior", "Truth"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Truth:
    """Moments and evidence in the target's own coordinates.

    Attributes
    ----------
    mean, sd
        Shape ``(d,)`` each; NaN where no sample tells them, for the second or the fourth moment
        does not exist.
    log_evidence
        Nats.
    centres
        Minima whose occupation is known, shape ``(K, d)``; empty where none are isolated.
    occupation
        Share of the posterior whose steepest descent ends in each of them, shape ``(K,)``.
    """

    mean: Array
    sd: Array
    log_evidence: float
    centres: Array = dataclasses.field(default_factory=lambda: np.empty((0, 0)))
    occupation: Array = dataclasses.field(default_factory=lambda: np.empty(0))


@dataclasses.dataclass(frozen=True)
class Posterior:
    """A target with its truth.

    Attributes
    ----------
    name
        Unique, in lower case with hyphens.
    make
        Builds the target.
    truth
        Computes or reads the truth.
    how
        How the truth was got.
    catches
        A sentence on which mistake it catches.
    adversarial
        Made to fool maps or mixtures: a verdict of "not reliable" is no false alarm on it.
    """

    name: str
    make: Callable[[], Target]
    truth: Callable[[], Truth]
    how: str
    catches: str
    adversarial: bool = False
