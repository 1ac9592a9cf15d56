"""The study's figures, drawn from what is kept of it, for the notebooks and the documentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from bayescape.plots.style import (
    BLACK,
    BLUE,
    GREY,
    LIGHT,
    ORANGE,
    SMALL,
    VERMILLION,
    basin_colour,
    new_figure,
    quiet,
)
from benchmarks.seed import answers

__all__ = [
    "figure_3",
    "figure_4",
    "figure_5",
    "figure_decide",
    "figure_foretold",
    "figure_free_nu",
    "figure_peaks",
]

Array = NDArray[np.float64]

COLOURS = {
    "uniform": BLUE,
    "energy": ORANGE,
    "occupation": VERMILLION,
    "volume": basin_colour(5),
    "stacking": basin_colour(2),
    "stacking_means": basin_colour(4),
    "superposition": BLACK,
    "restarts": GREY,
}
NAMES = {
    "uniform": "uniform",
    "energy": "energy",
    "occupation": "occupation",
    "volume": "volume",
    "stacking": "stacked densities",
    "stacking_means": "stacked means",
    "superposition": "superposition posterior",
    "restarts": "random restarts",
    "occupation_cross_validation": "occupation, T by cross-validation",
    "occupation_heat_capacity": "occupation, T at the heat-capacity peak",
    "pair_at_peak": "the pair at the heat-capacity peak",
}
BESIDE = ("superposition", "restarts")
FEW = 15  # orders looked at, below which they are drawn as points with bars
SHIFT = 0.05  # between such bars at one order
NU = r"Matérn order $\nu$"
LABELS = {
    "rmse_percent": "reduction of the RMSE (%)",
    "nlpd": "reduction of the NLPD (nats)",
    "crps_percent": "reduction of the CRPS (%)",
}


def figure_3(record: dict[str, Any], grid: Array) -> Figure:
    """Loss and test error of every minimum against the order: by branch, and by k-means.

    A cluster has the colour of the branch that it stands for.
    """
    energy = np.array(record["energy"], dtype=float)
    seen = np.isfinite(energy).any(axis=1)  # not those between two folds between two orders
    energy, errors = energy[seen], np.array(record["mse"], dtype=float)[seen]
    clusters = np.array(record["clusters"])[seen]
    above = energy - np.nanmin(energy, axis=0)
    shared = _sharing(clusters)
    figure = new_figure(9.0, 6.4)
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    rank = np.argsort(np.argsort(np.nanmin(energy, axis=1)))
    colours = [_spectrum(int(r), len(rank)) for r in rank]
    standing = answers.branches_of_clusters(clusters)
    for row, values in enumerate((above, errors)):
        left, right = axes[row]
        for b in np.argsort(-rank):
            left.plot(grid, values[b], color=colours[b], linewidth=1.5, marker=".", markersize=3)
        for c, b in standing.items():
            at = np.nonzero(clusters == c)
            right.plot(
                grid[at[1]], values[at], linestyle="", marker=".", markersize=4, color=colours[b]
            )
        at = np.nonzero(shared)
        right.plot(
            grid[at[1]], values[at], linestyle="", marker="o", markersize=6, markeredgewidth=0.6,
            markerfacecolor="none", markeredgecolor=BLACK,
            label="shares its cluster with another minimum of the same order",
        )  # fmt: skip
    wrong = record["misassigned"]
    axes[0, 0].set_title("by branch: followed", fontsize=SMALL + 2)
    axes[0, 1].set_title(
        f"by k-means: {wrong['wrong']} of {wrong['points']} not with their branch",
        fontsize=SMALL + 2,
    )
    figure.legend(
        *axes[0, 1].get_legend_handles_labels(), loc="outside lower center", frameon=False,
        fontsize=SMALL,
    )  # fmt: skip
    axes[0, 0].set_ylabel("energy above the lowest minimum (nats)")
    axes[1, 0].set_ylabel("test MSE over the variance of y")
    for ax in axes[1]:
        ax.set_xlabel(NU)
    for ax in axes.flat:
        quiet(ax)
    return figure


def figure_4(
    records: list[dict[str, Any]], gains: tuple[str, ...] = ("rmse_percent", "nlpd")
) -> Figure:
    """Gains of ensembles over the single best minimum against the order, with errors over draws."""
    figure = new_figure(9.0, 3.3 * len(gains))
    axes = figure.subplots(len(gains), 2, sharex=True, squeeze=False)
    for column, inputs in enumerate((3, 4)):
        table = answers.gains_along(records, inputs)
        draws = sum(r["inputs"] == inputs for r in records)
        for row, gain in enumerate(gains):
            ax = axes[row, column]
            other = "stacking" if gain == "rmse_percent" else "stacking_means"
            parts = {kind: table.loc[kind] for kind in COLOURS if kind != other}
            barred = [kind for kind, part in parts.items() if len(part) < FEW]
            for kind, part in parts.items():
                curve = part["mean", gain], part["error", gain]
                if kind in barred:
                    _bars(ax, *curve, kind, SHIFT * (barred.index(kind) - (len(barred) - 1) / 2))
                else:
                    _band(ax, *curve, kind)
            ax.axhline(0, color=GREY, linewidth=0.8)
            ax.set_ylabel(LABELS[gain])
            quiet(ax)
        axes[0, column].set_title(f"Schwefel, {inputs} inputs: {draws} draws", fontsize=SMALL + 2)
        axes[-1, column].set_xlabel(NU)
    handles = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False,
        fontsize=SMALL,
    )  # fmt: skip
    return figure


def figure_5(frame: pd.DataFrame, kinds: tuple[str, ...] = ("uniform", "occupation")) -> Figure:
    """Gain against the number of minima, a point per problem, and means with errors over these."""
    figure = new_figure(9.0, 3.6)
    edges = np.array([2, 3, 5, 9, 17, 33, 65, 1000])
    for ax, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        part = frame[frame["kind"] == kind]
        ax.plot(part["minima"], part["rmse_percent"], ".", color=LIGHT, markersize=6)
        bins = np.digitize(part["minima"], edges)
        for b in np.unique(bins):
            inside = part[bins == b]
            mean, error = answers.mean_and_error(inside["rmse_percent"])
            ax.errorbar(
                np.exp(np.log(inside["minima"]).mean()), mean, yerr=error, color=COLOURS[kind],
                marker="o", markersize=5, capsize=2,
            )  # fmt: skip
        value, low, high = answers.rank_correlation(part["minima"], part["rmse_percent"])
        ax.set_title(
            f"{NAMES[kind]}: Spearman {value:.2f} ({low:.2f} to {high:.2f})", fontsize=SMALL + 2
        )
        _count_axis(ax)
        _clip(ax, part["rmse_percent"])
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_xlabel("minima of the map")
        ax.set_ylabel(LABELS["rmse_percent"])
        quiet(ax)
    return figure


def figure_foretold(frame: pd.DataFrame, table: pd.DataFrame, kind: str = "occupation") -> Figure:
    """What was foretold against what came true, and how well each predictor ranks the problems."""
    figure = new_figure(9.0, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    part = frame[frame["kind"] == kind]
    left.plot(part["ambiguity_percent"], part["rmse_percent"], ".", color=COLOURS[kind])
    left.axhline(0, color=GREY, linewidth=0.8)
    left.set_xscale("symlog", linthresh=0.1)
    left.set_xlim(-0.02, 1.5 * part["ambiguity_percent"].max())
    _clip(left, part["rmse_percent"])
    left.set_xlabel("ambiguity on rows left out (% of the members' error)")
    left.set_ylabel(LABELS["rmse_percent"])
    left.set_title(f"{NAMES[kind]}-weighted, {len(part)} problems", fontsize=SMALL + 2)
    kinds = list(dict.fromkeys(table.index.get_level_values(0)))
    predictors = {
        "ambiguity_percent": ("ambiguity", VERMILLION),
        "improvement_rmse_percent": ("gain on rows left out", BLUE),
        "minima": ("number of minima (the talk)", GREY),
        "effective_funnels": ("effective funnels", ORANGE),
    }
    for i, (predictor, (label, colour)) in enumerate(predictors.items()):
        rows = table.loc[[(k, predictor) for k in kinds]]
        x = np.arange(len(kinds)) + 0.18 * (i - 1.5)
        value = rows["spearman"].values
        errors = np.array([value - rows["low"].values, rows["high"].values - value])
        right.errorbar(x, value, yerr=errors, linestyle="", marker="o", markersize=4, capsize=2,
                       color=colour, label=label)  # fmt: skip
    right.axhline(0, color=GREY, linewidth=0.8)
    right.axhline(0.7, color=LIGHT, linewidth=0.8, linestyle="--")
    right.set_xticks(range(len(kinds)), [NAMES[k].replace(" ", "\n") for k in kinds])
    right.set_ylabel("Spearman's correlation with the gain")
    right.legend(frameon=False, fontsize=SMALL, loc="lower center", ncols=2,
                 bbox_to_anchor=(0.5, 1.0))  # fmt: skip
    for ax in (left, right):
        quiet(ax)
    return figure


def figure_decide(decided: pd.DataFrame) -> Figure:
    """What every way costs by problem, and what multi-funnelled maps do to the decision."""
    figure = new_figure(9.0, 3.8)
    left, right = figure.subplots(1, 2)
    order = decided.sort_values("hmc").reset_index(drop=True)
    for name, colour, marker, label in (
        ("mapping", GREY, ".", "mapping (measured)"),
        ("superposition", VERMILLION, ".", "superposition, 1000 effective draws (measured)"),
        ("hmc", BLUE, ".", "NUTS, 1000 effective draws (foretold)"),
    ):
        values = order[name].astype(float)
        seen = np.isfinite(values) & (values < 1e12)
        left.plot(order.index[seen], values[seen], marker, color=colour, markersize=4, label=label)
    left.set_yscale("log")
    left.set_xlabel("problem, by the cost of NUTS")
    left.set_ylabel("gradient equivalents")
    left.legend(frameon=False, fontsize=SMALL, loc="upper left")
    draws = np.clip(decided["relaxation"].values, 0.01, 1e8)
    for valid, colour, label in (
        (True, BLUE, "should be right"),
        (False, ORANGE, "is not trusted"),
    ):
        chosen = (decided["hmc_valid"] == valid).values
        right.plot(
            decided["effective_funnels"][chosen], draws[chosen], "o", color=colour, markersize=4,
            markerfacecolor="none", label=f"NUTS {label} ({chosen.sum()})",
        )  # fmt: skip
    right.set_yscale("log")
    right.set_xscale("log")
    right.set_xticks([1, 2, 3, 5], ["1", "2", "3", "5"])
    right.xaxis.set_minor_locator(NullLocator())
    right.set_xlabel("effective number of funnels")
    right.set_ylabel("draws of NUTS to change basin, foretold")
    right.legend(frameon=False, fontsize=SMALL, loc="upper right")
    for ax in (left, right):
        quiet(ax)
    return figure


def figure_free_nu(frame: pd.DataFrame) -> Figure:
    """What a fixed order loses against a sampled one, and the posterior of the order."""
    figure = new_figure(9.0, 3.8)
    left, right = figure.subplots(1, 2)
    columns = ["0.5", "1.5", "2.5", "by evidence", "single free minimum"]
    names = ["1/2", "3/2", "5/2", "likeliest\nof these", "free, best\nminimum"]
    rng = np.random.default_rng(0)
    for i, column in enumerate(columns):
        values = frame[column].astype(float)
        left.plot(i + rng.uniform(-0.15, 0.15, len(values)), values, ".", color=LIGHT)
        mean, error = answers.mean_and_error(values)
        left.errorbar(i, mean, yerr=error, color=BLUE, marker="o", markersize=5, capsize=3)
    left.axhline(0, color=GREY, linewidth=0.8)
    left.set_yscale("symlog", linthresh=0.1)
    left.set_xticks(range(len(columns)), names)
    left.set_ylabel("NLPD above that of a sampled order (nats)")
    order = frame.sort_values("median").reset_index()
    right.hlines(order.index, order["low"], order["high"], color=LIGHT, linewidth=2)
    right.plot(order["median"], order.index, "o", color=BLUE, markersize=4)
    for nu in (0.5, 1.5, 2.5):
        right.axvline(nu, color=GREY, linewidth=0.8, linestyle=":")
    right.set_xscale("log")
    right.set_yticks(order.index, [name.replace(" draw=", ", ") for name in order["data"]])
    right.set_xlabel(NU + ": median and 90 %")
    for ax in (left, right):
        quiet(ax)
    right.tick_params(axis="y", labelsize=6)
    return figure


def figure_peaks(records: list[dict[str, Any]]) -> Figure:
    """Where heat capacities peak, and between which minima occupation passes there."""
    figure = new_figure(9.0, 3.4)
    left, right = figure.subplots(1, 2)
    rows = [(r, p) for r in records for p in r["peaks"][:1]]
    left.plot([p["temperature"] for _, p in rows], [p["excess"] for _, p in rows], ".", color=BLUE)
    left.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
    left.set_xscale("log")
    left.set_xlabel("temperature of the highest peak (1: the posterior)")
    left.set_ylabel("heat capacity above d / 2")
    right.plot([r["minima"] for r, _ in rows], [p["share"] for _, p in rows], ".", color=BLUE)
    _count_axis(right)
    right.set_ylim(0, 1.05)
    right.set_xlabel("minima of the map")
    right.set_ylabel("share of the passage between two minima")
    for ax in (left, right):
        quiet(ax)
    return figure


def _band(ax: Axes, mean: pd.Series, error: pd.Series, kind: str) -> None:
    x, colour = mean.index.values, COLOURS[kind]
    ax.plot(x, mean, color=colour, linewidth=1.4, label=NAMES[kind])
    ax.fill_between(x, mean - error, mean + error, color=colour, alpha=0.12, linewidth=0)


def _bars(ax: Axes, mean: pd.Series, error: pd.Series, kind: str, shift: float) -> None:
    ax.errorbar(
        mean.index.values + shift, mean, yerr=error, color=COLOURS[kind], marker="o",
        markersize=3.5, linestyle="-" if kind not in BESIDE else "", linewidth=1.0,
        label=NAMES[kind], zorder=3 if kind in BESIDE else 2,
    )  # fmt: skip


def _clip(ax: Axes, values: pd.Series) -> None:
    """Leave single outliers to the margin, and say how many there are."""
    low, high = np.nanquantile(values, [0.02, 0.98])
    pad = 0.15 * (high - low)
    out = int(((values < low - pad) | (values > high + pad)).sum())
    ax.set_ylim(low - pad, high + pad)
    if out:
        ax.annotate(f"{out} outside", (0.99, 0.02), xycoords="axes fraction", ha="right",
                    fontsize=SMALL, color=GREY)  # fmt: skip


def _count_axis(ax: Axes) -> None:
    """A logarithmic axis of small whole numbers."""
    ax.set_xscale("log")
    ticks = [2, 3, 5, 10, 20, 50, 100]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())


def _sharing(clusters: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Minima that have their cluster in common with another one of the same order."""
    same = (clusters[:, None] == clusters[None]) & (clusters[:, None] >= 0)
    return same.sum(axis=1) > 1


def _spectrum(position: int, count: int) -> tuple[float, ...]:
    from matplotlib import colormaps

    return colormaps["turbo"]((position + 0.5) / count)
