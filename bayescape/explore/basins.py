"""Which basin a point belongs to: the minimum that its quench ends in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.captors import REACH, Captors
from bayescape.explore.quench import QuenchStatus, quench, same_point
from bayescape.landscape.passes import lowest_barriers
from bayescape.landscape.record import Landscape
from bayescape.targets.target import Target

__all__ = ["assign_basins"]

LOW = 0.5  # nats: a barrier that steps may lead across
BELOW = 0.8  # of the lowest barrier: as far up a point surely belongs to the minimum below it


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
    points, energies, hessians = known = tuple(
        landscape.minima[k].values for k in ("theta", "energy", "hessian")
    )
    if len(points) == 0 or len(theta) == 0:
        return np.full(len(theta), -1)
    lowest = lowest_barriers(landscape)
    captors = Captors(points, energies, hessians, np.minimum(REACH, BELOW * lowest))
    # Over a low barrier a bold step leads astray.
    ends = quench(target, theta, known=captors, careful=bool((lowest < LOW).any()))
    basins = ends.captor.copy()
    # A quench may step over the quadratic region and converge before it is captured.
    settled = ends.status == QuenchStatus.MINIMUM
    same = same_point(ends.theta[settled], ends.energy[settled], *known)
    basins[settled] = np.where(same.any(axis=1), same.argmax(axis=1), -1)
    return basins
