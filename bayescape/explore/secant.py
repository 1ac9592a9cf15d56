"""Secant updates: a model of the Hessian learns from how the gradient changed over a step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bofill", "symmetric_rank_one"]

Array = NDArray[np.float64]


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
    residual = change - np.einsum("bij,bj->bi", model, step)
    along = (residual * step).sum(axis=1)
    lengths = np.linalg.norm(residual, axis=1) * np.linalg.norm(step, axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        usable = np.isfinite(lengths) & (np.abs(along) > 1e-8 * lengths)
        rise = residual[:, :, None] * (residual / np.where(usable, along, 1.0)[:, None])[:, None, :]
    return np.where(usable[:, None, None], model + rise, model)


def bofill(model: Array, step: Array, change: Array) -> Array:
    """Update model Hessians by Bofill's mixture of the rank-one and Powell's formulas.

    Made for transition states, where no sign of any curvature may be taken for granted. Arguments
    and result are those of `symmetric_rank_one`.

    References
    ----------
    J. M. Bofill, "Updated Hessian matrix and the restricted step method for locating transition
    structures", J. Comput. Chem. 15, 1 (1994).
    """
    residual = change - np.einsum("bij,bj->bi", model, step)
    rr, ss = (residual**2).sum(axis=1), (step**2).sum(axis=1)
    along = (residual * step).sum(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        usable = np.isfinite(rr) & (rr > 0) & (ss > 0)
        rr, ss = np.where(usable, rr, 1.0), np.where(usable, ss, 1.0)
        # The share of the rank-one formula is the squared cosine between residual and step. With
        # it, that formula's denominator cancels.
        share = along**2 / (rr * ss)
        rank_one = (along / (rr * ss))[:, None, None] * residual[:, :, None] * residual[:, None, :]
        cross = residual[:, :, None] * step[:, None, :]
        powell = (cross + cross.transpose(0, 2, 1)) / ss[:, None, None]
        powell -= (along / ss**2)[:, None, None] * step[:, :, None] * step[:, None, :]
        new = model + rank_one + (1 - share)[:, None, None] * powell
    return np.where(usable[:, None, None], new, model)
