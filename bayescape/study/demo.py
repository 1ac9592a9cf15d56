"""The bundled example: the Nile's annual flow, whose scale of change is truly ambiguous."""

from __future__ import annotations

import math
from importlib.resources import as_file, files

import numpy as np
import torch
from numpy.typing import NDArray

from bayescape.study.data import Table, read_table
from bayescape.study.study import Settings

__all__ = ["NILE_SOURCE", "nile", "nile_held_out", "nile_settings"]

NILE_SOURCE = (
    "the annual flow of the Nile at Aswan, 1871 to 1970, in 10⁸ m³ "
    "(Cobb 1978; public domain; from statsmodels)"
)

# The priors are stated for years standardised and divided by this, which makes them lie in (-1, 1).
YEAR_SCALE = 1.7


def nile() -> Table:
    """The Nile's annual flow: 100 rows, one input, in years and 10^8 m^3."""
    with as_file(files("bayescape.study") / "bundled" / "nile.csv") as path:
        table = read_table(path, "flow")
    return Table(table.X, table.y, table.input_names, table.output_name, NILE_SOURCE)


def nile_held_out() -> NDArray[np.int_]:
    """Every fifth year, beginning with the first: a part that no random number chose."""
    return np.arange(0, 100, 5)


def nile_settings(*, draws: int = 1000, seed: int = 0, hmc: bool = True) -> Settings:
    """Matern 5/2 with wide log-normal priors.

    On years standardised and divided by 1.7, log lengthscale ~ N(log 0.5, 1.5); on standardised
    flow, log outputscale ~ N(0, 2) and log noise ~ N(2 log 0.3, 3); second arguments are standard
    deviations. Dividing an input by 1.7 is the same as multiplying its lengthscale, and so its
    prior's median, by 1.7.
    """
    priors = {
        "lengthscale": _log_normal(math.log(0.5 * YEAR_SCALE), 1.5),
        "outputscale": _log_normal(0.0, 2.0),
        "noise": _log_normal(2 * math.log(0.3), 3.0),
    }
    return Settings(
        kernel="matern",
        nu=2.5,
        priors=priors,
        prior_text=(
            "log-normal: log lengthscale ~ N(log 0.85, 1.5), log outputscale ~ N(0, 2), "
            "log noise ~ N(2 log 0.3, 3), with standard deviations second, on standardised data"
        ),
        draws=draws,
        hmc=hmc,
        seed=seed,
    )


def _log_normal(location: float, scale: float) -> torch.distributions.LogNormal:
    double = torch.float64
    return torch.distributions.LogNormal(
        torch.tensor(location, dtype=double), torch.tensor(scale, dtype=double)
    )
