"""The decision: its choices on posteriors where the right one is known, and its sentences."""

import dataclasses

import numpy as np
import pytest
import torch

from bayescape import from_torch
from bayescape.explore import explore
from bayescape.sample import sample
from bayescape.sample.adapt import settle
from bayescape.sample.decision import (
    _independence_acceptance,
    _leapfrogs_per_draw,
    _predict_hmc,
    decide,
)
from bayescape.sample.superposition import harmonic_superposition
from bayescape.targets.surfaces import GaussianMixture

from .problems import far_apart, map_of, single


def test_basins_that_nuts_cannot_join_are_left_to_the_superposition():
    decision = decide(map_of(far_apart()), ess=1000)
    assert decision.method == "superposition"
    assert decision.valid
    assert not decision.costs.loc["hmc", "valid"]
    assert any("no known transition state" in reason for reason in decision.reasons)


def test_one_gaussian_basin_is_valid_for_all_methods():
    decision = decide(map_of(single()), ess=400)
    assert decision.costs["valid"].all()
    assert decision.method == decision.costs["gradient_equivalents"].idxmin()


def test_low_coverage_trusts_nothing_and_says_so():
    decision = decide(map_of(far_apart(), coverage=0.5))
    assert not decision.valid
    assert decision.method == "jumps"
    assert "coverage is 0.500, below" in decision.reasons[0]
    assert "No method is predicted to be right" in decision.reasons[-1]
    assert "not trusted" in repr(decision)


def test_where_there_is_no_integral_nothing_is_trusted_and_the_cheapest_is_used():
    target = from_torch(
        lambda x: -0.5 * x[0] ** 2 - 0.5 * torch.log1p(x[1] ** 2), ["x", "y"], starts=np.eye(2)
    )
    decision = decide(explore(target, seed=0, progress=False))
    assert decision.no_integral == ("y",)
    assert decision.method == "superposition"
    assert not decision.valid
    assert not decision.costs["valid"].any()
    assert any("no faster than 1/|y|" in reason for reason in decision.reasons)
    assert "No method draws rightly" in decision.reasons[-1]
    assert decision.asdict()["no_integral"] == ["y"]


def test_a_map_that_warns_is_quoted_among_the_reasons():
    landscape = dataclasses.replace(map_of(single()), warnings=("Something is amiss.",))
    decision = decide(landscape, ess=400)
    assert decision.reasons[-1].endswith("for the map warns: Something is amiss.")
    assert sample(landscape, 400, decision=decision, progress=False).attrs["reliable"] == 0


def test_a_superposition_with_a_heavy_tail_is_not_chosen():
    class Shell:
        """A thin spherical shell in eight dimensions: no mixture of a few ellipsoids is like it."""

        names = tuple("abcdefgh")
        means = np.zeros((1, 8))

        def energy(self, theta):
            return 0.5 * ((np.linalg.norm(theta, axis=1) - 6) / 0.02) ** 2

        def hessian(self, theta):
            return np.tile(np.eye(8), (len(theta), 1, 1))

        def starts(self, count, rng):
            return rng.normal(0.0, 4.0, size=(count, 8))

    decision = decide(map_of(Shell()))
    assert decision.method != "superposition"
    assert not decision.costs.loc["superposition", "valid"]


def test_same_seed_same_decision_and_costs_are_counted():
    landscape = map_of(far_apart())
    one, two = decide(landscape, seed=3), decide(landscape, seed=3)
    assert one.reasons == two.reasons
    np.testing.assert_array_equal(one.pilot.theta, two.pilot.theta)
    assert one.evaluations.value >= len(one.pilot.theta)
    other = decide(landscape, seed=4)
    assert not np.array_equal(one.pilot.theta, other.pilot.theta)


def test_more_draws_cost_more():
    landscape = map_of(far_apart())
    few, many = decide(landscape, ess=100), decide(landscape, ess=10_000)
    assert (
        many.costs["gradient_equivalents"] > few.costs["gradient_equivalents"]
    ).all() or np.isinf(many.costs["gradient_equivalents"]).any()


class DoubleWell:
    """Two wells of the same depth along one coordinate, with a barrier of ``height`` nats."""

    names = ("across", "aside")

    def __init__(self, height):
        self.height = height

    def energy(self, theta):
        x, y = theta.T
        return self.height * (x**2 - 1) ** 2 + 2 * y**2

    def energy_and_gradient(self, theta):
        x, y = theta.T
        gradient = np.stack([4 * self.height * x * (x**2 - 1), 4 * y], axis=1)
        return self.energy(theta), gradient

    def hessian(self, theta):
        out = np.zeros((len(theta), 2, 2))
        out[:, 0, 0] = 4 * self.height * (3 * theta[:, 0] ** 2 - 1)
        out[:, 1, 1] = 4
        return out

    def starts(self, count, rng):
        return rng.normal(0.0, 1.5, size=(count, 2))

    def constrain(self, theta):
        return dict(zip(self.names, theta.T, strict=True))


def test_predicted_draws_per_change_are_those_of_the_formula_and_of_nuts():
    """Eyring's rate in closed form, ``omega / 2 pi * exp(-height)``, and the changes counted."""
    landscape = explore(DoubleWell(2.0), progress=False)
    decision = decide(landscape, ess=1000)
    # A well's frequency in units where the metric is one; from draw to draw a time of 2 goes by.
    frequency = np.sqrt(8 * 2.0 * decision.pilot.superposition.within_covariance()[0, 0])
    assert decision.draws_per_change == pytest.approx(np.pi * np.exp(2.0) / frequency, rel=0.01)

    posterior = sample(landscape, 2000, "hmc", progress=False)
    side = posterior["posterior"]["across"].values > 0
    changes = (side[:, 1:] != side[:, :-1]).sum()
    assert changes > 40  # or there is nothing to compare with
    assert decision.draws_per_change == pytest.approx(side.size / changes, rel=0.4)


def test_one_basin_is_never_changed():
    assert decide(map_of(single())).draws_per_change == np.inf


def test_the_pilot_costs_at_most_a_tenth_of_nuts_where_nuts_will_do():
    """One basin in many coordinates, of which a mixture takes several rounds."""
    wide = GaussianMixture([1.0], np.zeros((1, 60)), np.eye(60)[None])
    landscape, ess = map_of(wide), 1000
    first = harmonic_superposition(landscape)
    unlimited = settle(wide, first, np.random.default_rng([0, 1]), ess=ess)
    decision = decide(landscape, ess=ess)
    assert decision.costs.loc["hmc", "valid"]
    # What NUTS will cost is told before the first round, and told again after the last.
    leaps = _leapfrogs_per_draw(landscape, first)
    nuts = _predict_hmc(landscape, first, leaps, ess, 4).gradients
    assert 0.5 * len(decision.pilot.theta) <= 0.1 * nuts < 0.5 * len(unlimited.theta)


def test_printed_and_plain_forms_agree():
    decision = decide(map_of(far_apart()))
    assert decision.method in repr(decision)
    assert all(reason in repr(decision) for reason in decision.reasons)
    assert "<table" in decision._repr_html_()
    assert decision.asdict()["method"] == decision.method


def test_acceptance_is_the_mean_over_all_pairs():
    weights = np.random.default_rng(0).gamma(1.0, size=300)
    weights /= weights.sum()
    brute = np.minimum(weights[:, None], weights[None, :]).sum() / 300
    assert _independence_acceptance(weights) == pytest.approx(brute, rel=1e-12)


def test_what_cannot_be_decided_is_refused():
    with pytest.raises(ValueError, match="no target"):
        decide(dataclasses.replace(map_of(single()), target=None))
    with pytest.raises(ValueError, match="`ess`"):
        decide(map_of(single()), ess=0)
    with pytest.raises(ValueError, match="no minimum"):
        decide(map_of(single(), known=np.empty(0, int)))
