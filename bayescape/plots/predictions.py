"""What is predicted: bands over one input, or predicted against true values over many."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_kind
from bayescape.landscape.record import Landscape
from bayescape.plots.style import (
    BLACK,
    BLUE,
    GREY,
    LIGHT,
    SMALL,
    VERMILLION,
    figure_of,
    new_figure,
    quiet,
)
from bayescape.predict.ensembles import ensemble_weights
from bayescape.predict.predictions import Predictions, predictions_at, thinned_draws
from bayescape.predict.validate import (
    Predicts,
    validate_inputs,
    validate_outputs,
    validate_target,
)

__all__ = ["plot_predictions"]

Array = NDArray[np.float64]

_DRAWS = 200  # the bands' ends move by less than a line's width with more
_GRID = 240
_LEVELS = (0.025, 0.25, 0.75, 0.975)
_LINES = 30  # minima whose means are drawn, the lowest first


def plot_predictions(
    landscape: Landscape,
    posterior: xr.DataTree,
    X_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the posterior's predictions of new observations beside those of the minima.

    Parameters
    ----------
    landscape
        A map with its target, which must be able to predict.
    posterior
        Draws, as `sample` returns them, of which up to 200 are used.
    X_test
        Test inputs, shape ``(m, p)``, or ``(m,)`` for one input; raw units. Needed when the
        target has more than one input.
    y_test
        Test answers, shape ``(m,)``; original units.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        With one input: the data, the posterior's mean with its central 50 % and 95 % bands, the
        mean and the 95 % band of the single best minimum, and the means of the other minima
        (of the 30 lowest). With many: predicted against true values at the test points, with
        95 % intervals.

    Raises
    ------
    TypeError
        If the target does not predict, or ``posterior`` is not a DataTree.
    ValueError
        If the test data do not fit, or are missing when there are many inputs.
    """
    target = validate_target(landscape)
    if ax is not None:
        check_kind("ax", ax, Axes, "matplotlib's Axes")
    if (X_test is None) != (y_test is None):
        raise ValueError("`X_test` and `y_test` must be given together")
    test = None
    if X_test is not None and y_test is not None:
        inputs = validate_inputs(target, X_test, name="X_test")
        test = inputs, validate_outputs(y_test, len(inputs))
    many = np.shape(_data(target)[0])[1] > 1
    if many and test is None:
        raise ValueError(
            "`X_test` and `y_test` are needed to draw predictions over more than one input"
        )
    if ax is None:
        ax = new_figure(4.8, 4.6).subplots() if many else new_figure(7.0, 4.0).subplots()
    if many and test is not None:
        _draw_against_true(ax, landscape, target, posterior, *test)
    else:
        _draw_bands(ax, landscape, target, posterior, test)
    quiet(ax)
    return figure_of(ax)


def _draw_bands(
    ax: Axes,
    landscape: Landscape,
    target: Predicts,
    posterior: xr.DataTree,
    test: tuple[Array, Array] | None,
) -> None:
    X, y = _data(target)
    seen = X if test is None else np.concatenate([X, test[0]])
    margin = 0.03 * float(np.ptp(seen)) or 1.0
    grid = np.linspace(seen.min() - margin, seen.max() + margin, _GRID)
    x = grid[:, None]
    mixture = predictions_at(target, thinned_draws(posterior, _DRAWS), x)
    outer_low, inner_low, inner_high, outer_high = mixture.quantile(_LEVELS)
    ax.fill_between(grid, outer_low, outer_high, color=BLUE, alpha=0.16, linewidth=0,
                    label="posterior, 95%")  # fmt: skip
    ax.fill_between(grid, inner_low, inner_high, color=BLUE, alpha=0.30, linewidth=0,
                    label="posterior, 50%")  # fmt: skip
    minima = landscape.minima["theta"].values
    if len(minima) > 1:
        others = predictions_at(target, minima[1 : 1 + _LINES], x).means
        for i, mean in enumerate(others):
            ax.plot(grid, mean, color=GREY, linewidth=0.8, alpha=0.8,
                    label="other minima, mean" if i == 0 else None)  # fmt: skip
    best = _best(landscape, target, x)
    ax.plot(grid, best.mean, color=VERMILLION, linewidth=1.3, linestyle="--",
            label="best minimum, mean")  # fmt: skip
    for i, edge in enumerate(best.quantile(_LEVELS)[[0, 3]]):
        ax.plot(grid, edge, color=VERMILLION, linewidth=0.9, linestyle=":",
                label="best minimum, 95%" if i == 0 else None)  # fmt: skip
    ax.plot(grid, mixture.mean, color=BLUE, linewidth=1.8, label="posterior, mean")
    ax.plot(X[:, 0], y, marker="o", markersize=3, linestyle="", color=BLACK, alpha=0.75,
            markeredgewidth=0, label="data")  # fmt: skip
    if test is not None:
        ax.plot(test[0][:, 0], test[1], marker="o", markersize=4.5, linestyle="",
                markerfacecolor="white", markeredgecolor=BLACK, label="test data")  # fmt: skip
    ax.set_xlim(grid[0], grid[-1])
    names = getattr(target, "input_names", None)
    ax.set_xlabel(str(names[0]) if names is not None else "x")
    ax.set_ylabel(_output_name(target))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=SMALL)


def _draw_against_true(
    ax: Axes, landscape: Landscape, target: Predicts, posterior: xr.DataTree, X: Array, y: Array
) -> None:
    mixture = predictions_at(target, thinned_draws(posterior, _DRAWS), X)
    low, high = mixture.quantile(_LEVELS)[[0, 3]]
    best = _best(landscape, target, X).mean
    ax.vlines(y, low, high, color=BLUE, linewidth=1.0, alpha=0.4, label="posterior, 95%")
    ax.plot(y, best, marker="x", markersize=4, linestyle="", color=VERMILLION,
            label="best minimum, mean")  # fmt: skip
    ax.plot(y, mixture.mean, marker="o", markersize=3.5, linestyle="", color=BLUE,
            markeredgewidth=0, label="posterior, mean")  # fmt: skip
    ends = np.array([min(y.min(), low.min()), max(y.max(), high.max())])
    ends += 0.03 * np.ptp(ends) * np.array([-1, 1])
    ax.plot(ends, ends, color=LIGHT, linewidth=1.2, zorder=0, label="predicted = true")
    ax.set(xlim=(y.min() - 0.03 * np.ptp(ends), y.max() + 0.03 * np.ptp(ends)), ylim=ends)
    ax.set_xlabel(f"true {_output_name(target)}")
    ax.set_ylabel(f"predicted {_output_name(target)}")
    ax.legend(loc="upper left", frameon=False, fontsize=SMALL)


def _best(landscape: Landscape, target: Predicts, X: Array) -> Predictions:
    weights = ensemble_weights(landscape, "best")
    return predictions_at(target, landscape.minima["theta"].values, X, weights=weights)


def _data(target: Predicts) -> tuple[Array, Array]:
    """Return the target's own data in raw units."""
    try:
        return np.asarray(target.X_raw), np.asarray(target.y_raw)  # type: ignore[attr-defined]
    except AttributeError as error:
        raise TypeError(
            f"the target must keep its data as `X_raw` and `y_raw` to be drawn with them, "
            f"but {type(target).__name__} does not"
        ) from error


def _output_name(target: Predicts) -> str:
    return str(getattr(target, "output_name", None) or "y")
