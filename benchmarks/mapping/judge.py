"""What claims are worth: every claimed point is polished by Newton steps and told from the others.

None of this uses the explorer, and none of it is counted as anybody's cost.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from bayescape import Landscape, Target
from bayescape.targets.target import bounds_of

__all__ = [
    "Basins",
    "distinct",
    "downhill_end",
    "faults",
    "match",
    "paid_for_last",
    "stationary",
    "union",
]

Array = NDArray[np.float64]

STEPS = 30  # of Newton's, at most
MOVED = 0.02  # of the box's width: a claim that polishing moves further was of something else
SAME = 1e-4  # of the box's width, within which polished points are one
STATIONARY = 1e-6  # gradient norm of a stationary point
DOWN = 1e-4  # nats below a transition state at which a walk downhill begins
CAPTURE = 1e-4  # nats, by a minimum's quadratic, within which a walk has come to it
FOREVER = 1e9  # in the units of gradient flow; walks end at a minimum long before


def stationary(target: Target, claims: Array, box: Array, index: int) -> Array:
    """The stationary points of a given index that claims lead to, one of each, ``(n, d)``.

    Parameters
    ----------
    target
        The surface.
    claims
        Points, ``(m, d)``.
    box
        Lowest and highest coordinates, ``(2, d)``: what distances are measured against.
    index
        Number of negative eigenvalues: 0 for minima, 1 for transition states.
    """
    width = box[1] - box[0]
    points = np.array(claims, dtype=float).reshape(-1, len(width))
    if not len(points):
        return points
    with np.errstate(all="ignore"):
        polished = _newton(target, points)
        gradient = target.energy_and_gradient(polished)[1]
        hessian = target.hessian(polished)
    low, high = bounds_of(target)
    good = np.linalg.norm((polished - points) / width, axis=1) < MOVED
    good &= np.linalg.norm(gradient, axis=1) < STATIONARY
    good &= np.isfinite(hessian).all(axis=(1, 2))
    good &= ((polished > low) & (polished < high)).all(axis=1)
    values = np.linalg.eigvalsh(hessian[good])
    right = (values < 0).sum(axis=1) == index
    return distinct(polished[good][right], width)


def _newton(target: Target, points: Array) -> Array:
    """Newton steps from each point, until the gradient is as small as rounding lets it be."""
    points = points.copy()
    best = np.full(len(points), np.inf)
    kept = points.copy()
    for _ in range(STEPS):
        gradient = target.energy_and_gradient(points)[1]
        norm = np.linalg.norm(gradient, axis=1)
        better = norm < best
        kept[better], best[better] = points[better], norm[better]
        if not (better & (norm > 0)).any():
            break
        hessian = target.hessian(points)
        whole = np.isfinite(hessian).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
        step = np.zeros_like(points)
        step[whole] = -np.einsum("bij,bj->bi", np.linalg.pinv(hessian[whole]), gradient[whole])
        points = points + step
    return kept


def distinct(points: Array, width: Array) -> Array:
    """One of each, of points that are the same within `SAME` of the box's width."""
    kept: list[Array] = []
    for point in points:
        if not kept or np.linalg.norm((np.array(kept) - point) / width, axis=1).min() > SAME:
            kept.append(point)
    return np.array(kept).reshape(-1, len(width))


def union(parts: list[Array], box: Array) -> Array:
    """All points of several arrays, one of each, ``(n, d)``."""
    return distinct(np.concatenate(parts), box[1] - box[0])


def match(points: Array, known: Array, box: Array) -> int:
    """How many of the known points are among those found."""
    if not (len(points) and len(known)):
        return 0
    away = (known[:, None] - points) / (box[1] - box[0])
    return int((np.linalg.norm(away, axis=2).min(axis=1) < 10 * SAME).sum())


def paid_for_last(points: Array, claims: Array, paid: Array, box: Array) -> float:
    """What had been spent when the last of the points found was first claimed."""
    if not len(points):
        return 0.0
    away = (claims[:, None] - points) / (box[1] - box[0])
    near = np.linalg.norm(away, axis=2) < MOVED
    return float(np.where(near, paid[:, None], np.inf).min(axis=0).max())


@dataclasses.dataclass(frozen=True)
class Basins:
    """Minima, each with the quadratic by which a walk is seen to have come to it."""

    points: Array
    hessians: Array

    def nearest(self, theta: Array) -> tuple[int, float]:
        """The closest minimum in its own Hessian's metric, and how many nats above it that is."""
        away = theta - self.points
        height = 0.5 * np.einsum("mi,mij,mj->m", away, self.hessians, away)
        m = int(height.argmin())
        return m, float(height[m])


def downhill_end(target: Target, theta: Array, basins: Basins) -> int:
    """Which minimum steepest descent from a point comes to, -1 for none of them.

    Gradient flow in the target's own coordinates, by an ODE solver that takes stiffness in its
    stride.

    Parameters
    ----------
    target
        The surface.
    theta
        Where the walk begins, ``(d,)``.
    basins
        The minima it may come to.
    """
    low, high = bounds_of(target)

    def flow(_: float, x: Array) -> Array:
        slope = target.energy_and_gradient(x[None])[1][0]
        return -slope if np.isfinite(slope).all() else np.zeros_like(slope)

    def captured(_: float, x: Array) -> float:
        return basins.nearest(x)[1] - CAPTURE

    def outside(_: float, x: Array) -> float:
        return float(min((x - low).min(), (high - x).min(), 1.0))

    captured.terminal = outside.terminal = True  # type: ignore[attr-defined]
    scale = np.abs(basins.points - theta).max()
    path = solve_ivp(
        flow,
        (0, FOREVER),
        theta,
        method="LSODA",
        rtol=1e-6,
        atol=1e-8 * scale,
        events=(captured, outside),
    )
    end, height = basins.nearest(path.y[:, -1])
    return end if height < 1.01 * CAPTURE else -1


def faults(landscape: Landscape, target: Target) -> list[str]:
    """What is wrong with a map, a sentence each; empty if it is what it says.

    Every minimum and transition state must have a gradient below `STATIONARY` and the right number
    of negative eigenvalues, and steepest descent from both sides of every transition state must
    come to the two minima that the map says it joins.
    """
    minima = landscape.minima["theta"].values
    states = landscape.transition_states["theta"].values
    joins = landscape.transition_states["joins"].values
    found = [
        *_not_of_index(target, minima, 0, "minimum"),
        *_not_of_index(target, states, 1, "transition state"),
    ]
    if not len(states):
        return found
    basins = Basins(minima, target.hessian(minima))
    values, vectors = np.linalg.eigh(target.hessian(states))
    for s, theta in enumerate(states):
        push = np.sqrt(2 * DOWN / max(-values[s, 0], 1e-12)) * vectors[s, :, 0]
        ends = [downhill_end(target, theta + side * push, basins) for side in (-1, 1)]
        if sorted(ends) != sorted(joins[s].tolist()):
            found.append(
                f"transition state {s} is said to join minima {sorted(joins[s].tolist())}, but "
                f"steepest descent from its two sides comes to {sorted(ends)} (-1: to none)"
            )
    return found


def _not_of_index(target: Target, points: Array, index: int, what: str) -> list[str]:
    if not len(points):
        return []
    norm = np.linalg.norm(target.energy_and_gradient(points)[1], axis=1)
    negative = (np.linalg.eigvalsh(target.hessian(points)) < 0).sum(axis=1)
    steep = [
        f"{what} {i} has a gradient of norm {norm[i]:.2g}, not below {STATIONARY:g}"
        for i in np.flatnonzero(~(norm < STATIONARY))
    ]
    wrong = [
        f"{what} {i} has {negative[i]} negative eigenvalues, not {index}"
        for i in np.flatnonzero(negative != index)
    ]
    return steep + wrong
