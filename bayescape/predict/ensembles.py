"""Ensembles of minima: how much each minimum counts when they predict together."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from bayescape.landscape.record import Landscape
from bayescape.landscape.thermodynamics import log_volumes

__all__ = ["ENSEMBLES", "Ensemble", "ensemble_weights"]

Array = NDArray[np.float64]

Ensemble = Literal["best", "uniform", "energy", "occupation"]

ENSEMBLES: dict[Ensemble, str] = {
    "best": "single best minimum",
    "uniform": "uniform ensemble",
    "energy": "energy-weighted ensemble",
    "occupation": "occupation-weighted ensemble",
}
"""The kinds of ensemble, with what tables and pictures call them."""


def ensemble_weights(landscape: Landscape, kind: Ensemble) -> Array:
    """Weights of the minima, shape ``(M,)``, summing to one.

    Parameters
    ----------
    landscape
        A map with at least one minimum.
    kind
        ``"best"``: the lowest minimum alone. ``"uniform"``: all alike. ``"energy"``: in proportion
        to ``exp(-E)``, the density at the minimum. ``"occupation"``: in proportion to
        ``exp(-E) det(H)^(-1/2)``, the harmonic probability of the basin at temperature 1.

    Raises
    ------
    ValueError
        If there is no such kind, there is no minimum, or a Hessian that the weights need is not
        positive definite.
    """
    if kind not in ENSEMBLES:
        raise ValueError(f"`kind` must be one of {sorted(ENSEMBLES)}, got {kind!r}")
    energies = landscape.minima["energy"].values
    if not len(energies):
        raise ValueError("`landscape` has no minimum, so there is no ensemble of minima")
    if kind == "best":
        return (np.arange(len(energies)) == np.argmin(energies)).astype(float)
    if kind == "uniform":
        return np.full(len(energies), 1 / len(energies))
    if kind == "energy":
        return softmax(-energies)
    volumes = log_volumes(landscape)
    if np.isnan(volumes).any():
        raise ValueError(
            "`landscape` has a minimum whose Hessian is not known or not positive definite, "
            "so its harmonic occupation is not defined"
        )
    return softmax(volumes - energies)
