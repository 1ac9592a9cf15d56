"""bayescape's own target on the data of a reference posterior."""

from __future__ import annotations

import numpy as np
from torch.distributions import LogNormal

from bayescape import GaussianProcess
from tests.reference.gp_posteriors import Posterior


def target_of(posterior: Posterior) -> GaussianProcess:
    """The same density as ``posterior``: its kernel, its priors, and no mean."""
    return GaussianProcess(
        posterior.inputs,
        posterior.y,
        kernel="matern",
        nu=2.5,
        standardise=False,
        priors={
            "lengthscale": LogNormal(np.log(0.5), 1.5),
            "outputscale": LogNormal(0.0, 2.0),
            "noise": LogNormal(2 * np.log(0.3), 3.0),
        },
    )
