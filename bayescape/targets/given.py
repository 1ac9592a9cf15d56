"""Whatever a user hands over to be explored, as a target."""

from __future__ import annotations

from typing import Any

import pymc as pm

from bayescape.targets.pymc_density import from_pymc
from bayescape.targets.target import Target

__all__ = ["target_given"]


def target_given(given: Any, argument: str, alternatives: str = "a Target") -> Target:
    """A target as it is, and a PyMC model as a target.

    Parameters
    ----------
    given
        What was handed over.
    argument
        Its name, for the message.
    alternatives
        What else it may be, for the message.

    Raises
    ------
    ValueError
        If it is neither, or a model that `bayescape.from_pymc` does not take.
    """
    if isinstance(given, pm.Model):
        return from_pymc(given)
    if isinstance(given, type) or not isinstance(given, Target):
        raise ValueError(
            f"`{argument}` must be {alternatives} or a pymc.Model, got {type(given).__name__}"
        )
    return given
