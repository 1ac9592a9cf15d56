"""Mixtures of Gaussians and of Student t: every moment, weight and evidence in closed form.

Components are far enough apart that steepest descent from a draw ends in its own component, unless
the entry says that they overlap; then no occupation is claimed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from bayescape import Target, from_torch
from bayescape.targets.surfaces import GaussianMixture
from tests.reference.catalogue.posterior import Posterior, Truth

__all__ = ["MIXTURES", "gaussians"]

Array = NDArray[np.float64]
CLOSED_FORM = "closed form"


class _Scattered(GaussianMixture):
    """A Gaussian mixture whose starts know its extent and nothing of its components."""

    def __init__(self, weights, means, covariances, log_evidence, reach):
        super().__init__(weights, means, covariances, log_evidence=log_evidence)
        d = self.means.shape[1]
        low, high = (np.full(d, reach[i], dtype=float) for i in (0, 1))
        self.box = np.stack([low, high])


def _rotated(rng: np.random.Generator, scales: Array) -> Array:
    """A covariance with these standard deviations along random axes."""
    axes = stats.ortho_group.rvs(len(scales), random_state=rng)
    return (axes * np.asarray(scales) ** 2) @ axes.T


def gaussians(
    name: str,
    catches: str,
    weights: Array,
    means: Array,
    covariances: Array,
    *,
    log_evidence: float = 0.0,
    reach: tuple[float, float] = (-15.0, 15.0),
    apart: bool = True,
    adversarial: bool = False,
) -> Posterior:
    def make() -> Target:
        return _Scattered(weights, means, covariances, log_evidence, reach)

    def truth() -> Truth:
        mixture = make()
        known = {"centres": mixture.means, "occupation": mixture.weights} if apart else {}
        return Truth(mixture.mean, mixture.sd, log_evidence, **known)

    return Posterior(name, make, truth, CLOSED_FORM, catches, adversarial)


def _students(
    name: str,
    catches: str,
    weights: Array,
    means: Array,
    scales: Array,
    degrees: Array,
    *,
    reach: tuple[float, float] = (-20.0, 20.0),
    log_evidence: float = 0.0,
) -> Posterior:
    """A mixture of t distributions with diagonal scale matrices, ``scales`` being their roots."""
    weights, means, scales, degrees = (
        np.asarray(a, dtype=float) for a in (weights, means, scales, degrees)
    )
    d = means.shape[1]

    def make() -> Target:
        w, m, s, nu = (torch.tensor(a) for a in (weights, means, scales, degrees))
        constant = (
            torch.log(w)
            + torch.lgamma((nu + d) / 2)
            - torch.lgamma(nu / 2)
            - 0.5 * d * torch.log(nu * torch.pi)
            - torch.log(s).sum(dim=1)
        )

        def log_density(x: torch.Tensor) -> torch.Tensor:
            away = (((x - m) / s) ** 2).sum(dim=1)
            tails = -0.5 * (nu + d) * torch.log1p(away / nu)
            return torch.logsumexp(constant + tails, dim=0) + log_evidence

        return from_torch(
            log_density,
            [f"x[{i}]" for i in range(d)],
            starts=lambda count, rng: rng.uniform(*reach, (count, d)),
        )

    def truth() -> Truth:
        mean = weights @ means
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.where(degrees > 2, degrees / (degrees - 2), np.nan)
        sd = np.sqrt(weights @ (spread[:, None] * scales**2 + (means - mean) ** 2))
        # Fourth moments decide whether a sample's deviation means anything.
        sd = sd if (degrees > 4).all() else np.full(d, np.nan)
        mean = mean if (degrees > 2).all() else np.full(d, np.nan)
        return Truth(mean, sd, log_evidence)

    return Posterior(name, make, truth, CLOSED_FORM, catches)


def _ten(d: int, seed: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(10, 5.0))
    means: list[Array] = []
    while len(means) < 10:
        point = rng.uniform(-10, 10, d)
        if all(np.linalg.norm(point - other) > 7.5 for other in means):
            means.append(point)
    covariances = np.array([_rotated(rng, rng.uniform(0.4, 1.0, d)) for _ in range(10)])
    return weights, np.array(means), covariances


def _permuted() -> Array:
    """The six labellings of three component means."""
    centres = np.array([-4.0, 0.5, 5.0])
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    return np.array([centres[order] for order in orders])


_rng = np.random.default_rng(20)
_turned = _rotated(_rng, np.geomspace(0.02, 2.0, 20))
_four = np.array([_rotated(_rng, _rng.uniform(0.5, 1.5, 20)) for _ in range(4)])
_four_means = 8 * np.eye(20)[[0, 5, 10, 15]]

MIXTURES: tuple[Posterior, ...] = (
    gaussians(
        "gaussian-2d",
        "a factor left out of the evidence, a correlation left out of the metric",
        np.array([1.0]),
        np.array([[1.0, -2.0]]),
        np.array([[[1.0, 1.9], [1.9, 4.0]]]),
        log_evidence=-141.5,
    ),
    gaussians(
        "gaussian-20d",
        "scales that differ a hundredfold along turned axes in many coordinates",
        np.array([1.0]),
        np.full((1, 20), 0.7),
        _turned[None],
    ),
    gaussians(
        "two-gaussians-2d",
        "weights taken from the depths of the minima: the narrow one is deeper and weighs less",
        np.array([0.85, 0.15]),
        np.array([[-3.0, 0.0], [3.0, 1.0]]),
        np.array([np.diag([1.0, 1.0]), np.diag([0.04, 0.09])]),
        log_evidence=12.0,
    ),
    gaussians(
        "two-gaussians-far-8d",
        "chains that stay where they began: no path between modes thirty deviations apart",
        np.array([0.7, 0.3]),
        np.array([np.full(8, -5.3), np.full(8, 5.3)]),
        np.array([np.eye(8), _rotated(np.random.default_rng(1), np.linspace(0.5, 1.5, 8))]),
    ),
    gaussians(
        "wide-and-narrow-5d",
        "a narrow mode lost beside one with a hundred times its volume",
        np.array([0.5, 0.5]),
        np.array([np.zeros(5), np.full(5, 4.0)]),
        np.array([np.eye(5), 0.16 * np.eye(5)]),
        reach=(-6.0, 6.0),
        adversarial=True,  # 0.6% of the starts lead to it
    ),
    gaussians(
        "three-gaussians-3d",
        "unequal weights among differently turned modes",
        np.array([0.6, 0.3, 0.1]),
        np.array([[-4.0, 0.0, 2.0], [4.0, 3.0, 0.0], [1.0, -6.0, -3.0]]),
        np.array([_rotated(np.random.default_rng(s), np.array([0.3, 0.8, 1.2])) for s in range(3)]),
    ),
    gaussians(
        "overlapping-gaussians-2d",
        "basins joined over a barrier of a tenth of a nat, neither of them Gaussian",
        np.array([0.65, 0.35]),
        np.array([[0.0, 0.0], [2.4, 0.6]]),
        np.array([np.diag([1.0, 0.5]), np.diag([0.6, 1.2])]),
        apart=False,
    ),
    gaussians(
        "shoulder-3d",
        "mass beside a minimum that has none of its own: one basin, far from its Hessian's shape",
        np.array([0.55, 0.45]),
        np.array([[0.0, 0.0, 0.0], [1.8, 0.5, 0.0]]),
        np.array([0.3 * np.eye(3), np.diag([2.0, 1.0, 1.0])]),
        apart=False,
    ),
    gaussians(
        "ten-gaussians-10d",
        "small modes among many in ten coordinates",
        *_ten(10, 3),
    ),
    gaussians(
        "four-gaussians-20d",
        "mixtures that degenerate in twenty coordinates",
        np.array([0.4, 0.3, 0.2, 0.1]),
        _four_means,
        _four,
        reach=(-4.0, 10.0),
    ),
    gaussians(
        "label-switching-3d",
        "six equal modes: one missed shows in every occupation",
        np.full(6, 1 / 6),
        _permuted(),
        np.array([0.09 * np.eye(3)] * 6),
        reach=(-8.0, 8.0),
    ),
    gaussians(
        "row-of-eight-2d",
        "a small basin at the end of a row, reached only through all the others",
        np.array([0.02, 0.08, 0.1, 0.3, 0.2, 0.15, 0.1, 0.05]),
        np.stack([np.linspace(-10.5, 10.5, 8), np.zeros(8)], axis=1),
        np.array([np.diag([0.15, 1.0])] * 8),
    ),
    _students(
        "t-5-unimodal-10d",
        "tails heavier than a Gaussian's in ten coordinates",
        np.array([1.0]),
        np.zeros((1, 10)),
        np.ones((1, 10)),
        np.array([5.0]),
    ),
    _students(
        "t-mixture-2d",
        "weights wrong when heavy tails are cut",
        np.array([0.7, 0.3]),
        np.array([[-6.0, 0.0], [6.0, 3.0]]),
        np.array([[1.0, 1.0], [0.5, 1.5]]),
        np.array([6.0, 8.0]),
        log_evidence=3.0,
    ),
    _students(
        "t-mixture-5d",
        "three heavy-tailed modes of different scales",
        np.array([0.5, 0.3, 0.2]),
        np.array([np.full(5, -5.0), np.full(5, 5.0), [8.0, -8.0, 8.0, -8.0, 0.0]]),
        np.array([np.full(5, 1.0), np.full(5, 0.5), np.linspace(0.5, 1.5, 5)]),
        np.array([7.0, 7.0, 10.0]),
    ),
    _students(
        "t-2.5-3d",
        "tails so heavy that the fourth moment is infinite",
        np.array([1.0]),
        np.array([[1.0, 0.0, -1.0]]),
        np.array([[1.0, 0.1, 10.0]]),
        np.array([2.5]),
    ),
    _students(
        "cauchy-2d",
        "a posterior without a mean, whose evidence is still to be right",
        np.array([1.0]),
        np.array([[0.5, 0.5]]),
        np.array([[1.0, 1.0]]),
        np.array([1.0]),
    ),
)
