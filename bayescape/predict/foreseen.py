"""How much better an ensemble predicts new rows if any of the minima may be right about them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayescape.landscape.record import Landscape
from bayescape.predict.predictions import Predictions, even_positions, predictions_at
from bayescape.predict.validate import validate_target

__all__ = ["at_random_inputs", "foreseen_improvements"]

Array = NDArray[np.float64]

INPUTS = 100
NODES = 11  # of the quadrature over what may be observed
TRUTHS = 50  # minima that are taken for right in turn, at most


def at_random_inputs(landscape: Landscape, inputs: int = INPUTS) -> Predictions | None:
    """Predictions by all minima, equally weighted, where new rows may lie.

    The inputs are spread at random, always alike, over the box of the training inputs. ``None`` if
    the target does not keep these as ``X_raw``.
    """
    target = validate_target(landscape)
    X = getattr(target, "X_raw", None)
    if X is None:
        return None
    X = np.asarray(X, dtype=float)
    rng = np.random.default_rng(0)
    fresh = rng.uniform(X.min(axis=0), X.max(axis=0), (inputs, X.shape[1]))
    return predictions_at(target, landscape.minima["theta"].values, fresh)


def foreseen_improvements(each: Predictions, weights: Array, baseline: Array) -> Array:
    """Expected gain in log density over a baseline, when each component is right in turn.

    Parameters
    ----------
    each
        ``M`` components; their own weights do not count.
    weights
        Those of the mixtures that are judged, ``(K, M)``.
    baseline
        Those of the mixture to compare with, ``(M,)``.

    Returns
    -------
    numpy.ndarray
        Nats per row, ``(K,)``: the mean over components and inputs of the expected difference, by
        Gauss-Hermite quadrature.
    """
    nodes, shares = np.polynomial.hermite_e.hermegauss(NODES)
    shares = shares / shares.sum()
    means, sd = each.means, np.sqrt(each.variances)
    truths = even_positions(len(means), TRUTHS)
    total = np.zeros(len(weights))
    for k in truths:
        y = means[k] + sd[k] * nodes[:, None]
        z = (y - means[:, None]) / sd[:, None]
        logs = -0.5 * z**2 - np.log(sd)[:, None]
        against = _mixed(logs, baseline)
        total += [(shares @ (_mixed(logs, w) - against)).mean() for w in weights]
    return total / len(truths)


def _mixed(logs: Array, weights: Array) -> Array:
    used = weights > 0
    return np.asarray(logsumexp(logs[used], axis=0, b=weights[used, None, None]))
