"""Predictions of every training row from all others, by every minimum of a map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.landscape.record import Landscape
from bayescape.predict.predictions import Predictions
from bayescape.predict.validate import validate_target

__all__ = ["leaves_out", "left_out"]

Array = NDArray[np.float64]

CHUNK = 32  # minima at once


def leaves_out(target: Any) -> bool:
    """Whether a target can predict its own rows, two or more, from the others."""
    able = callable(getattr(target, "leave_one_out", None))
    return able and len(getattr(target, "y_raw", ())) > 1


def left_out(landscape: Landscape) -> tuple[Predictions, Array]:
    """Predict every training row from the others, by every minimum.

    The minima stay those of all data. So each is a little better on what is left out than it would
    be without it, the more so the more coordinates there are; between minima that hardly matters.

    Parameters
    ----------
    landscape
        A map with a target that has ``leave_one_out(theta)``, as `GaussianProcess` does, and at
        least one minimum.

    Returns
    -------
    Predictions, numpy.ndarray
        One component per minimum, equally weighted, at the ``n`` rows; and what was observed there.

    Raises
    ------
    TypeError
        If the target cannot leave rows out, or has a single one.
    ValueError
        If the landscape has no target or no minimum.
    """
    target: Any = validate_target(landscape)
    if not leaves_out(target):
        raise TypeError(
            "the target must have a method `leave_one_out(theta)` and its outputs, two or more, as "
            f"`y_raw`, but {type(target).__name__} has not, so no row can be left out"
        )
    theta, y = landscape.minima["theta"].values, np.asarray(target.y_raw, dtype=float)
    if not len(theta):
        raise ValueError("`landscape` has no minimum, so there is no ensemble of minima")
    parts = [target.leave_one_out(theta[i : i + CHUNK]) for i in range(0, len(theta), CHUNK)]
    means, variances = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Predictions(means, variances, np.full(len(theta), 1 / len(theta))), y
