"""An exploration that goes on from an earlier map, and quenches what it is told to suspect."""

import numpy as np
import pytest
import torch

from bayescape import explore, from_torch
from bayescape.targets.surfaces import GaussianMixture, MuellerBrown, Schwefel, SixHumpCamel

QUIET = {"progress": False}


def hidden():
    """A mode of nearly half the mass that the starts, which lie around the other, never see."""
    target = GaussianMixture([0.55, 0.45], [[0.0, 0.0], [9.0, 9.0]], [np.eye(2), 0.05 * np.eye(2)])
    target.box = np.array([[-3.0, -3.0], [3.0, 3.0]])
    return target


def test_what_an_earlier_map_holds_is_kept_and_its_quenches_count():
    target = SixHumpCamel()
    first = explore(target, seed=1, max_quenches=10, **QUIET)
    second = explore(target, seed=1, known=first, **QUIET)
    for kind in ("minima", "transition_states"):
        old, new = (getattr(m, kind)["theta"].values for m in (first, second))
        assert all((new == theta).all(axis=1).any() for theta in old)
    assert second.minima.sizes["minimum"] == 6
    assert second.coverage > first.coverage
    assert second.minima["hits"].values.sum() > first.minima["hits"].values.sum()
    assert second.evaluations.gradient > first.evaluations.gradient
    # What stopped the first is judged afresh.
    assert any("stopping rule" in w for w in first.warnings)
    assert not second.warnings


def test_flat_directions_are_told_once_with_all_that_ended_there():
    """A likelihood that saturates and no prior to end it, beside a minimum."""

    def saturates(x):
        return -0.5 * x[0] ** 2 + torch.log(0.05 + torch.exp(-2 * x[1] ** 2))

    target = from_torch(
        saturates, ["x", "y"], starts=lambda count, rng: rng.uniform(-9, 9, (count, 2))
    )
    first = explore(target, seed=0, max_quenches=40, **QUIET)
    second = explore(target, seed=0, known=first, effort=3, **QUIET)
    counts = []
    for landscape in (first, second):
        (told,) = [w for w in landscape.warnings if "flat direction" in w]
        counts.append(landscape.ends["quench ended in a flat direction"])
        assert told.startswith(f"{counts[-1]} quenches ended in a flat direction, mostly along y:")
    assert 0 < counts[0] < counts[1]


def test_a_complete_map_costs_nothing_to_go_on_from():
    first = explore(MuellerBrown(), seed=0, **QUIET)
    second = explore(MuellerBrown(), seed=0, known=first, **QUIET)
    assert second.evaluations == first.evaluations
    np.testing.assert_array_equal(second.minima["theta"], first.minima["theta"])
    np.testing.assert_array_equal(second.transition_states["joins"], first.transition_states.joins)


def test_more_effort_goes_on_from_a_map_with_quenches_of_its_own():
    first = explore(SixHumpCamel(), seed=0, **QUIET)
    second = explore(SixHumpCamel(), seed=0, known=first, effort=3, **QUIET)
    third = explore(SixHumpCamel(), seed=0, known=second, effort=3, max_quenches=60, **QUIET)
    hits = [m.minima["hits"].values.sum() for m in (first, second, third)]
    assert hits[0] < hits[1] == hits[2]  # the last may scatter no more, and wanders all the same
    spent = [m.evaluations.gradient for m in (first, second, third)]
    assert spent[0] < spent[1] < spent[2]
    assert all(m.minima.sizes["minimum"] == 6 for m in (first, second, third))


def test_suspected_points_are_quenched_and_what_they_find_is_confirmed_or_warned_of():
    alone = explore(hidden(), seed=0, **QUIET)
    assert alone.minima.sizes["minimum"] == 1
    both = explore(hidden(), seed=0, known=alone, suspected=[[8.8, 9.1]], **QUIET)
    assert both.minima.sizes["minimum"] == 2
    # It counts as no hit of a scattered quench, so that coverage stays honest.
    assert both.minima["hits"].values.min() == 0
    assert any("the starts hardly see basins that matter" in w for w in both.warnings)


def test_a_map_of_something_else_is_refused():
    with pytest.raises(ValueError, match="`known` is a map of the coordinates"):
        explore(hidden(), known=explore(Schwefel(3), max_quenches=8, **QUIET), **QUIET)


@pytest.mark.parametrize("suspected", [[1.0, 2.0], [[1.0]], [[np.nan, 0.0]]])
def test_suspected_points_that_are_none_are_refused(suspected):
    with pytest.raises(ValueError, match=r"`suspected` must be finite and of shape \(B, 2\)"):
        explore(hidden(), suspected=suspected, **QUIET)


def test_a_checkpoint_of_another_beginning_is_refused(tmp_path):
    first = explore(hidden(), seed=0, **QUIET)
    path = tmp_path / "map.ckpt"
    explore(hidden(), seed=0, known=first, checkpoint=path, suspected=[[9.0, 9.0]], **QUIET)
    with pytest.raises(ValueError, match="with known"):
        explore(hidden(), seed=0, checkpoint=path, **QUIET)
