"""The decision: which sampler will be right, and which of those is cheapest."""

from __future__ import annotations

import dataclasses
from html import escape

import numpy as np
import pandas as pd

from bayescape.arguments import (
    check_choice,
    check_flag,
    check_kind,
    check_number,
    check_whole,
    check_within,
    check_words,
)
from bayescape.evaluations import Counted, Evaluations
from bayescape.landscape.passes import merges
from bayescape.landscape.rates import change_rate, relaxation_time
from bayescape.landscape.record import Landscape
from bayescape.sample.adapt import settle
from bayescape.sample.audit import held_against_draws
from bayescape.sample.importance import khat_limit, weigh
from bayescape.sample.pilot import Pilot
from bayescape.sample.superposition import Superposition, harmonic_superposition, target_of
from bayescape.sample.tails import slow_tails, tail_warnings

__all__ = ["METHODS", "Decision", "decide", "judge"]

METHODS = ("superposition", "hmc", "jumps")
COVERAGE_NEEDED = 0.9  # below it, what the map lacks may hold as much as a small basin
DRAWS_PER_RELAXATION = 20  # a chain shorter than 20 relaxation times has not forgotten its start
POOL = 2.0  # effective points per draw picked from them
EFFICIENCY_NEEDED = 0.01  # below it a mixture has not found the target's shape
NEGLIGIBLE = 0.01  # probability of the basins that a chain need not come to
PILOT_SHARE = 0.1  # of what NUTS costs where that is right: more the decision must not cost
# Time from one NUTS draw to the next, which is any point of a trajectory, in units in which a
# trajectory turns back after pi: 1.7 to 2.4 on Gaussians in 2 to 20 coordinates.
BETWEEN_DRAWS = 2.0
TUNE = 300  # draws that tune a chain's step size
ATTEMPTS = 4  # jump proposals after every NUTS draw: each costs far less than a trajectory


@dataclasses.dataclass(frozen=True)
class Decision:
    """Which method to use, and why.

    Attributes
    ----------
    method
        ``"superposition"``, ``"hmc"`` or ``"jumps"``.
    valid
        Whether that method is predicted to be right. When none is, the method is ``"jumps"``, the
        one that is exact in the long run, and the reasons say so; where the density seems to have
        no integral, which nothing draws from rightly, it is ``"superposition"``, the cheapest.
    reasons
        Sentences with the numbers in them.
    draws_per_change
        NUTS draws predicted for one change of basin, on average over a long chain; infinite with
        one basin, or where no transition state joins two.
    costs : pandas.DataFrame
        By method: ``valid``, ``evaluations`` (values or gradients, predicted for the asked
        effective sample size, beyond those of the pilot), ``gradient_equivalents`` (a value counts
        one half), ``why``.
    ess
        The effective sample size asked for.
    no_integral
        Coordinates along which the density falls too slowly to have an integral.
    pilot
        The fitted superposition and the points that it was judged by, for `sample` to reuse.
    evaluations
        What the decision cost.
    """

    method: str
    valid: bool
    reasons: tuple[str, ...]
    draws_per_change: float
    costs: pd.DataFrame
    ess: int
    no_integral: tuple[str, ...]
    pilot: Pilot
    evaluations: Evaluations

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_flag("valid", self.valid)
        check_words("reasons", self.reasons)
        check_within("draws_per_change", self.draws_per_change, 0)
        check_kind("costs", self.costs, pd.DataFrame, "a pandas.DataFrame")
        check_whole("ess", self.ess, 1)
        check_words("no_integral", self.no_integral)
        check_kind("pilot", self.pilot, Pilot, "a Pilot")
        check_kind("evaluations", self.evaluations, Evaluations, "Evaluations")

    def __repr__(self) -> str:
        head = f"<bayescape.Decision: {self.method}{'' if self.valid else ' (not trusted)'}>"
        table = self.costs[["valid", "gradient_equivalents"]].round(0).to_string()
        return "\n".join([head, *(f"  - {reason}" for reason in self.reasons), table])

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in self.reasons)
        table = self.costs.drop(columns="why").to_html(float_format=lambda x: f"{x:,.0f}")
        trust = "" if self.valid else " (not trusted)"
        return f"<strong>{escape(self.method)}{trust}</strong><ul>{reasons}</ul>{table}"

    def asdict(self) -> dict[str, object]:
        """The decision in plain types, for a file's attributes."""
        return {
            "method": self.method,
            "valid": self.valid,
            "reasons": list(self.reasons),
            "ess": self.ess,
            "no_integral": list(self.no_integral),
            "draws_per_change": self.draws_per_change,
            "costs": {
                str(method): {
                    "valid": bool(row["valid"]),
                    "gradient_equivalents": float(row["gradient_equivalents"]),
                    "why": str(row["why"]),
                }
                for method, row in self.costs.iterrows()
            },
        }


@dataclasses.dataclass(frozen=True, slots=True)
class _Prediction:
    """What is predicted of one method."""

    valid: bool
    values: float
    gradients: float
    why: str


def decide(landscape: Landscape, ess: int = 1000, *, seed: int = 0, chains: int = 4) -> Decision:
    """Choose the cheapest method that is predicted to be right.

    A superposition is fitted to the target from the map (a few thousand values). Its Pareto k says
    whether importance sampling from it can be trusted, its efficiency what that costs, and its
    acceptance as an independent proposal what jumps cost. The slowest relaxation of the harmonic
    master equation on the map says how many NUTS draws a change of basin takes.

    Parameters
    ----------
    landscape
        A map with its target and at least one minimum.
    ess
        Effective sample size that is wanted.
    seed
        Seed of the pilot; the same one gives the same decision.
    chains
        Chains that a Markov chain method would run.

    Returns
    -------
    Decision

    Raises
    ------
    ValueError
        If the map has no target or no minimum, or ``ess`` is not positive.

    References
    ----------
    Pareto k: Vehtari et al. (2024). Rates: Eyring (1935), see
    `bayescape.landscape.crossing_rates`.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    check_number("ess", ess, 0)
    check_whole("seed", seed, 0)
    check_whole("chains", chains, 1)
    target = target_of(landscape)
    if ess < 1:
        raise ValueError(f"`ess` must be at least 1, got {ess}")
    counted = Counted(target)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    first = harmonic_superposition(landscape)
    leaps = _leapfrogs_per_draw(landscape, first)
    chain = _predict_hmc(landscape, first, leaps, ess, chains)
    # Its points serve no other method than the superposition and jumps, so they must not cost much
    # of what NUTS does where that will do. A value is half a gradient.
    most = 2 * PILOT_SHARE * chain.gradients if chain.valid else np.inf
    pilot = settle(counted, first, rng, ess=ess, most=most)
    slow = slow_tails(counted, first)
    return judge(landscape, pilot, ess, chains, counted.evaluations, slow)


def judge(
    landscape: Landscape,
    pilot: Pilot,
    ess: int,
    chains: int,
    evaluations: Evaluations,
    no_integral: tuple[str, ...],
) -> Decision:
    """The decision that a pilot leads to; ``evaluations`` is what that cost.

    ``no_integral`` are the coordinates along which the density seems to have none.
    """
    possible = landscape.coverage >= COVERAGE_NEEDED and not no_integral
    leaps = _leapfrogs_per_draw(landscape, pilot.superposition)
    predictions = {
        "superposition": _predict_superposition(pilot, ess),
        "hmc": _predict_hmc(landscape, pilot.superposition, leaps, ess, chains),
        "jumps": _predict_jumps(pilot, leaps, ess, chains),
    }
    costs = pd.DataFrame(
        {
            "valid": [p.valid and possible for p in predictions.values()],
            "evaluations": [p.values + p.gradients for p in predictions.values()],
            "gradient_equivalents": [0.5 * p.values + p.gradients for p in predictions.values()],
            "why": [p.why for p in predictions.values()],
        },
        index=pd.Index(list(predictions), name="method"),
    )
    right = costs[costs["valid"]]
    if len(right):
        method = str(right["gradient_equivalents"].idxmin())
    else:
        method = "superposition" if no_integral else "jumps"
    reasons = _reasons(landscape, predictions, costs, method, bool(len(right)), no_integral)
    return Decision(
        method=method,
        valid=bool(len(right)),
        reasons=reasons,
        draws_per_change=_draws_per_change(landscape, pilot.superposition),
        costs=costs,
        ess=int(ess),
        no_integral=no_integral,
        pilot=pilot,
        evaluations=evaluations,
    )


def _predict_superposition(pilot: Pilot, ess: int) -> _Prediction:
    weighted, efficiency = pilot.weighted, pilot.efficiency
    limit = khat_limit(len(weighted.weights))
    valid = weighted.usable and efficiency >= EFFICIENCY_NEEDED
    verb = "is" if weighted.pareto_k < limit else "is not"
    why = (
        f"the fitted superposition's Pareto k {weighted.pareto_k:.2f} {verb} below {limit:.2f}, "
        f"and it gives {efficiency:.2f} effective draws per evaluation"
    )
    missing = max(ess - weighted.ess, 0.0)
    return _Prediction(valid, missing / max(efficiency, 1e-12), 0.0, why)


def _predict_hmc(
    landscape: Landscape,
    superposition: Superposition,
    leaps: float,
    ess: int,
    chains: int,
) -> _Prediction:
    relaxation = _relaxation_draws(landscape, superposition)
    if landscape.minima.sizes["minimum"] == 1:
        why = "there is one basin, which NUTS explores without having to cross a barrier"
    elif not np.isfinite(relaxation):
        missing = landscape.minima.sizes["minimum"] - 1 - len(merges(landscape))
        why = (
            f"{missing} {'basin is' if missing == 1 else 'basins are'} joined to the others by no "
            "known transition state, so how often NUTS would change basin cannot be told"
        )
    else:
        why = (
            f"NUTS needs about {max(relaxation, 1):,.0f} draws to change basin, and a chain would "
            f"have {int(np.ceil(ess / chains)):,}"
        )
    valid = relaxation * DRAWS_PER_RELAXATION <= ess / chains
    draws = ess * max(1.0, 2 * relaxation)
    return _Prediction(valid, 0.0, leaps * (draws + chains * TUNE), why)


def _predict_jumps(pilot: Pilot, leaps: float, ess: int, chains: int) -> _Prediction:
    once = _independence_acceptance(weigh(pilot.rounds[-1].log_ratio).weights)
    accepted = 1 - (1 - once) ** ATTEMPTS
    draws = ess * (2 - accepted) / max(accepted, 1e-12)
    trajectories = draws + chains * TUNE
    why = f"{once:.0%} of jumps to the superposition would be accepted"
    values, gradients = (ATTEMPTS + 1) * trajectories, leaps * trajectories
    return _Prediction(once >= EFFICIENCY_NEEDED, values, gradients, why)


def _independence_acceptance(weights: np.ndarray) -> float:
    """Acceptance of an independence Metropolis step at equilibrium, of importance weights.

    ``sum_ij min(w_i, w_j) / N`` over normalised weights, by one sort.
    """
    ascending = np.sort(weights)
    count = len(ascending)
    pairs = 2 * (count - np.arange(count)) - 1
    return float((ascending * pairs).sum() / count)


def _relaxation_draws(landscape: Landscape, superposition: Superposition) -> float:
    """Slowest relaxation between basins in NUTS draws."""
    metric = np.linalg.inv(superposition.within_covariance())
    slowest = relaxation_time(landscape, metric, negligible=NEGLIGIBLE, between=BETWEEN_DRAWS)
    return slowest / BETWEEN_DRAWS


def _draws_per_change(landscape: Landscape, superposition: Superposition) -> float:
    """NUTS draws per change of basin: one at least, for a draw is in one basin."""
    metric = np.linalg.inv(superposition.within_covariance())
    rate = BETWEEN_DRAWS * change_rate(landscape, metric, between=BETWEEN_DRAWS)
    return float(max(1 / rate, 1.0)) if rate > 0 else np.inf


def _leapfrogs_per_draw(landscape: Landscape, superposition: Superposition) -> float:
    """Gradients per NUTS draw: half a period of a fitting direction over the longest stable step.

    The metric fits the superposition on average, so a trajectory turns back after a time of about
    pi; steps scale as ``d^(-1/4)`` over the highest frequency (Beskos et al., Bernoulli 19, 1501,
    2013). PyMC's trajectories end after 1023 leapfrogs at the latest.
    """
    factor = np.linalg.cholesky(superposition.within_covariance())
    whitened = factor.T @ landscape.minima["hessian"].values @ factor
    highest = np.sqrt(max(np.linalg.eigvalsh(whitened).max(), 1.0))
    step = 1.2 * whitened.shape[-1] ** -0.25 / highest
    return float(np.clip(np.pi / step, 3, 1023))


def _reasons(
    landscape: Landscape,
    predictions: dict[str, _Prediction],
    costs: pd.DataFrame,
    method: str,
    valid: bool,
    no_integral: tuple[str, ...],
) -> tuple[str, ...]:
    count = landscape.minima.sizes["minimum"]
    coverage = (
        f"The map has {count} {'minimum' if count == 1 else 'minima'}; its coverage is "
        f"{landscape.coverage:.3f}"
    )
    if landscape.coverage < COVERAGE_NEEDED:
        coverage += f", below the {COVERAGE_NEEDED} that any method needs"
    sentences = [coverage + "."]
    for name, prediction in predictions.items():
        verdict = "should be right" if prediction.valid else "is not trusted"
        cost = costs.loc[name, "gradient_equivalents"]
        price = f", at about {cost:,.0f} gradient equivalents" if np.isfinite(cost) else ""
        sentences.append(f"{name} {verdict}{price}: {prediction.why}.")
    sentences += tail_warnings(no_integral)
    if valid:
        sentences.append(f"{method} is the cheapest method that should be right.")
    elif no_integral:
        sentences.append(
            "No method draws rightly from what has no integral; the superposition, the cheapest, "
            "is used and the result is not to be relied on."
        )
    else:
        sentences.append(
            "No method is predicted to be right; jumps, which are exact in the long run, are used "
            "and the result is to be checked."
        )
    if against := held_against_draws(landscape):
        sentences.append(
            "Whichever is used, its draws are not called reliable, for the map warns: "
            + " ".join(against)
        )
    return tuple(sentences)
