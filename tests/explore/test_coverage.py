"""The stopping rule against its published formulas and against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescape.explore.coverage import (
    expected_coverage,
    expected_minima,
    missing_mass,
    quenches_to_settle,
)


def test_published_values():
    # One minimum hit ten times: 1 * 9 / 7, and (10 - 2)(11) / 90.
    assert expected_minima([10]) == pytest.approx(9 / 7)
    assert expected_coverage([10]) == pytest.approx(8 * 11 / 90)
    assert missing_mass([10]) == 0.0
    assert missing_mass([8, 1, 1]) == 0.2


def test_too_few_hits_promise_nothing():
    assert expected_minima([1, 1, 1]) == np.inf
    assert expected_coverage([1, 1]) == 0.0
    assert expected_coverage([]) == 0.0
    assert missing_mass([]) == 1.0


@given(st.lists(st.integers(0, 50), max_size=20))
def test_coverage_is_a_probability_and_minima_are_never_fewer_than_found(hits):
    found = sum(h > 0 for h in hits)
    assert 0.0 <= expected_coverage(hits) <= 1.0
    assert expected_minima(hits) >= found
    assert 0.0 <= missing_mass(hits) <= 1.0


def test_coverage_is_right_on_average_under_the_rule_s_own_assumption():
    """Basin sizes uniform on the simplex, the number of basins uniform: the rule's prior.

    That prior has no end; given at most 12 minima in 40 quenches, numbers above 300 have no weight.
    """
    rng = np.random.default_rng(0)
    stated, true = [], []
    while len(stated) < 1500:
        sizes = rng.dirichlet(np.ones(rng.integers(1, 300)))
        hits = rng.multinomial(40, sizes)
        if (hits > 0).sum() <= 12:
            stated.append(expected_coverage(hits))
            true.append(sizes[hits > 0].sum())
    error = np.std(np.subtract(stated, true)) / np.sqrt(len(true))
    assert error < 0.005
    assert abs(np.mean(stated) - np.mean(true)) < 4 * error


@given(st.integers(1, 500))
def test_the_rule_settles_after_the_fewest_quenches_that_satisfy_it(found):
    quenches = quenches_to_settle(found)
    hits = [quenches - found + 1] + [1] * (found - 1)
    assert expected_minima(hits) < found + 0.5
    assert expected_minima([hits[0] - 1, *hits[1:]]) >= found + 0.5
