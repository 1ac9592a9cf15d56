"""Log densities that are torch functions, differentiated by torch and batched by ``vmap``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bayescape.targets.density import OUTSIDE, PROBES, Constrain, DensityTarget, validate_names
from bayescape.targets.differences import SECOND_STEP, hessian_by_gradients
from bayescape.targets.starting_points import Starts

__all__ = ["OnceDifferentiable", "TorchDensity", "from_torch"]

Array = NDArray[np.float64]
Function = Callable[[Tensor], Tensor]

# What torch.vmap raises for a function that it cannot map, or one raises only when mapped.
CANNOT: tuple[type[Exception], ...] = (RuntimeError, TypeError, *OUTSIDE)
AGREEMENT = 1e-8  # relative, of a value in a batch and alone: rounding may differ, meaning may not


def from_torch(
    log_density: Function,
    names: Sequence[str],
    *,
    starts: Starts = None,
    constrain: Constrain | None = None,
    bounds: ArrayLike | None = None,
) -> DensityTarget:
    """Make a target of a log density that is a torch function.

    Gradient and Hessian come from ``torch.func``, and batches from ``torch.vmap``. A function that
    cannot be mapped so, for instance because it branches by the values of its input, is called for
    one point at a time, with ``torch.autograd``; the target's representation says so. Distributions
    of ``torch.distributions`` check their arguments by such a branch: give them
    ``validate_args=False``, and return ``-inf`` outside their support, to have them batched.

    Parameters
    ----------
    log_density
        Takes a point, a float64 tensor of shape ``(d,)``, to a scalar tensor in nats. It must be a
        density in these coordinates: include the Jacobian of whatever transforms lead to natural
        units. Outside its domain it returns something that is not finite, or raises a
        ``ValueError``, an ``ArithmeticError`` or a ``LinAlgError``; any other exception is taken
        for a mistake, and is let through.
    names
        One label per coordinate.
    starts, constrain, bounds
        As `bayescape.from_numpy` takes them; ``constrain`` gets NumPy arrays.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If an argument makes no sense, or the density is not finite at any of eight starts.
    TypeError
        If the function does not return a scalar tensor.

    Examples
    --------
    >>> import torch
    >>> import bayescape as bs
    >>> def banana(x):
    ...     return -0.5 * x[0] ** 2 - 5 * (x[1] - x[0] ** 2) ** 2
    >>> target = bs.from_torch(banana, ["x", "y"])
    >>> bs.explore(target, progress=False).minima.sizes["minimum"]
    1
    """
    if not callable(log_density):
        raise ValueError(f"`log_density` must be a function of a tensor, got {log_density!r}")
    labels = validate_names(names)
    density = TorchDensity(log_density)
    target = DensityTarget(density, labels, starts=starts, constrain=constrain, bounds=bounds)
    target.probe()
    density.settle(target.starts(PROBES, np.random.default_rng(0)))
    return target


class TorchDensity:
    """A log density by a torch function of one point.

    Attributes
    ----------
    reason
        Why points are taken one at a time; empty while they are taken together.
    """

    def __init__(self, log_density: Function) -> None:
        self.log_density = log_density
        self.reason = "not tried together yet"

    def settle(self, theta: Array) -> None:
        """Find out at some points whether they can be taken together, derivatives included."""
        alone = self._apart("value", theta)[0]
        inside = np.isfinite(alone)
        try:
            together = self._together("value", theta[inside])[0]
            self._together("value_and_gradient", theta[inside])
            self._together("hessian", theta[inside])
        except CANNOT as error:
            self.reason = _first_line(error)
        else:
            same = np.allclose(together, alone[inside], rtol=AGREEMENT, atol=1e-12)
            self.reason = "" if same else "its values in a batch differ from those alone"

    def value(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``."""
        return self._ask("value", theta)[0]

    def value_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        values, gradients = self._ask("value_and_gradient", theta)
        return values, gradients

    def hessian(self, theta: Array) -> Array:
        """Hessians, ``(B, d, d)``."""
        hessians = self._ask("hessian", theta)[0]
        return 0.5 * (hessians + np.swapaxes(hessians, 1, 2))

    def _ask(self, kind: str, theta: Array) -> tuple[Array, ...]:
        # One point, as Markov chains ask for, is a quarter of the work without a batch around it.
        if self.reason or not len(theta) or (len(theta) == 1 and kind != "hessian"):
            return self._apart(kind, theta)
        return self._together(kind, theta)

    def _together(self, kind: str, theta: Array) -> tuple[Array, ...]:
        points = torch.tensor(theta, dtype=torch.float64)
        if kind == "value":
            with torch.no_grad():
                return (_numbers(torch.vmap(self._scalar)(points)),)
        if kind == "value_and_gradient":
            gradients, values = torch.vmap(torch.func.grad_and_value(self._scalar))(points)
            return _numbers(values), _numbers(gradients)
        # Reverse over reverse: not every operation has a forward derivative.
        curve = torch.func.jacrev(torch.func.grad(self._scalar))
        return (_numbers(torch.vmap(curve)(points)),)

    def _apart(self, kind: str, theta: Array) -> tuple[Array, ...]:
        b, d = theta.shape
        shapes = {"value": [()], "value_and_gradient": [(), (d,)], "hessian": [(d, d)]}[kind]
        found = tuple(np.full((b, *shape), np.nan) for shape in shapes)
        for i, point in enumerate(theta):
            try:
                answer = self._alone(kind, torch.tensor(point, dtype=torch.float64))
            except OUTSIDE:
                continue
            for array, part in zip(found, answer, strict=True):
                array[i] = part
        return found

    def _alone(self, kind: str, point: Tensor) -> tuple[Array, ...]:
        if kind == "value":
            with torch.no_grad():
                return (_numbers(self._scalar(point)),)
        point.requires_grad_()
        value = self._scalar(point)
        (gradient,) = _derivative(value, point, further=kind == "hessian")
        if kind == "value_and_gradient":
            return _numbers(value), _numbers(gradient)
        rows = [_derivative(part, point, further=True)[0] for part in gradient]
        return (_numbers(torch.stack(rows)),)

    def _scalar(self, point: Tensor) -> Tensor:
        value = self.log_density(point)
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"`log_density` must return a scalar tensor, got {shape}")
        return value.reshape(())

    def __repr__(self) -> str:
        name = getattr(self.log_density, "__name__", repr(self.log_density))
        how = f"point by point: {self.reason}" if self.reason else "all points at once"
        return f"torch function {name}, {how}"


class OnceDifferentiable:
    """A torch density whose second derivatives torch does not have: differences of gradients.

    Parameters
    ----------
    density
        Whose values and gradients are right, in coordinates of order one.
    d
        Number of coordinates.
    """

    def __init__(self, density: TorchDensity, d: int) -> None:
        self.density, self.costs = density, {"hessian": {"gradient": 4 * d}}

    def value(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``."""
        return self.density.value(theta)

    def value_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        return self.density.value_and_gradient(theta)

    def hessian(self, theta: Array) -> Array:
        """Hessians, ``(B, d, d)``."""
        steps = np.full(theta.shape[1], SECOND_STEP)
        return hessian_by_gradients(lambda t: self.value_and_gradient(t)[1], theta, steps)

    def __repr__(self) -> str:
        return f"{self.density}; Hessians by differences of gradients"


def _derivative(value: Tensor, point: Tensor, further: bool) -> tuple[Tensor, ...]:
    """The gradient, zero where the value does not depend on the point."""
    if not value.requires_grad:
        return (torch.zeros_like(point),)
    return torch.autograd.grad(
        value,
        point,
        create_graph=further,
        retain_graph=True,
        materialize_grads=True,
        allow_unused=True,
    )


def _numbers(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=float)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
