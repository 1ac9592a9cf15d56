"""What can be explored."""

from bayescape.targets.gaussian_process import GaussianProcess
from bayescape.targets.target import Target, bounds_of

__all__ = ["GaussianProcess", "Target", "bounds_of"]
