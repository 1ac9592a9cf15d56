"""Where to search from a minimum: kicks out of its basin, and ways up its softest modes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["kicks", "ways_up"]

Array = NDArray[np.float64]

KICKS = 2  # basin-hopping moves from each minimum
SOFT_MODES = 2  # directions to climb from each minimum, both ways
LONGEST = 0.5  # first step up, in length scales


def kicks(point: Array, unit: Array, rng: np.random.Generator) -> Array:
    """Points one to three spreads of the starts away, in random directions, ``(2, d)``.

    Parameters
    ----------
    point
        The minimum, ``(d,)``.
    unit
        Spread of the starts by coordinate, ``(d,)``.
    rng
        Of this minimum.

    References
    ----------
    D. J. Wales, J. P. K. Doye, J. Phys. Chem. A 101, 5111 (1997).
    """
    direction = rng.standard_normal((KICKS, len(point)))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return point + rng.uniform(1.0, 3.0, (KICKS, 1)) * direction * unit


def ways_up(point: Array, hessian: Array, unit: Array) -> tuple[Array, Array]:
    """Points up both ends of a minimum's softest modes, and these modes, ``(4, d)`` each.

    Parameters
    ----------
    point, hessian
        The minimum, ``(d,)`` and ``(d, d)``.
    unit
        Spread of the starts by coordinate, ``(d,)``: the metric in which modes are soft.
    """
    values, vectors = np.linalg.eigh(hessian * np.outer(unit, unit))
    count = min(SOFT_MODES, len(point))
    modes = (vectors[:, :count] * unit[:, None]).T
    # Out to a thermal width, and no further than a step may lead.
    reach = np.minimum(1 / np.sqrt(values[:count]), LONGEST)[:, None] * modes
    return point + np.concatenate([reach, -reach]), np.concatenate([modes, modes])
