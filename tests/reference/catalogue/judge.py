"""What a result says, held against the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats

from tests.reference.catalogue.posterior import Truth

__all__ = ["borne_out", "mistakes"]

MEAN = 0.1  # standard deviations, beyond three standard errors
SD = 0.1  # relative
OCCUPATION = 0.05
EVIDENCE = 0.1  # nats, beyond three standard errors
NEAR = 0.5  # standard deviations between a known minimum and the map's, at most


def mistakes(truth: Truth, result: xr.DataTree, *, chance: float = 0.0) -> list[str]:
    """What is wrong with a result, one phrase for each; empty if nothing is.

    Parameters
    ----------
    truth
        Of the posterior.
    result
        What `bayescape.sample` returned.
    chance
        Standard errors by which a standard deviation or an occupation may be off beyond what is
        allowed: 0 for many draws, 3 to judge whether few draws are right but for their number.
    """
    theta = result["unconstrained_posterior"]["theta"].values
    attributes = result.attrs
    if np.isposinf(truth.log_evidence):
        return ["there is no posterior to draw from"]
    found = []
    mean, sd = theta.mean(axis=(0, 1)), theta.std(axis=(0, 1))
    for i, (true_mean, true_sd) in enumerate(zip(truth.mean, truth.sd, strict=True)):
        scale = true_sd if np.isfinite(true_sd) else sd[i]
        effective = _effective(theta[..., i], attributes)
        error = scale / np.sqrt(effective)
        if abs(mean[i] - true_mean) > MEAN * scale + 3 * error:
            found.append(f"mean of x[{i}] off by {(mean[i] - true_mean) / scale:+.2f} sd")
        kurtosis = float(np.mean(((theta[..., i] - mean[i]) / max(sd[i], 1e-300)) ** 4))
        relative = chance * np.sqrt(max(kurtosis - 1, 0.0) / (4 * effective))
        if abs(sd[i] / true_sd - 1) > SD + relative:
            found.append(f"sd of x[{i}] off by {sd[i] / true_sd - 1:+.0%}")
    off, error = attributes["log_evidence"] - truth.log_evidence, attributes["log_evidence_se"]
    if abs(off) > EVIDENCE + 3 * error:  # never of a NaN, which claims nothing
        found.append(f"log evidence off by {off:+.2f}")

    claimed = np.array(json.loads(attributes["occupation"]))
    minima = result["minima"]["theta"].values
    spread = np.where(np.isfinite(truth.sd), truth.sd, 1.0)
    shares = np.zeros(len(truth.centres))
    if len(truth.centres) and len(minima):
        away = np.abs((minima[:, None] - truth.centres) / spread).max(axis=2)
        nearest = away.argmin(axis=1)
        close = away.min(axis=1) < NEAR
        np.add.at(shares, nearest[close], claimed[close])
    allowed = OCCUPATION + chance * np.array(json.loads(attributes["occupation_se"])).max(initial=0)
    for k in np.flatnonzero(np.abs(shares - truth.occupation) > allowed):
        found.append(f"occupation {shares[k]:.3f} instead of {truth.occupation[k]:.3f}")
    return found


def borne_out(truth: Truth, names: Sequence[str], warnings: Sequence[str]) -> bool:
    """Whether the truth says what all of the warnings do, of which there must be some.

    That is of those which say that a standard deviation is not known, where the truth has none that
    a sample would tell.
    """
    untold = [
        f"The standard deviation of {name} is "
        for name, sd in zip(names, truth.sd, strict=True)
        if np.isnan(sd)
    ]
    return len(warnings) > 0 and all(warning.startswith(tuple(untold)) for warning in warnings)


def _effective(draws: np.ndarray, attributes: dict[str, object]) -> float:
    """Effective number of draws of one coordinate, ``(chain, draw)``."""
    if "effective_draws" in attributes:
        return float(attributes["effective_draws"])  # type: ignore[arg-type]
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="mean"))
