"""What can be explored."""

from bayescape.targets.equivalence import Equivalence, Exchange
from bayescape.targets.gaussian_process import GaussianProcess
from bayescape.targets.gpytorch_density import from_gpytorch
from bayescape.targets.network_loss import NetworkLoss
from bayescape.targets.numpy_density import from_numpy
from bayescape.targets.pymc_density import from_pymc
from bayescape.targets.target import Target, bounds_of
from bayescape.targets.torch_density import from_torch

__all__ = [
    "Equivalence",
    "Exchange",
    "GaussianProcess",
    "NetworkLoss",
    "Target",
    "bounds_of",
    "from_gpytorch",
    "from_numpy",
    "from_pymc",
    "from_torch",
]
