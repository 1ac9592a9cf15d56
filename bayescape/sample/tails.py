"""Tails that fall too slowly to have an integral, told by a few values far out."""

from __future__ import annotations

import numpy as np

from bayescape.sample.superposition import Superposition
from bayescape.targets.target import Target

__all__ = ["slow_tails", "tail_warnings"]

OUT = 1e3, 1e6  # standard deviations of the superposition, between which the fall is measured
POWER = 1.05  # of the distance: a tail that falls like its inverse, or less, has no integral


def slow_tails(target: Target, superposition: Superposition) -> tuple[str, ...]:
    """Names of the coordinates along which the density is seen to have no integral.

    Along a line a density that falls like ``1 / r`` or less has none, and neither has the whole
    unless it narrows as it goes out. Chains, and points drawn from a mixture, come so far out too
    seldom to show it: of a density like ``1 / r`` equal shares lie between 1 and 10, and between
    1,000 and 10,000.

    Parameters
    ----------
    target
        Asked for four values by coordinate.
    superposition
        From the map or fitted to the target: its heaviest component of a basin is where the lines
        begin.
    """
    centre = superposition.means[np.argmax(superposition.weights * (superposition.basins >= 0))]
    reach = np.sqrt(np.diag(superposition.covariance()))
    ways = np.concatenate([np.diag(reach), -np.diag(reach)])
    near, far = (target.energy(centre + r * ways) for r in OUT)
    with np.errstate(invalid="ignore"):  # outside of the domain at both
        power = (far - near) / np.log(OUT[1] / OUT[0])
    slow = (np.isfinite(far) & (power < POWER)).reshape(2, -1).any(axis=0)
    return tuple(name for name, is_slow in zip(target.names, slow, strict=True) if is_slow)


def tail_warnings(names: tuple[str, ...]) -> list[str]:
    """What is to be said of coordinates along which the density has no integral."""
    return [
        f"Out to {OUT[1]:.0e} standard deviations the density falls no faster than 1/|{name}|, so "
        f"that it seems to have no integral: give {name} a prior that ends it, or a bounded domain."
        for name in names
    ]
