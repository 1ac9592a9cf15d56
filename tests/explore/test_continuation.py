"""Branches and folds of families of which all is known, and of Gaussian processes."""

import functools

import numpy as np
import pytest
import xarray as xr
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st
from torch.distributions import LogNormal

from bayescape import Continuation, GaussianProcess, continue_minima, explore, load_continuation
from bayescape.explore.newcomers import evenly
from bayescape.explore.quench import QuenchStatus, quench
from tests.explore.families import Ridge, spreading_mixture
from tests.reference.gp_posteriors import schwefel

QUARTIC = (0, 0, -0.5, 0, 0.25)  # x^4 / 4 - x^2 / 2: folds at nu = +-2 / (3 sqrt 3)
FOLD = 2 / (3 * np.sqrt(3))


@pytest.fixture(scope="module")
def quartic():
    return continue_minima(lambda nu: Ridge(nu, QUARTIC), np.linspace(-1, 1, 21), progress=False)


def test_folds_of_the_quartic_are_those_of_the_cubic_formula(quartic):
    known, points = Ridge(0.0, QUARTIC).folds()
    folds = quartic.folds
    np.testing.assert_allclose(folds["value"], [-FOLD, FOLD], atol=1e-12)
    np.testing.assert_allclose(known, [-FOLD, FOLD], atol=1e-12)
    np.testing.assert_allclose(folds["theta"], points, atol=1e-9)
    assert (folds["gradient_norm"] < 1e-12).all()
    assert (np.abs(folds["smallest_eigenvalue"]) < 1e-9).all()
    np.testing.assert_array_equal(folds["side"], [1, -1])
    np.testing.assert_array_equal(np.sort(folds["indices"], axis=1), [[0, 1], [0, 1]])


def test_the_normal_form_is_that_of_the_quartic(quartic):
    # With u along the null vector at unit length the third derivative is 6 u |du/ds|^3.
    along = Ridge(0.0, QUARTIC).A @ quartic.folds["null_vector"].values.T
    u = np.array([-1, 1]) / np.sqrt(3)
    for k in range(2):
        assert abs(along[1, k]) < 1e-8
        np.testing.assert_allclose(
            quartic.folds["cubic"][k], 6 * u[k] * along[0, k] ** 3, rtol=1e-6
        )
        np.testing.assert_allclose(quartic.folds["transversality"][k], along[0, k], rtol=1e-6)


def test_branches_of_the_quartic_are_the_roots_of_the_cubic(quartic):
    branches = quartic.branches
    assert sorted(branches["index"].values.tolist()) == [0, 0, 1]
    A = Ridge(0.0, QUARTIC).A
    for k, nu in enumerate(branches["parameter"].values):
        roots = np.roots([1, 0, -1, nu])
        roots = np.sort(np.real(roots[np.abs(np.imag(roots)) < 1e-9]))
        there = branches["energy"].notnull().values[:, k]
        u, w = A @ branches["theta"].values[there, k].T
        np.testing.assert_allclose(np.sort(u), roots, atol=1e-9)
        np.testing.assert_allclose(w, 0, atol=1e-9)
        np.testing.assert_allclose(
            branches["energy"].values[there, k], u**4 / 4 - u**2 / 2 + nu * u, atol=1e-12
        )
        assert quartic.count(0)[k] == 1 + (len(roots) == 3)
        assert quartic.count(1)[k] == (len(roots) == 3)
    assert not quartic.warnings


def test_each_branch_keeps_its_identity(quartic):
    """Each is smooth, one to the left, one to the right and one between, and ends in its folds."""
    branches, joins = quartic.branches, quartic.folds["joins"].values
    u = (Ridge(0.0, QUARTIC).A @ branches["theta"].values.reshape(-1, 2).T)[0].reshape(3, -1)
    state = int(np.flatnonzero(branches["index"].values == 1)[0])
    left, right = (int(np.setdiff1d(pair, state)[0]) for pair in joins)
    assert np.nanmin(u[left]) < -1
    assert np.nanmax(u[left]) < -1 / np.sqrt(3) < np.nanmin(u[state])
    assert np.nanmax(u[state]) < 1 / np.sqrt(3) < np.nanmin(u[right])
    kinds = list(zip(branches["begins"].values, branches["ends"].values, strict=True))
    assert kinds[state] == ("fold", "fold")
    assert kinds[left] == ("fold", "grid")
    assert kinds[right] == ("grid", "fold")


# Each example takes a second: shrinking one that fails would take longer than looking at it.
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)


# The same examples each time, so that a failure can be looked at.
@settings(max_examples=15, deadline=None, derandomize=True, phases=UNSHRUNK)
@given(
    roots=st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4).filter(
        lambda r: np.diff(np.sort(r)).min() > 0.15
    ),
    angle=st.floats(0, 3),
    points=st.integers(2, 30),
)
@example(roots=[0.0, 0.5, 1.0, 1.5], angle=0.5, points=7)
# A step that turns at a fold must not leave the grid's interval by the end that it came from.
@example(
    roots=[1.268052851997525, 0.7, -1.4294009437680288, -0.2701042973317742], angle=0.0, points=27
)
# Two of the folds are at values of the grid, where no branch may take its end for a point.
@example(roots=[0.0, 1.0, 0.5, 0.25], angle=1.20043824858351, points=18)
def test_all_folds_of_random_sextics_from_one_exploration(roots, angle, points):
    """With P'' given by its roots, the one curve of stationary points turns at each of them."""
    second = np.polynomial.Polynomial.fromroots(roots)
    family = functools.partial(Ridge, coefficients=second.integ(2).coef, angle=angle)
    known, places = family(0.0).folds()
    width = np.ptp(known)
    # Two turns much closer than a step cannot be told from none.
    assume(np.abs(np.diff(family(0.0).P.deriv()(np.sort(roots)))).min() > 0.005 * width)
    grid = np.linspace(known[0] - 0.3 * width, known[-1] + 0.4 * width, points)
    found = continue_minima(family, grid, explorations=1, quenches=0, progress=False)
    assert found.warnings == ()
    np.testing.assert_allclose(found.folds["value"], known, atol=1e-9)
    # Where two folds are at nearly one value their order is a matter of rounding.
    for place in places:
        assert np.linalg.norm(found.folds["theta"].values - place, axis=1).min() < 1e-6
    assert (found.folds["gradient_norm"] < 1e-8).all()
    assert (np.abs(found.folds["smallest_eigenvalue"]) < 1e-6).all()
    expected = [sum(second(u) > 0 for u in _roots(family(nu))) for nu in grid]
    # Whether a minimum is there at its fold is a matter of rounding.
    off = np.abs(grid[:, None] - known).min(axis=1) > 1e-6 * width
    np.testing.assert_array_equal(found.count(0)[off], np.array(expected)[off])
    joins = found.folds["joins"].values
    for (a, b), side in zip(joins, found.folds["side"].values, strict=True):
        assert sorted(found.branches["index"].values[[a, b]]) == [0, 1]
        end = "begins" if side > 0 else "ends"
        assert (found.branches[end].values[[a, b]] == "fold").all()


@pytest.mark.parametrize("beyond", [0.0, 1e-16, -1e-16, 1e-12, -1e-12, 1e-8])
def test_a_fold_at_the_end_of_the_grid_ends_its_branches_there(beyond):
    """Nothing outside of the grid is asked for, so the curve is seen on one side of it only."""
    grid = np.linspace(-1, FOLD + beyond, 11)
    found = continue_minima(
        lambda nu: Ridge(nu, QUARTIC), grid, explorations=1, quenches=0, progress=False
    )
    assert found.warnings == ()
    np.testing.assert_allclose(found.folds["value"], [-FOLD, FOLD], atol=2e-12)
    np.testing.assert_array_equal(found.count(0), [1] * 5 + [2] * 5 + [1])
    np.testing.assert_array_equal(found.count(1), [0] * 5 + [1] * 5 + [0])


@pytest.mark.parametrize(
    ("roots", "angle", "points"),
    [
        ([-0.816, 0.615, 0.815, 1.091], 0.44, 28),
        ([-0.959, 0.476, 0.653, 0.82], 0.11, 10),
        ([-0.749, 0.554, 1.086, 1.298], 0.4, 25),
    ],
)
def test_two_folds_closer_than_a_step_are_not_stepped_over(roots, angle, points):
    """They are 0.0013, 0.0007 and 0.003 of the folds' range apart, so both are in one interval."""
    second = np.polynomial.Polynomial.fromroots(roots)
    family = functools.partial(Ridge, coefficients=second.integ(2).coef, angle=angle)
    known, _ = family(0.0).folds()
    width = np.ptp(known)
    grid = np.linspace(known[0] - 0.3 * width, known[-1] + 0.4 * width, points)
    found = continue_minima(family, grid, explorations=1, quenches=0, progress=False)
    assert found.warnings == ()
    np.testing.assert_allclose(found.folds["value"], known, atol=1e-9)


def test_the_cusp_where_two_folds_meet():
    """Folds of ``(u - c)^4 / 4 - b (u - c)^2 / 2 + (nu - q) u`` meet at ``b = 0``, ``nu = q``.

    On the way the square of their cubic coefficient falls to zero in proportion to ``b``, and their
    means keep to the cusp.
    """
    place, value = 0.3, 0.2
    stiff = np.polynomial.Polynomial([-place, 1.0])
    across, squares = Ridge(0.0, QUARTIC).A, []
    strengths = np.array([0.4, 0.6])
    for b in strengths:
        P = stiff**4 / 4 - b * stiff**2 / 2 - np.polynomial.Polynomial([0.0, value])
        folds = continue_minima(
            functools.partial(Ridge, coefficients=P.coef),
            np.linspace(-0.3, 0.7, 11),
            explorations=2,
            progress=False,
        ).folds
        half = 2 * (b / 3) ** 1.5
        np.testing.assert_allclose(folds["value"], value + np.array([-half, half]), atol=1e-8)
        np.testing.assert_allclose(folds["value"].mean(), value, atol=1e-8)
        centre = across @ folds["theta"].values.mean(axis=0)
        np.testing.assert_allclose(centre, [place, 0], atol=1e-8)
        squares.append(float((folds["cubic"] ** 2).mean()))
    slope = (squares[1] - squares[0]) / (strengths[1] - strengths[0])
    assert slope > 1e-3
    np.testing.assert_allclose(strengths[0] - squares[0] / slope, 0, atol=1e-8)


def _roots(target):
    roots = (target.P.deriv() + target.nu).roots()
    return np.real(roots[np.abs(np.imag(roots)) < 1e-9])


class Island(Ridge):
    """A second minimum, for ``|nu|`` below 0.8 alone, that no fold connects with the first."""

    def __init__(self, nu):
        super().__init__(0.1, (0, 0, -0.5 * (1 - nu**2), 0, 0.25))


def test_a_branch_that_only_a_fresh_exploration_finds_is_followed_both_ways():
    grid = np.linspace(-1.5, 1.5, 31)
    ends_only = continue_minima(Island, grid, explorations=2, quenches=0, progress=False)
    assert ends_only.folds.sizes["fold"] == 0
    middle_too = continue_minima(Island, grid, explorations=3, quenches=0, progress=False)
    # a^(3/2) 2 / (3 sqrt 3) = 0.1 with a = 1 - nu^2.
    edge = np.sqrt(1 - (0.1 / FOLD) ** (2 / 3))
    np.testing.assert_allclose(middle_too.folds["value"], [-edge, edge], atol=1e-10)
    np.testing.assert_array_equal(middle_too.folds["side"], [1, -1])
    assert middle_too.branches.sizes["branch"] == 3


def test_quenches_at_every_value_find_what_the_maps_at_the_ends_lack():
    grid = np.linspace(-1.5, 1.5, 31)
    found = continue_minima(Island, grid, explorations=2, quenches=2, progress=False)
    edge = np.sqrt(1 - (0.1 / FOLD) ** (2 / 3))
    np.testing.assert_allclose(found.folds["value"], [-edge, edge], atol=1e-10)
    assert found.branches.sizes["branch"] == 3
    only = continue_minima(Island, grid, explorations=0, quenches=8, progress=False)
    np.testing.assert_allclose(only.folds["value"], [-edge, edge], atol=1e-10)


def test_positions_are_looked_at_in_an_order_that_is_even_all_the_way():
    assert evenly(8) == [0, 4, 2, 6, 1, 5, 3, 7]
    for count in (1, 2, 5, 46):
        assert sorted(evenly(count)) == list(range(count))
    for n in (8, 16, 30):
        gaps = np.diff([-1, *sorted(evenly(46)[:n]), 46])
        assert gaps.max() <= 2 * 64 / n


def test_a_map_that_is_given_is_not_made_again():
    grid = np.linspace(-1, 1, 11)
    landscape = explore(Ridge(0.0, QUARTIC), progress=False)
    built = []

    def target_of(nu):
        built.append(nu)
        return Ridge(nu, QUARTIC)

    found = continue_minima(
        target_of, grid, explorations=0, quenches=0, landscapes={0.0: landscape}, progress=False
    )
    np.testing.assert_allclose(found.folds["value"], [-FOLD, FOLD], atol=1e-12)
    assert found.evaluations.total < 1500
    assert built.count(-1.0) <= 3  # for its names, its scales, and once on the way


def test_a_pitchfork_is_not_taken_for_a_fold():
    found = continue_minima(
        lambda nu: Ridge(0.0, (0, 0, -0.5 * nu, 0, 0.25)), np.linspace(-1, 1, 12), progress=False
    )
    assert found.folds.sizes["fold"] == 0
    assert any("a bifurcation, not a fold" in warning for warning in found.warnings)
    np.testing.assert_array_equal(found.count(0), [1] * 6 + [2] * 6)


def test_the_same_seed_gives_the_same_result_and_the_target_s_input_is_left_alone(quartic):
    class Writes(Ridge):
        def energy_and_gradient(self, theta):
            result = super().energy_and_gradient(theta.copy())
            theta[:] = np.nan
            return result

        def hessian(self, theta):
            result = super().hessian(theta.copy())
            theta[:] = np.nan
            return result

    again = continue_minima(lambda nu: Writes(nu, QUARTIC), np.linspace(-1, 1, 21), progress=False)
    xr.testing.assert_identical(again.branches, quartic.branches)
    xr.testing.assert_identical(again.folds, quartic.folds)


def test_a_file_gives_back_what_was_saved(quartic, tmp_path):
    for found in (
        quartic,
        continue_minima(Island, [-1.5, -1.4], explorations=1, progress=False),  # without a fold
    ):
        found.save(tmp_path / "branches.nc")
        loaded = load_continuation(tmp_path / "branches.nc")
        assert isinstance(loaded, Continuation)
        xr.testing.assert_identical(loaded.branches, found.branches)
        xr.testing.assert_identical(loaded.folds, found.folds)
        for name in ("parameter", "evaluations", "warnings", "seconds", "seed", "names"):
            assert getattr(loaded, name) == getattr(found, name)
        assert repr(loaded) == repr(found)


def test_what_it_says_of_itself(quartic):
    text = repr(quartic)
    assert "2 branches of minima and 1 of transition states, nu from -1 to 1" in text
    assert "fold at nu = 0.384900: a pair below, of index" in text
    assert "<ul>" in quartic._repr_html_()


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ([1.0], {}, "`grid` must hold two or more increasing numbers"),
        ([1.0, 0.5], {}, "`grid` must hold two or more increasing numbers"),
        ([0.0, 1.0], {"explorations": 0, "quenches": 0}, "`explorations` must be at least 1"),
        ([0.0, 1.0], {"landscapes": {0.5: None}}, "`landscapes` has a map at 0.5, which is not on"),
    ],
)
def test_bad_input_is_named(grid, options, message):
    with pytest.raises(ValueError, match=message):
        continue_minima(lambda nu: Ridge(nu, QUARTIC), grid, progress=False, **options)


def test_targets_of_other_coordinates_are_refused():
    def target_of(nu):
        target = Ridge(nu, QUARTIC)
        target.names = ("x", "y") if nu < 1 else ("x", "z")
        return target

    with pytest.raises(ValueError, match=r"`target_of` must give targets of the same coordinates"):
        continue_minima(target_of, [0.0, 1.0], progress=False)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_continuation(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("no")
    with pytest.raises(ValueError, match="is not a netCDF file of a continuation"):
        load_continuation(tmp_path / "text.nc")
    explore(Ridge(0.0, QUARTIC), progress=False).save(tmp_path / "map.nc")
    with pytest.raises(ValueError, match="does not hold a continuation in the format"):
        load_continuation(tmp_path / "map.nc")


def gaussian_processes(rows, draw):
    """Posteriors of Matern kernels of order ``nu`` over one draw of Schwefel data."""
    data = schwefel(rows, 3, seed=draw)

    def target_of(nu):
        return GaussianProcess(
            data.inputs,
            data.y,
            nu=nu,
            standardise=False,
            priors={
                "lengthscale": LogNormal(np.log(0.5), 1.5),
                "outputscale": LogNormal(0.0, 2.0),
                "noise": LogNormal(2 * np.log(0.3), 3.0),
            },
        )

    return target_of


DRAWS = [(100, 1), (60, 2), (60, 3)]  # rows, and the seed of the data


@functools.cache
def continued(rows, draw):
    return continue_minima(gaussian_processes(rows, draw), np.linspace(0.5, 5, 46), progress=False)


def distinct_minima(target, starts):
    """Fresh quenches: the minima that these starts lead to, told apart by their distance."""
    ended = quench(target, starts, careful=True, gradient_tolerance=1e-9)
    kept = []
    for theta, status in zip(ended.theta, ended.status, strict=True):
        if status == QuenchStatus.MINIMUM and all(np.linalg.norm(theta - k) > 1e-3 for k in kept):
            kept.append(theta)
    return len(kept)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "draw"), DRAWS)
def test_folds_of_gaussian_processes_are_solved_and_seen_from_both_sides(rows, draw):
    found, target_of = continued(rows, draw), gaussian_processes(rows, draw)
    folds, values = found.folds, found.folds["value"].values
    assert (folds["gradient_norm"] < 1e-8).all()
    assert (np.abs(folds["smallest_eigenvalue"]) < 1e-6).all()
    assert (np.abs(folds["cubic"]) > 1e-3).all()
    assert (np.abs(folds["transversality"]) > 1e-3).all()
    pairs = np.flatnonzero(np.sort(folds["indices"].values, axis=1)[:, 1] == 1)
    assert len(pairs) >= 2
    for k in pairs:
        fold = folds.isel(fold=k)
        apart = np.abs(np.delete(values, k) - values[k]).min()
        off = min(0.02, 0.4 * apart, 0.9 * (values[k] - 0.5))
        # By the normal form: where the two points are at this distance from the fold.
        reach = np.sqrt(2 * off * abs(float(fold["transversality"] / fold["cubic"])))
        along = np.array([-2, -1.2, -0.8, 0, 0.8, 1.2, 2])[:, None] * fold["null_vector"].values
        counts = []
        for side in (1, -1):
            target = target_of(values[k] + side * int(fold["side"]) * off)
            near = fold["theta"].values + reach * along
            starts = np.concatenate([target.starts(150, np.random.default_rng(0)), near])
            counts.append(distinct_minima(target, starts))
        assert counts[0] == counts[1] + 1


@pytest.mark.slow
def test_a_fold_s_parameter_is_that_of_another_method():
    """The smallest eigenvalue, squared, falls linearly to zero on both branches towards it."""
    found, target_of = continued(60, 3), gaussian_processes(60, 3)
    fold = found.folds.isel(fold=0)
    value, side = float(fold["value"]), int(fold["side"])
    ratio = float(fold["transversality"] / fold["cubic"])
    squares = {1: [], -1: []}
    steps = np.array([4e-5, 2e-5, 1e-5])
    for step in steps:
        target = target_of(value + side * step)
        reach = np.sqrt(2 * step * abs(ratio))
        for sign in squares:
            theta = fold["theta"].values + sign * reach * fold["null_vector"].values
            for _ in range(20):
                gradient = target.energy_and_gradient(theta[None])[1][0]
                theta = theta - np.linalg.solve(target.hessian(theta[None])[0], gradient)
            values = np.linalg.eigvalsh(target.hessian(theta[None])[0])
            squares[sign].append(values[np.abs(values).argmin()] * sign)
    # Each branch's eigenvalue is a power series in the root of the distance: their mean square is
    # one in the distance itself, and its zero is where the fold is.
    means = 0.5 * (np.array(squares[1]) ** 2 + np.array(squares[-1]) ** 2)
    zero = np.polynomial.Polynomial.fit(steps, means, 2).roots()
    assert np.abs(zero).min() < 1e-6
    assert (np.array(squares[1]) * np.array(squares[-1]) != 0).all()


class Tempered:
    """A posterior with its likelihood to a power: 0 is the prior, 1 the posterior."""

    def __init__(self, target, power):
        self.target, self.power, self.names = target, power, target.names

    def energy(self, theta):
        return self.target.energy(theta) + (self.power - 1) * self.target.likelihood.energy(theta)

    def energy_and_gradient(self, theta):
        whole = self.target.energy_and_gradient(theta)
        likelihood = self.target.likelihood.energy_and_gradient(theta)
        return tuple(a + (self.power - 1) * b for a, b in zip(whole, likelihood, strict=True))

    def hessian(self, theta):
        likelihood = self.target.likelihood.hessian(theta)
        return self.target.hessian(theta) + (self.power - 1) * likelihood

    def starts(self, count, rng):
        return self.target.starts(count, rng)

    def constrain(self, theta):
        return self.target.constrain(theta)


def test_minima_are_born_in_folds_as_the_likelihood_gains_weight():
    """The prior has one minimum; each further one of the posterior comes of a fold on the way."""
    posterior = gaussian_processes(60, 3)(2.5)
    grid = np.geomspace(0.02, 1, 30)
    told = []
    found = continue_minima(
        functools.partial(Tempered, posterior),
        grid,
        parameter="power",
        explorations=3,
        progress=lambda **quantities: told.append(quantities),
    )
    minima = found.count().values
    assert minima[0] == 1
    assert minima[-1] == explore(posterior, seed=5, progress=False).minima.sizes["minimum"] > 2
    births = found.folds["side"].values[found.folds["indices"].values.max(axis=1) == 1]
    assert births.sum() == minima[-1] - minima[0]
    assert found.parameter == "power"
    for k in (8, 16, 24):
        fresh = explore(Tempered(posterior, grid[k]), seed=6, progress=False)
        assert fresh.minima.sizes["minimum"] == minima[k]
    assert set(told[-1]) == {"parameter", "branches", "folds"}


@pytest.mark.parametrize("seed", [0, 4, 13, 21])
def test_minima_of_mixtures_that_move_apart_are_counted_by_their_folds(seed):
    """From one or few minima to six: what appears between neighbouring values came of a fold."""
    family, grid = spreading_mixture(seed), np.linspace(0.5, 4, 15)
    found = continue_minima(family, grid, parameter="spread", progress=False)
    folds, minima = found.folds, found.count().values
    assert found.warnings == ()
    assert minima[-1] == 6
    assert (folds["gradient_norm"] < 1e-8).all()
    assert (np.abs(folds["smallest_eigenvalue"]) < 1e-6).all()
    of_minima = folds["indices"].values.min(axis=1) == 0
    values, sides = folds["value"].values[of_minima], folds["side"].values[of_minima]
    for k in range(len(grid) - 1):
        between = (values > grid[k]) & (values < grid[k + 1])
        assert minima[k + 1] - minima[k] == sides[between].sum()
    for k in (3, 8, 12):  # where nothing was explored
        fresh = explore(family(grid[k]), seed=77, progress=False)
        assert fresh.minima.sizes["minimum"] == minima[k]
