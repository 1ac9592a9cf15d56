"""The posterior's predictions at new inputs, as a labelled table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bayescape.arguments import check_array, check_flag
from bayescape.predict.predictions import MAXIMUM_DRAWS, predictions_at, thinned_draws
from bayescape.predict.validate import validate_inputs, validate_target

__all__ = ["predict"]


def predict(
    landscape: Any,
    posterior: xr.DataTree,
    X: ArrayLike,
    *,
    levels: Sequence[float] = (0.025, 0.25, 0.5, 0.75, 0.975),
    noise: bool = True,
    maximum_draws: int = MAXIMUM_DRAWS,
) -> xr.Dataset:
    """Predict at new inputs by averaging over the posterior's draws.

    Parameters
    ----------
    landscape
        A `Landscape` with its target, or the target itself, such as a `GaussianProcess`.
    posterior
        Draws, as `sample` returns them.
    X
        Inputs, shape ``(m, p)``, or ``(m,)`` for one input; raw units.
    levels
        Levels of the quantiles, strictly between 0 and 1. By default the median and the ends of
        the central 50 % and 95 % intervals.
    noise
        Predict a new observation (the default) or the noise-free function.
    maximum_draws
        The draws are thinned evenly to at most this many, since each has a covariance of its own
        to factorise.

    Returns
    -------
    xarray.Dataset
        Over ``point`` (and ``level``): ``mean``, ``sd`` and ``quantile`` of the mixture over
        draws, in the original units of ``y``; and the inputs ``X`` over ``(point, input)``.

    Raises
    ------
    TypeError
        If the target does not predict, or ``posterior`` is not a DataTree.
    ValueError
        If ``X`` does not fit the target, the posterior holds no draws of ``theta``, or a level is
        not strictly between 0 and 1.
    """
    target = validate_target(landscape)
    inputs = validate_inputs(target, X)
    check_flag("noise", noise)
    levels = check_array("levels", levels, "numbers strictly between 0 and 1").tolist()
    mixture = predictions_at(target, thinned_draws(posterior, maximum_draws), inputs, noise=noise)
    labels = getattr(target, "input_names", None)
    if labels is None:
        labels = [f"x{i}" for i in range(inputs.shape[1])]
    return xr.Dataset(
        {
            "mean": ("point", mixture.mean),
            "sd": ("point", np.sqrt(mixture.variance)),
            "quantile": (("level", "point"), mixture.quantile(levels)),
            "X": (("point", "input"), inputs),
        },
        coords={
            "point": np.arange(len(inputs)),
            "level": np.asarray(levels, dtype=float),
            "input": np.asarray([str(label) for label in labels], dtype=object),
        },
        attrs={"draws": len(mixture.weights), "noise": int(noise)},
    )
