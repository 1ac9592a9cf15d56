"""Reading the study's results: means with errors over draws of data, and rank correlations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from bayescape.predict.ensembles import ENSEMBLES

__all__ = [
    "GAINS",
    "branches_of_clusters",
    "by_funnels",
    "costs_of_following",
    "decisions",
    "fixed_and_free",
    "foretold",
    "gains_along",
    "gains_beside",
    "gains_by_kind",
    "gains_of",
    "gains_overall",
    "load",
    "lowest_and_best",
    "mean_and_error",
    "means_of",
    "misassignments",
    "rank_correlation",
    "rank_correlations",
    "sampled",
]

Array = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results"
GAINS = ("rmse_percent", "nlpd", "crps_percent")
"""What is gained over the single best minimum, in the order in which results keep it."""
FUNNEL = "1.0"  # nats, the barrier that makes two funnels of a map
FORETOLD = ("ambiguity_percent", "improvement_rmse_percent", "improvement_nlpd")


def load(part: str) -> list[dict[str, Any]]:
    """All records of one part of the study."""
    lines = (RESULTS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def mean_and_error(values: ArrayLike) -> tuple[float, float]:
    """Mean over draws, and its standard error; not finite ones are left out."""
    x = np.asarray(values, dtype=float)
    x = x[np.isfinite(x)]
    if not len(x):
        return np.nan, np.nan
    error = x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
    return float(x.mean()), float(error)


def gains_of(records: list[dict[str, Any]], inputs: int) -> pd.DataFrame:
    """Gains of every ensemble at every order and draw of Schwefel data."""
    return pd.DataFrame(
        [
            {
                "nu": score["nu"],
                "predictor": kind,
                "draw": i,
                "beside": "restarts" in score["gains"],
            }
            | dict(zip(GAINS, np.array(gain, dtype=float), strict=True))
            for i, record in enumerate(r for r in records if r["inputs"] == inputs)
            for score in record["scores"]
            for kind, gain in score["gains"].items()
        ]
    )


def gains_along(records: list[dict[str, Any]], inputs: int) -> pd.DataFrame:
    """Gains by ensemble and order: mean and error over draws, and their number."""
    grouped = gains_of(records, inputs).groupby(["predictor", "nu"])[list(GAINS)]
    parts = {"mean": grouped.mean(), "error": grouped.sem(), "draws": grouped.count()}
    return pd.concat(parts, axis=1)


def gains_overall(records: list[dict[str, Any]], inputs: int) -> pd.DataFrame:
    """Gains by ensemble over the orders where all were looked at: mean and error over draws.

    A draw's mean over orders comes first, for neighbouring orders are no further evidence.
    """
    every = gains_of(records, inputs)
    by_draw = every[every["beside"]].groupby(["predictor", "draw"])[list(GAINS)].mean()
    grouped = by_draw.groupby("predictor")
    table = pd.concat({"mean": grouped.mean(), "error": grouped.sem()}, axis=1)
    return table.sort_values(("mean", "rmse_percent"), ascending=False)


def gains_beside(records: list[dict[str, Any]], inputs: int) -> pd.DataFrame:
    """What ensembles gain beyond random restarts and beyond the superposition posterior, paired.

    Reductions of the RMSE in per cent of the single best minimum's, as in `gains_overall`.
    """
    every = gains_of(records, inputs)
    by_draw = every[every["beside"]].groupby(["predictor", "draw"])["rmse_percent"].mean()
    table = by_draw.unstack("predictor")
    rows = {}
    for kind in table.columns:
        for other in ("restarts", "superposition"):
            mean, error = mean_and_error(table[kind] - table[other])
            rows.setdefault(kind, {}).update({f"beyond {other}": mean, f"{other} error": error})
    return pd.DataFrame(rows).T


def costs_of_following(records: list[dict[str, Any]]) -> pd.DataFrame:
    """By draw: cost of following as a share of mapping afresh, and minima that each lacks.

    ``again_lacks`` are those that mapping from another seed does not find.
    """
    rows = {}
    for record in records:
        if not record["mapped"]:
            continue
        mapped, following = record["mapped"], record["mapped"]["following"]
        rows[record["task"]] = {
            "evaluations": following["evaluations"] / mapped["evaluations"],
            "gradient_equivalents": following["cost"] / mapped["cost"],
            "minima_mapped": sum(mapped["minima"]),
            "followed_lacks": sum(following["followed_lacks"]),
            "again_lacks": sum(mapped["again_lacks"]),
            "mapped_lacks": sum(following["mapped_lacks"]),
        }
    return pd.DataFrame(rows).T


def branches_of_clusters(clusters: NDArray[np.int_]) -> dict[int, int]:
    """The branch, a row of ``(N, K)`` labels, that each cluster stands for: fewest are wrong."""
    known = [row[row >= 0] for row in clusters]
    table = np.array([np.bincount(row, minlength=clusters.max() + 1) for row in known])
    branches, labels = linear_sum_assignment(-table)
    return dict(zip(labels.tolist(), branches.tolist(), strict=True))


def misassignments(records: list[dict[str, Any]]) -> pd.DataFrame:
    """By draw: how often k-means is wrong about the branches."""
    return pd.DataFrame({record["task"]: record["misassigned"] for record in records}).T


def lowest_and_best(records: list[dict[str, Any]]) -> pd.DataFrame:
    """By draw: at how many orders the lowest minimum predicts the test rows best, and by how much.

    ``error_of_best``: the mean over orders of the least test error over that of the lowest minimum.
    """
    rows = {}
    for record in records:
        energy, mse = (np.array(record[key], dtype=float) for key in ("energy", "mse"))
        at = np.arange(energy.shape[1])
        lowest, best = np.nanargmin(energy, axis=0), np.nanargmin(mse, axis=0)
        rows[record["task"]] = {
            "orders": len(at),
            "lowest_is_best": int((lowest == best).sum()),
            "energy_of_best": float((energy[best, at] - energy[lowest, at]).mean()),
            "error_of_best": float((mse[best, at] / mse[lowest, at]).mean()),
        }
    return pd.DataFrame(rows).T


def foretold(records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per problem and kind of ensemble: what was foretold, what came true, and the map."""
    rows = []
    for record in records:
        for kind, label in ENSEMBLES.items():
            if kind == "best" or record["minima"] < 2:
                continue
            rows.append(
                {
                    "problem": record["task"],
                    "kind": kind,
                    "inputs": record["inputs"],
                    "rows": record["rows"],
                    "minima": record["minima"],
                    "funnels": record["funnels"][FUNNEL]["count"],
                    "effective_funnels": record["funnels"][FUNNEL]["effective"],
                }
                | dict(zip(FORETOLD, record["foretold"][label], strict=True))
                | dict(zip(GAINS, record["gains"][kind], strict=True))
            )
    return pd.DataFrame(rows)


def rank_correlation(
    a: ArrayLike, b: ArrayLike, *, seed: int = 0, resamples: int = 2000
) -> tuple[float, float, float]:
    """Spearman's correlation, and its 95% interval by the bootstrap over problems."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    picks = np.random.default_rng(seed).integers(len(a), size=(resamples, len(a)))
    value = _correlation(rankdata(a)[None], rankdata(b)[None])[0]
    found = _correlation(rankdata(a[picks], axis=1), rankdata(b[picks], axis=1))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(value), float(low), float(high)


def rank_correlations(frame: pd.DataFrame, gain: str = "rmse_percent") -> pd.DataFrame:
    """By kind of ensemble: how well each predictor of a gain ranks the problems."""
    predictors = ("ambiguity_percent", "improvement_rmse_percent", "minima", "effective_funnels")
    if gain == "nlpd":
        predictors = ("ambiguity_percent", "improvement_nlpd", "minima", "effective_funnels")
    rows = {}
    for kind, part in frame.groupby("kind", sort=False):
        for predictor in predictors:
            value, low, high = rank_correlation(part[predictor], part[gain])
            rows[kind, predictor] = {"spearman": value, "low": low, "high": high}
    return pd.DataFrame(rows).T


def gains_by_kind(frame: pd.DataFrame) -> pd.DataFrame:
    """Over all problems with two minima or more: what each kind of ensemble gains and loses."""
    rows = {}
    for kind, part in frame.groupby("kind", sort=False):
        gain = part["rmse_percent"]
        mean, error = mean_and_error(gain)
        nlpd, nlpd_error = mean_and_error(part["nlpd"])
        rows[kind] = {
            "problems": len(part),
            "RMSE %, median": gain.median(),
            "RMSE %, mean": mean,
            "error": error,
            "worst": gain.min(),
            "best": gain.max(),
            "share better by 1 %": (gain > 1).mean(),
            "share worse by 1 %": (gain < -1).mean(),
            "NLPD, median": part["nlpd"].median(),
            "NLPD, mean": nlpd,
            "NLPD error": nlpd_error,
        }
    return pd.DataFrame(rows).T


def decisions(records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per problem: what was decided, and the cost of every way."""
    return pd.DataFrame(
        [
            {
                "problem": record["task"],
                "inputs": record["inputs"],
                "minima": record["minima"],
                "funnels": record["funnels"][FUNNEL]["count"],
                "effective_funnels": record["funnels"][FUNNEL]["effective"],
                "effective_minima": record["funnels"]["0.0"]["effective"],
                "relaxation": np.nan_to_num(np.array(record["relaxation"], float), nan=np.inf),
                "method": record["decision"]["method"],
                "hmc_valid": record["decision"]["costs"]["hmc"]["valid"],
                "superposition_valid": record["decision"]["costs"]["superposition"]["valid"],
                "any_valid": any(c["valid"] for c in record["decision"]["costs"].values()),
                "mapping": record["mapping"],
                "hmc": record["decision"]["costs"]["hmc"]["gradient_equivalents"],
                "superposition": 0.5 * record["superposition"]["values"],
                "ess": record["superposition"]["ess"],
                "pareto_k": record["superposition"]["pareto_k"],
                "usable": record["superposition"]["usable"],
            }
            for record in records
        ]
    )


def by_funnels(decided: pd.DataFrame) -> pd.DataFrame:
    """Whether NUTS is trusted, and what was chosen, by how many funnels and minima matter."""
    matter = np.select(
        [decided["effective_funnels"] > 1.05, decided["effective_minima"] > 1.05],
        ["several funnels", "one funnel, several minima"],
        "one minimum",
    )
    grouped = decided.groupby(pd.Series(matter, name="what matters", index=decided.index))
    return pd.DataFrame(
        {
            "problems": grouped.size(),
            "NUTS not trusted": grouped["hmc_valid"].agg(lambda valid: (~valid).sum()),
            "superposition chosen": grouped["method"].agg(lambda m: (m == "superposition").sum()),
            "superposition usable": grouped["usable"].sum(),
            "mapping, median": grouped["mapping"].median(),
            "superposition, median": grouped["superposition"].median(),
            "NUTS foretold, median": grouped["hmc"].median(),
        }
    )


def fixed_and_free(records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per data set: NLPD of the posterior at every order less that with the order free."""
    rows = []
    for record in records:
        scores = record["orders"]
        free = scores["free"]
        low, middle, high = free["nu_quantiles"]
        rows.append(
            {"data": record["task"]}
            | {nu: scores[nu]["nlpd"] - free["nlpd"] for nu in scores if nu != "free"}
            | {
                "best of fixed": min(scores[nu]["nlpd"] for nu in scores if nu != "free")
                - free["nlpd"]
            }
            | {"by evidence": scores[_likeliest(scores)]["nlpd"] - free["nlpd"]}
            | {"single free minimum": free["best_nlpd"] - free["nlpd"]}
            | {"low": low, "median": middle, "high": high}
        )
    return pd.DataFrame(rows).set_index("data")


def means_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Median, mean and standard error of every column, and how many are above zero."""
    rows = {}
    for column in frame.columns:
        values = frame[column].astype(float)
        mean, error = mean_and_error(values)
        rows[column] = {
            "median": values.median(),
            "mean": mean,
            "error": error,
            "above zero": (values > 0).sum(),
            "of": values.count(),
        }
    return pd.DataFrame(rows).T


def sampled(records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per problem and sampler: occupations off by, cost, and whether it was trusted."""
    rows = []
    for record in records:
        truth = np.array(json.loads(record["samplers"]["superposition"]["occupation"]))
        for method, result in record["samplers"].items():
            spent = json.loads(result["evaluations"])
            shares = np.array(json.loads(result["occupation"]))
            size = max(len(truth), len(shares))
            off = np.pad(shares, (0, size - len(shares))) - np.pad(truth, (0, size - len(truth)))
            rows.append(
                {
                    "problem": record["task"],
                    "method": method,
                    "chosen": record["decision"]["method"] == method,
                    "valid": record["decision"]["costs"][method]["valid"],
                    "minima": record["minima"],
                    "effective_funnels": record["funnels"][FUNNEL]["effective"],
                    "reliable": bool(result["reliable"]),
                    "off": 0.5 * np.abs(off).sum(),
                    "cost": 0.5 * spent["value"] + spent["gradient"],
                    "nlpd": result["nlpd"],
                }
            )
    return pd.DataFrame(rows)


def _correlation(a: Array, b: Array) -> Array:
    """Correlation of rows; NaN where one is constant."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return (a * b).sum(axis=1) / np.where(scale > 0, scale, np.nan)


def _likeliest(scores: dict[str, Any]) -> str:
    return max((nu for nu in scores if nu != "free"), key=lambda nu: scores[nu]["log_evidence"])
