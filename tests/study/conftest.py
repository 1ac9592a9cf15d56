"""Studies put together from plain arrays, so that what the report says of them is known."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape
from bayescape.predict.ensembles import ENSEMBLES
from bayescape.sample.decision import Decision
from bayescape.sample.pilot import Pilot
from bayescape.study.data import Table
from bayescape.study.study import Fit, Settings, Study
from bayescape.targets.gaussian_process import GaussianProcess


def table_of(n=12, seed=0):
    rng = np.random.default_rng(seed)
    X = np.linspace(0, 10, n)[:, None]
    return Table(X, np.sin(X[:, 0]) + 0.1 * rng.normal(size=n), ("time",), "level", "a test")


def landscape_of(energies, target, coverage=0.99, warnings=()):
    M, d = len(energies), len(target.names)
    theta = np.arange(M)[:, None] * 0.5 + np.zeros(d)
    return Landscape.from_arrays(
        names=target.names,
        minima=theta,
        energies=energies,
        hessians=np.broadcast_to(np.eye(d), (M, d, d)),
        hits=np.full(M, 5),
        transition_states=theta[1:] - 0.25,
        transition_energies=np.max(energies) + np.arange(1, M),
        transition_hessians=np.broadcast_to(np.diag([-1.0] + [1.0] * (d - 1)), (M - 1, d, d)),
        joins=np.stack([np.arange(M - 1), np.arange(1, M)], axis=1),
        coverage=coverage,
        evaluations=Evaluations(1, 20, 300),
        ends={"minimum": 5 * M},
        stopped="Stopped by the test.",
        warnings=warnings,
        target=target,
    )


def posterior_of(target, share, *, reliable=1, warnings=()):
    rng = np.random.default_rng(1)
    theta = rng.normal(size=(4, 50, len(target.names)))
    natural = target.constrain(theta.reshape(200, -1))
    dims = ("chain", "draw")
    variables = {
        name: (
            (*dims, f"{name}_dim") if value.ndim == 2 else dims,
            value.reshape(4, 50, *value.shape[1:]),
        )
        for name, value in natural.items()
    }
    attributes = {
        "method": "superposition",
        "occupation": json.dumps(list(share)),
        "occupation_se": json.dumps([0.01] * len(share)),
        "evaluations": json.dumps({"value": 4000, "gradient": 0, "hessian": 0}),
        "seconds": 1.5,
        "log_evidence": -12.5,
        "log_evidence_se": 0.02,
        "ess": 700.0,
        "reliable": reliable,
        "warnings": json.dumps(list(warnings)),
        "versions": json.dumps({"python": "3.11"}),
    }
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=attributes),
            "posterior": xr.Dataset(variables),
            "unconstrained_posterior": xr.Dataset({"theta": ((*dims, "coordinate"), theta)}),
            "sample_stats": xr.Dataset({"basin": (dims, np.zeros((4, 50), dtype=int))}),
        }
    )


def decision_of():
    costs = pd.DataFrame(
        {
            "valid": [True, False],
            "evaluations": [2000.0, np.inf],
            "gradient_equivalents": [1000.0, np.inf],
            "why": ["its Pareto k is low", "it would not cross"],
        },
        index=pd.Index(["superposition", "hmc"], name="method"),
    )
    reasons = ("The map has minima.", "superposition is the cheapest method that should be right.")
    return Decision(
        method="superposition",
        valid=True,
        reasons=reasons,
        draws_per_change=40.0,
        costs=costs,
        ess=1000,
        no_integral=(),
        pilot=Pilot((), None, np.empty((0, 0)), None, 0.0),
        evaluations=Evaluations(value=2000),
    )


def comparison_of(gain, error):
    labels = [*ENSEMBLES.values(), "superposition posterior"]
    columns = {
        "members": 1,
        "rmse": 2.0,
        "nlpd": 1.0,
        "crps": 0.5,
        "coverage_50": 0.5,
        "coverage_90": 0.9,
        "coverage_95": 0.95,
        "improvement_rmse_percent": gain,
        "improvement_rmse_percent_se": error,
        "improvement_nlpd": gain,
        "improvement_nlpd_se": error,
        "improvement_crps_percent": gain,
        "improvement_crps_percent_se": error,
    }
    frame = pd.DataFrame([columns] * len(labels), index=pd.Index(labels, name="predictor"))
    frame.attrs.update(output="level", test_points=12)
    return frame


@pytest.fixture
def make_study():
    """A study of given energies above the lowest minimum and shares of the draws."""

    def make(energies, share, *, gain=None, error=0.1, refitted=True, reliable=1, warnings=()):
        table = table_of()
        target = GaussianProcess(
            table.X, table.y, input_names=table.input_names, output_name=table.output_name
        )
        fit = Fit(
            table=table,
            landscape=landscape_of(np.asarray(energies, dtype=float), target),
            decision=decision_of(),
            posterior=posterior_of(target, share, reliable=reliable, warnings=warnings),
            deciding_seconds=0.5,
        )
        compared = None
        if gain is not None:
            compared = dataclasses.replace(fit)
            compared = compared if refitted else fit
        return Study(
            settings=Settings(),
            fit=fit,
            compared=compared,
            test=None if gain is None else table_of(seed=1),
            comparison=None if gain is None else comparison_of(gain, error),
            hmc=None,
            comparing_seconds=0.2,
            seconds=3.0,
        )

    return make
