"""The data of a regression: checked, and standardised."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import shown

__all__ = ["LARGEST", "RegressionData", "validate_inputs"]

Array = NDArray[np.float64]

LARGEST = 1e140  # squares, and sums of squares over many rows, stay finite


@dataclasses.dataclass(frozen=True)
class RegressionData:
    """Inputs and outputs as given, and how they are scaled to the model's units.

    Attributes
    ----------
    X_raw, y_raw
        As given: ``(n, p)``, ``(n,)``.
    X_centre, X_scale
        Shape ``(p,)``: model inputs are ``(X_raw - X_centre) / X_scale``.
    y_centre, y_scale
        Likewise for the output.
    """

    X_raw: Array
    y_raw: Array
    X_centre: Array
    X_scale: Array
    y_centre: float
    y_scale: float

    @classmethod
    def of(cls, X: ArrayLike, y: ArrayLike, standardise: bool) -> RegressionData:
        """Check data and decide its scaling.

        A constant input column is kept, centred and unscaled: it carries no information, and its
        lengthscale is left to its prior.

        Raises
        ------
        ValueError
            If the shapes do not fit, a value is not a finite number, there is no row, or the output
            is constant and to be standardised.
        """
        inputs = validate_inputs(X, "X")
        outputs = _numbers(y, "y")
        if outputs.ndim == 2 and outputs.shape[1] == 1:
            outputs = outputs[:, 0]
        if outputs.ndim != 1:
            raise ValueError(f"`y` must have shape (n,), got {outputs.shape}")
        _finite(outputs, "y")
        if len(outputs) != len(inputs):
            raise ValueError(f"`X` has {len(inputs)} rows but `y` has {len(outputs)}")
        if len(outputs) == 0:
            raise ValueError("`X` and `y` have no rows")
        p = inputs.shape[1]
        if not standardise:
            return cls(inputs, outputs, np.zeros(p), np.ones(p), 0.0, 1.0)
        scale = inputs.std(axis=0)
        # Rounding leaves a spread of about machine precision in a column of equal numbers.
        constant = scale <= 1e-12 * np.maximum(np.abs(inputs).max(axis=0), 1e-300)
        y_scale = float(outputs.std())
        if y_scale <= 1e-12 * max(float(np.abs(outputs).max()), 1e-300):
            raise ValueError(
                f"`y` is constant ({outputs[0]:g} in all {len(outputs)} rows), so it cannot be "
                "standardised and there is nothing to learn; pass standardise=False to insist"
            )
        return cls(
            inputs,
            outputs,
            inputs.mean(axis=0),
            np.where(constant, 1.0, scale),
            float(outputs.mean()),
            y_scale,
        )

    @property
    def X(self) -> Array:
        """Inputs in the model's units, ``(n, p)``."""
        return self.scale_inputs(self.X_raw)

    @property
    def y(self) -> Array:
        """Outputs in the model's units, ``(n,)``."""
        return (self.y_raw - self.y_centre) / self.y_scale

    def scale_inputs(self, X: Array) -> Array:
        """Inputs in raw units to the model's, ``(m, p)`` to same."""
        return (X - self.X_centre) / self.X_scale


def validate_inputs(X: ArrayLike, name: str, columns: int | None = None) -> Array:
    """Inputs as a float64 array of shape ``(n, p)``; one dimension is one column.

    Raises
    ------
    ValueError
        If they are not numbers, not finite, or not of that shape.
    """
    inputs = _numbers(X, name)
    if inputs.ndim == 1:
        inputs = inputs[:, None]
    if inputs.ndim != 2 or inputs.shape[1] == 0:
        raise ValueError(f"`{name}` must have shape (n, p) with p at least 1, got {inputs.shape}")
    if columns is not None and inputs.shape[1] != columns:
        raise ValueError(f"`{name}` must have {columns} columns, got {inputs.shape[1]}")
    _finite(inputs, name)
    return inputs


def _numbers(values: ArrayLike, name: str) -> Array:
    try:
        if values is None:
            raise TypeError
        return np.array(values, dtype=float)  # a copy: the caller may change theirs
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must hold numbers only, got {shown(values)}") from error


def _finite(array: Array, name: str) -> None:
    if np.isfinite(array).all() and array.size and np.abs(array).max() > LARGEST:
        raise ValueError(
            f"`{name}` must not exceed {LARGEST:g} in magnitude, whose squares overflow; "
            "use larger units"
        )
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"`{name}` must be finite, but {name}{list(place)} is {array[place]} "
            f"({len(bad)} such {'value' if len(bad) == 1 else 'values'})"
        )
