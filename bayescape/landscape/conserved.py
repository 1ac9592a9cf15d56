"""Conserved coordinates: what minima of one superbasin have in common and other minima have not.

Of a neural network the coordinates are its weights. They are compared after alignment, since two
networks whose hidden units stand in another order are the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescape.arguments import check_kind, check_number, check_whole, check_within, shown
from bayescape.landscape.passes import merges, superbasins
from bayescape.landscape.record import Landscape

__all__ = [
    "Conserved",
    "aligned_minima",
    "conserved",
    "determined",
    "false_discovery_rate",
    "widest_energy",
]

Array = NDArray[np.float64]

ALIGNMENTS = 5  # sweeps over all minima, each towards the mean that the last one left
ROOM = 8_000_000  # numbers that a block of permutations makes at a time


@dataclasses.dataclass(frozen=True)
class Conserved:
    """Which coordinates are conserved within groups of minima, and which over all of them.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per coordinate, by name; the columns are described at `conserved`.
    theta : numpy.ndarray
        The minima after alignment, ``(M, d)``, in the landscape's order.
    groups : tuple of tuple of int
        The groups, minima by position.
    energy : float or None
        Where the disconnectivity tree was cut, nats; ``None`` if the groups were given.
    alpha : float
        The false-discovery rate that was asked for.
    permutations : int
        How many permutations of the labels the p-values come from.
    """

    table: pd.DataFrame
    theta: Array
    groups: tuple[tuple[int, ...], ...]
    energy: float | None
    alpha: float
    permutations: int

    @property
    def chosen(self) -> NDArray[np.bool_]:
        """Which coordinates are conserved within groups, ``(d,)``."""
        return np.asarray(self.table["conserved"].values, dtype=bool)

    @property
    def common(self) -> NDArray[np.bool_]:
        """Which coordinates are conserved over all minima, ``(d,)``."""
        return np.asarray(self.table["common"].values, dtype=bool)

    def __repr__(self) -> str:
        sizes = ", ".join(str(len(group)) for group in self.groups[:8])
        more = ", ..." if len(self.groups) > 8 else ""
        where = "given" if self.energy is None else f"at {self.energy:.4f} nats"
        shown = self.table.sort_values(["p_value", "ratio"], kind="stable").head(10)
        return (
            f"<bayescape.Conserved: {self.chosen.sum()} of {len(self.table)} coordinates conserved "
            f"within groups, {self.common.sum()} over all minima, at a false-discovery rate of "
            f"{self.alpha:g}>\n  {len(self.groups)} groups {where}, of {sizes}{more} minima\n"
            f"{shown.to_string(float_format=lambda v: f'{v:.3g}')}"
        )


def conserved(
    landscape: Landscape,
    groups: Sequence[Sequence[int]] | None = None,
    *,
    energy: float | None = None,
    alpha: float = 0.05,
    permutations: int = 999,
    seed: int = 0,
) -> Conserved:
    """Find the coordinates that minima of one group share and minima of other groups do not.

    The minima are first brought as near to one another as the target's ``equivalence`` allows,
    without regard to the groups (`aligned_minima`). Two things are then asked of every coordinate,
    and answered separately.

    *Conserved within groups*: its spread within the groups is small against its spread over all
    minima, and smaller than when the same labels are dealt to the minima by chance. Only grouped
    minima count.

    *Common*: it is conserved over all minima, groups or none: its mean is large against its root
    mean square, and larger than when the signs of all coordinates of all minima are drawn by chance
    and the minima aligned again, for an alignment alone makes points look alike. A coordinate that
    is small in every minimum, as ``l2`` makes weights that nothing needs, is not common by this
    unless it has the same sign.

    Parameters
    ----------
    landscape
        A map with at least four minima.
    groups
        Minima by position; those in none are left out. By default the superbasins at ``energy``
        that hold at least two minima.
    energy
        Where to cut the disconnectivity tree, nats. By default the lowest energy at which the
        second largest superbasin holds the most minima.
    alpha
        The false-discovery rate: at most so many of the coordinates that are called conserved,
        on average, are so by chance. For ``common`` on its own again.
    permutations
        How many; no p-value is below ``1 / (permutations + 1)``.
        A single coordinate among ``d`` can be found with ``d / alpha`` of them or more. Each draw
        of signs takes an alignment of all minima, which for 100 of them is some milliseconds.
    seed
        Of the permutations and the signs.

    Returns
    -------
    Conserved
        Its ``table`` has a row for each coordinate, and the columns:

        ``mean``
            Over all minima.
        ``within``
            Standard deviation within groups, pooled: ``sqrt(SSW / (n - G))``.
        ``between``
            Standard deviation of the groups' means about the mean of all grouped minima, each
            minimum counted.
        ``all``
            Standard deviation over all grouped minima, ``sqrt(SST / (n - 1))``.
        ``ratio``
            ``within / all``; 0 where groups differ and their members do not, about 1 by chance.
        ``p_value``, ``q_value``
            One-sided, of a ratio as small by chance, with one added to both counts; and after
            Benjamini and Hochberg's correction.
        ``conserved``
            ``q_value <= alpha``.
        ``consistency``
            ``|mean| / rms`` over all minima, 1 if it is the same in all.
        ``common_p_value``, ``common_q_value``, ``common``
            As above, of the consistency.
        ``strength``
            ``|mean| / (sd + s)`` over all minima, with ``s`` the root mean square of all
            coordinates: near 0 for one that is small in every minimum, however consistently. It
            ranks coordinates that are conserved *and* of consequence; it is no test.
        ``determined``
            Root mean square over all minima of the coordinate in units of its harmonic standard
            deviation in each, the root of the diagonal of the Hessian's inverse: how far from zero
            the data hold it, in minimum after minimum. About 1 for a weight that they leave alone.
            It asks for no equal values, so minima that are far from one another, or poor, blur it
            less than they do ``strength``; it is no test. NaN without a positive definite Hessian.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the tree has no two superbasins of two minima.

    Notes
    -----
    Minima are no independent draws: the test says that the labels have to do with the coordinate
    for *these* minima. With few minima there are few ways to deal labels, and nothing can be
    significant: 4 minima in two pairs have three.

    References
    ----------
    Y. Benjamini, Y. Hochberg, J. R. Stat. Soc. B 57, 289 (1995); B. Phipson, G. K. Smyth, Stat.
    Appl. Genet. Mol. Biol. 9, 39 (2010), for p-values that are never zero; V. G. Tusher,
    R. Tibshirani, G. Chu, PNAS 98, 5116 (2001), for a constant beside the spread.
    """
    check_kind("landscape", landscape, Landscape, "a Landscape")
    check_number("alpha", alpha, 0)
    if alpha >= 1:
        raise ValueError(f"`alpha` must be below 1, got {alpha!r}")
    check_whole("permutations", permutations, 1)
    check_whole("seed", seed, 0)
    if energy is not None:
        check_within("energy", energy, -np.inf)
    if groups is not None and energy is not None:
        raise ValueError("`groups` or `energy` may be given, not both")
    count = landscape.minima.sizes["minimum"]
    if groups is None:
        energy = widest_energy(landscape) if energy is None else float(energy)
        found = [group for group in superbasins(landscape, energy) if len(group) > 1]
        if len(found) < 2:
            raise ValueError(
                f"`energy` must leave two superbasins of two minima or more, but at {energy:g} "
                f"nats there are {len(found)}; cut elsewhere, or give `groups`"
            )
        members = tuple(found)
    else:
        members = _checked(groups, count)
    rng = np.random.default_rng(seed)
    theta = aligned_minima(landscape)
    table = _within_groups(theta, members, permutations, rng)
    table |= _over_all(theta, landscape, permutations, rng)
    table["determined"] = determined(landscape, theta)
    for p in ("p_value", "common_p_value"):
        table[p.replace("p_value", "q_value")] = false_discovery_rate(table[p])
    frame = pd.DataFrame(table, index=pd.Index(landscape.names, name="coordinate"))
    frame["conserved"] = frame["q_value"] <= alpha
    frame["common"] = frame["common_q_value"] <= alpha
    columns = ["mean", "within", "between", "all", "ratio", "p_value", "q_value", "conserved"]
    columns += ["consistency", "common_p_value", "common_q_value", "common", "strength"]
    columns += ["determined"]
    return Conserved(frame[columns], theta, members, energy, float(alpha), permutations)


def aligned_minima(landscape: Landscape) -> Array:
    """The images of all minima that are nearest to one another, ``(M, d)``.

    Each is brought nearest to the lowest minimum, then to the mean of what this gave, until nothing
    changes or for a few sweeps. Without an ``equivalence`` they are left as they are.
    """
    theta = np.array(landscape.minima["theta"].values, dtype=float)
    return _aligned(theta, getattr(landscape.target, "equivalence", None))


def determined(landscape: Landscape, aligned: Array) -> Array:
    """Root mean square over minima of coordinates in harmonic standard deviations, ``(d,)``.

    Parameters
    ----------
    landscape
        The map; minima whose Hessian is not positive definite are left out.
    aligned
        What `aligned_minima` makes of it, ``(M, d)``.
    """
    alignment = getattr(getattr(landscape.target, "equivalence", None), "alignment", None)
    squares = []
    for m, image in enumerate(aligned):
        theta, hessian = (landscape.minima[name].values[m] for name in ("theta", "hessian"))
        if np.isfinite(hessian).all() and np.linalg.eigvalsh(hessian)[0] > 0:
            variance = np.diag(np.linalg.inv(hessian))
            index = slice(None) if alignment is None else alignment(theta, image)[0]
            squares.append(image**2 / variance[index])
    return np.sqrt(np.mean(squares, axis=0)) if squares else np.full(aligned.shape[1], np.nan)


def widest_energy(landscape: Landscape) -> float:
    """The lowest energy at which the second largest superbasin holds the most minima, nats.

    Raises
    ------
    ValueError
        If it never holds two.
    """
    best, found = 1, None
    for energy in [merge.energy for merge in merges(landscape)]:
        sizes = sorted((len(group) for group in superbasins(landscape, energy)), reverse=True)
        if len(sizes) > 1 and sizes[1] > best:
            best, found = sizes[1], energy
    if found is None:
        raise ValueError(
            "`landscape` has no energy at which two superbasins hold two minima each: give `groups`"
        )
    return found


def false_discovery_rate(p_values: Array) -> Array:
    """Benjamini and Hochberg's q-values of p-values, ``(d,)``."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(-p, kind="stable")
    ranks = np.arange(len(p), 0, -1)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(np.minimum(p[order] * len(p) / ranks, 1.0))
    return q


def _checked(groups: Sequence[Sequence[int]], count: int) -> tuple[tuple[int, ...], ...]:
    try:
        members = tuple(tuple(int(m) for m in group) for group in groups)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`groups` must be lists of minima by position, got {shown(groups)}"
        ) from error
    everyone = [m for group in members for m in group]
    if any(not 0 <= m < count for m in everyone):
        raise ValueError(f"`groups` must hold positions of the {count} minima, got {groups!r}")
    if len(set(everyone)) < len(everyone):
        raise ValueError("`groups` must not share minima")
    if len(members) < 2 or not all(members) or len(everyone) <= len(members):
        raise ValueError(
            "`groups` must be two or more, none empty and one with two minima at least, "
            f"got {[len(group) for group in members]} minima"
        )
    return members


def _aligned(theta: Array, equivalence: object | None) -> Array:
    align = getattr(equivalence, "align", None)
    if align is None or len(theta) < 2:
        return theta
    reference = theta[0]
    for _ in range(ALIGNMENTS):
        moved = np.asarray(align(theta, reference))
        still = np.array_equal(moved, theta)
        theta, reference = moved, moved.mean(axis=0)
        if still:
            break
    return theta


def _within_groups(
    theta: Array, groups: tuple[tuple[int, ...], ...], permutations: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Spreads within and between groups, and how often chance gives as small a one within."""
    sizes = np.array([len(group) for group in groups])
    label = np.repeat(np.arange(len(groups)), sizes)
    points = theta[[m for group in groups for m in group]]
    n, d = points.shape
    # In units of the spread over all, so that ties are told by one tolerance; constants are zero.
    spread = points.std(axis=0)
    moving = spread > 1e-12 * np.maximum(np.abs(points).max(axis=0), 1e-300)
    scaled = (points - points.mean(axis=0)) / np.where(moving, spread, np.inf)
    indicator = (label == np.arange(len(groups))[:, None]) / np.sqrt(sizes)[:, None]
    # SST is the same for every permutation, so a small SSW is a large sum between groups.
    between = ((indicator @ scaled) ** 2).sum(axis=0)
    exceeded = np.zeros(d)
    for block in _blocks(permutations, len(groups) * max(n, d)):
        orders = rng.permuted(np.tile(np.arange(n), (block, 1)), axis=1)
        chance = ((indicator[:, orders].transpose(1, 0, 2) @ scaled) ** 2).sum(axis=1)
        exceeded += (chance >= between - 1e-9 * n).sum(axis=0)
    squares = np.where(moving, n - between, 0.0).clip(min=0.0)
    within, every = np.sqrt(squares / (n - len(groups))), np.sqrt(n / (n - 1))
    return {
        "mean": theta.mean(axis=0),
        "within": within * spread,
        "between": np.sqrt(between / n) * spread,
        "all": every * spread,
        "ratio": np.where(moving, within / every, np.nan),
        "p_value": (1 + exceeded) / (1 + permutations),
    }


def _over_all(
    theta: Array, landscape: Landscape, permutations: int, rng: np.random.Generator
) -> dict[str, Array]:
    """How alike each coordinate is in all minima, and how often chance makes it so."""
    equivalence = getattr(landscape.target, "equivalence", None)
    consistency = _consistency(theta)
    exceeded = np.zeros(theta.shape[1])
    for _ in range(permutations):
        drawn = rng.choice([-1.0, 1.0], size=theta.shape) * theta
        exceeded += _consistency(_aligned(drawn, equivalence)) >= consistency - 1e-12
    size = np.sqrt((theta**2).mean())
    return {
        "consistency": consistency,
        "strength": np.abs(theta.mean(axis=0)) / (theta.std(axis=0) + (size or 1.0)),
        "common_p_value": (1 + exceeded) / (1 + permutations),
    }


def _consistency(theta: Array) -> Array:
    size = np.sqrt((theta**2).mean(axis=0))
    return np.abs(theta.mean(axis=0)) / np.where(size > 0, size, np.inf)


def _blocks(count: int, size: int) -> Iterator[int]:
    step = max(1, ROOM // size)
    for first in range(0, count, step):
        yield min(step, count - first)
