"""Paths between two minima: a string of images relaxed towards the minimum-energy path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.quench import FLAT
from bayescape.targets.target import Target, bounds_of

__all__ = ["relax_string", "summits"]

Array = NDArray[np.float64]

IMAGES = 9  # between the ends
SWEEPS = 6
LONGEST = 0.3  # step of an image, in length scales


def relax_string(
    target: Target, start: Array, end: Array, scales: Array, *, sweeps: int = SWEEPS
) -> tuple[Array, Array]:
    """Relax a straight line between two minima across itself.

    The string method, with Newton steps of exact Hessians in the space across the string in place
    of its steepest descent, after each of which the images are spread evenly again.

    Parameters
    ----------
    target
        Where the path lies.
    start, end
        The two minima, ``(d,)``.
    scales
        Unit of distances by coordinate, ``(d,)``.
    sweeps
        Relaxations of all images, each one gradient and Hessian per image.

    Returns
    -------
    tuple of numpy.ndarray
        The string with both ends, ``(I + 2, d)``, and its energies, ``(I + 2,)``.

    References
    ----------
    W. E, W. Ren, E. Vanden-Eijnden, "Simplified and improved string method for computing the
    minimum energy paths in barrier-crossing events", J. Chem. Phys. 126, 164103 (2007).
    """
    low, high = bounds_of(target)
    string = np.linspace(start, end, IMAGES + 2)
    for _ in range(sweeps):
        inner = string[1:-1]
        energy, gradient = target.energy_and_gradient(inner.copy())
        hessian = target.hessian(inner.copy())
        tangent = (string[2:] - string[:-2]) / scales
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-300)
        step = _across(gradient * scales, hessian * np.outer(scales, scales), tangent)
        usable = np.isfinite(energy) & np.isfinite(step).all(axis=1)
        moved = np.clip(inner + np.where(usable[:, None], step, 0.0) * scales, low, high)
        string = _spread(np.concatenate([start[None], moved, end[None]]), scales)
    return string, target.energy(string.copy())


def _across(gradient: Array, hessian: Array, tangent: Array) -> Array:
    """Newton step of each image in the space across its tangent, of limited length."""
    step = np.full_like(gradient, np.nan)
    finite = np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
    if not finite.any():
        return step
    t = tangent[finite]
    project = np.eye(t.shape[1]) - t[:, :, None] * t[:, None, :]
    values, vectors = np.linalg.eigh(project @ hessian[finite] @ project)
    slope = np.einsum("bik,bi->bk", vectors, np.einsum("bij,bj->bi", project, gradient[finite]))
    move = np.einsum("bik,bk->bi", vectors, -slope / np.maximum(np.abs(values), FLAT))
    length = np.linalg.norm(move, axis=1, keepdims=True)
    step[finite] = move * np.minimum(1.0, LONGEST / np.maximum(length, 1e-300))
    return step


def _spread(string: Array, scales: Array) -> Array:
    """The same curve with images at even distances along it."""
    lengths = np.linalg.norm(np.diff(string, axis=0) / scales, axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    even = np.linspace(0.0, along[-1], len(string))
    return np.stack([np.interp(even, along, column) for column in string.T], axis=1)


def summits(string: Array, energies: Array) -> tuple[Array, Array]:
    """Interior maxima of a string and the directions of the string there.

    Parameters
    ----------
    string, energies
        Shapes ``(I, d)``, ``(I,)``.

    Returns
    -------
    tuple of numpy.ndarray
        Points and tangents, each ``(k, d)``: every interior maximum, highest first. When the
        energy has none between images, the image after the higher end stands in, for the pass may
        lie within one spacing of it.
    """
    level = np.where(np.isfinite(energies), energies, np.inf)
    inner = np.arange(1, len(string) - 1)
    top = inner[(level[inner] >= level[inner - 1]) & (level[inner] >= level[inner + 1])]
    top = top[np.isfinite(energies[top])]
    if len(top) == 0:
        top = np.array([1 if level[0] >= level[-1] else len(string) - 2])
    top = top[np.argsort(-level[top], kind="stable")]
    return string[top], string[top + 1] - string[top - 1]
