"""Do conserved weights matter: what a classifier loses when they are changed, and when others are.

The same number of coordinates is changed by noise of the same length in every case, so what differs
is which ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_number, check_whole, shown
from bayescape.landscape.conserved import Conserved, aligned_minima
from bayescape.landscape.record import Landscape
from bayescape.predict.class_scores import class_answers, class_scores, classifier_of

__all__ = ["perturb"]

Array = NDArray[np.float64]

KINDS = ("conserved", "random", "other", "largest")
SCORES = ("accuracy", "auc", "log_loss")
INTERVAL = (2.5, 97.5)  # per cent
RESAMPLES = 1000


def perturb(
    landscape: Landscape,
    conserved: Conserved | ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    size: float = 1.0,
    repeats: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Change conserved weights, random ones and the largest ones alike, and score what is left.

    At each minimum, and in each repeat, ``k`` coordinates are changed, as many as are conserved. To
    these a random vector is added whose length is ``size`` times the root mean square coordinate of
    that minimum times the root of ``k``: the same length, and by the same draw of the direction,
    whichever coordinates they are. ``random`` are drawn anew each time from all coordinates,
    ``other`` from those that are not conserved (with all of these, at the same length for each
    coordinate, where they are fewer), and ``largest`` are those of largest absolute value
    at that minimum.

    Parameters
    ----------
    landscape
        A map whose target is a classifier.
    conserved
        What `conserved` returned, whose coordinates conserved within groups are meant; or any
        choice of coordinates, ``(d,)`` of bool. The choice must refer to the minima after
        alignment (`bayescape.landscape.aligned_minima`), as the one that `conserved` makes does.
    X_test, y_test
        Inputs ``(m, ...)`` and labels ``(m,)`` that the target was not made with.
    size
        Of the change, relative to the root mean square coordinate.
    repeats
        Draws at each minimum.
    seed
        Of the draws and of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        Rows by ``changed`` (``conserved``, ``random``, ``other``, ``largest``) and ``score``
        (``accuracy``, ``auc``, ``log_loss``). Columns:

        ``before``, ``after``
            Means over minima and repeats.
        ``loss``, ``loss_low``, ``loss_high``
            How much worse it became, positive for worse whichever score, and the 95 % interval of
            its mean by the bootstrap over minima and, within each, repeats.
        ``excess``, ``excess_low``, ``excess_high``
            The loss for conserved coordinates minus the loss for these, positive where conserved
            ones matter more; paired by minimum and repeat. NaN for the conserved themselves.

        ``attrs`` holds ``coordinates`` (``k``), ``minima``, ``repeats`` and ``size``. The intervals
        are of these minima and this test set: for other data, split anew.

    Raises
    ------
    TypeError
        If the target is no classifier.
    ValueError
        If an argument makes no sense, or no coordinate or every one is conserved.
    """
    target = classifier_of(landscape)
    answers = class_answers(target, X_test, y_test)
    theta, chosen = _choice(landscape, conserved)
    check_number("size", size, 0)
    check_whole("repeats", repeats, 1)
    check_whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    before = class_scores(target.predict_proba(theta, X_test), answers)
    shape = (len(theta), repeats)
    lost = {(kind, score): np.empty(shape) for kind in KINDS for score in SCORES}
    for r in range(repeats):
        change = _directions(theta, int(chosen.sum()), size, rng)
        for kind, places in _places(theta, chosen, rng).items():
            moved = theta.copy()
            np.put_along_axis(
                moved,
                places,
                np.take_along_axis(theta, places, axis=1) + change[:, : places.shape[1]],
                axis=1,
            )
            after = class_scores(target.predict_proba(moved, X_test), answers)
            for score in SCORES:
                lost[kind, score][:, r] = _worse(score, before[score], after[score])
    resampled = _resamples(shape, rng)
    rows = {}
    for (kind, score), worse in lost.items():
        sign = 1.0 if score == "log_loss" else -1.0
        row = {"before": before[score].mean(), "after": before[score].mean() + sign * worse.mean()}
        excess = lost["conserved", score] - worse if kind != "conserved" else np.full(shape, np.nan)
        rows[kind, score] = row | _summary("loss", worse, resampled)
        rows[kind, score] |= _summary("excess", excess, resampled)
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(list(rows), names=["changed", "score"])
    frame.attrs.update(
        coordinates=int(chosen.sum()), minima=len(theta), repeats=repeats, size=float(size)
    )
    return frame


def _choice(
    landscape: Landscape, conserved: Conserved | ArrayLike
) -> tuple[Array, NDArray[np.bool_]]:
    """The minima after alignment, and which coordinates are meant."""
    if isinstance(conserved, Conserved):
        theta, chosen = conserved.theta, conserved.chosen
    else:
        theta, chosen = aligned_minima(landscape), np.asarray(conserved)
    count, d = landscape.minima["theta"].shape
    if theta.shape != (count, d) or chosen.shape != (d,) or chosen.dtype != bool:
        raise ValueError(
            f"`conserved` must be what `conserved` made of this landscape, or ({d},) of bool, "
            f"got {chosen.dtype} of shape {chosen.shape} in {shown(conserved)}"
        )
    if not 0 < chosen.sum() < d:
        raise ValueError(
            f"`conserved` must hold some of the {d} coordinates and not all, got {chosen.sum()}"
        )
    return theta, chosen


def _directions(theta: Array, k: int, size: float, rng: np.random.Generator) -> Array:
    """Changes of ``k`` coordinates of each minimum, all of the same relative length, ``(M, k)``."""
    drawn = rng.normal(size=(len(theta), k))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    scale = np.sqrt((theta**2).mean(axis=1, keepdims=True) * k)
    return size * scale * drawn


def _places(
    theta: Array, chosen: NDArray[np.bool_], rng: np.random.Generator
) -> dict[str, NDArray[np.intp]]:
    """Which coordinates of each minimum are changed, ``(M, k)`` of each kind."""
    count, d = theta.shape
    k = int(chosen.sum())
    kept, others = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    return {
        "conserved": np.tile(kept, (count, 1)),
        "random": rng.permuted(np.tile(np.arange(d), (count, 1)), axis=1)[:, :k],
        "other": rng.permuted(np.tile(others, (count, 1)), axis=1)[:, :k],
        "largest": np.argsort(-np.abs(theta), axis=1)[:, :k],
    }


def _worse(score: str, before: Array, after: Array) -> Array:
    return after - before if score == "log_loss" else before - after


def _resamples(
    shape: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Minima, and repeats within each, of every bootstrap sample: ``(N, M, 1)``, ``(N, M, R)``."""
    count, repeats = shape
    minima = rng.integers(count, size=(RESAMPLES, count, 1))
    return minima, rng.integers(repeats, size=(RESAMPLES, count, repeats))


def _summary(
    name: str, values: Array, resampled: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> dict[str, Any]:
    low, high = np.percentile(values[resampled].mean(axis=(1, 2)), INTERVAL)
    return {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
