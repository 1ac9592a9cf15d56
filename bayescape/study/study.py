"""The whole way at once: target, map, decision, draws and comparison, from one table.

A held-out part serves the comparison alone. The map and the posterior that a study hands out use
every row; for the comparison the same way is gone a second time without the rows held out.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescape.explore import explore
from bayescape.landscape.record import Landscape
from bayescape.predict import compare
from bayescape.sample.decision import Decision, decide
from bayescape.sample.sampler import sample
from bayescape.study.data import DataError, Table, check_table, take_rows
from bayescape.study.memory import check_memory
from bayescape.targets.gaussian_process import GaussianProcess

__all__ = ["Fit", "Settings", "Study", "check_study", "run_study"]

INTERRUPTED = "interrupted"  # what `explore` says of itself when it was

Progress = bool | Callable[..., None]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What is fitted, and how hard.

    Attributes
    ----------
    kernel, nu, ard, mean, priors
        As `bayescape.GaussianProcess` takes them. Inputs and output are always standardised.
    prior_text
        The priors in words, for the report.
    draws
        Posterior draws, and the effective sample size that the decision plans for.
    effort
        Of the exploration, as `bayescape.explore` takes it.
    hmc
        Whether to run NUTS for the comparison as well, whatever the decision says.
    seed
        Of everything.
    """

    kernel: Literal["matern", "rbf"] = "matern"
    nu: float | str = 2.5
    ard: bool = True
    mean: Literal["zero", "constant"] = "zero"
    priors: Literal["default"] | Mapping[str, Any] = "default"
    prior_text: str = "the package's defaults"
    draws: int = 1000
    effort: float = 1.0
    hmc: bool = False
    seed: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """One way from rows to draws.

    Attributes
    ----------
    table
        The rows that were fitted.
    landscape, decision, posterior
        The map, the method that it led to, and the draws.
    deciding_seconds
        Wall time of the decision; map and draws know their own.
    """

    table: Table
    landscape: Landscape
    decision: Decision
    posterior: xr.DataTree
    deciding_seconds: float

    @property
    def target(self) -> GaussianProcess:
        """The Gaussian process that was mapped."""
        assert isinstance(self.landscape.target, GaussianProcess)
        return self.landscape.target


@dataclasses.dataclass(frozen=True, slots=True)
class Study:
    """Everything that a report is made of.

    Attributes
    ----------
    settings
        What was asked for.
    fit
        Of every row.
    compared
        The fit that the comparison used: ``fit`` itself when the test rows came in a table of
        their own, another without the rows held out, or ``None`` without a comparison.
    test, comparison
        The test rows and the scores on them; ``None`` without a comparison.
    hmc
        The draws of NUTS that the comparison used, if they were asked for.
    comparing_seconds, seconds
        Wall time of the predictions and their scores, and of the whole.
    """

    settings: Settings
    fit: Fit
    compared: Fit | None
    test: Table | None
    comparison: pd.DataFrame | None
    hmc: xr.DataTree | None
    comparing_seconds: float
    seconds: float

    @property
    def refitted(self) -> bool:
        """Whether the comparison rests on a second fit, without the rows held out."""
        return self.compared is not None and self.compared is not self.fit


def check_study(
    table: Table,
    *,
    held_out: NDArray[np.int_] | None = None,
    test: Table | None = None,
) -> None:
    """Raise `DataError` if `run_study` could not be run on these tables.

    Parameters
    ----------
    table, held_out, test
        As `run_study` takes them.
    """
    check_table(table)
    if held_out is not None:
        check_table(_without(table, held_out))
    if test is not None and test.input_names != table.input_names:
        raise DataError(
            f"{test.source} has the inputs {', '.join(test.input_names)}, and {table.source} has "
            f"{', '.join(table.input_names)}"
        )
    n, p = table.X.shape
    check_memory(n, p + 3)  # lengthscales, outputscale, noise and perhaps a mean


def run_study(
    table: Table,
    *,
    settings: Settings | None = None,
    held_out: NDArray[np.int_] | None = None,
    test: Table | None = None,
    progress: Progress = True,
    announce: Callable[[str], None] | None = None,
) -> Study:
    """Go the whole way.

    Parameters
    ----------
    table
        The data.
    settings
        What to fit; by default `Settings()`.
    held_out
        Positions of rows of ``table`` to test on, for a comparison by a second fit.
    test
        Rows to test on that are not in ``table``; at most one of the two is given.
    progress
        ``True``, ``False``, or a callable that is told what is going on.
    announce
        Called with a sentence when a stage begins.

    Returns
    -------
    Study

    Raises
    ------
    DataError
        If the data cannot be used, or the map of them has no minimum.
    ValueError
        If both ``held_out`` and ``test`` are given.
    KeyboardInterrupt
        If the search was interrupted: a study of half a map is not one.
    """
    if held_out is not None and test is not None:
        raise ValueError("`held_out` and `test` were both given; at most one of them may be")
    check_study(table, held_out=held_out, test=test)
    settings = settings or Settings()
    say = announce or (lambda sentence: None)
    started = time.perf_counter()

    say(f"Mapping the posterior of {len(table.y)} rows, and drawing from it")
    fit = fit_table(table, settings, progress)
    compared, comparison, hmc, comparing_seconds = None, None, None, 0.0
    if held_out is not None:
        test = take_rows(table, held_out)
        kept = _without(table, held_out)
        say(f"The same without the {len(held_out)} rows held out, for the comparison")
        compared = fit_table(kept, settings, progress)
    elif test is not None:
        compared = fit
    if compared is not None and test is not None:
        if settings.hmc and compared.posterior.attrs["method"] != "hmc":
            say("Running NUTS alone, for the comparison")
            hmc = _draw(compared.landscape, settings, progress, method="hmc")
        comparing = time.perf_counter()
        say(f"Comparing predictors on {len(test.y)} test rows")
        comparison = compare(compared.landscape, _labelled(compared.posterior, hmc), test.X, test.y)
        comparing_seconds = time.perf_counter() - comparing
    return Study(
        settings=settings,
        fit=fit,
        compared=compared,
        test=test,
        comparison=comparison,
        hmc=hmc,
        comparing_seconds=comparing_seconds,
        seconds=time.perf_counter() - started,
    )


def fit_table(table: Table, settings: Settings, progress: Progress) -> Fit:
    """Map the posterior of ``table``, decide how to sample it, and sample it."""
    target = GaussianProcess(
        table.X,
        table.y,
        kernel=settings.kernel,
        nu=settings.nu,
        ard=settings.ard,
        mean=settings.mean,
        priors=settings.priors,
        input_names=table.input_names,
        output_name=table.output_name,
    )
    landscape = explore(target, seed=settings.seed, effort=settings.effort, progress=progress)
    # In a notebook half a map is worth having, and `explore` returns it; a study needs the whole.
    if landscape.stopped == INTERRUPTED:
        raise KeyboardInterrupt
    if landscape.minima.sizes["minimum"] == 0:
        raise DataError(
            f"the posterior of {table.source} has no minimum that could be found "
            f"({landscape.stopped})"
        )
    deciding = time.perf_counter()
    decision = decide(landscape, ess=settings.draws, seed=settings.seed)
    deciding_seconds = time.perf_counter() - deciding
    posterior = _draw(landscape, settings, progress, decision=decision)
    return Fit(
        table=table,
        landscape=landscape,
        decision=decision,
        posterior=posterior,
        deciding_seconds=deciding_seconds,
    )


def _draw(landscape: Landscape, settings: Settings, progress: Progress, **how: Any) -> xr.DataTree:
    return sample(landscape, draws=settings.draws, seed=settings.seed, progress=progress, **how)


def _labelled(posterior: xr.DataTree, hmc: xr.DataTree | None) -> dict[str, xr.DataTree]:
    labelled = {f"{posterior.attrs['method']} posterior": posterior}
    return labelled if hmc is None else labelled | {"hmc posterior": hmc}


def _without(table: Table, held_out: NDArray[np.int_]) -> Table:
    return take_rows(table, np.setdiff1d(np.arange(len(table.y)), held_out))
