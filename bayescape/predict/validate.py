"""Checks at the public edge of the room: a target that predicts, inputs and answers that fit it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import shown
from bayescape.landscape.record import Landscape

__all__ = [
    "Predicts",
    "validate_inputs",
    "validate_outputs",
    "validate_posterior",
    "validate_target",
]

Array = NDArray[np.float64]


class Predicts(Protocol):
    """A target that can predict at new inputs."""

    @property
    def names(self) -> tuple[str, ...]:
        """One label per coordinate, length ``d``."""
        ...

    def predict(self, theta: Array, X_new: Array, *, noise: bool = True) -> tuple[Array, Array]:
        """Means and variances ``(B, m)`` at inputs ``(m, p)`` for points ``theta`` ``(B, d)``."""
        ...


def validate_target(landscape: Any) -> Predicts:
    """Return the predicting target of a landscape, or the target itself.

    Parameters
    ----------
    landscape
        A `Landscape` with its target, or a target.

    Raises
    ------
    TypeError
        If the target has no method ``predict``.
    ValueError
        If the landscape was loaded without its target.
    """
    target: Any = landscape
    if isinstance(landscape, Landscape):
        target = landscape.target
        if target is None:
            raise ValueError(
                "`landscape` has no target to predict with; "
                "load it by `load_landscape(path, target)`"
            )
    if not callable(getattr(target, "predict", None)):
        raise TypeError(
            "`landscape` must have a target with a method `predict(theta, X_new, noise)`, got "
            f"{shown(target)} of type {type(target).__name__}, which has none, so it cannot be "
            "asked about new inputs"
        )
    return target


def validate_inputs(target: Predicts, X: ArrayLike, *, name: str = "X") -> Array:
    """Return ``X`` as a finite ``(m, p)`` array with as many columns as the target's inputs.

    Parameters
    ----------
    target
        Its ``X``, if it has one, says how many columns there must be.
    X
        Shape ``(m, p)``, or ``(m,)`` when the target has one input; raw units.
    name
        What messages call it.

    Raises
    ------
    ValueError
        If it is not numeric, not finite, empty, or has the wrong number of columns.
    """
    values = _numbers(X, name)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not len(values):
        raise ValueError(
            f"`{name}` must have one row per point and one column per input, "
            f"got shape {np.shape(X)}"
        )
    known = getattr(target, "X", None)
    if known is not None and values.shape[1] != np.shape(known)[1]:
        raise ValueError(
            f"`{name}` has {values.shape[1]} columns, but must have {np.shape(known)[1]}, one per "
            "input of the target"
        )
    return values


def validate_outputs(y: ArrayLike, count: int, *, name: str = "y_test") -> Array:
    """Return ``y`` as a finite ``(m,)`` array with ``count`` values.

    Parameters
    ----------
    y
        Shape ``(m,)`` or ``(m, 1)``; original units.
    count
        How many values there must be.
    name
        What messages call it.

    Raises
    ------
    ValueError
        If it is not numeric, not finite, or has another length.
    """
    values = _numbers(y, name)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (count,):
        raise ValueError(
            f"`{name}` must have one value per test point, {count} in all, got shape {np.shape(y)}"
        )
    return values


def validate_posterior(posterior: Any) -> xr.DataTree:
    """Return ``posterior`` if it holds draws of ``theta``.

    Raises
    ------
    TypeError
        If it is not a `xarray.DataTree`.
    ValueError
        If it has no ``unconstrained_posterior/theta`` over ``(chain, draw, coordinate)``.
    """
    if not isinstance(posterior, xr.DataTree):
        raise TypeError(
            f"`posterior` must be an xarray.DataTree, as `sample` returns it, "
            f"got {type(posterior).__name__}"
        )
    group = posterior.children.get("unconstrained_posterior")
    if group is None or "theta" not in group.data_vars:
        raise ValueError(
            "`posterior` must hold the variable `unconstrained_posterior/theta`, "
            f"got the groups {sorted(posterior.children)}"
        )
    return posterior


def _numbers(values: ArrayLike, name: str) -> Array:
    try:
        if values is None:
            raise TypeError
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be numeric, got {shown(values)}") from error
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise ValueError(f"`{name}` must be finite, got {bad} values that are NaN or infinite")
    return array
