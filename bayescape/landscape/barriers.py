"""Reading the graph: barriers between minima, how basins merge, and how fast they mix."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescape.landscape.harmonic import occupation
from bayescape.landscape.record import Landscape

__all__ = [
    "Merge",
    "crossing_rates",
    "harmonic_covariance",
    "merges",
    "pass_energies",
    "relaxation_time",
]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Merge:
    """Two superbasins that become one as the energy rises past a transition state.

    Attributes
    ----------
    energy
        Energy of the transition state, nats.
    transition_state
        Its position in the landscape.
    left, right
        The minima of either superbasin below that energy, by position, the one with the lower
        lowest minimum first.
    """

    energy: float
    transition_state: int
    left: tuple[int, ...]
    right: tuple[int, ...]


def merges(landscape: Landscape) -> list[Merge]:
    """The merging of superbasins, lowest first: a minimum spanning forest by Kruskal's rule.

    Parameters
    ----------
    landscape
        The map. Transition states that join a superbasin to itself merge nothing.

    Returns
    -------
    list of Merge
        At most one fewer than there are minima; fewer where the graph is not connected.
    """
    states = landscape.transition_states
    superbasin: dict[int, tuple[int, ...]] = {
        m: (m,) for m in range(landscape.minima.sizes["minimum"])
    }
    found = []
    for s in np.argsort(states["energy"].values, kind="stable"):
        a, b = (superbasin[int(m)] for m in states["joins"].values[s])
        if a == b:
            continue
        left, right = sorted((a, b))
        found.append(Merge(float(states["energy"].values[s]), int(s), left, right))
        together = tuple(sorted(a + b))
        superbasin.update(dict.fromkeys(together, together))
    return found


def pass_energies(landscape: Landscape) -> Array:
    """Energy of the lowest pass between every two minima, minimax over the paths that are known.

    Returns
    -------
    numpy.ndarray
        Shape ``(M, M)``, symmetric, nats: a minimum's own energy on the diagonal, ``+inf`` where
        no path is known. The barrier from ``a`` to ``b`` is ``passes[a, b] - energy[a]``.
    """
    energies = landscape.minima["energy"].values
    passes = np.full((len(energies), len(energies)), np.inf)
    np.fill_diagonal(passes, energies)
    for merge in merges(landscape):
        passes[np.ix_(merge.left, merge.right)] = merge.energy
        passes[np.ix_(merge.right, merge.left)] = merge.energy
    return passes


def crossing_rates(landscape: Landscape, metric: ArrayLike | None = None) -> Array:
    """Harmonic transition-state-theory rates between minima at temperature 1.

    ``k = (1 / 2 pi) (prod omega_minimum / prod omega_transition_state) exp(-barrier)``, with the
    angular frequencies ``omega`` those of unit-mass motion in the coordinates whitened by
    ``metric``: what Hamiltonian Monte Carlo with that mass matrix sees. A unit of time is the
    inverse of the frequency in a direction in which the metric equals the Hessian.

    Parameters
    ----------
    landscape
        The map.
    metric
        Mass matrix (inverse covariance), shape ``(d, d)``. By default the inverse of the harmonic
        superposition's covariance.

    Returns
    -------
    numpy.ndarray
        Shape ``(M, M)``: entry ``[a, b]`` is the rate from ``a`` to ``b``, summed over their
        transition states; the diagonal is 0. Detailed balance holds with the harmonic occupation.

    References
    ----------
    H. Eyring, J. Chem. Phys. 3, 107 (1935); G. H. Vineyard, J. Phys. Chem. Solids 3, 121 (1957).
    """
    minima, states = landscape.minima, landscape.transition_states
    mass = np.linalg.inv(harmonic_covariance(landscape)) if metric is None else np.asarray(metric)
    whiten = np.linalg.inv(np.linalg.cholesky(mass))
    at_minima = np.linalg.eigvalsh(whiten @ minima["hessian"].values @ whiten.T)
    at_states = np.linalg.eigvalsh(whiten @ states["hessian"].values @ whiten.T)
    log_minima = 0.5 * np.log(at_minima).sum(axis=1)
    log_states = 0.5 * np.log(at_states[:, 1:]).sum(axis=1)  # the first is the unstable mode

    rates = np.zeros((minima.sizes["minimum"],) * 2)
    for s, (a, b) in enumerate(states["joins"].values):
        if a == b:
            continue
        for start, end in ((a, b), (b, a)):
            barrier = states["energy"].values[s] - minima["energy"].values[start]
            rates[start, end] += np.exp(log_minima[start] - log_states[s] - barrier) / (2 * np.pi)
    return rates


def relaxation_time(landscape: Landscape, metric: ArrayLike | None = None) -> float:
    """Slowest relaxation time of the master equation that the crossing rates make.

    Parameters
    ----------
    landscape, metric
        As in `crossing_rates`.

    Returns
    -------
    float
        The inverse of the smallest non-zero rate of decay, in the units of `crossing_rates`:
        0 with a single minimum, ``+inf`` when a part of the graph cannot be reached.
    """
    energies, hessians = (landscape.minima[k].values for k in ("energy", "hessian"))
    if len(energies) < 2:
        return 0.0
    if len(merges(landscape)) < len(energies) - 1:
        return np.inf
    rates = crossing_rates(landscape, metric)
    # Scaled by the square roots of the occupation, the generator is symmetric (detailed balance).
    root = np.sqrt(np.maximum(occupation(energies, hessians), 1e-300))
    generator = rates * root[:, None] / root[None, :]
    generator = 0.5 * (generator + generator.T)
    np.fill_diagonal(generator, -rates.sum(axis=1))
    slowest = -np.linalg.eigvalsh(generator)[-2]
    return float(1 / slowest) if slowest > 0 else np.inf


def harmonic_covariance(landscape: Landscape) -> Array:
    """Covariance ``(d, d)`` of the whole harmonic superposition, within and between basins."""
    theta, energies, hessians = (landscape.minima[k].values for k in ("theta", "energy", "hessian"))
    p = occupation(energies, hessians)
    centred = theta - p @ theta
    within = np.einsum("m,mij->ij", p, np.linalg.inv(hessians))
    return within + np.einsum("m,mi,mj->ij", p, centred, centred)
