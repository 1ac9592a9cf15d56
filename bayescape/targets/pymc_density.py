"""The posterior of a PyMC model as a target, over the model's own unconstrained coordinates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import cloudpickle
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.backends.arviz import coords_and_dims_for_inferencedata
from pymc.distributions.continuous import FlatRV, HalfFlatRV
from pymc.initial_point import make_initial_point_fn
from pymc.pytensorf import compile as compile_function
from pymc.pytensorf import extract_obs_data, join_nonshared_inputs
from pymc.util import get_default_varnames
from pytensor.compile.mode import get_mode
from pytensor.gradient import NullTypeGradError, jacobian

from bayescape.arguments import shown
from bayescape.targets.density import OUTSIDE, DensityTarget
from bayescape.targets.differences import FIRST_STEP, hessian_by_gradients, lengths_of_variation
from bayescape.targets.pymc_groups import pointwise_log_likelihood, posterior_predictive
from bayescape.targets.starting_points import Starts, pulled_inside

__all__ = ["from_pymc"]

Array = NDArray[np.float64]

NO_DERIVATIVE: tuple[type[Exception], ...] = (
    NotImplementedError,
    NullTypeGradError,
    TypeError,
    AttributeError,
)
NO_DRAW: tuple[type[Exception], ...] = (*OUTSIDE, NotImplementedError)


def from_pymc(
    model: pm.Model,
    *,
    starts: Starts = None,
    hessian: str = "differences",
    mode: Any = None,
) -> DensityTarget:
    """Make a target of a PyMC model: its posterior over the unconstrained free variables.

    The coordinates are PyMC's value variables, raveled in their order, and labelled as ArviZ would:
    ``mu``, ``tau_log__``, ``theta[Choate]`` by the coordinates of the model's dims, ``theta[0]``
    without. Draws come back in natural units with the variables, deterministics, dims and
    coordinates that ``pm.sample`` gives.

    Parameters
    ----------
    model
        With continuous free variables only. Data and observations may be of any kind.
    starts
        As `bayescape.from_numpy` takes them. By default every other one is a draw from the prior,
        the rest are the model's initial point moved by up to 1 in each coordinate, as ``pm.sample``
        does, nearer where the density is not finite; each costs a value, which is not counted.
    hessian
        ``"differences"``: fourth-order differences of the exact gradient, ``4 d`` gradients, right
        to some 11 digits; or ``"pytensor"``: PyTensor's own derivative of the gradient. The latter
        is exact, and cheaper in many coordinates, but takes PyTensor from seconds to minutes to
        compile, and not every model has one: then differences are taken all the same, and the
        target's representation says why.
    mode
        For PyTensor's compiler, such as ``"FAST_COMPILE"`` or ``"NUMBA"``; by default PyMC's.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If the model has discrete free variables, flat priors and no ``starts`` given, no gradient
        or no free variable, or its density is finite at none of eight starts.

    Notes
    -----
    Value, gradient and natural units are each compiled when first asked for, and called point by
    point; beyond the model's own time a call costs some microseconds. Data that is replaced by
    ``pm.set_data`` is seen; a new shape of it is not, where a coordinate's size depends on it.

    Examples
    --------
    >>> import bayescape as bs, pymc as pm
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", 0, 2)
    ...     y = pm.Normal("y", x**2, 0.5, observed=2.0)
    >>> target = bs.from_pymc(model)
    >>> bs.explore(target, progress=False).minima.sizes["minimum"]
    2
    """
    if not isinstance(model, pm.Model):
        raise ValueError(f"`model` must be a pymc.Model, got {type(model).__name__}")
    if hessian not in ("differences", "pytensor"):
        raise ValueError(f"`hessian` must be 'differences' or 'pytensor', got {hessian!r}")
    try:
        get_mode(mode)
    except Exception as error:  # PyTensor's own are of several kinds
        raise ValueError(f"`mode` must be one of PyTensor's, got {shown(mode)}") from error
    if not model.free_RVs:
        raise ValueError("`model` has no free variables, so there is nothing to explore")
    if model.discrete_value_vars:
        names = ", ".join(variable.name for variable in model.discrete_value_vars)
        raise ValueError(
            f"`model` has discrete free variables ({names}), over which there is no landscape: sum "
            "them out, for instance with pm.Mixture or pymc_extras.marginalize"
        )
    improper = [rv.name for rv in model.free_RVs if _is_flat(rv)]
    if improper and starts is None:
        raise ValueError(
            f"`model` has flat priors ({', '.join(improper)}), from which no start can be drawn "
            "and under which the posterior may be improper: give proper priors, or `starts`"
        )
    density = PyMCDensity(model, mode)
    coords, dims = coords_and_dims_for_inferencedata(model)
    target = PyMCTarget(
        density,
        _labels(model),
        starts=PyMCStarts(density) if starts is None else starts,
        constrain=density.natural,
        dims=dims,
        coords={name: np.asarray(labels) for name, labels in coords.items()},
        observed=_observed(model),
    )
    target.probe()
    density.settle(target, hessian)
    return target


class PyMCTarget(DensityTarget):
    """The posterior of a PyMC model, whose data have likelihoods and can be replicated."""

    density: PyMCDensity

    def pointwise_log_likelihood(self, theta: Array) -> dict[str, NDArray[Any]]:
        """What ``pm.compute_log_likelihood`` gives, each with first axis ``B``."""
        density = self.density
        return pointwise_log_likelihood(density.model, self.constrain(theta), density.mode)

    def posterior_predictive(
        self, theta: Array, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """What ``pm.sample_posterior_predictive`` gives, each with first axis ``B``."""
        density, seed = self.density, int(rng.integers(2**30))
        return posterior_predictive(density.model, self.constrain(theta), seed, density.mode)


class PyMCDensity:
    """A model's log density, gradient and natural units, compiled when first asked for.

    Attributes
    ----------
    reason
        Why the Hessian is taken by differences; empty if it is PyTensor's.
    scale
        Lengths over which the gradient changes its course, ``(d,)``.
    """

    def __init__(self, model: pm.Model, mode: Any) -> None:
        self.model, self.mode = model, mode
        self.point = model.initial_point(random_seed=0)
        self.d = int(sum(np.size(value) for value in self.point.values()))
        self.reason = "asked for"
        self.scale = np.ones(self.d)
        self._compiled: dict[str, Any] = {}
        self._lock = threading.Lock()  # a PyTensor function has its inputs in one place

    def settle(self, target: DensityTarget, hessian: str) -> None:
        """Make sure of the gradient, and settle how to take the Hessian."""
        try:
            self._function("value_and_gradient")
        except NO_DERIVATIVE as error:
            raise ValueError(
                f"`model` has no gradient, which every search needs: {_first_line(error)}"
            ) from error
        if hessian == "pytensor":
            try:
                self._function("hessian")
            except (*NO_DERIVATIVE, *OUTSIDE) as error:
                self.reason = f"PyTensor has none: {_first_line(error)}"
            else:
                self.reason = ""
                return
        points = target.starts(32, np.random.default_rng(0))
        low, high = np.quantile(points, [0.25, 0.75], axis=0)
        spread = np.clip(high - low, 1e-3, 1.0)  # of transformed variables, 1 is natural
        inside = np.isfinite(target.energy(points[:8]))
        self.scale = lengths_of_variation(self._gradients, points[:8][inside][:2], spread)

    @property
    def costs(self) -> dict[str, dict[str, int]]:
        """A Hessian by differences is made of gradients."""
        return {"hessian": {"gradient": 4 * self.d}} if self.reason else {}

    def value(self, theta: Array) -> Array:
        """Values, ``(B, d) -> (B,)``."""
        return self._each("value", theta)[0]

    def value_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients, ``(B, d) -> (B,), (B, d)``."""
        values, gradients = self._each("value_and_gradient", theta)
        return values, gradients

    def hessian(self, theta: Array) -> Array:
        """Hessians, ``(B, d, d)``."""
        if self.reason:
            return hessian_by_gradients(self._gradients, theta, FIRST_STEP * self.scale)
        (hessians,) = self._each("hessian", theta)
        return 0.5 * (hessians + np.swapaxes(hessians, 1, 2))

    def natural(self, theta: Array) -> dict[str, NDArray[Any]]:
        """Every variable that ``pm.sample`` keeps, each with first axis ``B``."""
        function = self._function("natural")
        points = self._inputs(theta if len(theta) else self._start()[None])
        with self._lock:
            found = [[np.array(part) for part in function(point)] for point in points]
        return {
            name: np.stack(parts)[: len(theta)]
            for name, parts in zip(self._kept(), zip(*found, strict=True), strict=True)
        }

    def _gradients(self, theta: Array) -> Array:
        return self.value_and_gradient(theta)[1]

    def _each(self, kind: str, theta: Array) -> tuple[Array, ...]:
        function, (b, d) = self._function(kind), theta.shape
        shapes = {"value": [()], "value_and_gradient": [(), (d,)], "hessian": [(d, d)]}[kind]
        found = tuple(np.full((b, *shape), np.nan) for shape in shapes)
        with self._lock:
            for i, point in enumerate(self._inputs(theta)):
                try:
                    answer = function(point)
                except OUTSIDE:
                    continue
                for array, part in zip(found, answer, strict=True):
                    array[i] = part
        return found

    def _inputs(self, theta: Array) -> NDArray[Any]:
        return np.ascontiguousarray(theta, dtype=self._dtype)

    def _start(self) -> Array:
        return _raveled(self.point)

    def _kept(self) -> list[str]:
        named = [variable.name for variable in self.model.unobserved_value_vars]
        return [str(name) for name in get_default_varnames(named, include_transformed=False)]

    def _function(self, kind: str) -> Callable[[NDArray[Any]], Sequence[Any]]:
        if kind not in self._compiled:
            model = self.model
            if kind == "natural":
                kept = self._kept()
                outputs = [v for v in model.unobserved_value_vars if v.name in kept]
            else:
                outputs = [model.logp()]
            outputs, joined = join_nonshared_inputs(self.point, outputs, model.value_vars)
            self._dtype = joined.dtype
            if kind in ("value_and_gradient", "hessian"):
                outputs = [outputs[0], pt.grad(outputs[0], joined)]
            if kind == "hessian":
                outputs = [jacobian(outputs[1], joined, disconnected_inputs="ignore")]
            compiled = compile_function([joined], outputs, mode=self.mode, on_unused_input="ignore")
            compiled.trust_input = True
            self._compiled[kind] = compiled
        found: Callable[[NDArray[Any]], Sequence[Any]] = self._compiled[kind]
        return found

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in vars(self).items() if k not in ("_compiled", "_lock", "model")}
        return state | {"model": cloudpickle.dumps(self.model)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"model": cloudpickle.loads(state["model"])})
        self._compiled, self._lock = {}, threading.Lock()

    def __repr__(self) -> str:
        by = f"differences ({self.reason})" if self.reason else "PyTensor"
        free = ", ".join(rv.name for rv in self.model.free_RVs)
        return f"PyMC model of {free}; Hessian by {by}"


class PyMCStarts:
    """Draws from a model's prior, and its initial point moved, by turns, where the density is."""

    def __init__(self, density: PyMCDensity) -> None:
        self.density = density
        self._prior: Callable[..., dict[str, Any]] | None = None

    def __call__(self, count: int, rng: np.random.Generator) -> Array:
        """Starts, ``(count, d)``."""
        model = self.density.model
        seeds = rng.integers(2**30, size=count)
        moves = rng.uniform(-1, 1, (count, self.density.d))
        point = _raveled(self.density.point)
        found = point + moves
        if self._prior is None:
            every = dict.fromkeys(model.free_RVs, "prior")
            self._prior = make_initial_point_fn(model=model, overrides=every)
        for i in range(0, count, 2):
            try:
                found[i] = _raveled(self._prior(int(seeds[i])))
            except NO_DRAW:  # not every distribution has random draws
                continue
        # A prior reaches where a density underflows.
        return pulled_inside(found, point, moves, self.density.value)

    def __getstate__(self) -> dict[str, Any]:
        return {"density": self.density, "_prior": None}


def _raveled(point: dict[str, Any]) -> Array:
    return np.concatenate([np.ravel(value) for value in point.values()]).astype(float)


def _is_flat(rv: Any) -> bool:
    return rv.owner is not None and isinstance(rv.owner.op, (FlatRV, HalfFlatRV))


def _labels(model: pm.Model) -> list[str]:
    """One label per coordinate, as ArviZ labels a scalar part of a variable."""
    point = model.initial_point(random_seed=0)
    by_coords: list[str] = []
    by_position: list[str] = []
    for variable in model.value_vars:
        shape = np.shape(point[variable.name])
        positions = [[str(i) for i in range(size)] for size in shape]
        dims = model.named_vars_to_dims.get(model.values_to_rvs[variable].name) or ()
        axes = list(positions)
        for axis, (dim, size) in enumerate(zip(dims, shape, strict=False)):
            known = model.coords.get(dim) if isinstance(dim, str) else None
            if known is not None and len(known) == size:
                axes[axis] = [str(label) for label in known]
        for found, parts in ((by_coords, axes), (by_position, positions)):
            found += [
                f"{variable.name}[{', '.join(index)}]" if index else str(variable.name)
                for index in product(*parts)
            ]
    return by_coords if len(set(by_coords)) == len(by_coords) else by_position


def _observed(model: pm.Model) -> dict[str, NDArray[Any]]:
    """Observations by name, of those whose data is there as numbers."""
    found = {}
    for rv in model.observed_RVs:
        try:
            found[str(rv.name)] = np.asarray(extract_obs_data(model.rvs_to_values[rv]))
        except TypeError:  # data that is itself computed
            continue
    return found


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
