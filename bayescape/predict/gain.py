"""What an ensemble of minima will gain, foretold from the map and the training data alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescape.landscape.record import Landscape
from bayescape.predict.ensembles import (
    ENSEMBLES,
    FITTED,
    Ensemble,
    ensemble_weights,
    fitted_weights,
)
from bayescape.predict.foreseen import at_random_inputs, foreseen_improvements
from bayescape.predict.improvements import improvements, losses, scores
from bayescape.predict.left_out import left_out
from bayescape.predict.predictions import Predictions

__all__ = ["ensemble_gain"]

Array = NDArray[np.float64]

PARTS = 10  # of the rows, where weights are fitted to the others


def ensemble_gain(landscape: Landscape, *, temperature: float | str = 1.0) -> pd.DataFrame:
    """Foretell what each kind of ensemble gains over the single best minimum, without test data.

    Every training row is predicted from all others by every minimum, in closed form. The mean
    squared error of an ensemble's mean is then that of its members less their ambiguity, the spread
    of their predictions around it: an ensemble gains where its minima disagree and are about as
    good. Weights that are fitted to rows left out are fitted to nine tenths of these and judged by
    the last, in turn.

    Parameters
    ----------
    landscape
        A map with a target that has ``leave_one_out(theta)``, as `GaussianProcess` does, and at
        least one minimum.
    temperature
        As in `ensemble_weights`; one that is chosen by cross-validation is chosen by all rows.

    Returns
    -------
    pandas.DataFrame
        One row per ``predictor``, the single best minimum first. Columns:

        ``members``
            Minima with a weight above one in a million.
        ``members_mse``, ``ambiguity``
            Weighted mean of the members' mean squared errors, and their weighted mean squared
            distance from the ensemble's mean, in the square of the units of ``y``. The ensemble's
            mean squared error is the first less the second.
        ``ambiguity_percent``
            The second in per cent of the first.
        ``foreseen_nlpd``
            What the NLPD of new rows gains, in nats per row, if each minimum is as likely as any
            other to be right about them: its rank is worth more than its size. The rows' inputs are
            random ones of the training inputs' box; NaN if the target does not keep these as
            ``X_raw``.
        ``rmse``, ``nlpd``, ``crps``, ``improvement_*`` and their standard errors
            As in `compare`, of the rows left out.

    Raises
    ------
    TypeError
        If the target cannot leave rows out, or has a single one.
    ValueError
        If the landscape has no target or no minimum.

    Notes
    -----
    The minima are those of all rows, which each of them has helped to find, and the single best one
    has fitted them best: what is foretold is cautious. On draws of Schwefel data the rank of an
    energy- or occupation-weighted ensemble's reduction of the RMSE is foretold best by
    ``ambiguity_percent``, and that of the NLPD, for every kind, by ``foreseen_nlpd``, at about
    twice its size; what rows left out say of the NLPD foretells nothing
    (``benchmarks/ensemble_gain.py``).

    References
    ----------
    A. Krogh, J. Vedelsby, "Neural network ensembles, cross validation, and active learning",
    *Advances in Neural Information Processing Systems* 7, 231 (1995), for the ambiguity;
    S. Sundararajan, S. S. Keerthi, "Predictive approaches for choosing hyperparameters in Gaussian
    processes", Neural Comput. 13, 1103 (2001), for the rows left out.
    """
    each, y = left_out(landscape)
    by_row = {}
    for kind, label in ENSEMBLES.items():
        if kind in FITTED:
            by_row[label] = _cross_fitted(kind, each, y)
        else:
            w = ensemble_weights(landscape, kind, temperature=temperature)
            by_row[label] = np.tile(w[:, None], (1, len(y)))
    lost = {label: _losses(each, y, w) for label, w in by_row.items()}
    baseline = lost[ENSEMBLES["best"]]
    foreseen = _foreseen(landscape, by_row)
    rows = {}
    for label, w in by_row.items():
        error = float((w * (each.means - y) ** 2).sum(axis=0).mean())
        spread = (each.means - (w * each.means).sum(axis=0)) ** 2
        ambiguity = float((w * spread).sum(axis=0).mean())
        rows[label] = (
            {
                "members": int((w.mean(axis=1) > 1e-6).sum()),
                "members_mse": error,
                "ambiguity": ambiguity,
                "ambiguity_percent": 100 * ambiguity / error if error > 0 else 0.0,
                "foreseen_nlpd": foreseen[label],
            }
            | scores(lost[label])
            | improvements(lost[label], baseline)
        )
    frame = pd.DataFrame.from_dict(rows, orient="index").astype({"members": int})
    frame.index.name = "predictor"
    frame.attrs.update(
        output=str(getattr(landscape.target, "output_name", None) or "y"), rows_left_out=len(y)
    )
    return frame


def _foreseen(landscape: Landscape, by_row: dict[str, Array]) -> dict[str, float]:
    """Gains in the NLPD at new inputs, by kind; weights that differ by row by their mean."""
    fresh = at_random_inputs(landscape)
    if fresh is None:
        return dict.fromkeys(by_row, np.nan)
    weights = np.array([w.mean(axis=1) for w in by_row.values()])
    weights /= weights.sum(axis=1, keepdims=True)
    baseline = by_row[ENSEMBLES["best"]][:, 0]
    gains = foreseen_improvements(fresh, weights, baseline)
    return dict(zip(by_row, gains.tolist(), strict=True))


def _cross_fitted(kind: Ensemble, each: Predictions, y: Array) -> Array:
    """Weights for every row that were fitted without its part of the rows, ``(M, n)``."""
    weights = np.empty(each.means.shape)
    part = np.arange(len(y)) % min(PARTS, len(y))
    for k in np.unique(part):
        others = part != k
        fitted = fitted_weights(kind, _at(each, others, each.weights), y[others])
        weights[:, ~others] = fitted[:, None]
    return weights


def _losses(each: Predictions, y: Array, weights: Array) -> dict[str, Array]:
    """Losses at every row, where weights may differ by row."""
    result = {name: np.empty(len(y)) for name in ("rmse", "nlpd", "crps")}
    different, which = np.unique(weights, axis=1, return_inverse=True)
    for k, w in enumerate(different.T):
        rows = which == k
        for name, loss in losses(_at(each, rows, w), y[rows]).items():
            result[name][rows] = loss
    return result


def _at(each: Predictions, rows: NDArray[np.bool_], weights: Array) -> Predictions:
    """The mixture at some rows, of the components that have a weight."""
    used = weights > 0
    return Predictions(
        each.means[np.ix_(used, rows)], each.variances[np.ix_(used, rows)], weights[used]
    )
