"""The softest mode at a point from gradients alone: Lanczos on differences of gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["softest_modes"]

Array = NDArray[np.float64]

APART = 1e-4  # between the points whose gradients are subtracted
SETTLED = 0.05  # residual, of the curvature, at which a mode is good enough to follow
STIFF = 1e-4  # the same of the largest curvature seen, for modes of hardly any


def softest_modes(
    gradient_at: Callable[[Array], Array],
    theta: Array,
    gradient: Array,
    guess: Array,
    *,
    most: int = 8,
) -> tuple[Array, Array]:
    """Lowest curvature and its direction at a batch of points, in lockstep.

    Each product of a Hessian with a vector is one gradient more. A good guess, such as the mode at
    a point nearby, takes one or two of them.

    Parameters
    ----------
    gradient_at
        Gradients at points, ``(b, d) -> (b, d)``.
    theta, gradient
        Points and their gradients, ``(B, d)``.
    guess
        Where to begin, ``(B, d)``, of length one.
    most
        Products for each point, at most.

    Returns
    -------
    tuple of numpy.ndarray
        Curvatures ``(B,)`` and directions ``(B, d)`` of length one and with the guess's sense; NaN
        where a gradient is not finite.

    References
    ----------
    C. Lanczos, J. Res. Natl. Bur. Stand. 45, 255 (1950); R. Malek, N. Mousseau, "Dynamics of
    Lennard-Jones clusters: a characterization of the activation-relaxation technique", Phys. Rev. E
    62, 7723 (2000).
    """
    count, d = theta.shape
    most = min(most, d)
    basis = np.zeros((count, most + 1, d))
    basis[:, 0] = guess
    matrix = np.zeros((count, most, most))
    value, mode = np.full(count, np.nan), np.full((count, d), np.nan)
    rows = np.arange(count)
    for k in range(most):
        v = basis[rows, k]
        product = (gradient_at(theta[rows] + APART * v) - gradient[rows]) / APART
        finite = np.isfinite(product).all(axis=1)
        value[rows[~finite]], mode[rows[~finite]] = np.nan, np.nan
        rows, product = rows[finite], product[finite]
        if not len(rows):
            break
        known = basis[rows, : k + 1]
        # Against all earlier vectors, and twice: a three-term recurrence loses orthogonality.
        overlap = np.einsum("bki,bi->bk", known, product)
        rest = product - np.einsum("bk,bki->bi", overlap, known)
        rest -= np.einsum("bk,bki->bi", np.einsum("bki,bi->bk", known, rest), known)
        length = np.linalg.norm(rest, axis=1)
        # A difference of gradients is no exact product: only the symmetric part is a Hessian's.
        matrix[rows, : k + 1, k] = overlap
        matrix[rows, k, : k + 1] = overlap
        values, vectors = np.linalg.eigh(matrix[rows, : k + 1, : k + 1])
        value[rows] = values[:, 0]
        mode[rows] = np.einsum("bk,bki->bi", vectors[:, :, 0], known)
        residual = length * np.abs(vectors[:, k, 0])
        enough = np.maximum(SETTLED * np.abs(values[:, 0]), STIFF * np.abs(values[:, -1]))
        more = (residual > enough) & (length > 1e-300)
        rows = rows[more]
        basis[rows, k + 1] = rest[more] / length[more, None]
        if not len(rows):
            break
    mode *= np.where((mode * guess).sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return value, mode
