"""Regression problems of the study: test functions in 2 to 6 dimensions, and real data sets."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

__all__ = ["FRESH", "Problem", "catalogue", "schwefel"]

Array = NDArray[np.float64]

FRESH = 1000  # test rows, where a function can be asked for as many as one likes
ROWS = (25, 50, 100)
ORDERS = (0.5, 1.0, 1.5, 2.5)
FORMS = (
    *((name, d) for name in ("schwefel", "ackley", "rastrigin") for d in range(2, 7)),
    ("branin", 2),
    ("hartmann", 3),
    ("hartmann", 6),
    ("friedman1", 5),
    ("friedman2", 4),
    ("friedman3", 4),
    ("diabetes", 2),
    ("diabetes", 4),
    ("diabetes", 6),
    ("wine", 3),
    ("wine", 5),
    ("iris", 3),
)
NOISE = {"friedman1": 1.0, "friedman2": 100.0, "friedman3": 0.1}  # as in Friedman (1991), about


@dataclasses.dataclass(frozen=True)
class Problem:
    """A draw of data of some kind, and the order of the kernel to fit it by."""

    name: str
    inputs: int
    rows: int
    draw: int
    nu: float

    @property
    def label(self) -> str:
        """What it is called in the results."""
        return f"{self.name}-{self.inputs} n={self.rows} draw={self.draw}"

    def data(self) -> tuple[Array, Array, Array, Array]:
        """Training inputs and outputs, and those to test with."""
        source = f"{self.name} {self.inputs}".encode()
        rng = np.random.default_rng([zlib.crc32(source), self.draw, self.rows])
        X, y = _rows(self.name, self.inputs, self.rows + FRESH, rng)
        order = rng.permutation(len(y))
        here, there = order[: self.rows], order[self.rows :]
        return X[here], y[here], X[there], y[there]


def catalogue(draws: int = 4) -> list[Problem]:
    """All problems, one draw after another; rows and orders change from one to the next.

    The three rippled functions in six dimensions, whose maps take longest, are in two draws only.
    """
    return [
        Problem(name, d, ROWS[(i + draw) % len(ROWS)], draw, ORDERS[(i // 3 + draw) % len(ORDERS)])
        for draw in range(draws)
        for i, (name, d) in enumerate(FORMS)
        if not (draw > 1 and d == 6 and name in ("schwefel", "ackley", "rastrigin"))
    ]


def schwefel(X: Array) -> Array:
    """Schwefel's function at points of ``[-500, 500]^d``."""
    return 418.9829 * X.shape[1] - (X * np.sin(np.sqrt(np.abs(X)))).sum(axis=1)


def _ackley(X: Array) -> Array:
    rough = np.exp(np.cos(2 * np.pi * X).mean(axis=1))
    return 20 + np.e - 20 * np.exp(-0.2 * np.sqrt((X**2).mean(axis=1))) - rough


def _rastrigin(X: Array) -> Array:
    return 10 * X.shape[1] + (X**2 - 10 * np.cos(2 * np.pi * X)).sum(axis=1)


def _branin(X: Array) -> Array:
    a, b = X.T
    bend = b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6
    return bend**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10


def _hartmann(X: Array) -> Array:
    heights = np.array([1.0, 1.2, 3.0, 3.2])
    if X.shape[1] == 3:
        A = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
        P = np.array(
            [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]
        )
    else:
        A = np.array(
            [
                [10, 3, 17, 3.5, 1.7, 8],
                [0.05, 10, 17, 0.1, 8, 14],
                [3, 3.5, 1.7, 10, 17, 8],
                [17, 8, 0.05, 10, 0.1, 14],
            ]
        )
        P = np.array(
            [
                [1312, 1696, 5569, 124, 8283, 5886],
                [2329, 4135, 8307, 3736, 1004, 9991],
                [2348, 1451, 3522, 2883, 3047, 6650],
                [4047, 8828, 8732, 5743, 1091, 381],
            ]
        )
    distance = (A * (X[:, None] - 1e-4 * P) ** 2).sum(axis=2)
    return -np.exp(-distance) @ heights


# Function, and the box that it is defined on. Ackley's is the usual one's middle: over all of that,
# a hundred points see nothing but noise.
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Array]] = {
    "schwefel": (schwefel, np.array([[-500.0], [500.0]])),
    "ackley": (_ackley, np.array([[-5.0], [5.0]])),
    "rastrigin": (_rastrigin, np.array([[-5.12], [5.12]])),
    "branin": (_branin, np.array([[-5.0, 0.0], [10.0, 15.0]])),
    "hartmann": (_hartmann, np.array([[0.0], [1.0]])),
}
REAL = {
    "diabetes": datasets.load_diabetes,
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
}


def _rows(name: str, inputs: int, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    if name in FUNCTIONS:
        function, (low, high) = FUNCTIONS[name]
        X = rng.uniform(low, high, (count, inputs))
        return X, function(X)
    if name.startswith("friedman"):
        make = getattr(datasets, f"make_{name}")
        return make(count, noise=NOISE[name], random_state=int(rng.integers(2**31)))
    X, y = REAL[name](return_X_y=True)
    if name != "diabetes":  # made for classification: their first measurement from the others
        X, y = X[:, 1:], X[:, 0]
    return X[:, rng.permutation(X.shape[1])[:inputs]], y
