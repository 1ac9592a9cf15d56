"""What belongs to draws beside themselves: pointwise log likelihoods, and replicated data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.arguments import shown
from bayescape.targets.target import Target

__all__ = ["GROUPS", "further_groups", "validate_groups"]

Array = NDArray[np.float64]

GROUPS = ("log_likelihood", "posterior_predictive")


def validate_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """The groups asked for.

    Raises
    ------
    ValueError
        If one of them is unknown.
    """
    asked = (groups,) if isinstance(groups, str) else groups
    if not isinstance(asked, Sequence) or any(group not in GROUPS for group in asked):
        raise ValueError(f"`groups` must be some of {GROUPS}, got {shown(groups)}")
    return tuple(asked)


def further_groups(
    target: Target, theta: Array, asked: Sequence[str], rng: np.random.Generator
) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, str]]:
    """Those of the groups asked for that a target can give.

    Parameters
    ----------
    target
        Gives them by methods ``pointwise_log_likelihood(theta)`` and
        ``posterior_predictive(theta, rng)``, which return arrays by variable, first axis ``B``.
    theta
        Draws, ``(chain, draw, d)``.
    asked
        Names of groups.
    rng
        For the replicated data.

    Returns
    -------
    groups, left_out
        Arrays ``(chain, draw, ...)`` by group and variable; and why a group is not there, for
        those that the target has in principle.
    """
    points, lead = theta.reshape(-1, theta.shape[-1]), theta.shape[:2]
    ways = {
        "log_likelihood": ("pointwise_log_likelihood", (points,)),
        "posterior_predictive": ("posterior_predictive", (points, rng)),
    }
    found: dict[str, dict[str, NDArray[Any]]] = {}
    left_out: dict[str, str] = {}
    for group in asked:
        method, arguments = ways[group]
        if not hasattr(target, method):
            continue
        try:
            arrays = getattr(target, method)(*arguments)
        except NotImplementedError as error:
            left_out[group] = str(error).strip().split("\n")[0]
            continue
        if arrays:
            found[group] = {k: np.reshape(v, (*lead, *v.shape[1:])) for k, v in arrays.items()}
    return found, left_out
