"""Transition states by eigenvector following: uphill along one mode, downhill along the rest."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.quench import FAR, FLAT, length_scales
from bayescape.targets.target import Target, bounds_of

__all__ = ["SaddleStatus", "Saddles", "follow"]

Array = NDArray[np.float64]

LONGEST = 0.3  # step, in length scales: a mode keeps its identity over such a distance
PATIENCE = 20  # steps after which they are halved, again and again: cycles are broken


class SaddleStatus(enum.IntEnum):
    """How a search for a transition state ended; ``text`` says it in words."""

    TRANSITION_STATE = 0
    WRONG_INDEX = 1
    AT_BOUND = 2
    RAN_OFF = 3
    FAILED = 4

    @property
    def text(self) -> str:
        """The outcome in words."""
        return {
            SaddleStatus.TRANSITION_STATE: "transition state",
            SaddleStatus.WRONG_INDEX: "saddle search ended at another kind of point",
            SaddleStatus.AT_BOUND: "saddle search ran into a bound",
            SaddleStatus.RAN_OFF: "saddle search ran off",
            SaddleStatus.FAILED: "saddle search did not converge",
        }[self]


@dataclasses.dataclass(frozen=True, slots=True)
class Saddles:
    """Ends of a batch of searches.

    Attributes
    ----------
    theta, energy, gradient_norm, hessian
        Shapes ``(B, d)``, ``(B,)``, ``(B,)``, ``(B, d, d)``.
    status
        `SaddleStatus` of each, ``(B,)``.
    """

    theta: Array
    energy: Array
    gradient_norm: Array
    hessian: Array
    status: NDArray[np.int_]


def follow(
    target: Target,
    theta: Array,
    modes: Array,
    *,
    gradient_tolerance: float = 1e-6,
    max_steps: int = 60,
    scales: Array | None = None,
) -> Saddles:
    """Search for transition states from a batch of points in lockstep, with exact Hessians.

    Each point climbs the eigenvector that overlaps most with the mode it followed last, until that
    curvature is negative and the lowest of all, and descends along the others. In a mode with
    slope ``F`` and curvature ``b`` the step is ``2 F / (|b| (1 + sqrt(1 + 4 F^2 / b^2)))``.

    Parameters
    ----------
    target
        Where to search.
    theta
        Starting points, ``(B, d)``.
    modes
        Directions to climb first, ``(B, d)``, of any length.
    gradient_tolerance
        Largest gradient norm of a converged point.
    max_steps
        Evaluations of gradient and Hessian per point, at most.
    scales
        Unit of step lengths by coordinate, ``(d,)``.

    Returns
    -------
    Saddles
        A transition state has a gradient norm under the tolerance and exactly one negative
        eigenvalue.

    References
    ----------
    C. J. Cerjan, W. H. Miller, J. Chem. Phys. 75, 2800 (1981); D. J. Wales, J. Chem. Phys. 101,
    3750 (1994), equation 15.
    """
    scales = length_scales(target) if scales is None else scales
    low, high = bounds_of(target)
    theta = np.array(theta, dtype=float)
    begun = theta.copy()
    count, d = theta.shape
    energy, norm = np.full(count, np.inf), np.full(count, np.inf)
    hessian = np.full((count, d, d), np.nan)
    status = np.full(count, -1)
    mode = modes / scales
    mode = mode / np.maximum(np.linalg.norm(mode, axis=1, keepdims=True), 1e-300)

    for iteration in range(max_steps):
        active = np.flatnonzero(status < 0)
        if len(active) == 0:
            break
        value, gradient = target.energy_and_gradient(theta[active])
        curvature = target.hessian(theta[active])
        lost = ~(
            np.isfinite(value) & np.isfinite(gradient).all(1) & np.isfinite(curvature).all((1, 2))
        )
        status[active[lost]] = SaddleStatus.FAILED
        active, kept = active[~lost], ~lost
        value, gradient, curvature = value[kept], gradient[kept], curvature[kept]
        energy[active], hessian[active] = value, curvature
        norm[active] = np.linalg.norm(gradient, axis=1)

        values, vectors = np.linalg.eigh(curvature * scales[:, None] * scales[None, :])
        done = norm[active] < gradient_tolerance
        index_one = (values[:, 0] < -FLAT) & (values[:, 1:] > FLAT).all(axis=1)
        status[active[done & index_one]] = SaddleStatus.TRANSITION_STATE
        status[active[done & ~index_one]] = SaddleStatus.WRONG_INDEX
        off = (np.abs(theta[active] - begun[active]) > FAR * scales).any(axis=1)
        status[active[off]] = SaddleStatus.RAN_OFF

        overlap = np.abs(np.einsum("bik,bi->bk", vectors, mode[active]))
        climbed = np.where(values[:, 0] < 0, 0, overlap.argmax(axis=1))
        rows = np.arange(len(active))
        mode[active] = vectors[rows, :, climbed]
        slope = np.einsum("bik,bi->bk", vectors, gradient * scales)
        step = -_wales_step(slope, values)
        step[rows, climbed] *= -1
        # On a ridge's floor the slope along the mode is nothing: climb by a fixed stride instead.
        flat = (values[rows, climbed] > 0) & (np.abs(slope[rows, climbed]) < 1e-8)
        step[rows[flat], climbed[flat]] = LONGEST
        longest = LONGEST * 0.5 ** (iteration // PATIENCE)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, longest / np.maximum(length, 1e-300))
        moved = theta[active] + np.einsum("bik,bk->bi", vectors, step) * scales
        outside = ((moved <= low) | (moved >= high)).any(axis=1)
        going = status[active] < 0
        status[active[outside & going]] = SaddleStatus.AT_BOUND
        going = status[active] < 0
        theta[active[going]] = moved[going]
    status[status < 0] = SaddleStatus.FAILED
    return Saddles(theta, energy, norm, hessian, status)


def _wales_step(slope: Array, curvature: Array) -> Array:
    """Length of the step in each mode, signed as the slope."""
    b = np.maximum(np.abs(curvature), 1e-12)
    return 2 * slope / (b * (1 + np.sqrt(1 + 4 * (slope / b) ** 2)))
