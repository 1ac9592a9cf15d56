"""Hard walls of a Gaussian process's hyperparameters, from bounds in natural units."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.kernels.correlation import LARGEST_NU, SMALLEST_NU

__all__ = ["DEFAULT_BOUNDS", "known_name", "walls_of"]

Array = NDArray[np.float64]

# Natural units of standardised data: wide enough for whatever such data can tell apart.
DEFAULT_BOUNDS = {
    "lengthscale": (1e-2, 1e2),
    "outputscale": (1e-2, 1e2),
    "noise": (1e-6, 1e1),
    "nu": (SMALLEST_NU, LARGEST_NU),
    "mean": (-10.0, 10.0),
}


def walls_of(
    bounds: Any, slices: Mapping[str, slice], with_prior: Collection[str], defaults: bool
) -> Array:
    """Walls of the coordinates, ``(2, d)``.

    Parameters
    ----------
    bounds
        Mapping of hyperparameter names to ``(low, high)`` in natural units, or ``None``.
    slices
        Where the hyperparameters' coordinates are: logarithms, but for ``mean``.
    with_prior
        Those that need no walls.
    defaults
        Whether ``DEFAULT_BOUNDS`` hold for those not given.

    Raises
    ------
    ValueError
        If bounds make no sense, or are missing where there is no prior either.
    """
    if bounds is not None and not isinstance(bounds, Mapping):
        raise ValueError(f"`bounds` must be a mapping of names to (low, high), got {bounds!r}")
    given = ({k: DEFAULT_BOUNDS[k] for k in slices} if defaults else {}) | dict(bounds or {})
    d = max(part.stop for part in slices.values())
    walls = np.stack([np.full(d, -np.inf), np.full(d, np.inf)])
    if "nu" in slices:
        given.setdefault("nu", DEFAULT_BOUNDS["nu"])
    for name, pair in given.items():
        known_name(name, slices, "bounds")
        try:
            low, high = (float(x) for x in pair)
        except (TypeError, ValueError):
            low, high = np.nan, np.nan
        if name == "nu" and not SMALLEST_NU <= low < high <= LARGEST_NU:
            raise ValueError(
                f"`bounds['nu']` must be (low, high) within {SMALLEST_NU} and {LARGEST_NU:g}, got "
                f"{pair!r}"
            )
        if not low < high or (name != "mean" and low <= 0):
            raise ValueError(
                f"`bounds[{name!r}]` must be (low, high) with low < high"
                f"{'' if name == 'mean' else ' and both positive'}, got {pair!r}"
            )
        walls[:, slices[name]] = np.array(
            [[low], [high]] if name == "mean" else np.log([[low], [high]])
        )
    for name, part in slices.items():
        if name not in with_prior and not np.isfinite(walls[:, part]).all():
            raise ValueError(
                f"`{name}` has neither a prior nor bounds, so its posterior is improper: give "
                f"priors[{name!r}] or bounds[{name!r}]"
            )
    return walls


def known_name(name: str, slices: Mapping[str, slice], argument: str) -> None:
    """Refuse a name that is no hyperparameter's.

    Raises
    ------
    ValueError
        If it is not.
    """
    if name not in slices:
        raise ValueError(f"`{argument}` names {name!r}, but must name some of {tuple(slices)}")
