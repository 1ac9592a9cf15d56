"""Checks of arguments, each with one sentence: the name, what it must be, and what it was."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_array", "check_choice", "check_file", "check_flag", "check_kind", "check_number"]
__all__ += ["check_progress", "check_whole", "check_within", "check_words", "shown"]

LONGEST = 80  # characters of a value that a message repeats


def shown(value: Any) -> str:
    """A value as a message repeats it."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def check_array(name: str, value: Any, said: str) -> NDArray[np.float64]:
    """A copy as an array of float64, which ``said`` describes.

    Raises
    ------
    ValueError
        If it cannot be made one.
    """
    try:
        if value is None:
            raise TypeError
        return np.array(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be {said}, got {shown(value)}") from error


def check_whole(name: str, value: Any, least: int) -> int:
    """A whole number from ``least`` on.

    Raises
    ------
    ValueError
        If it is none; numbers such as 3.0 are none either.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"`{name}` must be a whole number, at least {least}, got {shown(value)}")
    return int(value)


def check_number(name: str, value: Any, low: float, *, finite: bool = True) -> float:
    """A number above ``low``.

    Raises
    ------
    ValueError
        If it is none, or too small.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not value > low or (finite and not np.isfinite(value)):
        kind = "finite number" if finite else "number"
        raise ValueError(f"`{name}` must be a {kind} above {low:g}, got {shown(value)}")
    return float(value)


def check_within(name: str, value: Any, low: float, high: float = np.inf) -> float:
    """A number from ``low`` to ``high``, both included.

    Raises
    ------
    ValueError
        If it is none, or outside.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        upwards = "on" if np.isinf(high) else f"to {high:g}"
        raise ValueError(f"`{name}` must be a number from {low:g} {upwards}, got {shown(value)}")
    return float(value)


def check_words(name: str, value: Any) -> tuple[str, ...]:
    """A tuple of strings.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"`{name}` must be a tuple of strings, got {shown(value)}")
    return value


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """One of some words.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"`{name}` must be one of {tuple(choices)}, got {shown(value)}")
    return value


def check_flag(name: str, value: Any) -> bool:
    """``True`` or ``False``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`{name}` must be True or False, got {shown(value)}")
    return bool(value)


def check_progress(value: Any) -> bool | Callable[..., None]:
    """``True``, ``False``, or a callable, for an argument ``progress``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if not callable(value) and not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`progress` must be True, False or a callable, got {shown(value)}")
    found: bool | Callable[..., None] = value
    return found


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], said: str) -> None:
    """An object of a class, which ``said`` names.

    Raises
    ------
    ValueError
        If it is of another.
    """
    if not isinstance(value, kind):
        raise ValueError(
            f"`{name}` must be {said}, got {shown(value)} of type {type(value).__name__}"
        )


def check_file(name: str, value: Any, said: str) -> Path:
    """A path at which there is something.

    Raises
    ------
    ValueError
        If it is no path.
    FileNotFoundError
        If nothing is there.
    """
    check_kind(name, value, (str, os.PathLike), f"the path of {said}")
    path = Path(value)
    if not path.exists():
        raise FileNotFoundError(f"`{name}` must be the path of {said}, but there is no file {path}")
    return path
