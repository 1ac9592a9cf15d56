"""PyMC without its announcements, for callers who report in their own way."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """PyMC announces what it draws at INFO, and warns of potentials, which our docs speak of.

    It also warns of the copy that it makes of a model: nobody goes on to use that one's GP objects.
    """
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The effect of Potentials", UserWarning)
            warnings.filterwarnings(
                "ignore", "Detected variables likely created by GP", UserWarning
            )
            yield
    finally:
        logger.setLevel(level)
