"""Secant updates: a model of the Hessian learns from how the gradient changed over a step."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["bofill", "symmetric_rank_one"]

Array = NDArray[np.float64]


@numba.njit(cache=True, error_model="numpy", nogil=True)
def symmetric_rank_one(model: Array, step: Array, change: Array) -> Array:
    """Update model Hessians by the symmetric rank-one formula, which keeps negative curvature.

    Parameters
    ----------
    model
        Shape ``(B, d, d)``.
    step, change
        Steps made and changes of the gradient over them, ``(B, d)``.

    Returns
    -------
    numpy.ndarray
        The updated models, ``(B, d, d)``; as it was where the formula's denominator vanishes or
        the change is not finite.

    References
    ----------
    J. Nocedal, S. J. Wright, *Numerical Optimization*, Springer (2006), equations 6.24 and 6.26.
    """
    new = model.copy()
    for b in range(len(model)):
        residual = _residual(model[b], step[b], change[b])
        along = residual @ step[b]
        lengths = math.sqrt(residual @ residual) * math.sqrt(step[b] @ step[b])
        if np.isfinite(lengths) and abs(along) > 1e-8 * lengths:
            for i in range(len(residual)):
                for j in range(len(residual)):
                    new[b, i, j] += residual[i] * (residual[j] / along)
    return new


@numba.njit(cache=True, error_model="numpy", nogil=True)
def bofill(model: Array, step: Array, change: Array) -> Array:
    """Update model Hessians by Bofill's mixture of the rank-one and Powell's formulas.

    Made for transition states, where no sign of any curvature may be taken for granted. Arguments
    and result are those of `symmetric_rank_one`.

    References
    ----------
    J. M. Bofill, "Updated Hessian matrix and the restricted step method for locating transition
    structures", J. Comput. Chem. 15, 1 (1994).
    """
    new = model.copy()
    for b in range(len(model)):
        s, r = step[b], _residual(model[b], step[b], change[b])
        rr, ss, along = r @ r, s @ s, r @ s
        if not (np.isfinite(rr) and rr > 0 and ss > 0):
            continue
        # The share of the rank-one formula is the squared cosine between residual and step. With
        # it, that formula's denominator cancels.
        rank_one, share = along / (rr * ss), along**2 / (rr * ss)
        for i in range(len(r)):
            for j in range(len(r)):
                powell = (r[i] * s[j] + s[i] * r[j]) / ss - along / ss**2 * s[i] * s[j]
                new[b, i, j] += rank_one * r[i] * r[j] + (1 - share) * powell
    return new


@numba.njit(error_model="numpy", nogil=True)
def _residual(model: Array, step: Array, change: Array) -> Array:
    """What a model did not foretell of a change, ``(d,)``."""
    residual = change.copy()
    for i in range(len(step)):
        for j in range(len(step)):
            residual[i] -= model[i, j] * step[j]
    return residual
