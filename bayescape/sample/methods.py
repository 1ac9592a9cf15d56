"""Draws by each method from a fitted superposition: its own weighted points, or Markov chains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.evaluations import Counted
from bayescape.sample.adapt import draw_until
from bayescape.sample.audit import error_of_sd_allowed
from bayescape.sample.chains import run_chains
from bayescape.sample.decision import ATTEMPTS, TUNE
from bayescape.sample.importance import resample
from bayescape.sample.nutpie_chains import run_nutpie
from bayescape.sample.pilot import Pilot

__all__ = ["Drawn", "by_chains", "by_superposition"]

Array = NDArray[np.float64]

POOL_LIMIT = 200  # points drawn per draw asked for, at most: past it another method is the answer


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """What a method drew: points ``(N, d)`` with energies and weights ``(N,)``.

    ``picked`` are the draws, ``(chain, draw)``, by position among the points.

    ``effective`` is the effective number of the points, ``None`` where it differs by question.
    """

    points: Array
    energies: Array
    weights: Array
    picked: NDArray[np.int_]
    stats: dict[str, Array]
    attributes: dict[str, Any]
    effective: float | None
    pilot: Pilot


def by_superposition(
    target: Counted,
    pilot: Pilot,
    shape: tuple[int, int],
    wanted: float,
    rng: np.random.Generator,
    *,
    hopeless: bool,
) -> Drawn:
    """Equally weighted draws from all points that the adaptation has paid for, and goes on to.

    It does not go on where that is ``hopeless``.
    """
    draws = shape[0] * shape[1]
    if not hopeless:
        most, known = round(POOL_LIMIT * max(wanted, draws)), error_of_sd_allowed(draws)
        pilot = draw_until(target, pilot, wanted, most, rng, sd_error=known)
    weighted, theta, energies = pilot.weighted, pilot.theta, pilot.energies
    inside = np.isfinite(weighted.log_ratio)
    if not inside.any():
        raise ValueError("no point drawn from the superposition lies in the target's domain")
    # Alike: the same component, and a similar energy within it.
    superposition = pilot.superposition
    component = superposition.component_log_prob(theta).argmax(axis=1)
    rank = np.argsort(np.argsort(np.where(inside, energies, np.inf))) / len(energies)
    picked = resample(weighted.weights, component + rank, draws, rng).reshape(shape)
    log_density = superposition.log_prob(theta[picked.ravel()]).reshape(shape)
    return Drawn(
        points=theta,
        energies=energies,
        weights=weighted.weights,
        picked=picked,
        stats={"energy": energies[picked], "log_weight": -energies[picked] - log_density},
        attributes={
            "log_evidence": weighted.log_evidence,
            "log_evidence_se": weighted.log_evidence_se,
            "pareto_k": weighted.pareto_k,
            "ess": weighted.ess,
            "effective_draws": 1 / (1 / draws + 1 / weighted.ess),
        },
        effective=weighted.ess,
        pilot=pilot,
    )


def by_chains(
    target: Counted,
    pilot: Pilot,
    shape: tuple[int, int],
    method: str,
    nuts: str,
    rng: np.random.Generator,
    report: Callable[..., None],
) -> Drawn:
    """NUTS, with jumps or without, from starts that the pilot's weights spread over the basins."""
    chains, draws = shape
    superposition, theta = pilot.superposition, pilot.theta
    component = superposition.component_log_prob(theta).argmax(axis=1)
    at = resample(pilot.weighted.weights, component.astype(float), chains, rng)
    begin = target, superposition, theta[at]
    how: dict[str, Any] = {
        "draws": draws,
        "tune": TUNE,
        "seed": int(rng.integers(2**31)),
        "report": report,
    }
    if nuts == "nutpie" and method == "hmc":
        run = run_nutpie(*begin, **how)
    else:
        run = run_chains(*begin, **how, jumps=method == "jumps", attempts=ATTEMPTS)
    points = run.theta.reshape(chains * draws, -1)
    energies = target.energy(points)
    log_weight = -energies - superposition.log_prob(points)
    return Drawn(
        points=points,
        energies=energies,
        weights=np.full(len(points), 1 / len(points)),
        picked=np.arange(len(points)).reshape(shape),
        stats={
            "energy": energies.reshape(shape),
            "log_weight": log_weight.reshape(shape),
            **run.stats,
        },
        attributes={
            "log_evidence": float("nan"),
            "log_evidence_se": float("nan"),
            "pareto_k": pilot.weighted.pareto_k,
        },
        effective=None,
        pilot=pilot,
    )
