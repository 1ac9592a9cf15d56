"""Paths between two minima: where a straight line or a relaxed string crosses the ridge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape.explore.limited_memory import LimitedMemory, across
from bayescape.explore.quench import FLAT
from bayescape.explore.scales import MANY
from bayescape.explore.secant import bofill
from bayescape.targets.target import Target, bounds_of

__all__ = ["line_summits", "relax_string", "summits"]

Array = NDArray[np.float64]

STOPS = 6  # points on a straight line, between its ends
IMAGES = 9  # of a string, between its ends
SWEEPS, SWEEPS_MANY, SWEEPS_MORE = 8, 60, 20
COARSE = 0.2  # of a string's height, by which its energy half way between images may be off
REFINED = 2  # times that images are added, at most
STILL = 1e-3  # largest step of an image, in length scales, at which a string has settled
LONGEST = 0.3  # step of an image, in length scales


def line_summits(
    target: Target, start: Array, end: Array, ends_energies: tuple[float, float]
) -> tuple[Array, Array]:
    """Maxima of the energy on the straight line between two minima.

    Between points the energy is the cubic through their energies and slopes, so that few points
    place a maximum well enough to begin a search from it.

    Parameters
    ----------
    target
        Where the line lies.
    start, end
        The two minima, ``(d,)``.
    ends_energies
        Their energies.

    Returns
    -------
    tuple of numpy.ndarray
        Points and directions of the line there, each ``(k, d)``, highest first. Where the energy
        has no maximum inside, the stop next to the higher end stands in.
    """
    t = np.linspace(0.0, 1.0, STOPS + 2)
    along = end - start
    energy, gradient = target.energy_and_gradient(start + t[1:-1, None] * along)
    energy = np.concatenate([ends_energies[:1], energy, ends_energies[1:]])
    slope = np.concatenate([[0.0], gradient @ along, [0.0]])
    places, heights = [], []
    for i in range(len(t) - 1):
        place, height = _cubic_maximum(t[i : i + 2], energy[i : i + 2], slope[i : i + 2])
        if 0.0 < place < 1.0:
            places.append(place)
            heights.append(height)
    if not places:
        places, heights = [t[1] if energy[0] >= energy[-1] else t[-2]], [0.0]
    order = np.argsort(-np.array(heights), kind="stable")
    points = start + np.array(places)[order, None] * along
    return points, np.tile(along, (len(points), 1))


def _cubic_maximum(t: Array, energy: Array, slope: Array) -> tuple[float, float]:
    """Place and height of the maximum of Hermite's cubic on an interval; NaN for none inside."""
    width = t[1] - t[0]
    rise, left, right = energy[1] - energy[0], slope[0] * width, slope[1] * width
    # The cubic e0 + left u + b u^2 + a u^3, with u from 0 to 1.
    b, a = 3 * rise - 2 * left - right, left + right - 2 * rise
    discriminant = b * b - 3 * a * left
    if not np.isfinite(discriminant) or discriminant <= 0:
        return np.nan, np.nan
    # Of two equal forms of the root with negative curvature, the one that does not cancel.
    root = np.sqrt(discriminant)
    if b > 0:
        u = -(b + root) / (3 * a) if a else np.nan
    else:
        u = left / (root - b)
    if not 0.0 <= u < 1.0:
        return np.nan, np.nan
    return float(t[0] + u * width), float(energy[0] + u * (left + u * (b + u * a)))


def relax_string(
    target: Target,
    start: Array,
    end: Array,
    scales: Array,
    *,
    models: tuple[Array, Array] | None = None,
    bend: Array | None = None,
    sweeps: int | None = None,
) -> tuple[Array, Array]:
    """Relax a line between two minima across itself.

    The string method, with Newton steps in the space across the string in place of its steepest
    descent, after each of which the images are spread evenly again. The Hessians are models that
    begin between those of the two ends, and learn from the gradients. In more than 50 coordinates
    steps are limited-memory quasi-Newton ones, and images are added to the relaxed string wherever
    the energy half way between two is off the mean of theirs by a fifth of the string's height.

    Parameters
    ----------
    target
        Where the path lies.
    start, end
        The two minima, ``(d,)``.
    scales
        Unit of distances by coordinate, ``(d,)``.
    models
        Hessians at the two ends, ``(d, d)`` each; by default the target's.
    bend
        By how much the middle of the first line is moved aside, ``(d,)``; by default it is
        straight.
    sweeps
        Relaxations of all images, each one gradient per image; by default 8, or 60 in more than 50
        coordinates.

    Returns
    -------
    tuple of numpy.ndarray
        The string with both ends, ``(I + 2, d)``, and its energies, ``(I + 2,)``.

    References
    ----------
    W. E, W. Ren, E. Vanden-Eijnden, "Simplified and improved string method for computing the
    minimum energy paths in barrier-crossing events", J. Chem. Phys. 126, 164103 (2007); for the
    added images F. Draxler, K. Veschgini, M. Salmhofer, F. Hamprecht, "Essentially no barriers in
    neural network energy landscape", ICML 2018, PMLR 80, 1309.
    """
    low, high = bounds_of(target)
    even = np.linspace(0.0, 1.0, IMAGES + 2)
    t = even[:, None]
    string = start + t * (end - start)
    if bend is not None:
        string = np.clip(string + 4 * t * (1 - t) * bend, low, high)
    string[0], string[-1] = start, end  # without rounding
    if len(start) > MANY:
        sweeps = SWEEPS_MANY if sweeps is None else sweeps
        string = _relaxed(target, string, even, _memory_for(string), sweeps, scales)
        return _refined(target, string, scales)
    if models is None:
        at_start, at_end = target.hessian(np.stack([start, end]))
        models = (at_start, at_end)
    model = models[0] + t[1:-1, :, None] * (models[1] - models[0])
    relaxing = _Matrices(model * np.outer(scales, scales))
    sweeps = SWEEPS if sweeps is None else sweeps
    string = _relaxed(target, string, even, relaxing, sweeps, scales)
    return string, target.energy(string.copy())


def _relaxed(
    target: Target,
    string: Array,
    shares: Array,
    relaxing: _Matrices | _Memory,
    sweeps: int,
    scales: Array,
) -> Array:
    """A string after some sweeps, its images kept at these shares of its length."""
    low, high = bounds_of(target)
    start, end = string[0], string[-1]
    old, old_gradient = None, None
    for _ in range(sweeps):
        inner = string[1:-1]
        energy, gradient = target.energy_and_gradient(inner.copy())
        gradient = gradient * scales
        tangent = (string[2:] - string[:-2]) / scales
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-300)
        if old is not None and old_gradient is not None:
            usable = np.all(np.isfinite(gradient + old_gradient), axis=1)
            change = np.where(usable[:, None], gradient - old_gradient, np.nan)
            relaxing.learn((inner - old) / scales, change, tangent)
        old, old_gradient = inner, gradient
        step = relaxing.steps(gradient, tangent)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, LONGEST / np.maximum(length, 1e-300))
        if length.max() < STILL:
            break
        usable = np.isfinite(energy) & np.isfinite(step).all(axis=1)
        moved = np.clip(inner + np.where(usable[:, None], step, 0.0) * scales, low, high)
        string = _spread(np.concatenate([start[None], moved, end[None]]), shares, scales)
    return string


def _refined(target: Target, string: Array, scales: Array) -> tuple[Array, Array]:
    """A relaxed string with images added where they are needed, and its energies."""
    energies = target.energy(string.copy())
    for _ in range(REFINED):
        between = 0.5 * (string[1:] + string[:-1])
        level = target.energy(between.copy())
        height = max(energies.max(), level.max()) - min(energies.min(), level.min())
        off = np.abs(level - 0.5 * (energies[1:] + energies[:-1])) > COARSE * height
        if not off.any():  # nor where an energy is infinite: there is nothing to be told
            break
        string = np.insert(string, np.flatnonzero(off) + 1, between[off], axis=0)
        shares = _along(string, scales)
        shares /= shares[-1]
        string = _relaxed(target, string, shares, _memory_for(string), SWEEPS_MORE, scales)
        energies = target.energy(string.copy())
    return string, energies


class _Matrices:
    """Newton steps of the images in the space across their tangents."""

    def __init__(self, model: Array) -> None:
        self.model = model

    def learn(self, step: Array, change: Array, tangent: Array) -> None:
        self.model = bofill(self.model, step, change)

    def steps(self, gradient: Array, tangent: Array) -> Array:
        step = np.full_like(gradient, np.nan)
        finite = np.isfinite(gradient).all(axis=1) & np.isfinite(self.model).all(axis=(1, 2))
        if not finite.any():
            return step
        t = tangent[finite]
        project = np.eye(t.shape[1]) - t[:, :, None] * t[:, None, :]
        values, vectors = np.linalg.eigh(project @ self.model[finite] @ project)
        slope = np.einsum("bik,bi->bk", vectors, across(gradient[finite], t))
        move = -slope / np.maximum(np.abs(values), FLAT)
        step[finite] = np.einsum("bik,bk->bi", vectors, move)
        return step


class _Memory:
    """Quasi-Newton steps of the images across their tangents, without matrices."""

    def __init__(self, memory: LimitedMemory) -> None:
        self.memory, self.rows = memory, np.arange(len(memory.step))

    def learn(self, step: Array, change: Array, tangent: Array) -> None:
        self.memory.learn(self.rows, across(step, tangent), across(change, tangent))

    def steps(self, gradient: Array, tangent: Array) -> Array:
        return across(self.memory.downhill(self.rows, across(gradient, tangent)), tangent)


def _memory_for(string: Array) -> _Memory:
    """Empty memories of its images."""
    return _Memory(LimitedMemory(len(string) - 2, string.shape[1]))


def _along(string: Array, scales: Array) -> Array:
    """Length of the string up to each image."""
    lengths = np.linalg.norm(np.diff(string, axis=0) / scales, axis=1)
    return np.concatenate([[0.0], np.cumsum(lengths)])


def _spread(string: Array, shares: Array, scales: Array) -> Array:
    """The same curve with images at these shares of its length."""
    along = _along(string, scales)
    return np.stack([np.interp(shares * along[-1], along, column) for column in string.T], axis=1)


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
