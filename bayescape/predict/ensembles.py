"""Ensembles of minima: how much each minimum counts when they predict together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from bayescape.arguments import check_choice, check_kind, check_number, shown
from bayescape.landscape.record import Landscape
from bayescape.landscape.thermodynamics import log_volumes, thermodynamics
from bayescape.predict.left_out import left_out
from bayescape.predict.predictions import Predictions
from bayescape.predict.stacking import stack_densities, stack_means

__all__ = ["ENSEMBLES", "FITTED", "Ensemble", "ensemble_temperature", "ensemble_weights"]
__all__ += ["component_log_densities", "fitted_weights"]

Array = NDArray[np.float64]

Ensemble = Literal[
    "best", "uniform", "energy", "occupation", "volume", "stacking", "stacking_means"
]

ENSEMBLES: dict[Ensemble, str] = {
    "best": "single best minimum",
    "uniform": "uniform ensemble",
    "energy": "energy-weighted ensemble",
    "occupation": "occupation-weighted ensemble",
    "volume": "volume-weighted ensemble",
    "stacking": "stacked ensemble",
    "stacking_means": "mean-stacked ensemble",
}
"""The kinds of ensemble, with what tables and pictures call them."""

FITTED: tuple[Ensemble, ...] = ("stacking", "stacking_means")
"""Kinds whose weights come of leaving rows out, which takes a target that can."""

TEMPERATURES = ("heat_capacity", "cross_validation")  # methods that find one
COLDEST, HOTTEST = 0.01, 100.0


def ensemble_weights(
    landscape: Landscape, kind: Ensemble, *, temperature: float | str = 1.0
) -> Array:
    """Weights of the minima, shape ``(M,)``, summing to one.

    Parameters
    ----------
    landscape
        A map with at least one minimum.
    kind
        ``"best"``: the lowest minimum alone. ``"uniform"``: all alike. ``"energy"``: in proportion
        to ``exp(-E / T)``, the density at the minimum. ``"occupation"``: in proportion to
        ``exp(-E / T) det(H)^(-1/2)``, the harmonic probability of the basin. ``"volume"``: to
        ``det(H)^(-1/2)`` alone, the basin's harmonic volume. ``"stacking"``: the mixture under
        which the training rows, each left out in turn, are most probable. ``"stacking_means"``:
        the mean with the least squared error on these.
    temperature
        ``T`` of the kinds that have one; 1 is the posterior. Or how to choose it, as in
        `ensemble_temperature`.

    Raises
    ------
    TypeError
        If rows are to be left out and the target cannot.
    ValueError
        If there is no such kind, the temperature is not positive, there is no minimum, or a Hessian
        that the weights need is not positive definite.

    References
    ----------
    Y. Yao, A. Vehtari, D. Simpson, A. Gelman, Bayesian Anal. 13, 917 (2018), for stacking.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    if not isinstance(kind, str) or kind not in ENSEMBLES:
        raise ValueError(f"`kind` must be one of {sorted(ENSEMBLES)}, got {shown(kind)}")
    if isinstance(temperature, str):
        check_choice("temperature", temperature, TEMPERATURES)
    else:
        check_number("temperature", temperature, 0)
    energies = landscape.minima["energy"].values
    if not len(energies):
        raise ValueError("`landscape` has no minimum, so there is no ensemble of minima")
    if kind == "best":
        return (np.arange(len(energies)) == np.argmin(energies)).astype(float)
    if kind == "uniform":
        return np.full(len(energies), 1 / len(energies))
    if kind in FITTED:
        return fitted_weights(kind, *left_out(landscape))
    if kind == "volume":
        return softmax(_volumes(landscape))
    if isinstance(temperature, str):
        temperature = ensemble_temperature(landscape, temperature, kind=kind)
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"`temperature` must be a positive number, got {temperature!r}")
    volumes = _volumes(landscape) if kind == "occupation" else np.zeros(len(energies))
    return softmax(volumes - energies / temperature)


def ensemble_temperature(
    landscape: Landscape, method: str, *, kind: Ensemble = "occupation"
) -> float:
    """Choose the temperature of an ensemble's weights, between 0.01 and 100.

    Parameters
    ----------
    landscape
        A map with at least one minimum.
    method
        ``"heat_capacity"``: where the heat capacity has its highest peak, so where the minima that
        are occupied change most; 1 if it has none. ``"cross_validation"``: where the training rows,
        each left out in turn, are most probable under the mixture.
    kind
        ``"energy"`` or ``"occupation"``: the weights that the temperature is for, by
        cross-validation.

    Raises
    ------
    TypeError
        If rows are to be left out and the target cannot.
    ValueError
        If there is no such method, or ``kind`` has no temperature.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    if kind not in ("energy", "occupation"):
        raise ValueError(f"`kind` must be 'energy' or 'occupation', got {shown(kind)}")
    grid = np.geomspace(COLDEST, HOTTEST, 121)
    if method == "heat_capacity":

        def heat_capacity(temperatures: Array) -> Array:
            return np.asarray(thermodynamics(landscape, temperatures)["heat_capacity"].values)

        values = heat_capacity(grid)
        inner = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] > values[2:])) + 1
        if not len(inner):
            return 1.0
        k = int(inner[values[inner].argmax()])
        return _refined(lambda t: float(heat_capacity(np.array([t]))[0]), grid, k)
    if method == "cross_validation":
        logs = component_log_densities(*left_out(landscape))
        relative = np.exp(logs - logs.max(axis=0))

        def evidence(t: float) -> float:
            mixed = ensemble_weights(landscape, kind, temperature=t) @ relative
            return float(np.log(np.maximum(mixed, 1e-300)).mean())

        best = int(np.argmax([evidence(float(t)) for t in grid]))
        return _refined(evidence, grid, best)
    raise ValueError(f"`method` must be 'heat_capacity' or 'cross_validation', got {shown(method)}")


def fitted_weights(kind: Ensemble, predictions: Predictions, y: Array) -> Array:
    """Weights of one of the kinds in `FITTED`, from rows that were left out."""
    if kind == "stacking":
        return stack_densities(component_log_densities(predictions, y))
    return stack_means(predictions.means, y)


def component_log_densities(predictions: Predictions, y: Array) -> Array:
    """Log density of every row by every component alone, ``(S, m)``, nats."""
    return -0.5 * (
        (y - predictions.means) ** 2 / predictions.variances
        + np.log(2 * np.pi * predictions.variances)
    )


def _refined(value: Callable[[float], float], grid: Array, k: int) -> float:
    """The place of the maximum around a position of the grid."""
    low, high = np.log(grid[max(k - 1, 0)]), np.log(grid[min(k + 1, len(grid) - 1)])
    found = minimize_scalar(
        lambda s: -value(float(np.exp(s))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def _volumes(landscape: Landscape) -> Array:
    volumes = log_volumes(landscape)
    if np.isnan(volumes).any():
        raise ValueError(
            "`landscape` has a minimum whose Hessian is not known or not positive definite, "
            "so its harmonic occupation is not defined"
        )
    return volumes
