"""Predictors side by side: one minimum, ensembles of minima, and posteriors, on test data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescape.landscape.record import Landscape
from bayescape.predict.ensembles import ENSEMBLES, FITTED, ensemble_weights
from bayescape.predict.improvements import improvements, losses, scores
from bayescape.predict.left_out import leaves_out
from bayescape.predict.predictions import (
    MAXIMUM_DRAWS,
    Predictions,
    predictions_at,
    thinned_draws,
)
from bayescape.predict.scores import covered
from bayescape.predict.validate import (
    Predicts,
    validate_inputs,
    validate_outputs,
    validate_posterior,
    validate_target,
)

__all__ = ["compare"]

Array = NDArray[np.float64]

_COVERAGE = (50, 90, 95)


def compare(
    landscape: Landscape,
    posterior: xr.DataTree | Mapping[str, xr.DataTree] | None,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    maximum_draws: int = MAXIMUM_DRAWS,
) -> pd.DataFrame:
    """Score the predictions of one minimum, of ensembles of minima, and of posteriors.

    Parameters
    ----------
    landscape
        A map with its target, which must be able to predict.
    posterior
        Draws as `sample` returns them, labelled by their method; or a mapping from label to
        draws, to compare several; or ``None`` for the minima alone.
    X_test
        Test inputs, shape ``(m, p)``, or ``(m,)`` for one input; raw units.
    y_test
        Test answers, shape ``(m,)``; original units.
    maximum_draws
        Draws are thinned evenly to at most this many.

    Returns
    -------
    pandas.DataFrame
        One row per ``predictor``, the single best minimum first, and all kinds of ensemble (see
        `ensemble_weights`) at temperature 1; the stacked ones where the target can leave rows out.
        Columns:

        ``members``
            Minima or draws that predict together.
        ``rmse``, ``crps``
            Root mean squared error of the mixture's mean, and mean continuous ranked probability
            score; the units of ``y``.
        ``nlpd``
            Mean negative log predictive density of the mixture, nats per test point, for the
            density in the original units of ``y``.
        ``coverage_50``, ``coverage_90``, ``coverage_95``
            Fraction of test points in the central intervals of that probability.
        ``improvement_rmse_percent``, ``improvement_crps_percent``
            Reduction of the score, per cent of the single best minimum's; positive is better. NaN
            where that is perfect.
        ``improvement_nlpd``
            Reduction of ``nlpd`` from the single best minimum's, nats per test point (a percentage
            would have no meaning, for the zero of a log density is arbitrary); positive is better.
        ``improvement_rmse_percent_se``, ``improvement_nlpd_se``, ``improvement_crps_percent_se``
            Standard errors of the three, for other test points of the same kind, by the
            jackknife over test points; NaN with a single point. An improvement below two of them
            says little.

        ``attrs`` holds ``output`` (the name of ``y``) and ``test_points``.

    Raises
    ------
    TypeError
        If the target does not predict, or ``posterior`` is none of the above.
    ValueError
        If the landscape has no target or no minimum, the test data do not fit the target or one
        another, or two predictors have the same label.
    """
    target = validate_target(landscape)
    inputs = validate_inputs(target, X_test, name="X_test")
    answers = validate_outputs(y_test, len(inputs))
    predictors = _minima_predictors(landscape, target, inputs)
    for label, draws in _labelled(posterior).items():
        if label in predictors:
            raise ValueError(f"`posterior` has the label {label!r}, which is already taken")
        predictors[label] = predictions_at(target, thinned_draws(draws, maximum_draws), inputs)

    lost = {label: losses(p, answers) for label, p in predictors.items()}
    baseline = lost[ENSEMBLES["best"]]
    rows = {
        label: {"members": len(p.weights)}
        | scores(lost[label])
        | _coverage(p, answers)
        | improvements(lost[label], baseline)
        for label, p in predictors.items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index").astype({"members": int})
    frame.index.name = "predictor"
    frame.attrs.update(
        output=str(getattr(target, "output_name", None) or "y"), test_points=len(answers)
    )
    return frame


def _labelled(
    posterior: xr.DataTree | Mapping[str, xr.DataTree] | None,
) -> dict[str, xr.DataTree]:
    if posterior is None:
        return {}
    # A DataTree is itself a mapping, so it has to be asked for first.
    if isinstance(posterior, xr.DataTree):
        method = posterior.attrs.get("method")
        label = f"{method} posterior" if method else "posterior"
        return {label: validate_posterior(posterior)}
    if isinstance(posterior, Mapping):
        return {str(label): validate_posterior(draws) for label, draws in posterior.items()}
    raise TypeError(
        "`posterior` must be an xarray.DataTree, a mapping from label to DataTree, or None, "
        f"got {type(posterior).__name__}"
    )


def _minima_predictors(
    landscape: Landscape, target: Predicts, inputs: Array
) -> dict[str, Predictions]:
    weights = {
        label: ensemble_weights(landscape, kind)
        for kind, label in ENSEMBLES.items()
        if kind not in FITTED or leaves_out(target)
    }
    each = predictions_at(target, landscape.minima["theta"].values, inputs)
    return {
        label: Predictions(each.means[w > 0], each.variances[w > 0], w[w > 0])
        for label, w in weights.items()
    }


def _coverage(predictions: Predictions, y: Array) -> dict[str, float]:
    return {
        f"coverage_{percent}": float(covered(predictions, y, percent / 100).mean())
        for percent in _COVERAGE
    }
