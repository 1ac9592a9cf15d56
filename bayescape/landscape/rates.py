"""How fast basins mix: harmonic rates over the transition states, and the slowest relaxation.

Barriers of hundreds of nats make rates that no float holds side by side, and an eigenvalue of their
matrix that rounding drowns. So the slowest relaxation is read from the inverse instead, and that is
built up of logarithms by sums of positive terms alone.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from bayescape.landscape.harmonic import occupation
from bayescape.landscape.record import Landscape, log_multiplicities

__all__ = ["change_rate", "crossing_rates", "harmonic_covariance", "relaxation_time"]

Array = NDArray[np.float64]


def crossing_rates(landscape: Landscape, metric: ArrayLike | None = None) -> Array:
    """Harmonic transition-state-theory rates between minima at temperature 1.

    ``k = (1 / 2 pi) (prod omega_minimum / prod omega_transition_state) exp(-barrier)``, with the
    angular frequencies ``omega`` those of unit-mass motion in the coordinates whitened by
    ``metric``: what Hamiltonian Monte Carlo with that mass matrix sees. A unit of time is the
    inverse of the frequency in a direction in which the metric equals the Hessian.

    Parameters
    ----------
    landscape
        The map, with Hessians.
    metric
        Mass matrix (inverse covariance), shape ``(d, d)``. By default the inverse of the harmonic
        superposition's covariance. The identity gives the rates of PATHSAMPLE.

    Returns
    -------
    numpy.ndarray
        Shape ``(M, M)``: entry ``[a, b]`` is the rate from ``a`` to ``b``, summed over their
        transition states; the diagonal is 0. Detailed balance holds with the harmonic occupation.
        A rate below the smallest float, over a barrier of some 745 nats, is 0.

    Raises
    ------
    ValueError
        If a minimum's Hessian is not known and positive definite, or a transition state's is not
        known with exactly one negative eigenvalue.

    References
    ----------
    H. Eyring, J. Chem. Phys. 3, 107 (1935); G. H. Vineyard, J. Phys. Chem. Solids 3, 121 (1957).
    """
    energies, states = landscape.minima["energy"].values, landscape.transition_states
    hessians = _whitened_hessians(landscape, metric)
    log_minima, log_states = _log_frequencies(landscape, *hessians)
    rates = np.zeros((len(energies), len(energies)))
    for s, (a, b) in enumerate(states["joins"].values):
        if a == b:
            continue
        for start, end in ((a, b), (b, a)):
            barrier = states["energy"].values[s] - energies[start]
            rates[start, end] += np.exp(log_minima[start] - log_states[s] - barrier) / (2 * np.pi)
    return rates


def change_rate(
    landscape: Landscape, metric: ArrayLike | None = None, *, between: float = 0.0
) -> float:
    """How often the basin changes at equilibrium, at the rates of `crossing_rates`.

    Parameters
    ----------
    landscape
        The map, with Hessians.
    metric
        As in `crossing_rates`.
    between
        Time from one draw to the next on a trajectory of constant energy. One that crosses into a
        narrow basin is back at the pass after a period, ``2 pi / omega`` with the basin's frequency
        along the pass's unstable mode, so where that is shorter a draw finds it there the more
        seldom: the crossing counts in proportion. By default every crossing counts.

    Returns
    -------
    float
        ``sum over a, b of p_a k_ab``, with ``p`` the harmonic occupations, for the same unit of
        time; 0 where no transition state joins two minima.

    Raises
    ------
    ValueError
        As `crossing_rates`.
    """
    _, log_c = _log_network(landscape, metric, between)
    return float(np.exp(log_c).sum())


def relaxation_time(
    landscape: Landscape,
    metric: ArrayLike | None = None,
    *,
    negligible: float = 0.0,
    between: float = 0.0,
) -> float:
    """Slowest relaxation time of the master equation that the crossing rates make.

    Parameters
    ----------
    landscape
        The map, with Hessians.
    metric
        As in `crossing_rates`.
    negligible
        The least occupied minima that together hold no more than this probability are passed
        through on the way between others, and not waited for.
    between
        Time between draws, as in `change_rate`.

    Returns
    -------
    float
        The inverse of the smallest non-zero rate of decay, in the units of `crossing_rates`:
        0 with a single minimum, ``+inf`` when a part of the graph cannot be reached or the time
        is beyond the largest float (barriers of some 700 nats).

    Raises
    ------
    ValueError
        As `crossing_rates`.

    Notes
    -----
    With ``p`` the occupations and ``c_ab = p_a k_ab = c_ba``, the generator is similar to
    ``p^(-1/2) L p^(-1/2)``, ``L`` the graph's Laplacian with conductances ``c``. The slowest
    relaxation is the largest eigenvalue of the pseudo-inverse of that, so of
    ``P p^(1/2) R p^(1/2) P`` with ``P`` the projector off ``p^(1/2)`` and ``R`` the inverse of
    ``L`` with its most occupied minimum grounded. ``R`` comes of eliminating one minimum after
    another, which subtracts nothing, so it is right to rounding whatever the span of the rates;
    the projection loses at most a factor of the number of minima. About ``M^3`` logarithms.

    References
    ----------
    S. A. Trygubenko, D. J. Wales, J. Chem. Phys. 124, 234110 (2006), for the elimination;
    W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985), for its accuracy.
    """
    count = landscape.minima.sizes["minimum"]
    if count < 2:
        return 0.0
    log_p, log_c = _log_network(landscape, metric, between)
    kept = np.ones(count, dtype=bool)
    if negligible > 0:
        rising = np.argsort(log_p, kind="stable")
        kept[rising] = np.cumsum(np.exp(log_p[rising])) > negligible
    ground = int(np.argmax(log_p))
    reached = list(nx.node_connected_component(landscape.graph, ground))
    if kept[reached].sum() < kept.sum():
        return np.inf
    if kept.sum() < 2:
        return 0.0

    # The most occupied minimum is grounded. The best joined come next, so that they are eliminated
    # last: a minimum with few neighbours leaves few new joins behind.
    degree = np.isfinite(log_c).sum(axis=1)
    degree[ground] = count
    order = np.array(sorted(reached, key=lambda m: -degree[m]))
    log_resistances = _log_resistances(log_c[np.ix_(order, order)])
    # The inverse's block is that of the network in which the minima outside of it are eliminated.
    order, block = order[kept[order]], np.ix_(kept[order], kept[order])
    half = 0.5 * log_p[order]
    log_times = half[:, None] + log_resistances[block] + half[None, :]
    scale = log_times.max()
    times, root = np.exp(log_times - scale), np.exp(half - 0.5 * logsumexp(2 * half))
    pull = times @ root
    projected = times - np.outer(root, pull) - np.outer(pull, root)
    projected += (root @ pull) * np.outer(root, root)
    slowest = scale + np.log(np.linalg.eigvalsh(projected)[-1])
    return float(np.exp(slowest)) if slowest < np.log(np.finfo(float).max) else np.inf


def harmonic_covariance(landscape: Landscape) -> Array:
    """Covariance ``(d, d)`` of the whole harmonic superposition, within and between basins.

    Parameters
    ----------
    landscape
        The map, with Hessians.

    Returns
    -------
    numpy.ndarray
        Shape ``(d, d)``, in the squared units of the coordinates.

    Raises
    ------
    ValueError
        If a minimum's Hessian is not known and positive definite.
    """
    theta, energies, hessians = (landscape.minima[k].values for k in ("theta", "energy", "hessian"))
    _check_index(hessians, 0, "minimum")
    p = occupation(energies, hessians, log_multiplicity=log_multiplicities(landscape.minima))
    centred = theta - p @ theta
    within = np.einsum("m,mij->ij", p, np.linalg.inv(hessians))
    return within + np.einsum("m,mi,mj->ij", p, centred, centred)


def _log_network(
    landscape: Landscape, metric: ArrayLike | None, between: float
) -> tuple[Array, Array]:
    """Logs of occupations ``(M,)`` and of conductances ``p_a k_ab``, ``(M, M)``, symmetric."""
    energies, states = landscape.minima["energy"].values, landscape.transition_states
    hessians = _whitened_hessians(landscape, metric)
    log_minima, log_states = _log_frequencies(landscape, *hessians)
    log_z = -energies - log_minima
    total = logsumexp(log_z)
    log_c = np.full((len(energies), len(energies)), -np.inf)
    flows = -states["energy"].values - log_states - total - np.log(2 * np.pi)
    if between > 0:
        flows += _log_found_there(states["joins"].values, *hessians, between)
    for (a, b), flow in zip(states["joins"].values, flows, strict=True):
        if a != b:
            log_c[a, b] = log_c[b, a] = np.logaddexp(log_c[a, b], flow)
    return log_z - total, log_c


def _log_frequencies(
    landscape: Landscape, at_minima: Array, at_states: Array
) -> tuple[Array, Array]:
    """Log product of the stable frequencies, by whitened Hessians: minima, transition states."""
    squares, squares_at_states = np.linalg.eigvalsh(at_minima), np.linalg.eigvalsh(at_states)
    # The first of a transition state's is that of the unstable mode. What stands for many images
    # counts as if its basin, or its pass, were as many times as wide.
    return (
        0.5 * np.log(squares).sum(axis=1) - log_multiplicities(landscape.minima),
        0.5 * np.log(squares_at_states[:, 1:]).sum(axis=1)
        - log_multiplicities(landscape.transition_states),
    )


def _log_found_there(
    joins: NDArray[np.int_], at_minima: Array, at_states: Array, between: float
) -> Array:
    """Log of the share of crossings, by transition state, that a draw finds where they lead."""
    unstable = np.linalg.eigh(at_states)[1][:, :, 0]
    ends = at_minima[joins]
    frequencies = np.sqrt(np.einsum("si,seij,sj->se", unstable, ends, unstable))
    return np.asarray(np.log(np.minimum(2 * np.pi / frequencies.max(axis=1) / between, 1.0)))


def _whitened_hessians(landscape: Landscape, metric: ArrayLike | None) -> tuple[Array, Array]:
    """Hessians of minima and transition states in coordinates in which the metric is one."""
    at_minima = landscape.minima["hessian"].values
    at_states = landscape.transition_states["hessian"].values
    _check_index(at_minima, 0, "minimum")
    _check_index(at_states, 1, "transition state")
    mass = np.linalg.inv(harmonic_covariance(landscape)) if metric is None else np.asarray(metric)
    whiten = np.linalg.inv(np.linalg.cholesky(mass))
    return whiten @ at_minima @ whiten.T, whiten @ at_states @ whiten.T


def _check_index(hessians: Array, index: int, kind: str) -> None:
    """Refuse points whose Hessian is not known, or has not ``index`` negative eigenvalues."""
    unknown = np.flatnonzero(~np.isfinite(hessians).all(axis=(1, 2)))
    if len(unknown):
        raise ValueError(
            f"`landscape` has no Hessian at {kind} {unknown[0]}, so there are no rates; "
            "a map from a file without Hessians gets them when it is read with `target`"
        )
    values = np.linalg.eigvalsh(hessians)
    wrong = np.flatnonzero(((values < 0).sum(axis=1) != index) | (values == 0).any(axis=1))
    if len(wrong):
        expected = "one negative eigenvalue" if index else "no negative eigenvalue"
        raise ValueError(
            f"`landscape`: the Hessian of {kind} {wrong[0]} should have {expected} and the others "
            f"positive, got {values[wrong[0]]}, so there are no rates"
        )


def _log_resistances(log_c: Array) -> Array:
    """Log of the inverse of the grounded Laplacian of a connected graph.

    Node 0 is grounded. Every other node in turn is eliminated, its neighbours being joined in its
    stead; the inverse is then built up again in the reverse order.

    Parameters
    ----------
    log_c
        Logs of the conductances, shape ``(M, M)``, symmetric, ``-inf`` where there is none.

    Returns
    -------
    numpy.ndarray
        Shape ``(M, M)``, symmetric; ``-inf`` in the ground's row and column.
    """
    log_c = log_c.copy()
    count = len(log_c)
    eliminated = []
    for x in range(count - 1, 0, -1):
        near = np.flatnonzero(np.isfinite(log_c[x, :x]))
        row = log_c[x, near]
        total = logsumexp(row)
        block = np.ix_(near, near)
        log_c[block] = np.logaddexp(log_c[block], (row - total)[:, None] + row)
        eliminated.append((x, near, row - total, total))
    found = np.full((count, count), -np.inf)
    for x, near, share, total in reversed(eliminated):
        across = logsumexp(share[:, None] + found[near, :x], axis=0)
        found[x, :x] = found[:x, x] = across
        found[x, x] = np.logaddexp(-total, logsumexp(share + across[near]))
    return found
