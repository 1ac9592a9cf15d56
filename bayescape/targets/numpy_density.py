"""Log densities that are NumPy functions, or any other Python code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescape.arguments import check_array, check_flag
from bayescape.targets.density import OUTSIDE, Constrain, DensityTarget, validate_names
from bayescape.targets.differences import (
    FIRST_STEP,
    SECOND_STEP,
    gradient_by_values,
    hessian_by_gradients,
    hessian_by_values,
    lengths_of_variation,
)
from bayescape.targets.starting_points import Starts

__all__ = ["from_numpy"]

Array = NDArray[np.float64]
Function = Callable[[Array], Any]

PROBED = 3  # starts from which the lengths of differences are found


def from_numpy(
    log_density: Function,
    gradient: Function | None = None,
    hessian: Function | None = None,
    *,
    names: Sequence[str],
    starts: Starts = None,
    constrain: Constrain | None = None,
    bounds: ArrayLike | None = None,
    batched: bool = False,
    scale: ArrayLike | None = None,
) -> DensityTarget:
    """Make a target of a log density that is any Python function of a NumPy array.

    Outside the domain the function returns something that is not finite, or raises a
    ``ValueError``, an ``ArithmeticError`` or a ``LinAlgError``. Any other exception is taken for a
    mistake in it, and is let through.

    Parameters
    ----------
    log_density
        Takes a point, shape ``(d,)`` and float64, to a number in nats. It must be a density in
        these coordinates: include the Jacobian of whatever transforms lead to natural units.
    gradient, hessian
        Its derivatives, ``(d,) -> (d,)`` and ``(d,) -> (d, d)``. What is missing is taken by
        central differences of fourth order: of values, or for the Hessian of gradients if there
        are any. See the notes for accuracy and cost.
    names
        One label per coordinate.
    starts
        Where to begin looking: points ``(m, d)``, of which random ones are taken and moved by a
        tenth of their spread; or a function of a count and a ``numpy.random.Generator`` that
        returns ``(count, d)``; by default evenly between finite bounds, and where there are none
        normal about 0 with a standard deviation of 3.
    constrain
        Takes points ``(B, d)`` to a mapping of names to arrays in natural units whose first axis is
        ``B``; by default the coordinates themselves.
    bounds
        Hard walls, shape ``(2, d)``, outside of which the density is not asked for.
    batched
        Whether the functions take all points at once: ``(B, d)`` to ``(B,)``, ``(B, d)`` and
        ``(B, d, d)``. By default they are called for one point at a time.
    scale
        For differences: the length over which the log density changes its course, a number or one
        per coordinate. By default it is looked for, beginning with the spread of the starts.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If an argument makes no sense, or the density is not finite at any of eight starts.

    Notes
    -----
    By differences of values a gradient costs ``4 d`` values and keeps about 12 of the log density's
    own digits, per unit of scale: an error near ``1e-12 |log density| / scale``. A Hessian by
    values costs ``2 d (d + 1) + 1`` of them and keeps about 10; one by gradients costs ``4 d`` of
    these and keeps about 12. That is if the function itself is accurate to rounding: one that is
    the outcome of an iteration, or of a solver with a tolerance, is not. Within two steps of the
    domain's edge derivatives are NaN. All values are counted as what they are. Finding the scale
    takes ``84 d + 3`` values once.

    Examples
    --------
    >>> import bayescape as bs
    >>> def two_wells(x):
    ...     return -((x[0] ** 2 - 1) ** 2) / 0.1 - 0.5 * x[1] ** 2
    >>> target = bs.from_numpy(two_wells, names=["x", "y"])
    >>> landscape = bs.explore(target, progress=False)
    >>> landscape.minima["theta"].values.round(3)  # doctest: +SKIP
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    for argument, function in (
        ("log_density", log_density),
        ("gradient", log_density if gradient is None else gradient),
        ("hessian", log_density if hessian is None else hessian),
    ):
        if not callable(function):
            raise ValueError(f"`{argument}` must be a function of a point, got {function!r}")
    check_flag("batched", batched)
    labels = validate_names(names)
    density = NumpyDensity(log_density, gradient, hessian, len(labels), batched)
    target = DensityTarget(density, labels, starts=starts, constrain=constrain, bounds=bounds)
    target.probe()
    if gradient is None or hessian is None:
        density.scale = _scale(target, scale)
    return target


class NumpyDensity:
    """A log density by a function, with derivatives by functions or by differences."""

    def __init__(
        self,
        log_density: Function,
        gradient: Function | None,
        hessian: Function | None,
        d: int,
        batched: bool,
    ) -> None:
        self.log_density, self.gradient_function = log_density, gradient
        self.hessian_function, self.d, self.batched = hessian, d, batched
        self.scale = np.ones(d)

    def value(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``."""
        return self._ask("log_density", self.log_density, theta, ())

    def value_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        return self.value(theta), self.gradient(theta)

    def gradient(self, theta: Array) -> Array:
        """Gradients alone, ``(B, d)``."""
        if self.gradient_function is None:
            return gradient_by_values(self.value, theta, FIRST_STEP * self.scale)
        return self._ask("gradient", self.gradient_function, theta, (self.d,))

    def hessian(self, theta: Array) -> Array:
        """Hessians, ``(B, d, d)``."""
        if self.hessian_function is not None:
            return self._ask("hessian", self.hessian_function, theta, (self.d, self.d))
        if self.gradient_function is not None:
            return hessian_by_gradients(self.gradient, theta, FIRST_STEP * self.scale)
        return hessian_by_values(self.value, theta, SECOND_STEP * self.scale)

    @property
    def costs(self) -> dict[str, dict[str, int]]:
        """What a gradient with its value and a Hessian are made of, by kind."""
        d = self.d
        costs = {}
        if self.gradient_function is None:
            costs["gradient"] = {"value": 4 * d + 1}
        if self.hessian_function is None:
            by_values = self.gradient_function is None
            costs["hessian"] = {"value": 2 * d * (d + 1) + 1} if by_values else {"gradient": 4 * d}
        return costs

    def _ask(self, name: str, function: Function, theta: Array, shape: tuple[int, ...]) -> Array:
        if self.batched:
            return self._shaped(name, function(theta.copy()), (len(theta), *shape))
        found = np.full((len(theta), *shape), np.nan)
        for i, point in enumerate(theta):
            try:
                answer = function(point.copy())
            except OUTSIDE:
                if len(theta) == 1:
                    raise
                continue
            found[i] = self._shaped(name, answer, shape)
        return found

    def _shaped(self, name: str, answer: Any, shape: tuple[int, ...]) -> Array:
        """The answer as numbers of that shape; a mistake in it is not a place outside."""
        array = np.asarray(answer, dtype=float)
        if array.shape != shape and not (shape == () and array.size == 1):
            points = f"{shape[0]} points" if self.batched else "a point"
            wanted = f"shape {shape}" if shape else "a number"
            raise TypeError(
                f"`{name}` must return {wanted} for {points} in {self.d} coordinates, got shape "
                f"{array.shape}"
            )
        return array.reshape(shape)

    def __repr__(self) -> str:
        given = {"gradient": self.gradient_function, "Hessian": self.hessian_function}
        missing = [name for name, function in given.items() if function is None]
        name = getattr(self.log_density, "__name__", repr(self.log_density))
        return (
            f"NumPy function {name}, {'all points at once' if self.batched else 'point by point'}"
            f"{', ' + ' and '.join(missing) + ' by differences' if missing else ''}"
        )


def _scale(target: DensityTarget, given: ArrayLike | None) -> Array:
    """Lengths over which the density changes its course, as given or as found from the starts."""
    d = len(target.names)
    if given is not None:
        scale = check_array("scale", given, f"positive, a number or {d} of them")
        if scale.shape not in ((), (d,)) or not (np.isfinite(scale) & (scale > 0)).all():
            raise ValueError(f"`scale` must be positive, a number or {d} of them, got {given!r}")
        return np.broadcast_to(scale, (d,)).copy()
    starts = target.starts(64, np.random.default_rng(0))
    low, high = np.quantile(starts, [0.25, 0.75], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    inside = (point for point in starts if np.isfinite(target.energy(point[None])).all())
    points = list(itertools.islice(inside, PROBED))
    return lengths_of_variation(target.energy, np.array(points), spread) if points else spread
