"""Stationary correlations and their derivatives, as functions of the squared scaled distance.

With ``q = sum_i u_i`` and ``u_i = (x_i - x'_i)^2 / l_i^2``, a correlation ``k(q)`` has

``dk / dlog l_i = -2 u_i k'(q)`` and
``d2k / dlog l_i dlog l_j = 4 u_i u_j k''(q) + 4 [i = j] u_i k'(q)``:

all that a Gaussian process's gradient and Hessian need is ``k``, ``k'`` and ``k''``. Where a
derivative diverges at ``q = 0`` (Matern 1/2 and 3/2), these products still vanish, so 0 is returned
there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stationary", "stationary"]

Array = NDArray[np.float64]

TINY = 1e-200  # squared distances below it count as zero: their inverse powers would overflow


@dataclasses.dataclass(frozen=True, slots=True)
class Stationary:
    """A correlation of the squared scaled distance, shape to same shape.

    Attributes
    ----------
    name
        As a reader would call it.
    value
        ``k(q)``.
    first
        ``k(q), k'(q)``.
    second
        ``k(q), k'(q), k''(q)``.
    """

    name: str
    value: Callable[[Array], Array]
    first: Callable[[Array], tuple[Array, Array]]
    second: Callable[[Array], tuple[Array, Array, Array]]


def stationary(kernel: str, nu: float | None = None) -> Stationary:
    """Choose a correlation by name.

    Parameters
    ----------
    kernel
        ``"matern"`` or ``"rbf"``.
    nu
        Order of the Matern correlation: 0.5, 1.5 or 2.5. Ignored for ``"rbf"``.

    Raises
    ------
    ValueError
        For any other kernel or order.

    References
    ----------
    C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006),
    section 4.2.1.
    """
    if kernel == "rbf":
        return RBF
    if kernel != "matern":
        raise ValueError(f"`kernel` must be 'matern' or 'rbf', got {kernel!r}")
    if nu not in MATERN:
        raise ValueError(f"`nu` must be one of {tuple(MATERN)}, got {nu!r}")
    return MATERN[nu]


def _inverse_root(q: Array) -> Array:
    """``1 / sqrt(q)``, and 0 where ``q`` is 0."""
    zero = q < TINY
    return np.where(zero, 0.0, 1 / np.sqrt(np.where(zero, 1.0, q)))


def _matern12(q: Array) -> Array:
    return np.exp(-np.sqrt(q))


def _matern12_first(q: Array) -> tuple[Array, Array]:
    k = _matern12(q)
    return k, -0.5 * k * _inverse_root(q)


def _matern12_second(q: Array) -> tuple[Array, Array, Array]:
    k = _matern12(q)
    inverse = _inverse_root(q)
    return k, -0.5 * k * inverse, 0.25 * k * inverse**2 * (1 + inverse)


def _matern32(q: Array) -> Array:
    s = np.sqrt(3 * q)
    return (1 + s) * np.exp(-s)


def _matern32_first(q: Array) -> tuple[Array, Array]:
    s = np.sqrt(3 * q)
    decay = np.exp(-s)
    return (1 + s) * decay, -1.5 * decay


def _matern32_second(q: Array) -> tuple[Array, Array, Array]:
    s = np.sqrt(3 * q)
    decay = np.exp(-s)
    return (1 + s) * decay, -1.5 * decay, 0.75 * np.sqrt(3) * decay * _inverse_root(q)


def _matern52(q: Array) -> Array:
    s = np.sqrt(5 * q)
    return (1 + s + s**2 / 3) * np.exp(-s)


def _matern52_first(q: Array) -> tuple[Array, Array]:
    s = np.sqrt(5 * q)
    decay = np.exp(-s)
    return (1 + s + s**2 / 3) * decay, -5 / 6 * (1 + s) * decay


def _matern52_second(q: Array) -> tuple[Array, Array, Array]:
    s = np.sqrt(5 * q)
    decay = np.exp(-s)
    return (1 + s + s**2 / 3) * decay, -5 / 6 * (1 + s) * decay, 25 / 12 * decay


def _rbf(q: Array) -> Array:
    return np.exp(-0.5 * q)


def _rbf_first(q: Array) -> tuple[Array, Array]:
    k = _rbf(q)
    return k, -0.5 * k


def _rbf_second(q: Array) -> tuple[Array, Array, Array]:
    k = _rbf(q)
    return k, -0.5 * k, 0.25 * k


MATERN = {
    0.5: Stationary("Matern 1/2", _matern12, _matern12_first, _matern12_second),
    1.5: Stationary("Matern 3/2", _matern32, _matern32_first, _matern32_second),
    2.5: Stationary("Matern 5/2", _matern52, _matern52_first, _matern52_second),
}
RBF = Stationary("RBF", _rbf, _rbf_first, _rbf_second)
