"""Which basin a point belongs to: the minimum that its quench ends in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.quench import QuenchStatus, quench, same_point
from bayescape.landscape.record import Landscape
from bayescape.targets.target import Target

__all__ = ["assign_basins"]


def assign_basins(
    target: Target, theta: NDArray[np.float64], landscape: Landscape
) -> NDArray[np.int_]:
    """Quench points until a minimum of the map captures them.

    Parameters
    ----------
    target
        What the map is of; pass a counted one to count.
    theta
        Shape ``(B, d)``.
    landscape
        The map.

    Returns
    -------
    numpy.ndarray
        Position of each point's minimum in ``landscape.minima``, ``(B,)``; -1 where the quench
        ends anywhere else.
    """
    known = tuple(landscape.minima[k].values for k in ("theta", "energy", "hessian"))
    points, energies, hessians = known
    if len(points) == 0 or len(theta) == 0:
        return np.full(len(theta), -1)
    ends = quench(target, theta, known=(points, energies, hessians))
    basins = ends.captor.copy()
    # A quench may step over the quadratic region and converge before it is captured.
    settled = ends.status == QuenchStatus.MINIMUM
    same = same_point(ends.theta[settled], ends.energy[settled], *known)
    basins[settled] = np.where(same.any(axis=1), same.argmax(axis=1), -1)
    return basins
