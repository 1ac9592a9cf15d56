"""Continuation: the minima and transition states of a family of targets, and their folds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_array, check_kind, check_progress, check_whole, shown
from bayescape.evaluations import Evaluations
from bayescape.explore.branches import Branches
from bayescape.explore.explorer import explore
from bayescape.explore.newcomers import evenly, look_for_newcomers, take_up
from bayescape.explore.scales import Scales
from bayescape.landscape.continuation import Continuation
from bayescape.landscape.family import Family
from bayescape.landscape.record import Landscape
from bayescape.progress import reporter
from bayescape.targets.target import Target

__all__ = ["continue_minima"]

Array = NDArray[np.float64]


def continue_minima(
    target_of: Callable[[float], Target],
    grid: ArrayLike,
    *,
    parameter: str = "nu",
    explorations: int = 3,
    quenches: int = 16,
    landscapes: Mapping[float, Landscape] | None = None,
    seed: int = 0,
    progress: bool | Callable[..., None] = True,
) -> Continuation:
    """Follow minima and transition states along a parameter, and solve the folds between them.

    Fresh explorations at some values of the parameter, and a few quenches at every value, say what
    there is to follow. What they find is matched to the branches known by then; a point on none of
    these is a new branch, followed both ways. Branches go from one value to the next in lockstep,
    by a predictor and Newton's method, in shorter steps where that fails. Where it still fails, a
    branch is followed by its own length: at a fold it turns back, as the branch that it annihilates
    with, which is taken up in its turn. Every fold is solved as a point of zero gradient whose
    Hessian has a null vector.

    Parameters
    ----------
    target_of
        The target at a value of the parameter, such as
        ``lambda nu: GaussianProcess(X, y, nu=nu)``. All must have the same coordinates, and depend
        smoothly on the parameter between the ends of the grid.
    grid
        Values of the parameter at which branches are recorded, increasing, shape ``(K,)``.
    parameter
        What the parameter is called.
    explorations
        How many values to explore at, spread evenly over the grid, both ends among them from two
        on. Two folds of one branch that are closer along it than about a fiftieth of the unit of a
        coordinate are not found.
    quenches
        How many points to quench at every value of the grid: a third of them starts that are spread
        up to three times as wide as the targets' own, the others kicks away from known minima, and
        wanderings off them: draws from their quadratic pictures, and coordinates of two. The
        known branches capture most; from a new minimum transition states are searched for as well.
        A branch that neither these nor the explorations come upon, and that no fold connects with a
        known one, is not found; the longer it lives the likelier it is to be.
    landscapes
        Maps that there are already, by their value of the parameter, which must be on the grid.
        None of these values is explored again.
    seed
        Of the explorations and of the quenches' starts. The same seed gives the same result.
    progress
        As in `explore`; a callable is given ``parameter``, ``branches`` and ``folds``.

    Returns
    -------
    Continuation
        Its ``warnings`` say where following failed, and what the explorations warned of.

    Raises
    ------
    ValueError
        If the grid is not increasing, ``explorations`` is negative, there is nothing to begin
        with, a landscape's value is not on the grid, or the targets' coordinates differ.

    References
    ----------
    E. L. Allgower, K. Georg, *Introduction to Numerical Continuation Methods*, SIAM (2003);
    G. Moore, A. Spence, SIAM J. Numer. Anal. 17, 567 (1980), for the folds.
    """
    started = time.perf_counter()
    if not callable(target_of):
        raise ValueError(
            f"`target_of` must be a function of the parameter's value, got {shown(target_of)}"
        )
    values = check_array("grid", grid, "two or more increasing numbers")
    if values.ndim != 1 or len(values) < 2 or not (np.diff(values) > 0).all():
        raise ValueError(
            f"`grid` must hold two or more increasing numbers, got {shown(grid)} of shape "
            f"{values.shape}"
        )
    check_kind("parameter", parameter, str, "a name")
    check_whole("explorations", explorations, 0)
    check_whole("quenches", quenches, 0)
    check_whole("seed", seed, 0)
    check_progress(progress)
    if landscapes is not None:
        check_kind("landscapes", landscapes, Mapping, "a mapping of values to landscapes")
    maps = _by_position(landscapes or {}, values)
    names = tuple(target_of(float(values[0])).names)
    _check_names(names, tuple(target_of(float(values[-1])).names), values[-1])
    for k, landscape in maps.items():
        _check_names(names, landscape.names, values[k])
    if not (explorations or quenches or maps):
        raise ValueError(
            "`explorations` must be at least 1 where there are no `quenches` and no `landscapes`, "
            f"got {explorations}"
        )
    planned = np.unique(np.linspace(0, len(values) - 1, explorations).round().astype(int))
    unit = Scales.of(target_of(float(values[len(values) // 2]))).unit
    family = Family(target_of, unit, values[0], values[-1])
    spent = Evaluations()
    with reporter(progress, f"following along {parameter}") as report:
        branches = Branches(family, values, report)
        for k in sorted({*planned.tolist(), *maps}):
            if k not in maps:
                maps[k] = explore(target_of(float(values[k])), seed=seed, progress=False)
                spent += maps[k].evaluations
            branches.warnings += [
                f"At {parameter} = {values[k]:g}: {warning}" for warning in maps[k].warnings
            ]
            _enter(branches, maps[k], k)
            branches.follow()
        for k in evenly(len(values)) if quenches else ():
            new, cost = look_for_newcomers(branches, k, quenches, seed)
            spent += cost
            if new:
                branches.follow()
    return _record(
        branches,
        names=names,
        parameter=parameter,
        seed=seed,
        spent=spent,
        started=started,
    )


def _enter(branches: Branches, landscape: Landscape, k: int) -> None:
    """Take up a map's points."""
    for index, points in enumerate((landscape.minima, landscape.transition_states)):
        none = take_up(branches, k, points["theta"].values, index)
        if none:
            branches.warnings.append(
                f"{none} points of index {index} of the map at {branches.grid[k]:g} are "
                "none by Newton's method, and were not followed"
            )


def _record(
    branches: Branches,
    *,
    names: tuple[str, ...],
    parameter: str,
    seed: int,
    spent: Evaluations,
    started: float,
) -> Continuation:
    """The result, with energies and softest curvatures at all points of the grid."""
    family = branches.family
    followed, joins = branches.settled()
    shape = (len(followed), len(branches.grid))
    x = np.array([branch.x for branch in followed]).reshape(*shape, branches.d)
    energy, softest = np.full(shape, np.nan), np.full(shape, np.nan)
    for k, p in enumerate(branches.grid):
        there = np.flatnonzero(np.isfinite(x[:, k, 0]))
        if not len(there):
            continue
        energy[there, k] = family.energy(x[there, k], p)
        hessians = np.array([followed[i].hessians[k] for i in there])
        curvatures = np.linalg.eigvalsh(hessians / np.outer(family.unit, family.unit))
        nearest = np.abs(curvatures).argmin(axis=1)
        softest[there, k] = curvatures[np.arange(len(there)), nearest]
    return Continuation.from_arrays(
        names=names,
        parameter=parameter,
        grid=branches.grid,
        theta=x * family.unit,
        energy=energy,
        softest=softest,
        index=[branch.index for branch in followed],
        begins=[branch.ends[-1] for branch in followed],
        ends=[branch.ends[1] for branch in followed],
        folds=branches.folds,
        joins=joins,
        indices=branches.indices,
        evaluations=spent + family.evaluations,
        warnings=branches.warnings,
        seconds=time.perf_counter() - started,
        seed=seed,
    )


def _by_position(landscapes: Mapping[float, Landscape], grid: Array) -> dict[int, Landscape]:
    """Maps by their position on the grid."""
    positions = {}
    for value, landscape in landscapes.items():
        k = int(np.abs(grid - value).argmin())
        if not np.isclose(grid[k], value, rtol=1e-12, atol=0):
            raise ValueError(f"`landscapes` has a map at {value:g}, which is not on the grid")
        positions[k] = landscape
    return positions


def _check_names(names: tuple[str, ...], others: tuple[str, ...], value: float) -> None:
    if others != names:
        raise ValueError(
            f"`target_of` must give targets of the same coordinates everywhere, got {names} at "
            f"first and {others} at {value:g}"
        )
