"""Basins that no quadratic form describes: bent, skewed, walled, flat, and joined ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special, stats

from bayescape import Target, from_torch
from bayescape.targets.surfaces import MuellerBrown, SixHumpCamel
from tests.reference.catalogue.posterior import Posterior, Truth
from tests.reference.catalogue.quadrature import on_grid

__all__ = ["CLOSED_FORM", "QUADRATURE", "SHAPES", "normal", "spread"]

Array = NDArray[np.float64]
Tensor = torch.Tensor
TWO_PI = float(np.log(2 * np.pi))


def spread(
    log_density: Callable[[Tensor], Tensor],
    d: int,
    low: float | Sequence[float],
    high: float | Sequence[float],
    bounds: Sequence[Sequence[float]] | None = None,
) -> Target:
    """A torch density whose starts are spread evenly between two corners."""

    def starts(count: int, rng: np.random.Generator) -> Array:
        return rng.uniform(low, high, (count, d))

    return from_torch(log_density, [f"x[{i}]" for i in range(d)], starts=starts, bounds=bounds)


def normal(x: Tensor, mean: float | Tensor, sd: float | Tensor) -> Tensor:
    """Log of a normal density."""
    sd = torch.as_tensor(sd, dtype=torch.float64)
    return -0.5 * ((x - mean) / sd) ** 2 - torch.log(sd) - 0.5 * TWO_PI


def _banana(bend: float, length: float, d: int = 2) -> Callable[[Tensor], Tensor]:
    """A Gaussian bent along a parabola, which keeps volumes (Haario, Saksman, Tamminen 1999)."""

    def log_density(x: Tensor) -> Tensor:
        straight = x[1] - bend * (x[0] ** 2 - length**2)
        rest = normal(x[2:], 0.0, 1.0).sum()
        return normal(x[0], 0.0, length) + normal(straight, 0.0, 1.0) + rest

    return log_density


def _banana_truth(bend: float, length: float, d: int = 2) -> Truth:
    sd = np.ones(d)
    sd[0], sd[1] = length, np.sqrt(1 + 2 * bend**2 * length**4)
    return Truth(np.zeros(d), sd, 0.0)


def _two_bananas(x: Tensor) -> Tensor:
    """One bent up and one bent down."""
    first = _banana(0.25, 2.0)(x - torch.tensor([0.0, 6.0], dtype=torch.float64))
    turned = torch.stack([x[0], -(x[1] + 6.0)])
    second = _banana(0.25, 2.0)(turned)
    return torch.logaddexp(np.log(0.6) + first, np.log(0.4) + second)


def _two_bananas_truth() -> Truth:
    mean = np.array([0.0, 0.6 * 6 - 0.4 * 6])
    within = 1 + 2 * 0.25**2 * 2.0**4
    second = within + 0.6 * (6 - mean[1]) ** 2 + 0.4 * (6 + mean[1]) ** 2
    # Each one's lowest point, at which its parabola has its vertex.
    centres = np.array([[0.0, 5.0], [0.0, -5.0]])
    return Truth(mean, np.array([2.0, np.sqrt(second)]), 0.0, centres, np.array([0.6, 0.4]))


def _log_gammas(shape: float) -> Callable[[Tensor], Tensor]:
    """Logarithms of gamma variables: the skew that log-transformed scales have."""
    constant = special.gammaln(shape)

    def log_density(x: Tensor) -> Tensor:
        return (shape * x - torch.exp(x) - constant).sum()

    return log_density


def _log_gammas_truth(shape: float, d: int) -> Truth:
    mean = np.full(d, special.digamma(shape))
    sd = np.full(d, np.sqrt(special.polygamma(1, shape)))
    return Truth(mean, sd, 0.0, np.full((1, d), np.log(shape)), np.ones(1))


def _logistics(x: Tensor) -> Tensor:
    scale = torch.tensor([1.0, 0.1, 3.0, 1.0], dtype=torch.float64)
    z = x / scale
    return (-z - 2 * torch.nn.functional.softplus(-z) - torch.log(scale)).sum()


def _skew_normals(x: Tensor) -> Tensor:
    """Azzalini's, with shape 6 in both of two coordinates turned by 45 degrees."""
    u = torch.stack([x[0] + x[1], x[0] - x[1]]) / np.sqrt(2)
    return (np.log(2) + normal(u, 0.0, 1.0) + _log_ndtr(6 * u)).sum()


def _log_ndtr(z: Tensor) -> Tensor:
    """Log of the normal distribution function; torch's own cannot be batched."""
    below, above = z.clamp(max=0.0) / np.sqrt(2), z.clamp(min=0.0) / np.sqrt(2)
    low = torch.log(0.5 * torch.special.erfcx(-below)) - below**2
    return torch.where(z < 0, low, torch.log1p(-0.5 * torch.special.erfc(above)))


def _skew_normals_truth() -> Truth:
    delta = 6 / np.sqrt(37)
    m, v = delta * np.sqrt(2 / np.pi), 1 - 2 * delta**2 / np.pi
    return Truth(np.array([2 * m / np.sqrt(2), 0.0]), np.full(2, np.sqrt(v)), 0.0)


def _signal_or_noise(x: Tensor) -> Tensor:
    """A likelihood that has a floor, under a wide prior: two explanations, one of them flat."""
    data = torch.log(0.05 + torch.exp(-0.5 * ((x[0] + 4.0) / 0.4) ** 2 - 0.5 * (x[1] / 0.3) ** 2))
    return data + normal(x[0], 0.0, 3.0) + normal(x[1], 0.0, 3.0)


def _double_well(x: Tensor) -> Tensor:
    return -((x[0] ** 2 - 4) ** 2) / 2 - 0.2 * x[0] - 0.5 * (x[1] - 0.5 * x[0]) ** 2


def _entropic(x: Tensor) -> Tensor:
    """Two wells as deep as each other, the one ten times as wide across."""
    width = 0.1 + 0.9 * torch.sigmoid(3 * x[0])
    return -((x[0] ** 2 - 4) ** 2) / 2 - 0.5 * (x[1] / width) ** 2


def _egg_crate(x: Tensor) -> Tensor:
    """Sixty-odd minima under a normal envelope."""
    return 1.5 * torch.cos(3 * x).sum() + normal(x, 0.0, 2.0).sum()


def _irrelevant(x: Tensor) -> Tensor:
    """Two modes in one coordinate; of two others nothing but the prior, and that wide, is known."""
    modes = torch.logaddexp(
        np.log(0.7) + normal(x[0], -1.0, 0.1), np.log(0.3) + normal(x[0], 1.0, 0.2)
    )
    return modes + normal(x[1:], 0.0, 30.0).sum()


def _irrelevant_truth() -> Truth:
    sd = np.sqrt(0.7 * (0.01 + 0.16 * 2.25) + 0.3 * (0.04 + 1.4**2))
    centres = np.array([[-1.0, 0, 0], [1.0, 0, 0]])
    return Truth(np.array([-0.4, 0, 0]), np.array([sd, 30, 30]), 0.0, centres, np.array([0.7, 0.3]))


def _half(x: Tensor) -> Tensor:
    """A normal density, of which a wall at zero leaves the part above."""
    return normal(x[0], 0.6, 1.0) + normal(x[1], x[0], 0.5)


def _half_truth() -> Truth:
    cut = stats.truncnorm(-0.6, np.inf, loc=0.6)
    m, v = cut.mean(), cut.var()
    return Truth(np.array([m, m]), np.sqrt([v, v + 0.25]), float(np.log(stats.norm.cdf(0.6))))


def _grid(log_density: Callable[[Tensor], Tensor], box: list[list[float]]) -> Callable[[], Truth]:
    def truth() -> Truth:
        return on_grid(spread(log_density, 2, box[0], box[1]), np.array(box), 1201)

    return truth


CLOSED_FORM = "closed form"
QUADRATURE = "sums over a grid of 1201 by 1201 nodes"

SHAPES: tuple[Posterior, ...] = (
    Posterior(
        "banana-2d",
        lambda: spread(_banana(0.25, 2.0), 2, -8, 8),
        lambda: _banana_truth(0.25, 2.0),
        CLOSED_FORM,
        "components that cannot bend",
    ),
    Posterior(
        "banana-6d",
        lambda: spread(_banana(0.15, 2.0), 6, -8, 8),
        lambda: _banana_truth(0.15, 2.0, 6),
        CLOSED_FORM,
        "bends in one plane of six",
    ),
    Posterior(
        "long-banana-2d",
        lambda: spread(_banana(0.3, 4.0), 2, -12, 12),
        lambda: _banana_truth(0.3, 4.0),
        CLOSED_FORM,
        "ends of a long bend left out by weights that look even near its middle",
    ),
    Posterior(
        "two-bananas-2d",
        lambda: spread(_two_bananas, 2, -12, 12),
        _two_bananas_truth,
        CLOSED_FORM,
        "weights of bent basins taken from their Hessians",
    ),
    Posterior(
        "log-gamma-3d",
        lambda: spread(_log_gammas(1.5), 3, -6, 4),
        lambda: _log_gammas_truth(1.5, 3),
        CLOSED_FORM,
        "the long tail that the logarithm of a scale has to the left",
    ),
    Posterior(
        "log-gamma-skewer-6d",
        lambda: spread(_log_gammas(0.7), 6, -6, 4),
        lambda: _log_gammas_truth(0.7, 6),
        CLOSED_FORM,
        "strong skew in every one of six coordinates at once",
    ),
    Posterior(
        "logistic-4d",
        lambda: spread(_logistics, 4, -10, 10),
        lambda: Truth(
            np.zeros(4),
            np.array([1, 0.1, 3, 1]) * np.pi / np.sqrt(3),
            0.0,
            np.zeros((1, 4)),
            np.ones(1),
        ),
        CLOSED_FORM,
        "exponential tails",
    ),
    Posterior(
        "skew-normal-2d",
        lambda: spread(_skew_normals, 2, -5, 5),
        _skew_normals_truth,
        CLOSED_FORM,
        "a steep side and a gentle one, not along the coordinates",
    ),
    Posterior(
        "signal-or-noise-2d",
        lambda: spread(_signal_or_noise, 2, -9, 9),
        _grid(_signal_or_noise, [[-20, -20], [20, 20]]),
        QUADRATURE,
        "a peak on a wide flat plain, which holds most of the mass",
    ),
    Posterior(
        "double-well-2d",
        lambda: spread(_double_well, 2, -4, 4),
        _grid(_double_well, [[-5, -9], [5, 9]]),
        QUADRATURE,
        "anharmonic wells of nearly equal depth",
    ),
    Posterior(
        "entropic-well-2d",
        lambda: spread(_entropic, 2, -4, 4),
        _grid(_entropic, [[-4.5, -9], [4.5, 9]]),
        QUADRATURE,
        "the deeper of two minima taken for the more probable one",
    ),
    Posterior(
        "mueller-brown",
        lambda: MuellerBrown(0.08),
        lambda: on_grid(MuellerBrown(0.08), np.array([[-3.0, -1.5], [2.5, 3.0]]), 1201),
        QUADRATURE,
        "a curved valley with three minima and low barriers",
    ),
    Posterior(
        "six-hump-camel",
        SixHumpCamel,
        lambda: on_grid(SixHumpCamel(), np.array([[-3.5, -2.5], [3.5, 2.5]]), 1201),
        QUADRATURE,
        "shallow basins between deep ones",
    ),
    Posterior(
        "egg-crate-2d",
        lambda: spread(_egg_crate, 2, -8, 8),
        _grid(_egg_crate, [[-14, -14], [14, 14]]),
        QUADRATURE,
        "dozens of basins of which most weigh little and together weigh much",
    ),
    Posterior(
        "irrelevant-3d",
        lambda: spread(_irrelevant, 3, [-3, -60, -60], [3, 60, 60]),
        _irrelevant_truth,
        CLOSED_FORM,
        "flat directions that only the prior ends, beside modes 300 times as narrow",
    ),
    Posterior(
        "half-normal-2d",
        lambda: spread(_half, 2, [0, -4], [5, 4], bounds=[[0, -np.inf], [np.inf, np.inf]]),
        _half_truth,
        CLOSED_FORM,
        "mass cut off by a wall near the minimum, counted all the same",
    ),
)
