"""Which basins points belong to: quenched where it matters, guessed without quenches elsewhere."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayescape.explore.basins import assign_basins
from bayescape.landscape.record import Landscape
from bayescape.sample.downhill import comes_down_to
from bayescape.sample.superposition import Superposition
from bayescape.targets.target import Target

__all__ = ["Membership", "membership", "responsibilities_of_basins"]

Array = NDArray[np.float64]

BATCH = 8  # quenches at a time, and at least
GROWTH = 0.25  # of a batch over all before it
PRECISE = 0.01  # standard error that not quenching all may add to an occupation, at least
RIGHT, WRONG = 3.0, 1.0  # points' worth of ways downhill that are taken for so to begin with
SPARE = 0.05  # points' worth of every basin that a component is taken to serve to begin with
EVEN = 0.1  # doubt that is added to all, so that errors where there seems to be none show too
ROUNDS = 40  # in which the basins of points are brought in line with what basins hold
MOST = 0.7  # of the weight quenched, after which the rest is quenched too


@dataclasses.dataclass(frozen=True, slots=True)
class Membership:
    """Basins of weighted points.

    Attributes
    ----------
    basins
        Position of each point's minimum, ``(N,)``: by quench for those that were quenched, -1 where
        it ended in no minimum of the map; by the guess for the others, with which every basin holds
        its share to within the standard error.
    quenched
        Which were, ``(N,)``.
    share
        Weight by minimum, ``(M,)``, corrected for what the quenches found.
    unknown
        Weight of what quenches to no minimum of the map, so corrected.
    standard_error
        Of ``share``, from not quenching all, ``(M,)``; zero when all were.
    """

    basins: NDArray[np.int_]
    quenched: NDArray[np.bool_]
    share: Array
    unknown: float
    standard_error: Array


def membership(
    target: Target,
    theta: Array,
    energies: Array,
    weights: Array,
    landscape: Landscape,
    superposition: Superposition,
    rng: np.random.Generator,
) -> Membership:
    """Tell which basin each point belongs to, quenching as few as give precise occupations.

    Every point is assigned to the basin that the superposition's responsibilities and the way
    downhill over other points (`comes_down_to`) together make the most probable. Some are quenched,
    chosen at random with probability in proportion to their weight and to the doubt about them; the
    share of each minimum is corrected by the average difference between quench and assignment,
    weighted inversely to the chance of being chosen (Hansen and Hurwitz's estimator). Which basins
    a component serves, and how often the way downhill is right, is then learnt from what was
    quenched, and another batch follows, until the correction is as precise as the points are many
    or every point of any weight has been quenched. What a batch is compared with was learnt before
    it, so that no estimate is biased.

    Parameters
    ----------
    target
        Evaluated by the quenches.
    theta, energies, weights
        Points ``(N, d)``, their energies and what they weigh, ``(N,)``, the latter summing to one.
    landscape
        The map.
    superposition
        Fitted from the map.
    rng
        Chooses which to quench.

    Returns
    -------
    Membership

    References
    ----------
    M. H. Hansen, W. N. Hurwitz, "On the theory of sampling from finite populations", Ann. Math.
    Stat. 14, 333 (1943).
    """
    count = landscape.minima.sizes["minimum"]
    precise = max(PRECISE, 0.7 * np.sqrt((weights**2).sum()))
    parts = superposition.component_log_prob(theta)
    responsible = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
    serves = SPARE + (superposition.basins[:, None] == np.arange(count))
    if count > 1:
        bottoms, depths = (landscape.minima[k].values for k in ("theta", "energy"))
        metric = np.linalg.inv(superposition.within_covariance())
        below = comes_down_to(theta, energies, bottoms, depths, np.asarray(metric, dtype=float))
    else:  # there is nothing to guess
        below = np.zeros(len(theta), dtype=int)
    right, wrong = RIGHT, WRONG
    labels, quenched = np.full(len(theta), -1), np.zeros(len(theta), dtype=bool)
    sizes, shares, corrections = [], [], np.empty((0, count + 1))
    while True:
        belief = responsible @ (serves / serves.sum(axis=1, keepdims=True))
        odds = right / wrong * max(count - 1, 1)  # for the basin that a point comes down to
        belief *= np.where(below[:, None] == np.arange(count), odds, 1.0)
        belief /= belief.sum(axis=1, keepdims=True)
        assigned = belief.argmax(axis=1)
        doubt = np.sqrt(1 - np.minimum(belief.max(axis=1), 1.0)) + EVEN
        chance = weights * doubt / (weights @ doubt)
        size = max(BATCH, int(GROWTH * len(corrections)))
        batch = rng.choice(len(theta), size, p=chance)
        fresh = np.setdiff1d(batch, np.flatnonzero(quenched))
        if weights[quenched].sum() > MOST:  # little would be saved any more
            fresh = np.flatnonzero(~quenched & (weights > 0))
        labels[fresh] = assign_basins(target, theta[fresh], landscape)
        quenched[fresh] = True
        basins = np.where(quenched, labels, assigned)
        if quenched[weights > 0].all():
            share = _shares(basins, weights, count)
            return Membership(basins, quenched, share[:-1], float(share[-1]), np.zeros(count))

        # What quenches say beyond the assignment, by minimum and, last, for none of them.
        found = np.zeros((size, count + 1))
        astray = np.flatnonzero(labels[batch] != assigned[batch])
        worth = weights[batch[astray]] / chance[batch[astray]]
        found[astray, labels[batch[astray]]] += worth  # -1 is the last column
        found[astray, assigned[batch[astray]]] -= worth
        corrections = np.concatenate([corrections, found])
        sizes.append(size)
        shares.append(_shares(assigned, weights, count) + found.mean(axis=0))
        # No less than by half of one wrong, of those looked at least: none in a batch, of which all
        # were chosen for doubt, says little of those beyond doubt.
        many, worth = np.sqrt(len(corrections)), weights @ doubt / doubt.min()
        error = np.maximum(corrections.std(axis=0), 0.5 * worth / many) / many
        if error.max() < precise:
            share = np.clip(np.average(shares, axis=0, weights=sizes), 0.0, 1.0)
            share /= share.sum()
            basins = _brought_in_line(belief, basins, quenched, weights, share[:-1], error[:-1])
            return Membership(basins, quenched, share[:-1], float(share[-1]), error[:-1])
        known = fresh[labels[fresh] >= 0]
        np.add.at(serves.T, labels[known], responsible[known])
        # Those in doubt are chosen too often to stand for all.
        stands_for = weights[fresh] / chance[fresh]
        agrees = below[fresh] == labels[fresh]
        right += stands_for[agrees].sum()
        wrong += stands_for[~agrees].sum()


def _shares(basins: NDArray[np.int_], weights: Array, count: int) -> Array:
    """Weight in each basin, and, last, in none."""
    held = np.bincount(np.where(basins < 0, count, basins), weights, minlength=count + 1)
    return np.asarray(held, dtype=float)


def _brought_in_line(
    belief: Array,
    basins: NDArray[np.int_],
    quenched: NDArray[np.bool_],
    weights: Array,
    share: Array,
    error: Array,
) -> NDArray[np.int_]:
    """Basins by belief, so weighted that each holds its share to within a standard error.

    A factor by basin is raised or lowered until it does, by steps that grow as long as they go one
    way: of a basin that holds too much, the points most in doubt go elsewhere.
    """
    count, best, least = len(share), basins, np.inf
    log_belief = np.log(np.maximum(belief, 1e-300))
    factors, steps, before = np.zeros(count), np.full(count, 0.05), np.zeros(count)
    for _ in range(ROUNDS):
        lacks = share - _shares(basins, weights, count)[:-1]
        lacks = np.sign(lacks) * np.maximum(np.abs(lacks) - error, 0.0)
        if np.abs(lacks).max() < least:
            best, least = basins, np.abs(lacks).max()
        if least == 0:
            break
        goes_on = before * np.sign(lacks)  # 0 where there was, or is, nothing to do
        steps *= np.where(goes_on > 0, 1.3, np.where(goes_on < 0, 0.5, 1.0))
        before = np.sign(lacks)
        factors += steps * before
        basins = np.where(quenched, basins, (log_belief + factors).argmax(axis=1))
    return best


def responsibilities_of_basins(superposition: Superposition, theta: Array, count: int) -> Array:
    """Probability of each basin given a point by the components placed for basins, ``(N, M)``."""
    of_basin = superposition.basins >= 0
    parts = superposition.component_log_prob(theta)[:, of_basin]
    parts = np.exp(parts - parts.max(axis=1, keepdims=True))
    parts /= parts.sum(axis=1, keepdims=True)
    member = superposition.basins[of_basin][:, None] == np.arange(count)
    return np.asarray(parts @ member)
