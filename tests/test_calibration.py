"""Over many seeds, the errors that results state are the errors that they have."""

import json

import numpy as np
import pytest

from bayescape import explore, sample
from tests.reference.gp_posteriors import nile, schwefel
from tests.reference.gp_targets import target_of
from tests.test_reference_posteriors import TRUTH, TRUTH_EVIDENCE

SEEDS = 20


@pytest.mark.slow
@pytest.mark.parametrize(("name", "problem"), [("schwefel", schwefel), ("nile", nile)])
def test_stated_errors_are_true_over_seeds(name, problem):
    truth = TRUTH[name]
    landscape = explore(target_of(problem()), seed=0, progress=False)
    sd = np.array(truth["sd"])
    evidence, occupation, means = [], [], []
    doubted = 0
    for seed in range(SEEDS):
        posterior = sample(landscape, 1000, "superposition", seed=seed, progress=False)
        attrs = posterior.attrs
        doubted += not attrs["reliable"]
        error = np.hypot(attrs["log_evidence_se"], TRUTH_EVIDENCE)
        evidence.append((attrs["log_evidence"] - truth["log_evidence"]) / error)
        share, share_error = (
            np.array(json.loads(attrs[k])) for k in ("occupation", "occupation_se")
        )
        known = np.array(truth["occupation"])
        known_error = np.sqrt(known * (1 - known) / truth["occupation_draws"])
        occupation.append((share - known) / np.hypot(share_error, known_error))
        theta = posterior["unconstrained_posterior"]["theta"].values
        error = sd * np.sqrt(1 / attrs["effective_draws"] + 1 / truth["effective_draws"])
        means.append((theta.mean(axis=(0, 1)) - truth["mean"]) / error)
    assert doubted <= 2  # a doubt may be needless, but not as a rule
    for z in (np.array(evidence)[:, None], np.array(occupation), np.array(means)):
        # No seed is off by four stated errors, and none of the quantities leans to one side.
        assert np.abs(z).max() < 4
        assert (np.abs(z.mean(axis=0)) < 4 / np.sqrt(SEEDS) + 1).all()
        # Stated errors may be too large, for resampling by regions is better than by chance.
        assert (z.std(axis=0) < 1.6).all()
