"""The loop that makes a map: quenches until the rule says stop, then transition states."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import (
    check_array,
    check_kind,
    check_progress,
    check_whole,
    check_within,
    shown,
)
from bayescape.explore.budget import Budget
from bayescape.explore.search import Search
from bayescape.explore.worker import Worker
from bayescape.landscape.record import Landscape
from bayescape.progress import reporter
from bayescape.targets.given import target_given
from bayescape.targets.target import Target

__all__ = ["explore"]


def explore(
    target: Target | pm.Model,
    *,
    seed: int = 0,
    progress: bool | Callable[..., None] = True,
    budget: float | str | datetime.timedelta | None = None,
    max_quenches: int = 2000,
    effort: float = 1.0,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    known: Landscape | None = None,
    suspected: ArrayLike | None = None,
) -> Landscape:
    """Map a target: its minima, its transition states, and what joins what.

    Quenches from scattered starts until the expected number of minima, by Boender and Rinnooy Kan's
    rule, is less than half a minimum above the number found. Then transition states, double-ended
    between minima that are not joined and between neighbours, along straight lines and relaxed
    strings, and single-ended up the softest modes of every minimum. Then more quenches, off known
    minima: from hot draws of the basins' quadratics, those whose energies the known minima explain
    least; above 50 coordinates, or where ``max_quenches`` is too few for the rule, basin hopping
    from every minimum. A minimum that any of these leads to is taken up and searched from in its
    turn; of those that no scattered quench hit and whose harmonic occupation is negligible, only as
    many as there are others.

    Parameters
    ----------
    target
        Anything that satisfies `bayescape.targets.Target`, or a PyMC model. Symmetries that it
        declares by an attribute ``symmetries``, orthogonal matrices of shape ``(G, d, d)`` which
        leave the energy alone, are made use of: what is found is entered with all its images.
    seed
        The same seed gives the same map, bit for bit, with any executor and with none.
    progress
        ``True`` for a line on the terminal, ``False``, or a callable given ``minima``,
        ``transition_states``, ``coverage``, ``evaluations`` and ``seconds_left``, an estimate.
    budget
        What to spend at most: gradient equivalents (a value counts one half, a Hessian ``d + 1``),
        or a time, as text such as ``"10 min"`` or as a timedelta; ``None`` for no limit.
    max_quenches
        Scattered starts, at most; a map that stops there says so.
    effort
        Quenches in all over those that the rule asks for, 1 to 1000. The rule sees what scattered
        starts see, and the quenches off known minima find most of what these miss. A basin that
        holds much is still missed now and then, in silence in about one map of a hundred. Above 1
        there are more quenches of both kinds.
    executor
        Where to run the searches, `concurrent.futures.Executor` or one with its interface, such as
        Dask's ``client.get_executor()``; by default they run here.
    checkpoint
        A file in which to keep what is found, while it is found. If it is there, from a run that
        was stopped in whatever way, the exploration goes on from it.
    known
        An earlier map of the same target to go on from, to find what it lacks: its minima and
        transition states are taken up, its scattered quenches counted with the new ones.
    suspected
        Points to quench first, ``(B, d)``, for instance where a basin is suspected that the starts
        do not see.

    Returns
    -------
    Landscape
        Of what was found, also after Ctrl-C. Its ``warnings`` say what is wrong with it.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the checkpoint is of something else.

    References
    ----------
    C. G. E. Boender, A. H. G. Rinnooy Kan, Math. Program. 37, 59 (1987); D. J. Wales,
    J. P. K. Doye, J. Phys. Chem. A 101, 5111 (1997); see also the modules of `bayescape.explore`.
    """
    target = target_given(target, "target")
    limits = Budget.of(budget)
    check_whole("max_quenches", max_quenches, 1)
    check_whole("seed", seed, 0)
    check_within("effort", effort, 1, 1000)
    check_progress(progress)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"`executor` must have a method `submit`, got {shown(executor)}")
    if checkpoint is not None:
        check_kind("checkpoint", checkpoint, (str, os.PathLike), "the path of a file")
    if known is not None:
        check_kind("known", known, Landscape, "a Landscape")
    points = _points(suspected, target)
    settings: dict[str, Any] = {"seed": int(seed), "max_quenches": int(max_quenches)}
    if effort > 1:
        settings["effort"] = float(effort)
    if known is not None:
        if known.names != tuple(target.names):
            raise ValueError(
                f"`known` is a map of the coordinates {known.names}, and the target has "
                f"{tuple(target.names)}"
            )
        settings["known"] = known.minima["energy"].values.tolist()
    with (
        Worker(target, limits, executor, checkpoint, settings) as worker,
        reporter(progress, "mapping") as report,
    ):
        search = Search(target, worker, report, max_quenches, seed, known, effort)
        return search.landscape(search.run(points))


def _points(suspected: ArrayLike | None, target: Target) -> NDArray[np.float64]:
    d = len(target.names)
    said = f"finite and of shape (B, {d})"
    points = np.empty((0, d)) if suspected is None else check_array("suspected", suspected, said)
    if points.ndim != 2 or points.shape[1] != d or not np.isfinite(points).all():
        raise ValueError(
            f"`suspected` must be {said}, got {shown(suspected)} of shape {points.shape}"
        )
    return points
