"""Transition states: the known ones, what they join, and honest failures."""

import numpy as np
import pytest

from bayescape.explore.path import relax_string, summits
from bayescape.explore.saddle import SaddleStatus, follow
from bayescape.explore.scales import Scales
from bayescape.targets.surfaces import MuellerBrown, Schwefel, SixHumpCamel
from tests.reference.surfaces import MUELLER_BROWN_MINIMA, MUELLER_BROWN_SADDLES


def check(found):
    """What every transition state must satisfy."""
    good = found.status == SaddleStatus.TRANSITION_STATE
    assert (found.gradient_norm[good] < 1e-6).all()
    assert ((np.linalg.eigvalsh(found.hessian[good]) < 0).sum(axis=1) == 1).all()
    return good


def test_strings_lead_to_mueller_brown_s_transition_states():
    target = MuellerBrown()
    scales = Scales.of(target).unit
    a, middle, b = (np.array(place) for place in ((-0.558, 1.442), (-0.050, 0.467), (0.623, 0.028)))
    seen = set()
    for start, end in ((a, middle), (middle, b)):
        string, energies = relax_string(target, start, end, scales)
        np.testing.assert_array_equal(string[[0, -1]], [start, end])
        np.testing.assert_allclose(energies, target.energy(string))
        found = follow(target, *summits(string, energies), scales=scales)
        for theta, energy in zip(
            found.theta[check(found)], found.energy[check(found)], strict=True
        ):
            for place, known in MUELLER_BROWN_SADDLES.items():
                if np.linalg.norm(theta - place) < 2e-3:
                    assert energy == pytest.approx(known, abs=1e-3)
                    seen.add(place)
    assert seen == set(MUELLER_BROWN_SADDLES)


def test_a_relaxed_string_is_lower_than_a_straight_line():
    target = MuellerBrown()
    a, b = np.array(list(MUELLER_BROWN_MINIMA))[:2]
    scales = Scales.of(target).unit
    _, energies = relax_string(target, a, b, scales)
    straight = target.energy(np.linspace(a, b, 200))
    assert energies.max() < straight.max() - 10
    # Images stay evenly spaced.
    string, _ = relax_string(target, a, b, scales)
    gaps = np.linalg.norm(np.diff(string, axis=0) / scales, axis=1)
    assert gaps.max() < 1.3 * gaps.min()


def test_climbing_a_soft_mode_reaches_a_transition_state():
    target = SixHumpCamel()
    start = np.array([[0.0898, -0.7127]])
    up = follow(target, start + np.array([[0.0, 0.1]]), np.array([[0.0, 1.0]]))
    assert check(up).all()
    np.testing.assert_allclose(up.theta[0], [0.0, 0.0], atol=1e-6)


def test_searches_that_lead_nowhere_say_so():
    class Bowl:
        names = ("a", "b")
        bounds = np.array([[-3.0, -3.0], [3.0, 3.0]])

        def energy_and_gradient(self, theta):
            return 0.5 * (theta**2).sum(axis=1), theta.copy()

        def hessian(self, theta):
            return np.tile(np.eye(2), (len(theta), 1, 1))

        def starts(self, count, rng):
            return rng.uniform(-1, 1, (count, 2))

    found = follow(Bowl(), np.array([[0.1, 0.0]]), np.array([[1.0, 0.0]]))
    assert found.status[0] in (SaddleStatus.AT_BOUND, SaddleStatus.RAN_OFF)

    class Lost(Bowl):
        def energy_and_gradient(self, theta):
            energy, gradient = super().energy_and_gradient(theta)
            return np.where(theta[:, 0] > 0.5, np.nan, energy), gradient

    both = follow(Lost(), np.array([[0.1, 0.0], [0.0, 0.1]]), np.eye(2))
    assert both.status[0] == SaddleStatus.FAILED


def test_walls_end_a_search():
    target = Schwefel(2)
    found = follow(target, np.array([[480.0, 480.0]]), np.array([[1.0, 0.0]]))
    assert found.status[0] != SaddleStatus.TRANSITION_STATE


def test_summits_are_interior_maxima_highest_first():
    string = np.arange(7.0)[:, None]
    points, tangents = summits(string, np.array([0, 2, 1, 5, 3, 3.5, 0]))
    assert points[:, 0].tolist() == [3.0, 5.0, 1.0]
    assert (tangents[:, 0] == 2.0).all()
    # No interior maximum: the pass may lie within one image of the higher end.
    points, _ = summits(string, np.array([0, 1, 2, 3, 4, 5, 6.0]))
    assert points[:, 0].tolist() == [5.0]
    points, _ = summits(string, np.array([0, 1, np.inf, 1, 0, 2, 0.0]))
    assert 2.0 not in points[:, 0]
