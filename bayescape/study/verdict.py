"""What a study found, in plain words: the first thing that a reader of the report sees."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescape.landscape.passes import merges
from bayescape.landscape.record import Landscape
from bayescape.predict.ensembles import ENSEMBLES
from bayescape.sample.decision import Decision
from bayescape.study.study import Study

__all__ = ["Answer", "Verdict", "reach_verdict", "sentence"]

MATTERS = 0.01  # a basin with less than 1% of the posterior changes no prediction that is rounded
SAFE = 0.95  # share of the posterior in the basin of a single optimum that may stand for it
LOW_BARRIER = 0.5  # nats; a chain's energy varies by more than that from one draw to the next
UNSEEN = 5e-4  # nats per row, or of the error; less is not shown with the digits that are given
CLEAR = 2.0  # standard errors that a gain must exceed to be called one


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A question that people ask, its answer in a word or two, and the sentences behind it."""

    question: str
    short: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """The headline, whether the result can be relied on, and the answers one by one."""

    headline: str
    reliable: bool
    answers: tuple[Answer, ...]


def reach_verdict(study: Study) -> Verdict:
    """Put a study's findings into words.

    Parameters
    ----------
    study
        A finished study.

    Returns
    -------
    Verdict
        Five answers: how many basins, whether a single optimum is safe, which method and why,
        whether the result is reliable, and what an ensemble of minima gains.
    """
    landscape, posterior = study.fit.landscape, study.fit.posterior
    share = np.asarray(json.loads(posterior.attrs["occupation"]), dtype=float)
    reliable = bool(posterior.attrs["reliable"])
    return Verdict(
        headline=_headline(share, reliable),
        reliable=reliable,
        answers=(
            _basins(landscape, share),
            _single_optimum(share, _errors(posterior)),
            _method(study.fit.decision, posterior),
            _reliability(posterior, landscape),
            _ensemble(study),
        ),
    )


def _errors(posterior: xr.DataTree) -> NDArray[np.float64]:
    # JSON has no NaN of its own; an unknown error is written as null or NaN.
    listed = json.loads(posterior.attrs["occupation_se"])
    return np.array([np.nan if value is None else value for value in listed], dtype=float)


def _headline(share: NDArray[np.float64], reliable: bool) -> str:
    matter = int((share >= MATTERS).sum())
    doubt = "" if reliable else " But the draws behind this did not pass every check: see below."
    if len(share) == 1:
        return "There is one basin, and a single optimum is at its bottom." + doubt
    if share[0] >= SAFE:
        held = f"{share[0]:.0%}" if share[0] < 0.995 else "more than 99%"
        return f"One basin holds {held} of the posterior: a single optimum is safe." + doubt
    if matter <= 1:
        return (
            f"The lowest minimum's basin holds only {share[0]:.0%} of the posterior: a single "
            "optimum is not safe." + doubt
        )
    return (
        f"{matter} basins share the posterior: a single optimum would leave out "
        f"{1 - share[0]:.0%} of it." + doubt
    )


def _basins(landscape: Landscape, share: NDArray[np.float64]) -> Answer:
    count = len(share)
    states = landscape.transition_states.sizes["transition_state"]
    coverage = (
        f"A further search from a random start would end in one of them with a probability "
        f"estimated at {landscape.coverage:.3f} (the map's coverage)."
    )
    if count == 1:
        return Answer(
            "How many basins are there?",
            "One",
            "Every search that ended in a minimum ended in the same one. "
            + coverage.replace("one of them", "it"),
        )
    above = landscape.minima["energy"].values
    matter = int((share >= MATTERS).sum())
    within = (above - above[0]).max()
    if matter < count:
        short = f"{count}, of which {matter} {'matters' if matter == 1 else 'matter'}"
    else:
        short = f"{count}, and {'both' if count == 2 else 'all'} matter"
    return Answer(
        "How many basins are there?",
        short,
        f"The map has {count} minima within {within:.2f} nats of the lowest, and {states} "
        f"transition {'state' if states == 1 else 'states'}; a basin is said to matter if it "
        f"holds at least {MATTERS:.0%} of the posterior. {_barrier(landscape)}{coverage}",
    )


def _barrier(landscape: Landscape) -> str:
    """The highest barrier that leads down, or that the graph is in pieces."""
    energies, found = landscape.minima["energy"].values, merges(landscape)
    if len(found) < len(energies) - 1:
        return "Not all of them are joined by a known path. "
    highest = max(merge.energy - energies[min(merge.right)] for merge in found)
    if highest < LOW_BARRIER:
        return (
            f"The barriers between them are low, {highest:.2g} nats at most: they are shoulders of "
            "one another rather than separate worlds, and a Markov chain passes freely. "
        )
    return f"The highest barrier on the way down to the lowest is {highest:.2f} nats. "


def _single_optimum(share: NDArray[np.float64], errors: NDArray[np.float64]) -> Answer:
    error = f" (± {errors[0]:.1%})" if np.isfinite(errors[0]) and len(share) > 1 else ""
    question = "Is a single optimum safe?"
    if len(share) == 1:
        text = (
            "It is the only one. It still is a point: how wide the basin around it is, and what "
            "that does to predictions, is told by the draws."
        )
        return Answer(question, "Yes", text)
    if share[0] >= SAFE:
        text = (
            f"The basin of the lowest minimum holds {share[0]:.1%} of the posterior{error}; what "
            f"the other {len(share) - 1} hold can hardly be seen in a prediction."
        )
        return Answer(question, "Yes", text)
    largest = int(share.argmax())
    most = (
        ""
        if largest == 0
        else f" Minimum {largest} is higher but wider: it holds the most, {share[largest]:.0%}."
    )
    text = (
        f"The basin of the lowest minimum holds {share[0]:.1%} of the posterior{error}. An "
        f"optimiser that stops there, or in whichever minimum it happens to reach, reports one "
        f"explanation of the data as if there were no other.{most} "
        "Whether that changes predictions is the last question below."
    )
    return Answer(question, "No", text)


def _method(decision: Decision, posterior: xr.DataTree) -> Answer:
    method = str(posterior.attrs["method"])
    names = {
        "superposition": "Sampling from the reconstructed landscape",
        "hmc": "Hamiltonian Monte Carlo",
        "jumps": "Hamiltonian Monte Carlo with jumps between basins",
    }
    why = decision.costs.loc[method, "why"]
    return Answer(
        "Which sampler, and why?",
        names[method],
        f"{sentence(decision.reasons[-1])} {sentence(why)}.",
    )


def sentence(text: str) -> str:
    """Begin ``text`` with a capital; a method's name that is an acronym becomes one."""
    first, space, rest = text.partition(" ")
    return (first.upper() if first == "hmc" else first[:1].upper() + first[1:]) + space + rest


def _reliability(posterior: xr.DataTree, landscape: Landscape) -> Answer:
    question = "Is the result reliable?"
    warnings = [*json.loads(posterior.attrs["warnings"])]
    warnings += [warning for warning in landscape.warnings if warning not in warnings]
    evidence, error = posterior.attrs["log_evidence"], posterior.attrs["log_evidence_se"]
    known = (
        f" The log evidence is {evidence:.2f} ± {error:.2f} nats." if np.isfinite(evidence) else ""
    )
    if posterior.attrs["reliable"]:
        text = (
            "The draws were held against the map after sampling, and every check passed: "
            "they lie in basins that the map knows, in the shares that the weights predict, and "
            f"the diagnostics of the sampler are in order.{known}"
        )
        return Answer(question, "Yes", " ".join([text, *warnings]))
    return Answer(question, "With care", " ".join(warnings) + known)


def _ensemble(study: Study) -> Answer:
    question = "What does an ensemble of minima gain?"
    if study.comparison is None or study.compared is None or study.test is None:
        text = "No rows were held out to measure it on; --test 0.2 holds out a fifth."
        return Answer(question, "Not measured", text)
    frame, rows = study.comparison, len(study.test.y)
    count = study.compared.landscape.minima.sizes["minimum"]
    best, ensemble = ENSEMBLES["best"], ENSEMBLES["occupation"]
    # The ensemble and the posterior that the study recommends; the table has all of them.
    others = [label for label in frame.index if label not in ENSEMBLES.values()]
    labels = [ensemble, *others[:1]]
    refit = ""
    if study.refitted:
        refit = (
            f"A second map was made without the {rows} test rows; it has {count} "
            f"{'minimum' if count == 1 else 'minima'}. "
        )
    if count == 1:
        labels = labels[1:]
        refit += "With one minimum an ensemble of minima is that minimum. "
    gains = "; ".join(_gain(frame, label) for label in labels)
    return Answer(
        question,
        "Nothing to gain" if count == 1 else _gain_in_a_word(frame, ensemble),
        f"{refit}On {rows} test rows, against the {best}, and with standard errors over rows: "
        f"{gains}.",
    )


def _gain(frame: pd.DataFrame, label: str) -> str:
    """One predictor's gain in predictive density and in error, as a sentence."""
    row = frame.loc[label]
    if max(abs(row["improvement_nlpd"]), abs(row["improvement_rmse_percent"]) / 100) < UNSEEN:
        return f"the {label} changes nothing that could be seen"
    density = _signed(row["improvement_nlpd"], row["improvement_nlpd_se"], 3)
    error = _signed(-row["improvement_rmse_percent"], row["improvement_rmse_percent_se"], 1)
    return (
        f"the {label} changes the log predictive density per row by {density} nats and the root "
        f"mean squared error by {error} %{_clarity(row)}"
    )


def _signed(value: float, error: float, digits: int) -> str:
    known = f" ± {error:.{digits}f}" if np.isfinite(error) else ""
    return f"{value:+.{digits}f}{known}"


def _clarity(row: pd.Series) -> str:
    clear = [
        abs(row[gain]) > CLEAR * row[f"{gain}_se"]
        for gain in ("improvement_nlpd", "improvement_rmse_percent")
    ]
    return "" if any(clear) else " (no more than chance might do)"


def _gain_in_a_word(frame: pd.DataFrame, label: str) -> str:
    gain, error = frame.loc[label, ["improvement_nlpd", "improvement_nlpd_se"]]
    if not np.isfinite(error) or abs(gain) <= CLEAR * error:
        return "Not clearly anything here"
    return "Better predictions" if gain > 0 else "Worse predictions"
