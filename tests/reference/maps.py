"""A map put together from plain arrays, without any search."""

import numpy as np

from bayescape.evaluations import Evaluations
from bayescape.landscape.record import Landscape


def map_of_minima(target, theta, *, energies=None, hessians=None):
    """A map of these points as minima, with the target's energies and Hessians or others.

    No transition state is known, and nothing was spent.
    """
    d = len(target.names)
    energies = target.energy(theta) if energies is None else energies
    hessians = target.hessian(theta) if hessians is None else hessians
    return Landscape.from_arrays(
        names=target.names,
        minima=theta,
        energies=energies,
        hessians=hessians,
        hits=np.ones(len(theta)),
        transition_states=np.empty((0, d)),
        transition_energies=[],
        transition_hessians=np.empty((0, d, d)),
        joins=np.empty((0, 2)),
        coverage=1.0,
        evaluations=Evaluations(),
        target=target,
    )
