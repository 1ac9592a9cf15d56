"""Conditional distributions of a Gaussian process's own data, from its covariance.

With noise variances ``D``, the covariance ``C`` of what is observed, and ``a = C^-1 (y - mean)``:
an observation given all others has mean ``y_i - a_i / (C^-1)_ii`` and variance ``1 / (C^-1)_ii``
(Rasmussen & Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), equation 5.12);
a measurement repeated at the same inputs has mean ``y - D a`` and covariance
``2 D - D C^-1 D``, whose eigenvalues lie between the noise variances and twice that.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

__all__ = ["left_out", "log_normal", "repeated"]

Array = NDArray[np.float64]


def left_out(factor: Tensor, residual: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of every observation given the others, each ``(..., n)``.

    Parameters
    ----------
    factor
        Lower Cholesky factor of the covariance, ``(..., n, n)``.
    residual
        Outputs less the mean, ``(..., n)``.
    y
        Outputs, ``(n,)``.
    """
    alpha = torch.cholesky_solve(residual[..., None], factor)[..., 0]
    variances = 1 / torch.cholesky_inverse(factor).diagonal(dim1=-2, dim2=-1)
    return y - alpha * variances, variances


def repeated(factor: Tensor, residual: Tensor, y: Tensor, noise: Tensor, normals: Tensor) -> Tensor:
    """Draw measurements repeated at the same inputs, jointly, ``(..., n)``.

    Parameters
    ----------
    factor, residual, y
        As for `left_out`.
    noise
        Noise variances, ``(..., n)`` or ``(..., 1)``.
    normals
        Standard normal numbers, ``(..., n)``.
    """
    alpha = torch.cholesky_solve(residual[..., None], factor)[..., 0]
    covariance = -noise[..., :, None] * torch.cholesky_inverse(factor) * noise[..., None, :]
    covariance.diagonal(dim1=-2, dim2=-1).add_(2 * noise)
    root = torch.linalg.cholesky(covariance)
    return y - noise * alpha + (root @ normals[..., None])[..., 0]


def log_normal(x: ArrayLike, means: Array, variances: Array) -> Array:
    """Log density of independent normals."""
    return -0.5 * (np.log(2 * np.pi * variances) + (np.asarray(x) - means) ** 2 / variances)
