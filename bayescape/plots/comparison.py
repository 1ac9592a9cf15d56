"""The comparison of predictors as a chart: what each gains over the single best minimum."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayescape.arguments import check_kind
from bayescape.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    SMALL,
    VERMILLION,
    new_figure,
    quiet,
)
from bayescape.predict.ensembles import ENSEMBLES

__all__ = ["plot_comparison"]

_PANELS = (
    ("rmse", "improvement_rmse_percent", "RMSE reduction (%)"),
    ("nlpd", "improvement_nlpd", "NLPD reduction (nats per point)"),
    ("crps", "improvement_crps_percent", "CRPS reduction (%)"),
)
_COVERAGE = ((50, "o", ORANGE), (90, "s", BLUE), (95, "D", VERMILLION))


def plot_comparison(frame: pd.DataFrame) -> Figure:
    """Draw the scores of predictors relative to the single best minimum, and their coverage.

    Parameters
    ----------
    frame
        The table that `compare` returns.

    Returns
    -------
    matplotlib.figure.Figure
        One row per predictor. Three panels show the reduction of RMSE, NLPD and CRPS, to the right
        of the line being better, with two standard errors where the table has them, and the score
        itself at the right edge; the fourth the coverage of the central intervals, whose nominal
        values are the lines.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    check_kind("frame", frame, pd.DataFrame, "a table made by `compare`")
    needed = [c for score, gain, _ in _PANELS for c in (score, gain)]
    needed += [f"coverage_{percent}" for percent, _, _ in _COVERAGE]
    missing = [column for column in needed if column not in frame.columns]
    if missing or not len(frame):
        raise ValueError(
            f"`frame` must be a table made by `compare`, got {len(frame)} rows and no columns "
            f"{missing}"
        )
    figure = new_figure(11.5, 1.3 + 0.36 * len(frame))
    panels = figure.subplots(1, 4, sharey=True)
    for panel, (score, gain, label) in zip(panels[:3], _PANELS, strict=True):
        _draw_gain(panel, frame, score, gain)
        panel.set_xlabel(label)
    _draw_coverage(panels[3], frame)
    panels[0].set_yticks(np.arange(len(frame)), [str(label) for label in frame.index])
    panels[0].set_ylim(len(frame) - 0.5, -0.5)
    for panel in panels:
        quiet(panel)
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)
    return figure


def _draw_gain(ax: Axes, frame: pd.DataFrame, score: str, gain: str) -> None:
    ax.axvline(0.0, color=GREY, linewidth=1.0)
    errors = frame.get(f"{gain}_se", pd.Series(np.nan, index=frame.index)).fillna(0.0)
    ensembles = set(ENSEMBLES.values())
    for row, label in enumerate(frame.index):
        value = frame[gain].iloc[row]
        colour = BLUE if label in ensembles else VERMILLION
        ax.plot([value - 2 * errors.iloc[row], value + 2 * errors.iloc[row]], [row, row],
                color=colour, linewidth=1.4, alpha=0.5, solid_capstyle="butt")  # fmt: skip
        ax.plot([value], [row], marker="o" if label in ensembles else "D", markersize=6,
                linestyle="", color=colour, label=f"_{gain} {label}")  # fmt: skip
        ax.annotate(
            f"{frame[score].iloc[row]:.4g}", (1.0, row), xycoords=("axes fraction", "data"),
            xytext=(3, 0), textcoords="offset points", va="center", fontsize=SMALL, color=GREY,
        )  # fmt: skip
    ax.annotate(
        score.upper(), (1.0, 1.0), xycoords="axes fraction", xytext=(3, 2),
        textcoords="offset points", va="bottom", fontsize=SMALL, color=GREY,
    )  # fmt: skip
    ax.margins(x=0.12)
    _keep_zero_in_view(ax)


def _keep_zero_in_view(ax: Axes) -> None:
    low, high = ax.get_xlim()
    if high - low < 1e-6:  # every predictor is the same, as with a single minimum
        ax.set_xlim(-1, 1)


def _draw_coverage(ax: Axes, frame: pd.DataFrame) -> None:
    rows = np.arange(len(frame))
    for place, (percent, marker, colour) in enumerate(_COVERAGE):
        dodged = rows + 0.14 * (place - 1)  # equal fractions would hide one another
        ax.axvline(percent, color=colour, linewidth=1.0, alpha=0.5)
        ax.plot(100 * frame[f"coverage_{percent}"], dodged, marker=marker, markersize=6,
                linestyle="", color=colour, markeredgecolor="white", markeredgewidth=0.6,
                label=f"_coverage {percent}")  # fmt: skip
    ax.set_xlim(min(40.0, 100 * frame["coverage_50"].min() - 5), 103)
    ax.set_xlabel("coverage of intervals (%)")
    handles = [
        Line2D([], [], marker=m, linestyle="", color=c, label=f"{p}%") for p, m, c in _COVERAGE
    ]
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False,
        fontsize=SMALL, title="nominal", title_fontsize=SMALL,
    )  # fmt: skip
