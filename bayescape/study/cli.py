"""The command line: `bayescape study` and `bayescape demo`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bayescape import __version__
from bayescape.kernels.correlation import LARGEST_NU, SMALLEST_NU
from bayescape.study.data import DataError, Table, read_table
from bayescape.study.demo import nile, nile_held_out, nile_settings
from bayescape.study.output import check_folder
from bayescape.study.report import files_of, write_study
from bayescape.study.split import held_out_rows
from bayescape.study.study import Settings, check_study, run_study

__all__ = ["main"]

BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
HELD_OUT = 0.2
ENOUGH_TO_HOLD_OUT = 15  # fewer test rows than three tell nothing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0 when the results were written, 2 for bad input, 130 when interrupted.
    """
    asked = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = asked.run
    try:
        return run(asked)
    except DataError as error:
        print(f"bayescape: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\nbayescape: interrupted, and nothing was written", file=sys.stderr)
        return INTERRUPTED


def _study(asked: argparse.Namespace) -> int:
    check_folder(asked.out)
    table = read_table(asked.data, asked.target, inputs=asked.inputs, duplicates=asked.duplicates)
    test: Table | None = None
    held_out = None
    if asked.test_file is not None:
        test = read_table(
            asked.test_file, asked.target, inputs=table.input_names, duplicates="keep"
        )
    elif asked.test is not None:
        held_out = held_out_rows(len(table.y), asked.test, asked.seed)
    elif not asked.no_test and len(table.y) >= ENOUGH_TO_HOLD_OUT:
        held_out = held_out_rows(len(table.y), HELD_OUT, asked.seed)
    settings = Settings(
        kernel=asked.kernel,
        nu=asked.nu,
        ard=not asked.isotropic,
        mean=asked.mean,
        draws=asked.draws,
        effort=asked.effort,
        hmc=asked.hmc,
        seed=asked.seed,
    )
    check_study(table, held_out=held_out, test=test)
    return _run(asked, table, settings, held_out=held_out, test=test)


def _demo(asked: argparse.Namespace) -> int:
    check_folder(asked.out)
    settings = nile_settings(draws=asked.draws, seed=asked.seed)
    return _run(asked, nile(), settings, held_out=nile_held_out())


def _run(asked: argparse.Namespace, table: Table, settings: Settings, **test: Any) -> int:
    def announce(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    study = run_study(
        table,
        settings=settings,
        progress=not asked.quiet,
        announce=None if asked.quiet else announce,
        **test,
    )
    verdict = write_study(study, asked.out)
    if not asked.quiet:
        print(f"\n{verdict.headline}")
        for answer in verdict.answers:
            print(f"  {answer.question} {answer.short}.")
        names = ", ".join(name for name in files_of(study) if name != "report.html")
        print(f"\nThe report is {asked.out / 'report.html'}; beside it lie {names}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bayescape",
        description="Map a posterior before sampling it, and let the map choose the sampler.",
    )
    parser.add_argument("--version", action="version", version=f"bayescape {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    study = commands.add_parser(
        "study",
        help="the whole way from a CSV file to a report",
        description="Fit a Gaussian process to a table: map its posterior, decide how to sample "
        "it, sample it, compare predictors, and write report.html, landscape.nc, posterior.nc and "
        "comparison.csv.",
    )
    study.set_defaults(run=_study)
    study.add_argument("data", metavar="DATA.csv", type=Path, help="a table with column names")
    study.add_argument("--target", required=True, metavar="COLUMN", help="the column to model")
    study.add_argument("--out", required=True, metavar="DIR", type=Path, help="where to write")
    study.add_argument(
        "--inputs",
        metavar="A,B,...",
        type=_names,
        help="the columns to model it by (default: all others)",
    )
    test = study.add_mutually_exclusive_group()
    test.add_argument(
        "--test",
        metavar="FRACTION",
        type=float,
        help="part of the rows to hold out for the comparison, which is made by a second fit "
        f"(default: {HELD_OUT}, for {ENOUGH_TO_HOLD_OUT} rows or more)",
    )
    test.add_argument(
        "--test-file", metavar="CSV", type=Path, help="a table of rows to test on instead"
    )
    test.add_argument("--no-test", action="store_true", help="make no comparison")
    study.add_argument("--kernel", choices=("matern", "rbf"), default="matern")
    study.add_argument(
        "--nu",
        type=_order,
        default=2.5,
        help="order of the Matern kernel: a number from 0.2 to 50, or 'free' to infer it",
    )
    study.add_argument("--mean", choices=("zero", "constant"), default="zero")
    study.add_argument(
        "--isotropic", action="store_true", help="one lengthscale for all inputs, not one each"
    )
    study.add_argument(
        "--duplicates",
        choices=("refuse", "keep", "drop"),
        default="refuse",
        help="what to do with rows that are identical in every column (default: refuse)",
    )
    study.add_argument(
        "--effort",
        type=_effort,
        default=1.0,
        help="searches for basins over the usual number (default: 1); with five hyperparameters "
        "or more, 10 misses hardly any",
    )
    study.add_argument("--hmc", action="store_true", help="also run NUTS alone, for the comparison")
    _common(study)
    demo = commands.add_parser(
        "demo",
        help="the same on bundled data: the annual flow of the Nile",
        description="The whole way on bundled data: the annual flow of the Nile, 1871 to 1970, "
        "whose scale of change is ambiguous.",
    )
    demo.set_defaults(run=_demo)
    demo.add_argument("--out", metavar="DIR", type=Path, default=Path("demo-report"))
    _common(demo)
    return parser


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--draws", type=_positive, default=1000, help="posterior draws (default: 1000)"
    )
    command.add_argument("--seed", type=_natural, default=0, help="of everything (default: 0)")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _order(text: str) -> float | str:
    if text == "free":
        return text
    try:
        order = float(text)
    except ValueError:
        order = math.nan
    if not SMALLEST_NU <= order <= LARGEST_NU:
        raise argparse.ArgumentTypeError(
            f"must be from {SMALLEST_NU} to {LARGEST_NU:g}, or 'free', got {text}"
        )
    return order


def _effort(text: str) -> float:
    try:
        effort = float(text)
    except ValueError:
        effort = math.nan
    if not 1 <= effort <= 1000:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 1000, got {text}")
    return effort


def _positive(text: str) -> int:
    value = _natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def _natural(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {text}")
    return value
