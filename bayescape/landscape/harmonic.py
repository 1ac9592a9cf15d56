"""The harmonic approximation of a basin: its volume, partition function and occupation.

Pure functions over arrays. Near a minimum with energy ``E`` and Hessian ``H`` the density is
``exp(-E/T)`` times a Gaussian, whose integral is known in closed form: Wales, *Energy Landscapes*
(Cambridge University Press, 2003), section 7.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["log_partition", "log_volume", "occupation", "shares"]

Array = NDArray[np.float64]


def log_volume(hessians: ArrayLike) -> Array:
    """Log volume of each basin at temperature 1: ``d/2 log 2 pi - 1/2 log det H``.

    Parameters
    ----------
    hessians
        Shape ``(M, d, d)``, positive definite.

    Returns
    -------
    numpy.ndarray
        Shape ``(M,)``. NaN where a Hessian is not known or not positive definite, which has no
        such volume.
    """
    hessians = np.asarray(hessians, dtype=float)
    d = hessians.shape[-1]
    known = np.isfinite(hessians).all(axis=(-2, -1))
    eigenvalues = np.linalg.eigvalsh(np.where(known[..., None, None], hessians, -np.eye(d)))
    positive = np.asarray((eigenvalues > 0).all(axis=-1))
    safe = np.where(positive[..., None], eigenvalues, 1.0)
    value = 0.5 * d * np.log(2 * np.pi) - 0.5 * np.log(safe).sum(axis=-1)
    return np.where(positive, value, np.nan)


def log_partition(energies: ArrayLike, hessians: ArrayLike, temperature: ArrayLike) -> Array:
    """Log partition function of each basin, ``-E/T + d/2 log T + log_volume``.

    Parameters
    ----------
    energies
        Shape ``(M,)``, nats.
    hessians
        Shape ``(M, d, d)``.
    temperature
        Shape ``(...)``, positive; 1 is the posterior.

    Returns
    -------
    numpy.ndarray
        Shape ``(..., M)``.
    """
    t = np.asarray(temperature, dtype=float)[..., None]
    energies = np.asarray(energies, dtype=float)
    d = np.shape(hessians)[-1]
    return -energies / t + 0.5 * d * np.log(t) + log_volume(hessians)


def occupation(
    energies: ArrayLike,
    hessians: ArrayLike,
    temperature: ArrayLike = 1.0,
    log_multiplicity: ArrayLike = 0.0,
) -> Array:
    """Probability of each basin at a temperature, shape ``(..., M)``, summing to one over ``M``.

    Parameters
    ----------
    energies, hessians, temperature
        As in `log_partition`.
    log_multiplicity
        Log of how many images each minimum stands for, ``(M,)``.
    """
    log_z = log_partition(energies, hessians, temperature)
    return shares(log_z + np.asarray(log_multiplicity, dtype=float))


def shares(log_z: Array) -> Array:
    """Probabilities from their logs up to a constant, along the last axis, which may be empty."""
    if log_z.shape[-1] == 0:
        return log_z
    relative = np.exp(log_z - log_z.max(axis=-1, keepdims=True))
    return np.asarray(relative / relative.sum(axis=-1, keepdims=True))
