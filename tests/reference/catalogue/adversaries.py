"""Posteriors made to fool maps and mixtures; what counts is that the verdict says so."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import integrate, special

from bayescape import Target
from tests.reference.catalogue.mixtures import gaussians
from tests.reference.catalogue.posterior import Posterior, Truth
from tests.reference.catalogue.quadrature import on_grid
from tests.reference.catalogue.shapes import CLOSED_FORM, QUADRATURE, normal, spread

__all__ = ["ADVERSARIES"]

Array = NDArray[np.float64]
Tensor = torch.Tensor


def _funnel(width: float, d: int):
    """R. Neal, "Slice sampling", Ann. Stat. 31, 705 (2003), section 8."""

    def log_density(x: Tensor) -> Tensor:
        return normal(x[0], 0.0, width) + normal(x[1:], 0.0, torch.exp(x[0] / 2)).sum()

    return log_density


def _funnel_truth(width: float, d: int) -> Truth:
    # The others' variance is E exp(v); its own spread makes a sample's worthless for large widths.
    other = np.exp(width**2 / 4) if width <= 1 else np.nan
    return Truth(np.zeros(d), np.array([width] + [other] * (d - 1)), 0.0)


def _ring(x: Tensor) -> Tensor:
    return -0.5 * ((torch.sqrt((x**2).sum() + 1e-300) - 5.0) / 0.1) ** 2


def _ring_truth() -> Truth:
    moment = [
        integrate.quad(lambda r, k=k: r**k * np.exp(-0.5 * ((r - 5) / 0.1) ** 2), 4, 6)[0]
        for k in (1, 3)
    ]
    sd = np.sqrt(moment[1] / moment[0] / 2)
    return Truth(np.zeros(2), np.array([sd, sd]), float(np.log(2 * np.pi * moment[0])))


def _shells(d: int):
    """Feroz, Hobson and Bridges, MNRAS 398, 1601 (2009), section 6.2: two thin shells."""

    def log_density(x: Tensor) -> Tensor:
        offset = torch.zeros(d, dtype=torch.float64)
        offset[0] = 3.5
        parts = [
            -0.5 * ((torch.sqrt(((x - s * offset) ** 2).sum() + 1e-300) - 2.0) / 0.1) ** 2
            for s in (-1, 1)
        ]
        return torch.logaddexp(*parts) - 0.5 * np.log(2 * np.pi * 0.01)

    return log_density


def _shells_truth(d: int) -> Truth:
    def moment(k: int) -> float:
        return integrate.quad(
            lambda r: r**k * np.exp(-0.5 * ((r - 2) / 0.1) ** 2) / np.sqrt(2 * np.pi * 0.01), 1, 3
        )[0]

    sphere = 2 * np.pi ** (d / 2) / special.gamma(d / 2)
    spread = moment(d + 1) / moment(d - 1) / d
    sd = np.sqrt(np.full(d, spread) + np.eye(d)[0] * 3.5**2)
    return Truth(np.zeros(d), sd, float(np.log(2 * sphere * moment(d - 1))))


def _plateau(x: Tensor) -> Tensor:
    """Flat in a box, but for a tilt that no optimiser's tolerance notices."""
    return 1e-9 * x.sum()


def _plateau_truth() -> Truth:
    return Truth(np.zeros(3), np.full(3, 10 / np.sqrt(12)), float(np.log(10.0**3)))


def _improper(x: Tensor) -> Tensor:
    """A likelihood that saturates, and no prior to end it."""
    return normal(x[0], 0.0, 1.0) + torch.log(0.05 + torch.exp(-0.5 * (x[1] / 0.5) ** 2))


def _improper_tail(x: Tensor) -> Tensor:
    """Falls like ``1 / |x|``: no integral, though every ray goes down."""
    return normal(x[0], 0.0, 1.0) - 0.5 * torch.log1p(x[1] ** 2)


def _nothing(d: int) -> Truth:
    return Truth(np.full(d, np.nan), np.full(d, np.nan), np.inf)


def _corner(x: Tensor) -> Tensor:
    """Falls away from a corner of its box, where there is no stationary point."""
    return -(torch.tensor([1.0, 3.0, 0.5], dtype=torch.float64) * x).sum()


def _corner_truth() -> Truth:
    rate, wall = np.array([1.0, 3.0, 0.5]), 4.0
    kept = -np.expm1(-rate * wall)
    mean = 1 / rate - wall * np.exp(-rate * wall) / kept
    second = 2 / rate**2 - (wall**2 + 2 * wall / rate) * np.exp(-rate * wall) / kept
    return Truth(mean, np.sqrt(second - mean**2), float(np.log(kept / rate).sum()))


def _at_the_wall(x: Tensor) -> Tensor:
    """A mode inside, and a second one beyond a wall that leaves half of its slope."""
    inside = np.log(0.5) + normal(x, torch.tensor([-2.0, 0.0]), 0.5).sum()
    beyond = np.log(0.5) + normal(x, torch.tensor([3.4, 1.0]), 0.5).sum()
    return torch.logaddexp(inside, beyond)


def _wall_target() -> Target:
    return spread(_at_the_wall, 2, [-5, -4], [3, 4], bounds=[[-8, -8], [3, 8]])


def _wall_truth() -> Truth:
    """The wall is a line of nodes: the trapezium rule, which counts half of them."""
    found = on_grid(_wall_target(), np.array([[-6.0, -4.0], [3.0, 5.0]]), 1801, closed=False)
    return Truth(found.mean, found.sd, found.log_evidence)


def _spike_and_slab(d: int) -> tuple[Array, Array, Array]:
    return (
        np.array([0.6, 0.4]),
        np.stack([np.zeros(d), np.full(d, 0.8)]),
        np.array([np.eye(d), 0.15**2 * np.eye(d)]),
    )


def _kink(x: Tensor) -> Tensor:
    """Laplace's density: no derivative, and no Hessian, at its only minimum."""
    return -x.abs().sum() - x.shape[0] * np.log(2.0)


ADVERSARIES: tuple[Posterior, ...] = (
    Posterior(
        "funnel-5d",
        lambda: spread(_funnel(3.0, 5), 5, -6, 6),
        lambda: _funnel_truth(3.0, 5),
        CLOSED_FORM,
        "a neck that neither steps nor components of one width can enter",
        adversarial=True,
    ),
    Posterior(
        "funnel-mild-3d",
        lambda: spread(_funnel(1.0, 3), 3, -4, 4),
        lambda: _funnel_truth(1.0, 3),
        CLOSED_FORM,
        "a funnel that looks harmless",
        adversarial=True,
    ),
    Posterior(
        "thin-ring-2d",
        lambda: spread(_ring, 2, -8, 8),
        _ring_truth,
        "radial quadrature",
        "no isolated minimum: quenches end everywhere along a circle",
        adversarial=True,
    ),
    Posterior(
        "two-shells-2d",
        lambda: spread(_shells(2), 2, -6, 6),
        lambda: _shells_truth(2),
        "radial quadrature",
        "two circles of minima, each a basin of its own",
        adversarial=True,
    ),
    Posterior(
        "two-shells-5d",
        lambda: spread(_shells(5), 5, -6, 6),
        lambda: _shells_truth(5),
        "radial quadrature",
        "spheres of minima in five coordinates",
        adversarial=True,
    ),
    gaussians(
        "needle-8d",
        "three tenths of the mass where hardly any quench ends and few draws come near",
        np.array([0.7, 0.3]),
        np.stack([np.zeros(8), np.full(8, 0.7)]),
        np.array([np.eye(8), 0.2**2 * np.eye(8)]),
        reach=(-5.0, 5.0),
        adversarial=True,
    ),
    gaussians(
        "spike-in-slab-3d",
        "a spike inside a wide mode, steep only at arm's length",
        *_spike_and_slab(3),
        reach=(-5.0, 5.0),
        apart=False,
        adversarial=True,
    ),
    Posterior(
        "plateau-3d",
        lambda: spread(_plateau, 3, -5, 5, bounds=[[-5] * 3, [5] * 3]),
        _plateau_truth,
        CLOSED_FORM,
        "no minimum at all: the gradient is zero wherever one looks",
        adversarial=True,
    ),
    Posterior(
        "corner-3d",
        lambda: spread(_corner, 3, 0, 4, bounds=[[0] * 3, [4] * 3]),
        _corner_truth,
        CLOSED_FORM,
        "the best point lies in a corner of hard bounds",
        adversarial=True,
    ),
    Posterior(
        "mode-beyond-a-wall-2d",
        _wall_target,
        _wall_truth,
        QUADRATURE,
        "half of the mass leans on a wall, with its minimum outside",
        adversarial=True,
    ),
    Posterior(
        "improper-plain-2d",
        lambda: spread(_improper, 2, -9, 9),
        lambda: _nothing(2),
        "its integral diverges",
        "a posterior that is none: whatever is said of it with confidence is wrong",
        adversarial=True,
    ),
    Posterior(
        "improper-tail-2d",
        lambda: spread(_improper_tail, 2, -9, 9),
        lambda: _nothing(2),
        "its integral diverges, logarithmically",
        "a density that looks like a heavy tail and has no integral",
        adversarial=True,
    ),
    Posterior(
        "laplace-3d",
        lambda: spread(_kink, 3, -6, 6),
        lambda: Truth(np.zeros(3), np.full(3, np.sqrt(2)), 0.0),
        CLOSED_FORM,
        "a minimum that is no stationary point",
        adversarial=True,
    ),
)
