"""Posteriors with known truth: what "never silently wrong" is measured on."""

from tests.reference.catalogue.adversaries import ADVERSARIES
from tests.reference.catalogue.gaussian_processes import GAUSSIAN_PROCESSES
from tests.reference.catalogue.mixtures import MIXTURES
from tests.reference.catalogue.posterior import Posterior, Truth
from tests.reference.catalogue.shapes import SHAPES

__all__ = ["CATALOGUE", "Posterior", "Truth"]

CATALOGUE: tuple[Posterior, ...] = (
    *MIXTURES,
    *SHAPES,
    *ADVERSARIES,
    *GAUSSIAN_PROCESSES,
)
