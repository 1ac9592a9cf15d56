"""What a predictor gains over another one on the same rows, with standard errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayescape.predict.predictions import Predictions
from bayescape.predict.scores import crps, negative_log_density, squared_error

__all__ = ["improvements", "losses", "scores"]

Array = NDArray[np.float64]


def losses(predictions: Predictions, y: Array) -> dict[str, Array]:
    """Squared error, negative log density and CRPS at every row, ``(m,)`` each."""
    return {
        "rmse": squared_error(predictions, y),
        "nlpd": negative_log_density(predictions, y),
        "crps": crps(predictions, y),
    }


def scores(losses: dict[str, Array]) -> dict[str, float]:
    """The three scores over all rows."""
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    return means | {"rmse": float(np.sqrt(means["rmse"]))}


def improvements(losses: dict[str, Array], baseline: dict[str, Array]) -> dict[str, float]:
    """Reduction of each score from the baseline's, and its jackknife standard error over rows.

    In per cent for RMSE and CRPS, in nats per row for the NLPD.
    """
    result = {}
    for name, column, gain in (
        ("rmse", "improvement_rmse_percent", lambda a, b: _percent(_root(a), _root(b))),
        ("nlpd", "improvement_nlpd", lambda a, b: b - a),
        ("crps", "improvement_crps_percent", _percent),
    ):
        value, error = _gain_with_error(gain, losses[name], baseline[name])
        result[column], result[f"{column}_se"] = value, error
    return result


def _percent(score: Array, baseline: Array) -> Array:
    """Reduction in per cent of the baseline; NaN where the baseline is perfect."""
    safe = np.where(baseline > 0, baseline, np.nan)
    return 100 * (1 - score / safe)


def _root(mean_square: Array) -> Array:
    """Root of a mean square that rounding may have put below zero."""
    return np.sqrt(np.maximum(mean_square, 0.0))


def _gain_with_error(
    gain: Callable[[Array, Array], Array], loss: Array, baseline: Array
) -> tuple[float, float]:
    """Return ``gain`` of two mean losses and its jackknife standard error over rows."""
    m = len(loss)
    value = float(gain(loss.mean(), baseline.mean()))
    if m < 2:
        return value, np.nan
    left_out = gain((loss.sum() - loss) / (m - 1), (baseline.sum() - baseline) / (m - 1))
    return value, float(np.sqrt((m - 1) * np.var(left_out)))
