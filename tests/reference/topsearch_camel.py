"""Make ``topsearch_camel/``: the six-hump camel as TopSearch maps and writes it.

TopSearch pins its own NumPy and RDKit, so this runs in an environment of its own:

    pip install topsearch==0.0.3
    python tests/reference/topsearch_camel.py

Six minima and seven transition states; TopSearch's moves are unseeded but for NumPy's global state,
and the last digits depend on the machine.
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from topsearch.data.coordinates import StandardCoordinates
from topsearch.data.kinetic_transition_network import KineticTransitionNetwork
from topsearch.global_optimisation.basin_hopping import BasinHopping
from topsearch.global_optimisation.perturbations import StandardPerturbation
from topsearch.potentials.test_functions import Camelback
from topsearch.sampling.exploration import NetworkSampling
from topsearch.similarity.similarity import StandardSimilarity
from topsearch.transition_states.hybrid_eigenvector_following import HybridEigenvectorFollowing
from topsearch.transition_states.nudged_elastic_band import NudgedElasticBand

FILES = ("min.data", "min.coords", "ts.data", "ts.coords", "pairlist")


def dump() -> None:
    """Map the six-hump camel and dump the network in the working directory."""
    np.random.seed(0)  # noqa: NPY002, it is what TopSearch draws from
    potential = Camelback()
    coords = StandardCoordinates(ndim=2, bounds=[(-3.0, 3.0), (-2.0, 2.0)])
    network = KineticTransitionNetwork()
    similarity = StandardSimilarity(distance_criterion=0.05, energy_criterion=0.01)
    hopping = BasinHopping(network, potential, similarity, StandardPerturbation(4.0))
    climbing = HybridEigenvectorFollowing(potential, ts_conv_crit=1e-5, ts_steps=50, pushoff=0.2)
    band = NudgedElasticBand(potential, 20.0, 10, 15, 1e-2)
    sampling = NetworkSampling(network, coords, hopping, climbing, band, similarity)
    sampling.get_minima(coords, 200, 1e-6, 100.0, test_valid=False)
    sampling.get_transition_states("ClosestEnumeration", 5)
    assert (network.n_minima, network.n_ts) == (6, 7)
    network.dump_network()


if __name__ == "__main__":
    here = Path(__file__).resolve().with_suffix("")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        dump()
        here.mkdir(exist_ok=True)
        for name in FILES:
            shutil.copy(name, here / name)
