"""Chains that run away, as on a density without an integral, are stopped: it has no draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bayescape.sample.superposition import Superposition

__all__ = ["watch"]

Array = NDArray[np.float64]

FAR = 100.0  # standard deviations of the superposition
STAY = 50  # draws in a row: where there is an integral, a chain comes back sooner


def watch(superposition: Superposition, names: Sequence[str]) -> Callable[[Array], None]:
    """What is to be shown every draw of a chain, ``(d,)``, and stops those that do not come back.

    Parameters
    ----------
    superposition
        Fitted to the target: says how far out is far.
    names
        Of the coordinates.

    Returns
    -------
    callable
        Raises ValueError at the 50th draw in a row that is 100 standard deviations out.
    """
    centre = superposition.weights @ superposition.means
    reach = FAR * np.sqrt(np.diag(superposition.covariance()))
    away = 0

    def seen(theta: Array) -> None:
        nonlocal away
        out = np.abs(theta - centre) / reach
        away = away + 1 if out.max() > 1 else 0
        if away >= STAY:
            i = int(out.argmax())
            raise ValueError(
                f"a chain ran away: {STAY} draws in a row were more than {FAR:.0f} standard "
                f"deviations of the fitted superposition out, the last at {names[i]} = "
                f"{theta[i]:.3g}. The density seems to have no integral there: give {names[i]} a "
                "prior that ends it, or a bounded domain"
            )

    return seen
