"""Scores of class probabilities, for many classifiers at once.

Probabilities are ``(..., m, classes)`` and answers are positions among the classes, ``(m,)``;
whatever comes before is kept, so one call scores a whole batch of networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from bayescape.arguments import check_array, check_kind, shown
from bayescape.landscape.record import Landscape

__all__ = ["area_under_curve", "calibration_error", "class_answers", "class_scores"]
__all__ += ["SMALLEST", "classifier_of", "log_losses"]

Array = NDArray[np.float64]

SMALLEST = 1e-15  # a probability that is less counts as so much, so that no score is infinite
BINS = 10


def class_scores(probabilities: Array, answers: NDArray[np.intp]) -> dict[str, Array]:
    """Accuracy, log loss, expected calibration error and AUC, each ``(...)``.

    Parameters
    ----------
    probabilities
        Shape ``(..., m, classes)``.
    answers
        Shape ``(m,)``.
    """
    return {
        "accuracy": (probabilities.argmax(axis=-1) == answers).mean(axis=-1),
        "log_loss": log_losses(probabilities, answers).mean(axis=-1),
        "calibration_error": calibration_error(probabilities, answers),
        "auc": area_under_curve(probabilities, answers),
    }


def log_losses(probabilities: Array, answers: NDArray[np.intp]) -> Array:
    """Minus the log probability of each answer, ``(..., m)``, nats."""
    given = probabilities[..., np.arange(len(answers)), answers]
    return -np.log(np.maximum(given, SMALLEST))


def calibration_error(probabilities: Array, answers: NDArray[np.intp]) -> Array:
    """Expected calibration error, ``(...)``, in 10 bins of the largest probability.

    How far, on average over rows, the share of right answers in a bin is from the mean probability
    that was claimed there. M. P. Naeini, G. F. Cooper, M. Hauskrecht, AAAI (2015), 2901.
    """
    claimed = probabilities.max(axis=-1)
    surplus = claimed - (probabilities.argmax(axis=-1) == answers)
    bins = np.minimum((claimed * BINS).astype(int), BINS - 1)
    return sum(np.abs((surplus * (bins == k)).mean(axis=-1)) for k in range(BINS))


def area_under_curve(probabilities: Array, answers: NDArray[np.intp]) -> Array:
    """Area under the ROC curve, ``(...)``: of the second class of two, else the mean over classes.

    Each class against all others; classes that no row has, or all rows, are left out. NaN without
    any. Ties count one half.
    """
    k = probabilities.shape[-1]
    found = []
    for c in [1] if k == 2 else range(k):
        right = answers == c
        positive, negative = int(right.sum()), int((~right).sum())
        if positive and negative:
            ranks = rankdata(probabilities[..., c], axis=-1)[..., right].sum(axis=-1)
            found.append((ranks - positive * (positive + 1) / 2) / (positive * negative))
    return np.mean(found, axis=0) if found else np.full(probabilities.shape[:-2], np.nan)


def classifier_of(landscape: Landscape) -> Any:
    """The target of a landscape, if it gives class probabilities.

    Raises
    ------
    TypeError
        If it has no method ``predict_proba`` or no classes.
    ValueError
        If the landscape has no target, or no minimum.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    target: Any = landscape.target
    if target is None:
        raise ValueError(
            "`landscape` has no target to predict with; load it by `load_landscape(path, target)`"
        )
    if not callable(getattr(target, "predict_proba", None)) or target.classes is None:
        raise TypeError(
            "the target must give class probabilities by `predict_proba(theta, X)`, as a "
            f"NetworkLoss of labels does, but {type(target).__name__} does not"
        )
    if not landscape.minima.sizes["minimum"]:
        raise ValueError("`landscape` has no minimum to predict with")
    return target


def class_answers(target: Any, X_test: ArrayLike, y_test: ArrayLike) -> NDArray[np.intp]:
    """Positions of test labels among the target's classes, ``(m,)``.

    Raises
    ------
    ValueError
        If there is not one label per row, or one that is no class of the target.
    """
    check_array("X_test", X_test, "an array of numbers")
    labels, classes = np.asarray(y_test), np.asarray(target.classes)
    if labels.shape != np.shape(X_test)[:1] or not len(labels):
        raise ValueError(
            f"`y_test` must have one label per row of `X_test`, shape {np.shape(X_test)[:1]}, "
            f"got {labels.shape} in {shown(y_test)}"
        )
    same = labels[:, None] == classes
    if not same.any(axis=1).all():
        strange = labels[~same.any(axis=1)][0]
        raise ValueError(f"`y_test` must hold classes of {classes.tolist()}, got {strange!r}")
    return np.asarray(same.argmax(axis=1), dtype=np.intp)
