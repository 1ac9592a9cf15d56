"""A table of numbers from a CSV file, or one clear sentence about why it cannot be used.

Everything is checked here, at the edge, before any work is done: what the rest of the study gets is
a finite, complete table whose output varies.
"""

from __future__ import annotations

import csv
import dataclasses
import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.regression_data import LARGEST

__all__ = ["DataError", "Duplicates", "Table", "check_table", "read_table", "take_rows"]

Array = NDArray[np.float64]
Duplicates = Literal["refuse", "keep", "drop"]

FEWEST_ROWS = 3  # two points leave nothing to tell a length scale by


class DataError(ValueError):
    """What was asked for cannot be done with these data; the message is one sentence."""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Inputs and an output, with their names.

    Attributes
    ----------
    X, y
        Shapes ``(n, p)`` and ``(n,)``, finite, in the units of the file.
    input_names, output_name
        Labels of the columns.
    source
        Where the numbers come from, for people.
    notes
        Sentences about what was done to the rows; empty when nothing was.
    """

    X: Array
    y: Array
    input_names: tuple[str, ...]
    output_name: str
    source: str
    notes: tuple[str, ...] = ()


def read_table(
    path: str | Path,
    target: str,
    *,
    inputs: Sequence[str] | None = None,
    duplicates: Duplicates = "refuse",
) -> Table:
    """Read and check a CSV file with a line of column names.

    Parameters
    ----------
    path
        The file, in UTF-8, separated by commas.
    target
        The column to model.
    inputs
        The columns to model it by; by default all others.
    duplicates
        What to do with rows that are identical in every column used: ``"refuse"`` them, since they
        are either repeated measurements or a copying error and only the owner of the data knows
        which; ``"keep"`` them as repeated measurements; ``"drop"`` all but the first.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file is missing, not a table, or holds something that cannot be modelled.
    """
    path = Path(path)
    header, rows = _read_rows(path)
    names = _columns(path, header, target, inputs)
    position = {name: header.index(name) for name in names}
    values = np.array(
        [[_number(path, line, name, row[position[name]]) for name in names] for line, row in rows]
    )
    lines = np.array([line for line, _ in rows])
    values, notes = _without_duplicates(path, values, lines, duplicates)
    return Table(values[:, 1:], values[:, 0], tuple(names[1:]), target, str(path), notes)


def check_table(table: Table) -> None:
    """Raise `DataError` unless a model can be fitted to ``table``.

    Parameters
    ----------
    table
        The rows to fit; a test table may be anything that `read_table` reads.
    """
    n, p = table.X.shape
    if n < FEWEST_ROWS:
        rows = "1 row" if n == 1 else f"{n} rows"
        raise DataError(
            f"{table.source} leaves {rows} to fit; at least {FEWEST_ROWS} are needed to learn "
            "anything from"
        )
    if p + 1 > n:
        raise DataError(
            f"{table.source} has more columns ({p + 1}) than rows to fit ({n}): name fewer inputs "
            "with --inputs, or add rows"
        )
    if np.ptp(table.y) == 0:
        raise DataError(
            f"column {table.output_name!r} of {table.source} is {table.y[0]:g} in every row to "
            "fit, so there is nothing to model"
        )
    for name, column in zip(table.input_names, table.X.T, strict=True):
        if np.ptp(column) == 0:
            raise DataError(
                f"input column {name!r} of {table.source} is {column[0]:g} in every row to fit, "
                "so nothing can depend on it: leave it out with --inputs"
            )


def take_rows(table: Table, rows: Sequence[int] | NDArray[np.int_]) -> Table:
    """Return the table of some of the rows, by position."""
    at = np.asarray(rows, dtype=int)
    return dataclasses.replace(table, X=table.X[at], y=table.y[at])


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and the rows with the line of the file that each is on."""
    if not path.exists():
        raise DataError(f"there is no file {path}")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a CSV file")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            found = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if not found:
        raise DataError(f"{path} is empty")
    header, rows = [name.strip() for name in found[0][1]], found[1:]
    if not rows:
        raise DataError(f"{path} has a line of column names and no rows")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"line {line} of {path} has {len(row)} fields, and the line of column names "
                f"has {len(header)}"
            )
    return header, rows


def _columns(
    path: Path, header: Sequence[str], target: str, inputs: Sequence[str] | None
) -> list[str]:
    """The columns to use, the target first."""
    if all(map(_is_number, header)):
        raise DataError(
            f"the first line of {path} must hold the columns' names, got {', '.join(header)}"
        )
    if "" in header:
        raise DataError(f"column {list(header).index('') + 1} of {path} has no name")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"{path} has more than one column named {twice[0]!r}")
    chosen = [name for name in header if name != target] if inputs is None else list(inputs)
    for name in [target, *chosen]:
        if name not in header:
            raise DataError(_no_such_column(path, header, name))
    if target in chosen:
        raise DataError(f"column {target!r} cannot be both the target and an input")
    if len(set(chosen)) < len(chosen):
        raise DataError(f"an input is named twice: {', '.join(chosen)}")
    if not chosen:
        raise DataError(f"{path} has no column besides {target!r} to model it by")
    return [target, *chosen]


def _no_such_column(path: Path, header: Sequence[str], name: str) -> str:
    near = difflib.get_close_matches(name.lower(), [h.lower() for h in header], n=1, cutoff=0.6)
    meant = next((h for h in header if near and h.lower() == near[0]), None)
    suggestion = f"; did you mean {meant!r}?" if meant else ""
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        suggestion = "; the columns seem to be separated by something other than commas"
    return f"{path} has no column {name!r}, only {', '.join(map(repr, header))}{suggestion}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(path: Path, line: int, name: str, text: str) -> float:
    """The finite number that a field holds."""
    where = f"column {name!r}, line {line} of {path}"
    text = text.strip()
    if not text:
        raise DataError(f"{where} is empty; every field must hold a number")
    # Python also reads 1_000, which no other program that writes a CSV file means as a number.
    if not _is_number(text) or "_" in text:
        raise DataError(f"{where} holds {text!r}, which is not a number")
    value = float(text)
    if not np.isfinite(value):
        raise DataError(f"{where} holds {text!r}; every field must hold a finite number")
    if abs(value) > LARGEST:
        raise DataError(f"{where} holds {text!r}, which is too large to compute with; rescale it")
    return value


def _without_duplicates(
    path: Path, values: Array, lines: NDArray[np.int_], duplicates: Duplicates
) -> tuple[Array, tuple[str, ...]]:
    """Apply the policy on rows that are identical in every column."""
    _, first, group = np.unique(values, axis=0, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[group.reshape(-1)] != np.arange(len(values)))
    if len(repeats) == 0:
        return values, ()
    again = repeats[0]
    original = first[group.reshape(-1)[again]]
    if duplicates == "refuse":
        raise DataError(
            f"lines {lines[original]} and {lines[again]} of {path} are identical "
            f"({len(repeats)} such {'row' if len(repeats) == 1 else 'rows'} in all): pass "
            "--duplicates keep if they are repeated measurements, or --duplicates drop if not"
        )
    if duplicates == "keep":
        return values, (
            f"{len(repeats)} rows that repeat an earlier one were kept, as measurements.",
        )
    return np.delete(values, repeats, axis=0), (
        f"{len(repeats)} rows that repeat an earlier one were dropped.",
    )
