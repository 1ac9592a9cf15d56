"""How much of a landscape is known, from how often each minimum was hit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["expected_coverage", "expected_minima", "missing_mass", "quenches_to_settle"]


def expected_minima(hits: ArrayLike) -> float:
    """Posterior mean of the number of minima, ``w (n - 1) / (n - w - 2)``.

    Parameters
    ----------
    hits
        How many of ``n`` independent quenches ended in each of the ``w`` minima found, ``(w,)``.

    Returns
    -------
    float
        At least ``w``; ``+inf`` while ``n <= w + 2``, when the mean does not exist.

    References
    ----------
    C. G. E. Boender, A. H. G. Rinnooy Kan, "Bayesian stopping rules for multistart global
    optimization methods", Math. Program. 37, 59 (1987).
    """
    w, n = _counts(hits)
    return w * (n - 1) / (n - w - 2) if n > w + 2 else np.inf


def expected_coverage(hits: ArrayLike) -> float:
    """Posterior mean of the probability that another quench ends in a known minimum.

    ``(n - w - 1)(n + w) / (n (n - 1))``, Boender and Rinnooy Kan (1987); 0 while ``n <= w + 1``.
    """
    w, n = _counts(hits)
    return (n - w - 1) * (n + w) / (n * (n - 1)) if n > w + 1 else 0.0


def missing_mass(hits: ArrayLike) -> float:
    """Good and Turing's estimate of the probability of an unknown minimum: the share hit once.

    I. J. Good, "The population frequencies of species and the estimation of population parameters",
    Biometrika 40, 237 (1953). It is 1 before the first hit.
    """
    hits = np.asarray(hits)
    return float((hits == 1).sum() / hits.sum()) if hits.sum() else 1.0


def quenches_to_settle(found: int) -> int:
    """Quenches after which `expected_minima` lies less than half a minimum above ``found``.

    The fewest ``n`` with ``w (n - 1) / (n - w - 2) < w + 1/2``.
    """
    return 2 * found**2 + 3 * found + 3


def _counts(hits: ArrayLike) -> tuple[int, int]:
    hits = np.asarray(hits, dtype=int)
    return int((hits > 0).sum()), int(hits.sum())
