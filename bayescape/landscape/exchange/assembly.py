"""A map put together from what a file holds, and what can be had from the target besides."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescape.evaluations import Counted, Evaluations
from bayescape.landscape.record import Landscape
from bayescape.targets.target import Target

__all__ = [
    "NO_HESSIANS",
    "ONLY_LOG_PRODUCTS",
    "Points",
    "assemble",
    "check_energies",
    "check_names",
    "log_products",
    "with_log_products",
]

Array = NDArray[np.float64]

NO_HESSIANS = (
    "the map has no Hessians: its energies, barriers and disconnectivity graph can be read, but "
    "volumes, occupations, thermodynamics, rates and samples cannot be computed"
)
ONLY_LOG_PRODUCTS = (
    "the map has log products of the Hessians' eigenvalues but no Hessians: occupations and "
    "thermodynamics take each product to be of as many eigenvalues as there are coordinates, and "
    "rates and samples cannot be computed"
)
NO_COVERAGE = "how the minima were found is not known, so coverage is not either and counts as 0"

# Of a target's energies computed elsewhere: another BLAS, an ill-conditioned covariance.
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True, slots=True)
class Points:
    """Stationary points of one kind as a file holds them, in the file's order.

    Attributes
    ----------
    theta
        Shape ``(N, d)``.
    energies
        Shape ``(N,)``, nats.
    log_products
        Log of the product of each Hessian's positive eigenvalues, shape ``(N,)``, or ``None``.
    """

    theta: Array
    energies: Array
    log_products: Array | None = None


def assemble(
    minima: Points,
    states: Points,
    joins: NDArray[np.int_],
    *,
    names: Sequence[str],
    target: Target | None,
    argument: str,
    source: str,
    rounding: float = 0.0,
    warnings: Sequence[str] = (),
) -> Landscape:
    """Make a map of points without Hessians.

    With a target, its energies and Hessians at the points are taken, once the file's energies have
    been found to agree with them. Without one, Hessians are NaN and a warning says what that means.

    Parameters
    ----------
    minima, states
        The points.
    joins
        Rows of ``minima``, shape ``(S, 2)``.
    names
        Labels of the ``d`` coordinates.
    target
        What was mapped, or ``None``.
    argument, source
        Name of the caller's argument, and what was read, for messages.
    rounding
        By how much the file's energies may differ from the true ones because of how they are
        written.
    warnings
        What else a reader must know.

    Raises
    ------
    ValueError
        If the target's energies are not those of the file.
    """
    d, split = len(names), len(minima.energies)
    theta = np.concatenate([minima.theta.reshape(-1, d), states.theta.reshape(-1, d)])
    energies = np.concatenate([minima.energies, states.energies])
    hessians = np.full((len(theta), d, d), np.nan)
    spent, notes = Evaluations(), [*warnings, NO_COVERAGE]
    if target is not None and len(theta):
        counted = Counted(target)
        energies = check_energies(counted, theta, energies, split, argument, source, rounding)
        hessians = counted.hessian(theta)
        spent = counted.evaluations
    elif target is None:
        notes.append(NO_HESSIANS if minima.log_products is None else ONLY_LOG_PRODUCTS)
    landscape = Landscape.from_arrays(
        names=names,
        minima=theta[:split],
        energies=energies[:split],
        hessians=hessians[:split],
        hits=np.zeros(split, dtype=int),
        transition_states=theta[split:],
        transition_energies=energies[split:],
        transition_hessians=hessians[split:],
        joins=joins,
        coverage=0.0,
        evaluations=spent,
        stopped=f"read from {source}",
        warnings=notes,
        target=target,
    )
    if target is not None or minima.log_products is None or states.log_products is None:
        return landscape
    return with_log_products(
        landscape,
        minima.log_products[np.argsort(minima.energies, kind="stable")],
        states.log_products[np.argsort(states.energies, kind="stable")],
    )


def with_log_products(landscape: Landscape, at_minima: Array, at_states: Array) -> Landscape:
    """Return the map with the log products of its Hessians' eigenvalues, in its own order."""
    return dataclasses.replace(
        landscape,
        minima=landscape.minima.assign(log_product=("minimum", at_minima)),
        transition_states=landscape.transition_states.assign(
            log_product=("transition_state", at_states)
        ),
    )


def log_products(points: xr.Dataset) -> Array:
    """Log of the product of the positive eigenvalues of each point's Hessian; NaN if not known."""
    hessians = points["hessian"].values
    stored = points.get("log_product")
    known = np.isfinite(hessians).all(axis=(1, 2))
    values = np.linalg.eigvalsh(np.where(known[:, None, None], hessians, 0.0))
    products = np.log(np.where(values > 0, values, 1.0)).sum(axis=1)
    return np.where(known, products, np.nan if stored is None else stored.values)


def check_energies(
    target: Target,
    theta: Array,
    energies: Array,
    split: int,
    argument: str,
    source: str,
    rounding: float = 0.0,
) -> Array:
    """Return the target's energies at the points, if they are those that the file gives."""
    own = np.asarray(target.energy(theta))
    with np.errstate(invalid="ignore"):
        off = np.abs(own - energies) / (rounding + TOLERANCE * np.maximum(1, np.abs(energies)))
    worst = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
    if not off[worst] <= 1:
        kind = "minimum" if worst < split else "transition state"
        row = worst + 1 if worst < split else worst - split + 1
        raise ValueError(
            f"`target` is not what {source} (`{argument}`) maps: at {kind} {row} of the file its "
            f"energy is {own[worst]:.6f}, and the file's {energies[worst]:.6f}"
        )
    return own


def check_names(
    names: Sequence[str] | None, target: Target | None, d: int | None, argument: str, source: str
) -> tuple[str, ...]:
    """Return the labels of the coordinates: as given, else the target's, else made up.

    Parameters
    ----------
    names, target
        As the caller got them.
    d
        How many coordinates the file's points have; ``None`` if it holds no point.
    argument, source
        For messages.
    """
    if names is not None:
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"`names` must be one string for each coordinate, got {names!r}")
        if len(set(names)) != len(names):
            raise ValueError(f"`names` must differ from one another, got {tuple(names)}")
    if target is not None:
        if names is not None and tuple(names) != tuple(target.names):
            raise ValueError(
                f"`names` must be those of `target`, {tuple(target.names)}, got {tuple(names)}"
            )
        names = target.names
    if names is None:
        if d is None:
            raise ValueError(
                f"`{argument}`: {source} hold no minimum, so nothing tells the coordinates; "
                "give `names`"
            )
        names = [f"x[{i}]" for i in range(d)]
    if d is not None and len(names) != d:
        given = "names" if target is None else "target"
        raise ValueError(
            f"`{given}` has {len(names)} coordinates, {tuple(names)}, but the points of {source} "
            f"(`{argument}`) have {d}"
        )
    return tuple(names)
