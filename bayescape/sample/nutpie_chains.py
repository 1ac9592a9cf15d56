"""Markov chains by nutpie on a target: NUTS, started and scaled from the map, for many draws."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.sample.nuts import Chains
from bayescape.sample.runaway import watch
from bayescape.sample.superposition import Superposition
from bayescape.targets.target import Target

__all__ = ["model_of", "require_nutpie", "run_nutpie"]

Array = NDArray[np.float64]

# PyMC's names for nutpie's statistics.
NAMES = {
    "diverging": "diverging",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
    "energy_error": "energy_error",
    "maxdepth_reached": "reached_max_treedepth",
}


class _Outside(ValueError):
    """Told to nutpie where the density is zero: a trajectory ends there, and goes on elsewhere."""

    is_recoverable = True


def require_nutpie() -> None:
    """Refuse where nutpie is not installed.

    Raises
    ------
    ImportError
        With what to do.
    """
    if find_spec("nutpie") is None:
        raise ImportError("`nuts='nutpie'` needs nutpie: pip install bayescape[nutpie]")


def model_of(
    log_density: Callable[[Array], tuple[float, Array]],
    starts: Iterator[Array],
    d: int,
    natural: Callable[[Array], Array] = np.asarray,
) -> Any:
    """Nutpie's model of a log density in ``d`` coordinates; its draws are called ``theta``.

    Parameters
    ----------
    log_density
        Log density and gradient at one point, ``(d,)``; not finite outside the domain.
    starts
        Taken from once a chain, and again where nutpie's first steps fail.
    d
        Coordinates.
    natural
        What to keep of a point that was drawn, ``(d,)``.
    """
    import nutpie.compiled_pyfunc

    def make() -> Any:
        def at(z: Array) -> tuple[float, Array]:
            value, gradient = log_density(z)
            if not np.isfinite(value):
                raise _Outside
            return value, gradient

        return at

    def expand(*_: Any) -> Any:
        return lambda z, **__: {"theta": natural(z)}

    return nutpie.compiled_pyfunc.from_pyfunc(
        d,
        make,
        expand,
        [np.dtype("float64")],
        [(d,)],
        ["theta"],
        make_initial_point_fn=lambda _: next(starts),
    )


def run_nutpie(
    target: Target,
    superposition: Superposition,
    starts: Array,
    *,
    draws: int,
    tune: int,
    seed: int,
    report: Callable[..., None] | None = None,
) -> Chains:
    """Run nutpie's NUTS on a target, one chain per start.

    It moves in coordinates in which the superposition's components have unit covariance on average,
    so that what nutpie adapts, a diagonal metric, begins with the map's.

    Parameters
    ----------
    target, superposition, starts, draws, tune, seed, report
        As in `bayescape.sample.chains.run_chains`; the metric is tuned too.

    Raises
    ------
    ImportError
        Without nutpie.
    ValueError
        If a chain ran away: the density seems to have no integral. If nutpie could not start, as
        where no coordinate changes the density.
    KeyboardInterrupt
        When interrupted: chains cut short are not a result.
    """
    require_nutpie()
    import nutpie

    chains, d = starts.shape
    factor = np.linalg.cholesky(superposition.within_covariance())
    centre = starts.mean(axis=0)
    begin = itertools.cycle(np.ascontiguousarray(np.linalg.solve(factor, (starts - centre).T).T))
    total, made = chains * (draws + tune), 0
    seen, ran_away = watch(superposition, target.names), list[ValueError]()

    def log_density(z: Array) -> tuple[float, Array]:
        if ran_away:  # an error here would end in a panic; from now on a draw takes one step
            raise _Outside
        energy, gradient = target.energy_and_gradient((centre + factor @ z)[None])
        return -float(energy[0]), -(gradient[0] @ factor)

    def natural(z: Array) -> Array:
        nonlocal made
        made += 1
        if report is not None and (made % 100 == 0 or made == total):
            report(draws=f"{made}/{total}")
        theta = centre + factor @ z
        try:
            seen(theta)
        except ValueError as error:
            ran_away.append(error)
        return theta

    model = model_of(log_density, begin, d, natural)
    try:
        trace = nutpie.sample(
            model,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=1,
            seed=seed,
            save_warmup=False,
            progress_bar=False,
        )
    except RuntimeError as error:  # as from a start on a plateau, or where all is outside
        if not ran_away:
            said = " ".join(str(error).split("Stack backtrace")[0].split())
            raise ValueError(f"nutpie could not run ({said}): use nuts='pymc'") from error
    if ran_away:
        raise ran_away[0]
    theta = np.asarray(trace.posterior["theta"].values) if trace is not None else np.empty(0)
    if theta.shape != (chains, draws, d) or not np.isfinite(theta).all():
        raise KeyboardInterrupt
    stats = trace.sample_stats
    return Chains(
        theta,
        {ours: np.asarray(stats[name].values) for name, ours in NAMES.items() if name in stats},
    )
