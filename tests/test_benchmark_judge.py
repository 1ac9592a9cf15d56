"""The judge of `benchmarks/exploration.py`: what is right passes, what is wrong is found out."""

import dataclasses

import numpy as np
import pytest

from bayescape import explore
from bayescape.targets.surfaces import MuellerBrown
from benchmarks.mapping.judge import faults, match, paid_for_last, stationary, union
from benchmarks.mapping.report import table
from benchmarks.mapping.scipy_peers import expected_minima
from tests.reference.surfaces import MUELLER_BROWN_MINIMA, MUELLER_BROWN_SADDLES

TARGET = MuellerBrown()
MINIMA = np.array(list(MUELLER_BROWN_MINIMA))
SADDLES = np.array(list(MUELLER_BROWN_SADDLES))


@pytest.fixture(scope="module")
def landscape():
    return explore(TARGET, seed=0, progress=False)


def with_states(landscape, **changed):
    """The map with some variables of its transition states replaced."""
    states = landscape.transition_states
    variables = {name: (states[name].dims, value) for name, value in changed.items()}
    return dataclasses.replace(landscape, transition_states=states.assign(variables))


def test_a_right_map_has_no_faults(landscape):
    assert landscape.transition_states.sizes["transition_state"] == 2
    assert faults(landscape, TARGET) == []


def test_a_wrong_join_is_found_out(landscape):
    joins = landscape.transition_states["joins"].values.copy()
    joins[0] = [0, 0]
    (fault,) = faults(with_states(landscape, joins=joins), TARGET)
    assert "transition state 0 is said to join minima [0, 0]" in fault


def test_a_point_that_is_not_stationary_is_found_out(landscape):
    theta = landscape.transition_states["theta"].values + 1e-5
    found = faults(with_states(landscape, theta=theta), TARGET)
    assert sum("has a gradient of norm" in fault for fault in found) == 2


def test_a_minimum_called_a_transition_state_is_found_out(landscape):
    theta = landscape.transition_states["theta"].values.copy()
    theta[1] = landscape.minima["theta"].values[0]
    found = faults(with_states(landscape, theta=theta), TARGET)
    assert "transition state 1 has 0 negative eigenvalues, not 1" in found


def test_claims_count_once_and_only_as_what_they_are():
    claims = np.concatenate([MINIMA, MINIMA + 1e-3, SADDLES, [[1.1, 1.9]]])
    minima = stationary(TARGET, claims, TARGET.box, 0)
    assert len(minima) == 3
    assert match(minima, stationary(TARGET, MINIMA, TARGET.box, 0), TARGET.box) == 3
    states = stationary(TARGET, claims, TARGET.box, 1)
    assert len(states) == 2
    assert match(minima, states, TARGET.box) == 0
    assert len(union([minima, minima[:1] + 1e-7], TARGET.box)) == 3
    assert stationary(TARGET, np.empty((0, 2)), TARGET.box, 0).shape == (0, 2)


def test_the_last_new_minimum_is_dated_by_its_first_claim():
    points = np.array([[0.2, 0.2], [0.8, 0.8]])
    claims = points[[0, 0, 1, 1, 0]]
    box = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert paid_for_last(points, claims, np.arange(1.0, 6.0), box) == 3.0


def test_expected_minima_by_the_rule_of_boender_and_rinnooy_kan():
    assert expected_minima([10, 5, 5]) == pytest.approx(3 * 19 / 15)
    assert expected_minima([1, 1]) == np.inf


def test_a_table_is_aligned():
    lines = table("title", [{"who": "ours", "cost": 1234.5}, {"who": "theirs", "cost": None}])
    assert lines.splitlines()[1:] == ["title", "who      cost", "ours    1,234", "theirs"]
