"""Parts of `benchmarks/seed_study.py`: what its numbers rest on."""

import numpy as np
import pytest

from bayescape import Landscape
from bayescape.evaluations import Evaluations
from benchmarks.seed.answers import branches_of_clusters, rank_correlation
from benchmarks.seed.following import misassigned
from benchmarks.seed.problems import FUNCTIONS, catalogue, schwefel
from benchmarks.seed.scoring import funnels

KNOWN = [  # point and value of least energy, as in the literature
    ("schwefel", [420.9687] * 3, 0.0, 1e-3),
    ("ackley", [0.0] * 4, 0.0, 1e-9),
    ("rastrigin", [0.0] * 5, 0.0, 1e-9),
    ("branin", [np.pi, 2.275], 0.397887, 1e-5),
    ("hartmann", [0.114614, 0.555649, 0.852547], -3.86278, 1e-4),
    ("hartmann", [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573], -3.32237, 1e-4),
]


@pytest.mark.parametrize(("name", "point", "value", "error"), KNOWN)
def test_functions_have_their_known_minima(name, point, value, error):
    function, box = FUNCTIONS[name]
    point = np.array(point)
    assert function(point[None])[0] == pytest.approx(value, abs=error)
    near = point + 0.01 * (box[1] - box[0]) * np.random.default_rng(0).normal(size=(50, len(point)))
    assert (function(near) > value).all()


def test_the_catalogue_has_a_hundred_different_problems():
    problems = catalogue()
    assert len({p.label for p in problems}) == len(problems) >= 100
    assert {p.inputs for p in problems} == {2, 3, 4, 5, 6}


@pytest.mark.parametrize("name", ["iris", "friedman2", "schwefel"])
def test_a_problem_draws_its_data_again_and_tests_with_other_rows(name):
    problem = next(p for p in catalogue() if p.name == name)
    X, y, X_test, y_test = problem.data()
    assert X.shape == (problem.rows, problem.inputs)
    assert len(y_test) == len(X_test) >= 40
    np.testing.assert_array_equal(problem.data()[0], X)
    if name == "schwefel":
        np.testing.assert_array_equal(schwefel(X), y)
        assert not (X[:, None] == X_test[None]).all(axis=2).any()


def test_clusters_are_counted_against_branches():
    right = np.array([[0, 0, 0], [1, 1, -1], [-1, 2, 2]])
    assert misassigned(right) == {
        "points": 7,
        "clusters": 3,
        "branches": 3,
        "wrong": 0,
        "wrong_at_best": 0,
        "sharing": 0,
    }
    renamed = np.array([2, 0, 1])[right]
    renamed[right < 0] = -1
    assert misassigned(renamed)["wrong"] == 0
    assert branches_of_clusters(renamed) == {2: 0, 0: 1, 1: 2}
    swapped = right.copy()
    swapped[0, 1] = 1  # shares the cluster of the second branch there
    assert misassigned(swapped)["wrong"] == 1
    assert misassigned(swapped)["sharing"] == 2
    fewer = np.array([[0, 0, -1], [1, -1, -1], [-1, -1, 1]])  # three branches, never three at once
    assert misassigned(fewer)["wrong_at_best"] == misassigned(fewer)["wrong"] == 1


def line_of_wells(energies, passes):
    """Minima in a row, unit Hessians, with passes between neighbours."""
    count = len(energies)
    return Landscape.from_arrays(
        names=("x",),
        minima=np.arange(count)[:, None],
        energies=energies,
        hessians=np.ones((count, 1, 1)),
        hits=np.ones(count, dtype=int),
        transition_states=np.arange(count - 1)[:, None] + 0.5,
        transition_energies=passes,
        transition_hessians=-np.ones((count - 1, 1, 1)),
        joins=[(i, i + 1) for i in range(count - 1)],
        coverage=1.0,
        evaluations=Evaluations(),
    )


def test_funnels_are_parts_behind_barriers():
    one = funnels(line_of_wells([0.0, 1.0, 2.0], [2.0, 3.0]), 3.0)
    assert one["count"] == 1
    assert one["effective"] == pytest.approx(1.0)
    # Two wells as deep, each with a shallow one beside it, and a barrier of ten between them.
    two = funnels(line_of_wells([0.0, 1.0, 1.0, 0.0], [2.0, 10.0, 2.0]), 3.0)
    assert two["count"] == 2
    assert two["effective"] == pytest.approx(2.0)
    # A high one behind a barrier counts, and hardly matters.
    high = funnels(line_of_wells([0.0, 12.0], [20.0]), 3.0)
    assert high["count"] == 2
    assert high["effective"] == pytest.approx(1.0, abs=1e-3)
    assert funnels(line_of_wells([0.0, 1.0, 2.0], [2.0, 3.0]), 0.0)["count"] == 3


def test_a_rank_correlation_has_an_interval_that_holds_it():
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    value, low, high = rank_correlation(a, a + rng.normal(size=200))
    # Of jointly normal variables: 6 / pi arcsin(r / 2), with r = 1 / sqrt 2 here.
    truth = 6 / np.pi * np.arcsin(0.5 / np.sqrt(2))
    assert low < value < high
    assert low < truth < high
    assert rank_correlation(a, -a) == pytest.approx((-1.0, -1.0, -1.0))
