"""Map a posterior's landscape before sampling it, and let the map choose the sampler."""

__version__ = "0.1.0"
