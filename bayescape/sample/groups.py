"""What belongs to draws beside themselves: pointwise log likelihoods, and replicated data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape.arguments import shown
from bayescape.targets.target import Target

__all__ = ["further_groups", "validate_groups"]

Array = NDArray[np.float64]

# Observations up to which a group is added unasked. The matrix of a Gaussian process is inverted
# anew for every draw, and for replicates factorised once more.
UNASKED = {"log_likelihood": 500, "posterior_predictive": 200}


def validate_groups(groups: Sequence[str] | None) -> None:
    """Refuse what is neither ``None`` nor names of groups.

    Raises
    ------
    ValueError
        If one of them is unknown.
    """
    asked = () if groups is None else _named(groups)
    if not isinstance(asked, Sequence) or any(group not in UNASKED for group in asked):
        raise ValueError(f"`groups` must be some of {tuple(UNASKED)}, got {shown(groups)}")


def _named(groups: Sequence[str]) -> Sequence[str]:
    return (groups,) if isinstance(groups, str) else groups


def further_groups(
    target: Target, theta: Array, groups: Sequence[str] | None, rng: np.random.Generator
) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, str]]:
    """Those of the groups asked for that a target can give.

    Parameters
    ----------
    target
        Gives them by methods ``pointwise_log_likelihood(theta)`` and
        ``posterior_predictive(theta, rng)``, which return arrays by variable, first axis ``B``.
    theta
        Draws, ``(chain, draw, d)``.
    groups
        Their names; by default those that do not cost much.
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
    observed = sum(np.size(y) for y in getattr(target, "observed", {}).values())
    for group in UNASKED if groups is None else _named(groups):
        method, arguments = ways[group]
        if not hasattr(target, method):
            continue
        if groups is None and observed > UNASKED[group]:
            left_out[group] = (
                f"not added unasked for more than {UNASKED[group]} observations, here {observed}: "
                f"give groups=[{group!r}]"
            )
            continue
        try:
            arrays = getattr(target, method)(*arguments)
        except NotImplementedError as error:
            left_out[group] = str(error).strip().split("\n")[0]
            continue
        if arrays:
            found[group] = {k: np.reshape(v, (*lead, *v.shape[1:])) for k, v in arrays.items()}
    return found, left_out
