"""Classifiers from a map side by side: one minimum, ensembles of minima, and random restarts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_array, check_number, check_whole, shown
from bayescape.landscape.record import Landscape
from bayescape.predict.class_scores import (
    class_answers,
    class_scores,
    classifier_of,
    log_losses,
)
from bayescape.predict.ensembles import ENSEMBLES, Ensemble, ensemble_weights

__all__ = ["compare_classifiers", "error_disagreement", "harmonic_draws"]

Array = NDArray[np.float64]

BY_VOLUME: tuple[Ensemble, ...] = ("occupation", "volume")
MIXTURES: dict[str, Ensemble] = {
    "harmonic mixture at the best": "best",
    "harmonic superposition": "occupation",
}


def compare_classifiers(
    landscape: Landscape,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    restarts: ArrayLike | None = None,
    draws: int = 500,
    temperature: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Score class probabilities from one minimum, from ensembles of minima, and their like.

    Probabilities are averaged, not outputs: a mixture of classifiers, as the posterior is.

    Parameters
    ----------
    landscape
        A map whose target is a classifier, such as `NetworkLoss` of labels.
    X_test, y_test
        Inputs ``(m, ...)`` and labels ``(m,)`` that the target was not made with.
    restarts
        Points, ``(S, d)``, that were trained from fresh starts without the map: a deep ensemble, to
        be scored beside the others. Its first member is scored alone, too.
    draws
        Of each harmonic mixture.
    temperature
        Of the weights by energy and by occupation, and of the harmonic draws; 1 is the posterior.
    seed
        Of the draws.

    Returns
    -------
    pandas.DataFrame
        One row per ``predictor``: the single best minimum, the ensembles of `ensemble_weights` that
        the map allows (occupation counts a minimum with all its images), where the Hessians are
        known the harmonic mixtures, of draws from the normal distribution around the best minimum
        and around all by their occupation, and the restarts. Columns:

        ``members``
            Minima, draws or restarts that predict together.
        ``effective``
            Effective number of them, ``1 / sum w^2``.
        ``accuracy``, ``log_loss``, ``calibration_error``, ``auc``
            Log loss in nats per row; calibration error is the expected one in 10 bins; AUC of more
            than two classes is the mean over one against all others.
        ``improvement_log_loss``, ``improvement_log_loss_se``
            By how much the log loss is below the single best minimum's, and its standard error over
            test rows, paired.

        ``attrs`` holds ``test_points``, and ``left_out``: why there is no row of some kind, or
        empty.

    Raises
    ------
    TypeError
        If the target is no classifier.
    ValueError
        If an argument makes no sense.

    References
    ----------
    B. Lakshminarayanan, A. Pritzel, C. Blundell, NeurIPS (2017), for deep ensembles;
    D. J. C. MacKay, Neural Comput. 4, 720 (1992), for normal approximations at minima.
    """
    target = classifier_of(landscape)
    answers = class_answers(target, X_test, y_test)
    check_whole("draws", draws, 1)
    check_number("temperature", temperature, 0)
    check_whole("seed", seed, 0)
    theta = landscape.minima["theta"].values
    each = target.predict_proba(theta, X_test)
    found: dict[str, tuple[Array, Array]] = {}
    weights: dict[str, Array] = {}
    left_out = ""
    for kind in ("best", "uniform", "energy", *BY_VOLUME):
        try:
            weights[kind] = ensemble_weights(landscape, kind, temperature=temperature)
        except ValueError:
            if kind not in BY_VOLUME:
                raise
            left_out = "a Hessian is not known or not positive definite, so no basin has a volume"
        else:
            kept = weights[kind] > 0
            found[ENSEMBLES[kind]] = each[kept], weights[kind][kept]
    rng = np.random.default_rng(seed)
    for label, kind in MIXTURES.items():
        if not left_out:
            points = harmonic_draws(landscape, weights[kind], draws, rng, temperature=temperature)
            found[label] = target.predict_proba(points, X_test), np.full(draws, 1 / draws)
    if restarts is not None:
        fresh = _restarts(restarts, theta.shape[1])
        of_fresh = target.predict_proba(fresh, X_test)
        found["single restart"] = of_fresh[:1], np.ones(1)
        found["deep ensemble"] = of_fresh, np.full(len(fresh), 1 / len(fresh))
    mixed = {label: np.tensordot(w, p, axes=1) for label, (p, w) in found.items()}
    best = log_losses(mixed[ENSEMBLES["best"]], answers)
    rows = {}
    for label, p in mixed.items():
        w, gain = found[label][1], best - log_losses(p, answers)
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
        rows[label] = (
            {"members": len(w), "effective": 1 / (w**2).sum()}
            | {name: float(score) for name, score in class_scores(p, answers).items()}
            | {"improvement_log_loss": gain.mean(), "improvement_log_loss_se": error}
        )
    frame = pd.DataFrame.from_dict(rows, orient="index").astype({"members": int})
    frame.index.name = "predictor"
    frame.attrs.update(test_points=len(answers), left_out=left_out)
    return frame


def harmonic_draws(
    landscape: Landscape,
    weights: Array,
    count: int,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
) -> Array:
    """Draws from normal distributions around the minima, ``(count, d)``.

    The precision at each is its Hessian, of the loss and the prior together, over the temperature.
    How many draws each minimum has is fixed by its weight but for the fraction left.
    """
    theta, hessians = (landscape.minima[name].values for name in ("theta", "hessian"))
    places = (np.arange(count) + rng.random()) / count
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
    points = np.empty((count, theta.shape[1]))
    for m in np.unique(chosen):
        rows = np.flatnonzero(chosen == m)
        values, vectors = np.linalg.eigh(hessians[m])
        steps = rng.normal(size=(len(rows), len(values))) * np.sqrt(temperature / values)
        points[rows] = theta[m] + steps @ vectors.T
    return points


def error_disagreement(landscape: Landscape, X_test: ArrayLike, y_test: ArrayLike) -> pd.DataFrame:
    """Whether minima complement one another: how often one of two is right where the other errs.

    Parameters
    ----------
    landscape, X_test, y_test
        As of `compare_classifiers`.

    Returns
    -------
    pandas.DataFrame
        Square over the minima: the share of test rows that exactly one of the two gets right. Two
        that err on the same rows have 0, and nothing to gain from each other. On the diagonal 0;
        ``attrs["accuracy"]`` lists the accuracy of each.
    """
    target = classifier_of(landscape)
    answers = class_answers(target, X_test, y_test)
    right = target.predict_proba(landscape.minima["theta"].values, X_test).argmax(axis=2) == answers
    share = (right[:, None] != right).mean(axis=2)
    frame = pd.DataFrame(share)
    frame.index.name = frame.columns.name = "minimum"
    frame.attrs["accuracy"] = right.mean(axis=1).tolist()
    return frame


def _restarts(restarts: Any, d: int) -> Array:
    points = check_array("restarts", restarts, f"points, shape (S, {d})")
    if points.ndim != 2 or points.shape[1] != d or not len(points):
        raise ValueError(
            f"`restarts` must be points, shape (S, {d}), got {points.shape} in {shown(restarts)}"
        )
    return points
