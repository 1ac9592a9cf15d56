"""Rates and relaxation: closed forms, and eigenvalues to hundreds of digits."""

import mpmath
import numpy as np
import pytest
from scipy import optimize

from bayescape.landscape.harmonic import occupation
from bayescape.landscape.rates import (
    change_rate,
    crossing_rates,
    harmonic_covariance,
    relaxation_time,
)
from bayescape.landscape.thermodynamics import thermodynamics


def test_rates_obey_detailed_balance_and_a_closed_form(landscape_of):
    saddle = np.array([[-0.5, 0.3], [0.3, 2.0]])
    pair = landscape_of(
        [[0, 0], [4, 1]],
        [0.0, 0.7],
        [np.diag([3.0, 1.0]), np.diag([0.5, 0.8])],
        [[2, 0.5]],
        [2.9],
        [saddle],
        [[0, 1]],
    )
    rates = crossing_rates(pair)
    p = occupation(pair.minima["energy"].values, pair.minima["hessian"].values)
    assert p[0] * rates[0, 1] == pytest.approx(p[1] * rates[1, 0], rel=1e-12)
    # With the metric 1 the frequencies are square roots of the Hessian's eigenvalues.
    rates = crossing_rates(pair, np.eye(2))
    positive = np.linalg.eigvalsh(saddle)[1]
    expected = np.sqrt(3.0 / positive) * np.exp(-2.9) / (2 * np.pi)
    assert rates[0, 1] == pytest.approx(expected, rel=1e-12)
    # Two states relax at the sum of their rates.
    assert relaxation_time(pair, np.eye(2)) == pytest.approx(1 / (rates[0, 1] + rates[1, 0]))


def test_relaxation_of_one_basin_and_of_a_graph_in_parts(landscape_of, chain_of_four):
    assert relaxation_time(landscape_of([[0.0]], [0.0], [[[1.0]]])) == 0.0
    assert relaxation_time(chain_of_four) == np.inf


def test_harmonic_covariance_is_that_of_the_mixture(landscape_of):
    rotated = np.array([[5.0, 2.0], [2.0, 3.0]])
    two_basins = landscape_of([[0, 0], [6, 1]], [0.3, 1.7], [rotated, np.diag([0.2, 0.5])])
    rng = np.random.default_rng(5)
    p = occupation(two_basins.minima["energy"].values, two_basins.minima["hessian"].values)
    count = 400_000
    which = rng.choice(2, count, p=p)
    factors = np.linalg.cholesky(np.linalg.inv(two_basins.minima["hessian"].values))
    draws = two_basins.minima["theta"].values[which] + np.einsum(
        "bij,bj->bi", factors[which], rng.standard_normal((count, 2))
    )
    expected = harmonic_covariance(two_basins)
    # Five standard errors of a covariance's entries.
    tolerance = 5 * np.sqrt(2 / count) * np.abs(expected).max() * 2
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=tolerance)


def random_network(network_of, count, extra, scale, seed):
    """A connected graph with loops and repeated joins; barriers about ``scale`` nats."""
    rng = np.random.default_rng(seed)
    energies = np.sort(rng.gamma(2, scale / 5, count))
    joins = [(m, int(rng.integers(m))) for m in range(1, count)]
    joins += [tuple(map(int, rng.integers(0, count, 2))) for _ in range(extra)]
    joins += joins[:2]
    states = [(max(energies[a], energies[b]) + rng.gamma(1, scale), a, b) for a, b in joins]
    return network_of(energies, states, seed)


def exact_relaxation(landscape):
    """The slowest relaxation with unit masses, by the eigenvalues of the generator itself.

    The Hessians must be diagonal, the transition states' unstable mode the first.
    """
    mp = mpmath.mp.clone()
    mp.dps = 400

    def weight(energy, stiffness):
        return mp.exp(-mp.mpf(float(energy))) / mp.sqrt(mp.fprod(map(float, stiffness)))

    minima, states = landscape.minima, landscape.transition_states
    p = [
        weight(e, np.diag(h))
        for e, h in zip(minima["energy"].values, minima["hessian"].values, strict=True)
    ]
    generator = mp.zeros(len(p))
    for energy, hessian, (a, b) in zip(
        *(states[k].values for k in ("energy", "hessian", "joins")), strict=True
    ):
        if a != b:
            flow = weight(energy, np.diag(hessian)[1:]) / (2 * mp.pi)
            generator[int(a), int(a)] += flow / p[a]
            generator[int(b), int(b)] += flow / p[b]
            generator[int(a), int(b)] -= flow / mp.sqrt(p[a] * p[b])
            generator[int(b), int(a)] -= flow / mp.sqrt(p[a] * p[b])
    return 1 / sorted(mp.eigsy(generator, eigvals_only=True))[1]


@pytest.mark.parametrize("scale", [3, 30, 150])
@pytest.mark.parametrize("seed", range(4))
def test_relaxation_is_right_over_any_span_of_rates(network_of, scale, seed):
    landscape = random_network(network_of, 7, 4, scale, seed)
    # 1e-12: some 7 minima times the rounding of exponents of a few hundred nats.
    assert relaxation_time(landscape, np.eye(3)) == pytest.approx(
        float(exact_relaxation(landscape)), rel=1e-12
    )


def test_a_slow_step_beside_fast_ones_is_not_drowned(network_of):
    # The rates' eigenvalues span 1e17 to 1: in double precision the slowest is rounding.
    landscape = network_of([0.0, 0.5, 1.0], [(1.2, 0, 1), (45.0, 1, 2)])
    rates = crossing_rates(landscape, np.eye(3))
    p = occupation(*(landscape.minima[k].values for k in ("energy", "hessian")))
    # Basins 0 and 1 are one, at equilibrium, as seen from the far side of the slow step.
    there = rates[1, 2] * p[1] / (p[0] + p[1])
    assert relaxation_time(landscape, np.eye(3)) == pytest.approx(1 / (there + rates[2, 1]))


def test_relaxation_among_hundreds_of_minima(network_of):
    landscape = random_network(network_of, 300, 300, 2.0, 5)
    rates = crossing_rates(landscape)
    root = np.sqrt(occupation(*(landscape.minima[k].values for k in ("energy", "hessian"))))
    generator = rates * root[:, None] / root
    generator[np.diag_indices(300)] = -rates.sum(axis=1)
    slowest = -np.linalg.eigvalsh(0.5 * (generator + generator.T))[-2]
    # The plain eigenvalue is good to its rounding against the fastest rate.
    tolerance = 300 * np.finfo(float).eps * rates.sum(axis=1).max() / slowest
    assert tolerance < 1e-6
    assert relaxation_time(landscape) == pytest.approx(1 / slowest, rel=tolerance)


def test_minima_that_hold_nothing_are_passed_through_and_not_waited_for(network_of):
    # 0 and 1 hold all that matters; the way from one to the other leads over 2, and 3 is a trap
    # beside it that would take 1e8 times as long to leave.
    energies = [0.0, 0.4, 8.0, 9.0]
    landscape = network_of(energies, [(9.0, 0, 2), (9.5, 1, 2), (30.0, 2, 3)])
    p = occupation(*(landscape.minima[k].values for k in ("energy", "hessian")))
    held = 1.01 * (p[2] + p[3])
    rate = crossing_rates(landscape, np.eye(3))
    # Out of 0 it goes on to 1 with the share of 2's ways that lead there.
    out = rate[2, 0] + rate[2, 1]
    onward, homeward = rate[0, 2] * rate[2, 1] / out, rate[1, 2] * rate[2, 0] / out
    found = relaxation_time(landscape, np.eye(3), negligible=held)
    assert found == pytest.approx(1 / (onward + homeward), rel=1e-12)
    assert relaxation_time(landscape, np.eye(3)) > 1e6 * found
    # Where it is joined to nothing it makes no difference; a basin that matters does.
    apart = network_of(energies, [(9.0, 0, 2), (9.5, 1, 2)])
    assert relaxation_time(apart, np.eye(3)) == np.inf
    assert np.isfinite(relaxation_time(apart, np.eye(3), negligible=held))
    assert relaxation_time(network_of([0.0, 0.4], []), np.eye(3), negligible=0.01) == np.inf
    assert relaxation_time(landscape, np.eye(3), negligible=0.5) == 0.0


def test_basins_change_as_often_as_the_rates_say(network_of):
    landscape = random_network(network_of, 7, 4, 3, 0)
    rates = crossing_rates(landscape, np.eye(3))
    p = occupation(*(landscape.minima[k].values for k in ("energy", "hessian")))
    assert change_rate(landscape, np.eye(3)) == pytest.approx((p @ rates).sum(), rel=1e-12)
    assert change_rate(network_of([0.0, 1.0], [])) == 0.0


def test_crossings_into_a_narrow_basin_are_seen_as_often_as_in_motion(landscape_of):
    """Particles in a wide and a narrow well, their momenta drawn anew every two units of time."""
    share, centre, width, between = 0.6, 3.0, 0.06, 2.0

    def parts(x):
        wide = share * np.exp(-0.5 * x**2)
        return wide, (1 - share) / width * np.exp(-0.5 * ((x - centre) / width) ** 2)

    def slope(x):
        wide, narrow = parts(x)
        return (wide * x + narrow * (x - centre) / width**2) / (wide + narrow)

    def energy(x):
        return -np.log(sum(parts(x)))

    def curvature(x):
        return (slope(x + 1e-5) - slope(x - 1e-5)) / 2e-5

    bottom, top = optimize.brentq(slope, 2.99, 3.01), optimize.brentq(slope, 2.0, 2.95)
    at = np.array([0.0, bottom, top])
    minima, state, hessians = at[:2, None], at[2:, None], list(curvature(at)[:, None, None])
    known = minima, energy(at[:2]), hessians[:2], state, energy(at[2:]), hessians[2:]
    wells = landscape_of(*known, [[0, 1]])

    rng = np.random.default_rng(0)
    narrow = rng.uniform(size=4000) > share
    x = np.where(narrow, centre + width * rng.normal(size=4000), rng.normal(size=4000))
    step, changes, draws = 0.005, 0, 40
    for _ in range(draws):
        began, p = x > top, rng.normal(size=4000)
        p -= 0.5 * step * slope(x)
        for _ in range(round(between / step)):
            x = x + step * p
            p -= step * slope(x)
        changes += (began != (x > top)).sum()
    counted = changes / (4000 * draws)
    predicted = between * change_rate(wells, np.eye(1), between=between)
    assert 1 / 2 < predicted / counted < 2  # not harmonic: a visit lasts longer than a period
    assert between * change_rate(wells, np.eye(1)) > 3 * counted
    # Relaxation waits for as much longer as the basin changes less often.
    ratio = between * change_rate(wells, np.eye(1)) / predicted
    times = [relaxation_time(wells, np.eye(1), between=t) for t in (0.0, between)]
    assert times[1] / times[0] == pytest.approx(ratio)


def test_barriers_beyond_floats_overflow_quietly(network_of):
    high = network_of([0.0, 1.0], [(1000.0, 0, 1)])
    assert relaxation_time(high, np.eye(3)) == np.inf
    assert (crossing_rates(high, np.eye(3)) == 0).all()
    # The lower basin's rate is below any float, the time is not beyond.
    deep = network_of([0.0, 900.0], [(1000.0, 0, 1)])
    rates = crossing_rates(deep, np.eye(3))
    assert rates[0, 1] == 0
    assert relaxation_time(deep, np.eye(3)) == pytest.approx(1 / rates[1, 0], rel=1e-12)


def test_states_between_one_pair_add_up_and_loops_do_not_count(network_of):
    once = network_of([0.0, 1.0], [(4.0, 0, 1)])
    many = network_of([0.0, 1.0], [(4.0, 0, 1), (4.0, 1, 0), (2.0, 1, 1)], seed=0)
    for landscape in (once, many):
        landscape.transition_states["hessian"][:] = np.diag([-1.0, 1.0, 2.0])
    np.testing.assert_allclose(
        crossing_rates(many, np.eye(3)), 2 * crossing_rates(once, np.eye(3)), rtol=1e-12
    )
    assert relaxation_time(many, np.eye(3)) == pytest.approx(
        relaxation_time(once, np.eye(3)) / 2, rel=1e-12
    )


@pytest.mark.parametrize(
    ("kind", "hessian", "words"),
    [
        ("minima", np.full(9, np.nan), "has no Hessian at minimum 1"),
        ("minima", [1, -1, 1], "minimum 1 should have no negative eigenvalue"),
        ("minima", [1, 0, 1], "minimum 1 should have no negative eigenvalue"),
        ("transition_states", np.full(9, np.nan), "no Hessian at transition state 1"),
        ("transition_states", [1, 1, 1], "transition state 1 should have one negative"),
        ("transition_states", [-1, -1, 1], "transition state 1 should have one negative"),
    ],
)
def test_hessians_that_give_no_rates_are_named(network_of, kind, hessian, words):
    landscape = network_of([0.0, 1.0], [(3.0, 0, 1), (4.0, 0, 1)])
    hessian = np.asarray(hessian, float)
    hessian = hessian.reshape(3, 3) if hessian.size == 9 else np.diag(hessian)
    getattr(landscape, kind)["hessian"][1] = hessian
    for function in (crossing_rates, relaxation_time):
        with pytest.raises(ValueError, match=words):
            function(landscape)


def test_what_stands_for_its_images_mixes_as_they_do_together(landscape_of):
    """Two minima of two images each, and four passes: each image of one to each of the other."""
    saddle = np.array([[-0.5, 0.3], [0.3, 2.0]])
    minima = np.array([[0.0, 0.0], [4.0, 1.0]])
    hessians = [np.diag([3.0, 1.0]), np.diag([0.5, 0.8])]
    listed = landscape_of(
        [*minima, *(-minima - 9)],
        [0.0, 0.7, 0.0, 0.7],
        hessians * 2,
        [[2, 0.5]] * 4,
        [2.9] * 4,
        [saddle] * 4,
        [[0, 1], [0, 3], [2, 1], [2, 3]],
    )
    # Given in another order than that of the map, which is by energy.
    standing = landscape_of(
        minima[::-1],
        [0.7, 0.0],
        hessians[::-1],
        [[2, 0.5]],
        [2.9],
        [saddle],
        [[0, 1]],
        log_multiplicity=(np.log([2, 2]), np.log([4])),
    )
    each, together = (crossing_rates(m, np.eye(2)) for m in (listed, standing))
    places = listed.minima["energy"].values
    low, high = np.flatnonzero(places == 0.0), np.flatnonzero(places == 0.7)
    assert together[0, 1] == pytest.approx(each[low[0], high].sum(), rel=1e-12)
    assert together[1, 0] == pytest.approx(each[high[0], low].sum(), rel=1e-12)


def test_occupations_and_thermodynamics_count_the_images(landscape_of):
    minima, hessians = np.array([[0.0, 0.0], [4.0, 1.0]]), [np.diag([3.0, 1.0]), np.eye(2)]
    counts = np.array([2.0, 5.0])
    standing = landscape_of(
        minima, [0.0, 0.7], hessians, log_multiplicity=(np.log(counts), np.empty(0))
    )
    plain = landscape_of(minima, [0.0, 0.7], hessians)
    grid = [0.5, 1.0, 3.0]
    together, alone = (thermodynamics(m, grid) for m in (standing, plain))
    expected = counts * alone["occupation"].values
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(together["occupation"], expected, rtol=1e-12)
    p = occupation([0.0, 0.7], hessians, log_multiplicity=np.log(counts))
    np.testing.assert_allclose(p, expected[1], rtol=1e-12)
