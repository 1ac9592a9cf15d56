"""Thermodynamics of a landscape over temperature, by harmonic superposition."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from bayescape.arguments import check_array, check_kind, shown
from bayescape.landscape.harmonic import log_volume
from bayescape.landscape.record import Landscape, log_multiplicities

__all__ = ["log_volumes", "thermodynamics"]


def thermodynamics(landscape: Landscape, temperatures: ArrayLike | None = None) -> xr.Dataset:
    """Partition function, energy, heat capacity and occupation over a grid of temperatures.

    With ``p_a`` the occupation of minimum ``a`` and ``U_a = E_a + d T / 2`` its mean energy, the
    heat capacity is ``C = d/2 + sum_a p_a (U_a - U)^2 / T^2``. Its part by minimum,
    ``p_a (d/2 + (U_a - U)^2 / T^2)``, is never negative and sums to ``C``; a minimum that gains
    occupation with temperature has a positive ``occupation_slope``, so a peak of ``C`` can be read
    as a passage from the minima with a negative slope to those with a positive one.

    Parameters
    ----------
    landscape
        A map with at least one minimum.
    temperatures
        Shape ``(K,)``, positive; 1 is the posterior. By default 121 values, evenly spaced in
        their logarithm, from 0.01 to 100, so that 1 is among them.

    Returns
    -------
    xarray.Dataset
        Over ``temperature`` (and ``minimum``): ``log_z`` (nats), ``energy`` (nats),
        ``heat_capacity`` (dimensionless, units of Boltzmann's constant), ``occupation``,
        ``occupation_slope``, ``heat_capacity_by_minimum``, ``log_z_by_minimum``; over ``minimum``
        alone ``log_volume``, the basin's log volume at temperature 1.

    Raises
    ------
    ValueError
        If the landscape has no minimum, the volume of a basin is not known or not defined (no
        Hessian, or one that is not positive definite), or a temperature is not positive and finite.

    References
    ----------
    D. J. Wales, *Energy Landscapes*, Cambridge University Press (2003), chapter 7;
    D. J. Wales, "Decoding heat capacity features from the energy landscape", Phys. Rev. E 95,
    030105 (2017), for reading a peak by the minima's occupations.
    """
    grid = np.geomspace(0.01, 100, 121) if temperatures is None else temperatures
    check_kind("landscape", landscape, Landscape, "a Landscape")
    t = np.atleast_1d(check_array("temperatures", grid, "positive finite numbers"))
    if t.ndim != 1 or not (np.isfinite(t) & (t > 0)).all():
        raise ValueError(
            f"`temperatures` must be positive finite numbers, got {shown(grid)} of shape {t.shape}"
        )
    minima = landscape.minima
    if minima.sizes["minimum"] == 0:
        raise ValueError("`landscape` has no minimum, so there is nothing to superpose")
    energies, volumes = minima["energy"].values, log_volumes(landscape)
    undefined = np.flatnonzero(np.isnan(volumes))
    if len(undefined):
        raise ValueError(
            f"`landscape` has no positive definite Hessian at minimum {undefined[0]}, so its basin "
            "has no harmonic volume; a map from a file without Hessians gets them when it is read "
            "with `target`"
        )
    d = len(landscape.names)

    log_z_a = -energies / t[:, None] + 0.5 * d * np.log(t[:, None]) + volumes
    log_z = logsumexp(log_z_a, axis=1)
    p = np.exp(log_z_a - log_z[:, None])
    u_a = energies + 0.5 * d * t[:, None]
    u = (p * u_a).sum(axis=1)
    spread = (u_a - u[:, None]) / t[:, None]
    parts = p * (0.5 * d + spread**2)
    by_both = ("temperature", "minimum")
    return xr.Dataset(
        {
            "log_z": ("temperature", log_z),
            "energy": ("temperature", u),
            "heat_capacity": ("temperature", parts.sum(axis=1)),
            "occupation": (by_both, p),
            "occupation_slope": (by_both, p * spread / t[:, None]),
            "heat_capacity_by_minimum": (by_both, parts),
            "log_z_by_minimum": (by_both, log_z_a),
            "log_volume": ("minimum", volumes),
        },
        coords={"temperature": t, "minimum": minima["minimum"].values},
    )


def log_volumes(landscape: Landscape) -> NDArray[np.float64]:
    """Log volume of every basin at temperature 1, by its Hessian or, without one, its log product.

    A minimum that stands for its images under a target's ``equivalence`` has the volume of them
    all together.

    Parameters
    ----------
    landscape
        The map. A file may have given it the ``log_product`` of the Hessians' eigenvalues only.

    Returns
    -------
    numpy.ndarray
        Shape ``(M,)``; NaN where neither is known, or the Hessian is not positive definite.
    """
    minima = landscape.minima
    volumes = log_volume(minima["hessian"].values)
    if "log_product" in minima:
        unknown = np.isnan(minima["hessian"].values).any(axis=(1, 2))
        by_product = 0.5 * (len(landscape.names) * np.log(2 * np.pi) - minima["log_product"].values)
        volumes = np.where(unknown, by_product, volumes)
    return volumes + log_multiplicities(minima)
