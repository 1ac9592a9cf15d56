"""Hyperparameters in the units of the data, which is how people know their columns.

The model standardises inputs and output, and its hyperparameters are in standardised units. A
lengthscale is stretched back by its input's scale; the square roots of outputscale and noise, which
are variances, by the output's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.gaussian_process import GaussianProcess

__all__ = ["in_data_units"]

Array = NDArray[np.float64]


def in_data_units(target: GaussianProcess, natural: Mapping[str, Array]) -> dict[str, Array]:
    """Label hyperparameters for people, and convert them to the units of the data.

    Parameters
    ----------
    target
        Gives scales and labels.
    natural
        As ``target.constrain`` returns: ``lengthscale`` ``(..., p)`` or ``(..., 1)``,
        ``outputscale``, ``noise`` and perhaps ``mean`` ``(...)``.

    Returns
    -------
    dict
        Label to array ``(...)``: a lengthscale per input (or one for all, which then stays in
        standardised units, for it has no unit of its own), the signal's and the noise's standard
        deviations, and the mean.
    """
    labels = [str(name) for name in (target.input_names or _numbered(target.X.shape[1]))]
    lengthscale = natural["lengthscale"]
    stretch = _scale(target.X_raw, target.X)
    found: dict[str, Array] = {}
    if lengthscale.shape[-1] == len(labels):
        for j, label in enumerate(labels):
            found[f"lengthscale of {label}"] = lengthscale[..., j] * stretch[j]
    else:
        found["lengthscale (standardised inputs)"] = lengthscale[..., 0]
    unit = float(_scale(target.y_raw[:, None], target.y[:, None])[0])
    found["signal, standard deviation"] = np.sqrt(natural["outputscale"]) * unit
    found["noise, standard deviation"] = np.sqrt(natural["noise"]) * unit
    if "mean" in natural:
        origin = float(target.y_raw[0] - unit * target.y[0])
        found["mean"] = origin + natural["mean"] * unit
    return found


def _scale(raw: Array, standardised: Array) -> Array:
    """Factor from standardised to raw, by column; 1 for a column that does not vary."""
    span = np.ptp(standardised, axis=0)
    return np.where(span > 0, np.ptp(raw, axis=0) / np.where(span > 0, span, 1.0), 1.0)


def _numbered(p: int) -> list[str]:
    return [f"input {j}" for j in range(p)]
