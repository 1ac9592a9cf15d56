"""Thermodynamics of a landscape over temperature, by harmonic superposition."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from bayescape.landscape.harmonic import log_partition, log_volume
from bayescape.landscape.record import Landscape

__all__ = ["thermodynamics"]


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
        If the landscape has no minimum, or a temperature is not positive and finite.

    References
    ----------
    D. J. Wales, *Energy Landscapes*, Cambridge University Press (2003), chapter 7;
    D. J. Wales, "Decoding heat capacity features from the energy landscape", Phys. Rev. E 95,
    030105 (2017), for reading a peak by the minima's occupations.
    """
    grid = np.geomspace(0.01, 100, 121) if temperatures is None else temperatures
    t = np.atleast_1d(np.asarray(grid, dtype=float))
    if t.ndim != 1 or not (np.isfinite(t) & (t > 0)).all():
        raise ValueError(f"`temperatures` must be positive finite numbers, got {grid!r}")
    minima = landscape.minima
    if minima.sizes["minimum"] == 0:
        raise ValueError("`landscape` has no minimum, so there is nothing to superpose")
    energies, hessians = minima["energy"].values, minima["hessian"].values
    d = hessians.shape[-1]

    log_z_a = log_partition(energies, hessians, t)
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
            "log_volume": ("minimum", log_volume(hessians)),
        },
        coords={"temperature": t, "minimum": minima["minimum"].values},
    )
