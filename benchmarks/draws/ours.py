"""Bayescape's own methods, the map included."""

from __future__ import annotations

import json

import bayescape as bs
from bayescape.evaluations import Evaluations
from benchmarks.draws.outcome import Clock, Drawn
from tests.reference.catalogue import Posterior

__all__ = ["OURS", "run"]

OURS = ("auto", "superposition", "hmc", "jumps")


def run(method: str, posterior: Posterior, wanted: float, draws: int, seed: int) -> Drawn:
    """Map and sample afresh.

    Parameters
    ----------
    method
        One of `OURS`.
    posterior
        Of the catalogue.
    wanted
        Effective sample size of the weighted points, where the method has such.
    draws
        In all.
    seed
        Of both.
    """
    target = posterior.make()
    clock = Clock()
    landscape = bs.explore(target, seed=seed, progress=False)
    result = bs.sample(landscape, draws, method, ess=wanted, seed=seed, groups=(), progress=False)
    spent = clock.read()
    attributes = result.attrs
    evidence = {k: attributes[k] for k in ("log_evidence", "log_evidence_se")}
    return Drawn(
        theta=result["unconstrained_posterior"]["theta"].values,
        evaluations=Evaluations(**json.loads(attributes["evaluations"]))
        + Evaluations(**json.loads(attributes["mapping_evaluations"])),
        effective=attributes.get("ess"),
        said={
            "used": attributes["method"],
            "reliable": int(attributes["reliable"]),
            "warnings": json.loads(attributes["warnings"]),
            "pareto_k": float(attributes["pareto_k"]),
        },
        **(evidence if attributes["method"] == "superposition" else {}),
        **spent,
    )
