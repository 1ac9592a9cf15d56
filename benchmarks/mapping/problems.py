"""The surfaces on which explorations are compared, with what is known of them."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescape import Target
from bayescape.targets.surfaces import GaussianMixture, MuellerBrown, Schwefel
from tests.reference import gp_posteriors
from tests.reference.gp_targets import target_of
from tests.reference.surfaces import (
    MUELLER_BROWN_MINIMA,
    MUELLER_BROWN_SADDLES,
    schwefel_one_dimension,
)

__all__ = ["JITTER", "PROBLEMS", "Problem", "problem"]

Array = NDArray[np.float64]

TRUTH = Path(__file__).parents[2] / "tests" / "reference" / "gp_posteriors.json"
JITTER = 1e-6  # of the reference posterior, and the default of `GaussianProcess`
REACH = 3.0  # prior standard deviations to the edge of the box that bounded methods search


@dataclasses.dataclass(frozen=True)
class Problem:
    """A surface to be explored.

    Attributes
    ----------
    name
        What it is called on the command line.
    target
        The surface.
    box
        Lowest and highest coordinates, ``(2, d)``, for methods that need a box.
    spec
        What makes the same function in a process without bayescape's dependencies.
    minima, states
        All its minima and the known transition states, ``(n, d)``; ``None`` where the truth is what
        all participants found together. Printed digits are enough: points are polished.
    state_energies
        Known energies of transition states above the lowest minimum; empty where none are.
    """

    name: str
    target: Target
    box: Array
    spec: Mapping[str, Any]
    minima: Array | None = None
    states: Array | None = None
    state_energies: tuple[float, ...] = ()

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return len(self.target.names)


def posterior(name: str, rows: int, inputs: int, **known: Any) -> Problem:
    """The hyperparameter posterior of a Gaussian process on Schwefel's function."""
    data = gp_posteriors.schwefel(rows, inputs)
    target = target_of(data)
    spec = {
        "kind": "posterior",
        "inputs": data.inputs.tolist(),
        "y": data.y.tolist(),
        "location": data.location.tolist(),
        "width": data.width.tolist(),
        "jitter": JITTER,
    }
    box = data.location + REACH * np.array([[-1.0], [1.0]]) * data.width
    return Problem(name, target, box, spec, **known)


def reference() -> Problem:
    """The reference posterior: five coordinates, four minima."""
    truth = json.loads(TRUTH.read_text())["schwefel"]
    return posterior(
        "reference",
        100,
        3,
        minima=np.array(truth["minima"]),
        state_energies=(1.81, 3.94, 6.05, 7.34),
    )


def schwefel(d: int) -> Problem:
    """Schwefel's function: in each coordinate seven minima and, between them, six maxima."""
    low, high = (np.array(x) for x in schwefel_one_dimension())
    # The outermost maximum is a pass to the wall, not between minima.
    high = high[(high > low[0]) & (high < low[-1])]
    minima = np.array(list(itertools.product(low, repeat=d)))
    across = [
        list(itertools.product(*(high if i == k else low for i in range(d)))) for k in range(d)
    ]
    target = Schwefel(d)
    spec = {"kind": "surface", "name": "Schwefel", "arguments": {"d": d}}
    return Problem(
        f"schwefel-{d}", target, target.box, spec, minima=minima, states=np.concatenate(across)
    )


def mueller_brown() -> Problem:
    """The Mueller-Brown potential: three minima, two transition states."""
    target = MuellerBrown()
    spec = {"kind": "surface", "name": "MuellerBrown", "arguments": {}}
    return Problem(
        "mueller-brown",
        target,
        target.box,
        spec,
        minima=np.array(list(MUELLER_BROWN_MINIMA)),
        states=np.array(list(MUELLER_BROWN_SADDLES)),
    )


def mixture(modes: int = 10, d: int = 10, seed: int = 4) -> Problem:
    """A mixture of Gaussians with unequal weights and random covariances, well apart."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(modes, 2.0))
    means = rng.uniform(-4, 4, (modes, d))
    turned = np.linalg.qr(rng.standard_normal((modes, d, d)))[0]
    variances = np.exp(rng.uniform(np.log(0.25), np.log(2.0), (modes, 1, d)))
    covariances = (turned * variances) @ turned.swapaxes(1, 2)
    target = GaussianMixture(weights, means, covariances)
    arguments = {
        "weights": weights.tolist(),
        "means": means.tolist(),
        "covariances": covariances.tolist(),
    }
    spec = {"kind": "surface", "name": "GaussianMixture", "arguments": arguments}
    # So far apart that each has its minimum within a hair of its mean.
    return Problem("mixture", target, target.box, spec, minima=means)


PROBLEMS: Mapping[str, Callable[[], Problem]] = {
    "reference": reference,
    "rows-200": lambda: posterior("rows-200", 200, 3),
    "inputs-2": lambda: posterior("inputs-2", 100, 2),
    "schwefel-2": lambda: schwefel(2),
    "schwefel-3": lambda: schwefel(3),
    "mueller-brown": mueller_brown,
    "mixture": mixture,
}


def problem(name: str) -> Problem:
    """The problem of that name, checked to be in `PROBLEMS`."""
    if name not in PROBLEMS:
        raise ValueError(f"`name` must be one of {', '.join(PROBLEMS)}, got {name!r}")
    return PROBLEMS[name]()
