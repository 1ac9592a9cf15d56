"""The report's tables: rows of text, rounded here and nowhere before."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescape.evaluations import Evaluations
from bayescape.landscape.passes import merges
from bayescape.landscape.thermodynamics import thermodynamics
from bayescape.sample.convergence import largest_rhat, smallest_ess
from bayescape.study.study import Fit, Study
from bayescape.study.units import in_data_units

__all__ = [
    "TextTable",
    "basin_table",
    "comparison_table",
    "cost_table",
    "decision_table",
    "posterior_table",
]

MOST_BASINS = 15  # rows of the table of minima; the file holds them all


@dataclasses.dataclass(frozen=True, slots=True)
class TextTable:
    """Column heads, rows of text (the first cell labels the row), and a note."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def basin_table(fit: Fit) -> TextTable:
    """The minima: energy, what each holds of the posterior, and where it lies."""
    landscape = fit.landscape
    minima = landscape.minima
    energies = minima["energy"].values
    harmonic = thermodynamics(landscape, [1.0])["occupation"].values[0]
    share = json.loads(fit.posterior.attrs["occupation"])
    errors = json.loads(fit.posterior.attrs["occupation_se"])
    natural = in_data_units(fit.target, fit.target.constrain(minima["theta"].values))
    barriers = _barriers(fit)
    rows = [
        (
            str(m),
            f"{energies[m] - energies[0]:.3f}",
            barriers[m],
            f"{_percent(share[m])} ± {_percent(errors[m])}",
            _percent(harmonic[m]),
            *(_number(value[m]) for value in natural.values()),
        )
        for m in range(min(len(energies), MOST_BASINS))
    ]
    left = len(energies) - len(rows)
    return TextTable(
        (
            "minimum",
            "energy above the lowest",
            "barrier",
            "share of the draws",
            "harmonic share",
            *natural,
        ),
        tuple(rows),
        f"The lowest energy is {energies[0]:.3f} nats. A barrier is what a path to a lower minimum "
        "must climb at least; energies and barriers are in nats, all else in the units of the data."
        + (f" {left} higher minima are in landscape.nc." if left else ""),
    )


def decision_table(fit: Fit) -> TextTable:
    """What each method was predicted to cost, and whether it would be right."""
    rows = [
        (
            str(method),
            "yes" if row["valid"] else "no",
            _count(row["evaluations"]),
            _count(row["gradient_equivalents"]),
        )
        for method, row in fit.decision.costs.iterrows()
    ]
    return TextTable(
        ("method", "predicted to be right", "evaluations", "cost, in gradients"),
        tuple(rows),
        f"For an effective sample size of {fit.decision.ess:,}; a value counts half a gradient.",
    )


def posterior_table(fit: Fit) -> TextTable:
    """Moments and quantiles of the hyperparameters, in the units of the data."""
    variables = fit.posterior["posterior"].to_dataset().data_vars
    natural = {str(name): variable.values for name, variable in variables.items()}
    rows = []
    for label, draws in in_data_units(fit.target, natural).items():
        low, median, high = np.quantile(draws, [0.05, 0.5, 0.95])
        rows.append(
            (
                label,
                _number(draws.mean()),
                _number(draws.std(ddof=1)),
                _number(low),
                _number(median),
                _number(high),
                *_diagnostics(draws, fit.posterior),
            )
        )
    chains, count = draws.shape
    return TextTable(
        (
            "",
            "mean",
            "standard deviation",
            "5\N{NO-BREAK SPACE}%",
            "median",
            "95\N{NO-BREAK SPACE}%",
            "effective draws",
            "R-hat",
        ),
        tuple(rows),
        f"{chains * count:,} equally weighted draws, in the units of the data; posterior.nc holds "
        "them in those of the model, whose inputs and output are standardised.",
    )


def comparison_table(frame: pd.DataFrame, unit: str) -> TextTable:
    """The scores on the test rows."""
    rows = [
        (
            str(label),
            f"{int(row['members']):,}",
            _number(row["rmse"]),
            f"{row['nlpd']:.3f}",
            _number(row["crps"]),
            *(f"{row[f'coverage_{level}']:.0%}" for level in (50, 90, 95)),
            _gain(row, "improvement_rmse_percent", ".1f", first=i == 0),
            _gain(row, "improvement_nlpd", ".3f", first=i == 0),
        )
        for i, (label, row) in enumerate(frame.iterrows())
    ]
    return TextTable(
        (
            "predictor",
            "members",
            "RMSE",
            "NLPD",
            "CRPS",
            "in 50\N{NO-BREAK SPACE}% interval",
            "in 90\N{NO-BREAK SPACE}%",
            "in 95\N{NO-BREAK SPACE}%",
            "RMSE lower by, %",
            "NLPD lower by",
        ),
        tuple(rows),
        f"RMSE (root mean squared error) and CRPS (continuous ranked probability score) in the "
        f"units of {unit}; NLPD (negative log predictive density of the mixture) in nats per row. "
        "Lower is better for all three. The last two columns are against the single best minimum, "
        "± their standard errors over test rows: below two of those a difference says little.",
    )


def cost_table(study: Study) -> TextTable:
    """Evaluations by kind, and seconds, stage by stage."""
    rows = _fit_costs("", study.fit)
    if study.refitted and study.compared is not None:
        rows += _fit_costs(", without the test rows", study.compared)
    if study.hmc is not None:
        rows.append(_draws_cost("NUTS alone, for the comparison", study.hmc))
    if study.comparison is not None:
        rows.append(_cost("comparing predictions", Evaluations(), study.comparing_seconds))
    total = [sum(int(row[k].replace(",", "")) for row in rows) for k in (1, 2, 3)]
    rows.append(("all of it", *(f"{count:,}" for count in total), f"{study.seconds:.1f}"))
    return TextTable(("stage", "values", "gradients", "Hessians", "seconds"), tuple(rows))


def _fit_costs(suffix: str, fit: Fit) -> list[tuple[str, ...]]:
    return [
        _cost(f"mapping{suffix}", fit.landscape.evaluations, fit.landscape.seconds),
        _cost(f"deciding{suffix}", fit.decision.evaluations, fit.deciding_seconds),
        _draws_cost(f"sampling{suffix}", fit.posterior),
    ]


def _draws_cost(label: str, posterior: xr.DataTree) -> tuple[str, ...]:
    spent = Evaluations(**json.loads(posterior.attrs["evaluations"]))
    return _cost(label, spent, float(posterior.attrs["seconds"]))


def _cost(label: str, spent: Evaluations, seconds: float) -> tuple[str, ...]:
    return (
        label,
        f"{spent.value:,}",
        f"{spent.gradient:,}",
        f"{spent.hessian:,}",
        f"{seconds:.1f}",
    )


def _barriers(fit: Fit) -> list[str]:
    """For each minimum what it takes to get to a lower one; a dash where no path is known."""
    energies = fit.landscape.minima["energy"].values
    climbs = ["-"] * len(energies)
    for merge in merges(fit.landscape):
        m = min(merge.right)  # positions are by energy: the lowest of the higher side
        climbs[m] = f"{merge.energy - energies[m]:.3f}"
    return climbs


def _diagnostics(draws: NDArray[np.float64], posterior: xr.DataTree) -> tuple[str, str]:
    """Effective draws and R-hat; independent draws have an effective size of their own."""
    if posterior.attrs["method"] == "superposition":
        # Of the weighted points and of the draws picked among them: their variances add.
        weighted = float(posterior.attrs.get("ess", np.nan))
        return _count(1 / (1 / draws.size + 1 / weighted)), "independent draws"
    column = draws[..., None]
    return _count(smallest_ess(column)), f"{largest_rhat(column):.3f}"


def _gain(row: pd.Series, name: str, form: str, *, first: bool) -> str:
    if first:
        return "-"
    error = row[f"{name}_se"]
    return f"{row[name]:+{form}}" + (f" ± {error:{form}}" if np.isfinite(error) else "")


def _percent(value: float | None) -> str:
    return "?" if value is None or not np.isfinite(value) else f"{100 * value:.1f} %"


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "-"


def _number(value: float) -> str:
    """Three significant digits, without an exponent where people would not write one."""
    if not np.isfinite(value):
        return "-"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = 0 if value == 0 else max(0, 2 - int(np.floor(np.log10(abs(value)))))
        return f"{value:,.{digits}f}"
    return f"{value:.2e}"
