"""Files: rows of numbers checked line by line, and writes that are all or nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

__all__ = ["read_bytes", "read_rows", "replace_file", "writable_folder"]

# Fortran writes D for the E of a double's exponent.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def read_bytes(path: Path, argument: str) -> bytes:
    """Content of a file, or an error that names the argument which led to it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"`{argument}`: there is no file {path}") from None
    except (IsADirectoryError, NotADirectoryError):
        raise ValueError(f"`{argument}`: {path} is not a file") from None


def read_rows(path: Path, argument: str, kinds: str, meaning: str) -> list[tuple[int, list[float]]]:
    """Numbers of a text file, line by line.

    Parameters
    ----------
    path
        The file. Blank lines count as lines, and hold nothing.
    argument
        Name of the caller's argument, for messages.
    kinds
        One letter for each number of a line, ``i`` for whole ones, ``f`` for others; ``*`` at the
        end lets more numbers follow, which are not read.
    meaning
        What a line should hold, for messages.

    Returns
    -------
    list of tuple
        For every line that holds something its number, from 1, and its numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line holds something else, or a number that is not finite.
    """
    text = read_bytes(path, argument).decode("ascii", errors="replace")
    more, kinds = kinds.endswith("*"), kinds.removesuffix("*")
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields:
            continue
        right = len(fields) >= len(kinds) if more else len(fields) == len(kinds)
        values = [_value(field, kind) for field, kind in zip(fields, kinds, strict=False)]
        if not right or not np.isfinite(values).all():
            got = line.strip()
            got = got if len(got) <= 80 else got[:77] + "..."
            raise ValueError(
                f"`{argument}`: line {number} of {path.name} should hold {meaning}, got {got!r}"
            )
        rows.append((number, values))
    return rows


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that no half file is ever seen."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def writable_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder, made if it is not there."""
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise ValueError(f"`folder`: {path} is a file, not a folder")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _value(field: str, kind: str) -> float:
    """A number as written, or NaN for anything else."""
    if kind == "i":
        return int(field) if _WHOLE.fullmatch(field) else np.nan
    if not _NUMBER.fullmatch(field):
        return np.nan
    return float(field.replace("D", "E").replace("d", "e"))
