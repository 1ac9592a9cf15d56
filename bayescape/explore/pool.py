"""The stationary points found so far, each once, and how every search ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import networkx as nx
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescape.evaluations import Evaluations
from bayescape.explore.captors import Captors, image_near
from bayescape.explore.quench import QuenchStatus
from bayescape.explore.saddle import SaddleStatus
from bayescape.explore.symmetry import Symmetry
from bayescape.explore.tasks import Result
from bayescape.landscape.harmonic import log_volume, shares
from bayescape.landscape.record import Landscape

__all__ = ["FLAT", "Pool"]

Array = NDArray[np.float64]

FLAT = "quenches ended in a flat direction"
NO_END = "transition state with a downhill path to no minimum"


class Pool:
    """Minima and transition states as they are found, and their images under the symmetries.

    Parameters
    ----------
    symmetry
        Of the target: what is found is entered with all its images. Where there are too many to
        list, the image nearest to what is there already stands for them all.
    """

    def __init__(self, symmetry: Symmetry) -> None:
        self.symmetry = symmetry
        self.minima = Captors.none(symmetry.d, symmetry.equivalence)
        self.states = Captors.none(symmetry.d, symmetry.equivalence)
        self.volumes = np.empty(0)  # log, of each minimum's basin and its images' together
        self.hits = np.empty(0, dtype=int)  # by independent quenches: what coverage rests on
        self.seen = np.empty(0, dtype=int)  # by how many other searches it was come upon
        self.orbit = np.empty(0, dtype=int)  # first of the images that each minimum belongs to
        self.permutation = np.empty((len(symmetry), 0), dtype=int)  # of minima, by each operation
        self.joins: list[tuple[int, int]] = []
        self.ends: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.evaluations = Evaluations()
        self.flat: list[Array] = []
        self.lowest = dict.fromkeys((QuenchStatus.AT_BOUND, QuenchStatus.STUCK), np.inf)

    def enter(self, known: Landscape) -> None:
        """Enter an earlier map, whole."""
        minima, states = known.minima, known.transition_states
        place = np.empty(minima.sizes["minimum"], dtype=int)
        for m, (theta, energy, hessian) in enumerate(_points(minima)):
            place[m] = self._minimum(theta, float(energy), hessian)
            self.hits[place[m]] = minima["hits"].values[m]
        for (theta, energy, hessian), joins in zip(
            _points(states), states["joins"].values, strict=True
        ):
            a, b = place[joins]
            self._state(theta, float(energy), hessian, (int(a), int(b)))
        self.ends.clear()
        self.seen[:] = 0

    def merge(self, result: Result, numbers: NDArray[np.int_], *, independent: bool) -> None:
        """Enter what a task found.

        Parameters
        ----------
        result
            Of the task.
        numbers
            Positions here of the minima that the task knew, ``(M,)``.
        independent
            Whether its quenches began at scattered starts, so that they count as hits.
        """
        self.evaluations += result.evaluations
        self.errors.update(result.errors)
        self.flat += list(result.flat)
        new = [
            self._minimum(theta, float(energy), hessian)
            for theta, energy, hessian in zip(
                result.theta, result.energy, result.hessian, strict=True
            )
        ]
        place = np.array([*numbers, *new, -1], dtype=int)  # the last stands for none
        for minimum, code, energy in zip(
            place[result.quenched], result.quench_status, result.quench_end, strict=True
        ):
            status = QuenchStatus(code)
            captured = status is QuenchStatus.CAPTURED
            self.ends[QuenchStatus.MINIMUM.text if captured else status.text] += 1
            if status in self.lowest:
                self.lowest[status] = min(self.lowest[status], float(energy))
            if minimum >= 0:
                (self.hits if independent else self.seen)[minimum] += 1
        for code in result.saddle_status:
            if code != SaddleStatus.TRANSITION_STATE:
                self.ends[SaddleStatus(code).text] += 1
        for s, joins in enumerate(place[result.joins]):
            self._state(
                result.states[s],
                float(result.state_energy[s]),
                result.state_hessian[s],
                (int(joins[0]), int(joins[1])),
            )

    def _minimum(self, theta: Array, energy: float, hessian: Array) -> int:
        same = self.minima.same(theta[None], np.array([energy]))[0]
        if same.any():
            return int(same.argmax())
        first = len(self.minima)
        equivalence = self.symmetry.equivalence
        if first:
            theta, hessian = image_near(equivalence, theta, hessian, self.minima.points[0])
        volume = log_volume(hessian[None]) + (
            0.0 if equivalence is None else equivalence.log_multiplicity(theta)
        )
        for image, curvature in self.symmetry.images(theta, hessian):
            if not self.minima.same(image[None], np.array([energy]))[0, first:].any():
                self.minima = self.minima.with_point(image, energy, curvature)
        more = len(self.minima) - first
        self.volumes = np.append(self.volumes, np.repeat(volume, more))
        self.hits = np.append(self.hits, np.zeros(more, dtype=int))
        self.seen = np.append(self.seen, np.zeros(more, dtype=int))
        self.orbit = np.append(self.orbit, np.full(more, first))
        moved = [
            [
                first + int(self.minima.same(image[None], np.array([energy]))[0, first:].argmax())
                for image in self.symmetry.points(point)
            ]
            for point in self.minima.points[first:]
        ]
        self.permutation = np.concatenate([self.permutation, np.array(moved, dtype=int).T], axis=1)
        return first

    def _state(self, theta: Array, energy: float, hessian: Array, joins: tuple[int, int]) -> None:
        if self.states.same(theta[None], np.array([energy])).any():
            self.ends[SaddleStatus.CAPTURED.text] += 1
            return
        if min(joins) < 0:
            self.ends[NO_END] += 1
            return
        self.ends[SaddleStatus.TRANSITION_STATE.text] += 1
        for minimum in joins:
            self.seen[minimum] += 1
        near = self.minima.points[joins[0]]
        theta, hessian = image_near(self.symmetry.equivalence, theta, hessian, near)
        for g, (image, curvature) in enumerate(self.symmetry.images(theta, hessian)):
            if not self.states.same(image[None], np.array([energy])).any():
                self.states = self.states.with_point(image, energy, curvature)
                a, b = (int(self.permutation[g, m]) for m in joins)
                self.joins.append((a, b))

    def occupation(self) -> Array:
        """Harmonic occupation of each minimum, ``(M,)``."""
        return shares(self.volumes - self.minima.energies)

    def log_multiplicities(self) -> tuple[Array, Array] | None:
        """Logs of how many images minima and transition states have; ``None`` if all are listed."""
        equivalence = self.symmetry.equivalence
        if equivalence is None:
            return None
        at_minima, at_states = (
            np.asarray(equivalence.log_multiplicity(known.points), dtype=float)
            for known in (self.minima, self.states)
        )
        return at_minima, at_states

    def unconfirmed(self, worth: float, hits: int) -> NDArray[np.int_]:
        """Minima occupied above ``worth``, images together, that were hit less than ``hits``."""
        size = len(self.orbit)
        held = np.bincount(self.orbit, self.occupation(), size)[self.orbit]
        hit = np.bincount(self.orbit, self.hits, size)[self.orbit]
        return np.flatnonzero((held > worth) & (hit < hits))

    def components(self) -> list[set[int]]:
        """Minima by connected part of the graph."""
        graph = nx.Graph(self.joins)
        graph.add_nodes_from(range(len(self.minima)))
        return [set(part) for part in nx.connected_components(graph)]

    def orbit_counts(self, counts: NDArray[np.int_]) -> NDArray[np.int_]:
        """Sum counts of minima over each set of images."""
        return np.bincount(self.orbit, counts, minlength=len(self.orbit)).astype(int)[
            np.unique(self.orbit)
        ]

    def warnings(self, names: Sequence[str], flat: int) -> list[str]:
        """What searches came to that a reader must know of, ``flat`` directions in all."""
        warnings = []
        lowest = self.minima.energies.min() if len(self.minima) else np.inf
        below = {status: lowest - energy for status, energy in self.lowest.items()}
        if 0 < below[QuenchStatus.AT_BOUND] < np.inf:
            warnings.append(
                f"A quench ended at a bound {below[QuenchStatus.AT_BOUND]:.3g} nats "
                "below the lowest minimum: the bounds cut the landscape where it matters."
            )
        if 0 < below[QuenchStatus.STUCK] < np.inf:
            warnings.append(
                f"A quench got stuck {below[QuenchStatus.STUCK]:.3g} nats below the lowest "
                "minimum, where no step lowers the energy: its gradient may be wrong or jump "
                "there, or the energy ends."
            )
        if self.flat:
            shares = np.mean(np.square(self.flat), axis=0)
            most = [names[i] for i in np.argsort(-shares) if shares[i] > 0.2][:3]
            warnings.append(
                f"{flat} {FLAT}, mostly along {', '.join(most) or 'many coordinates'}: the density "
                "may not be normalisable there."
            )
        for text, count in self.errors.most_common(3):
            warnings.append(f"The target raised {count} times, where it was taken as +inf: {text}")
        return warnings


def _points(of: xr.Dataset) -> Iterator[tuple[Array, Array, Array]]:
    """Each point of a map with its energy and its Hessian."""
    return zip(*(of[name].values for name in ("theta", "energy", "hessian")), strict=True)
