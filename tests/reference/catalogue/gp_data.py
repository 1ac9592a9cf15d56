"""Small data sets for the catalogue's Gaussian processes: ``(n, p)`` inputs and ``(n,)`` outputs.

The real ones: statsmodels's ``co2``, ``sunspots``, ``elnino`` and ``stackloss``, whose own notes
place them in the public domain, written in here as numbers; and scikit-learn's ``linnerud`` and
``diabetes``, which come with that package (BSD licence).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

__all__ = [
    "carbon_dioxide",
    "diabetes",
    "friedman",
    "linnerud",
    "ocean",
    "schwefel",
    "sine",
    "stack_loss",
    "sunspots",
    "walk",
]

Array = NDArray[np.float64]
Data = tuple[Array, Array]

# Mauna Loa, annual means of weekly concentrations from 1959 on, ppm. C. D. Keeling, T. P. Whorf,
# "Atmospheric CO2 concentrations derived from flask air samples at sites in the SIO network",
# Trends: A Compendium of Data on Global Change, CDIAC, Oak Ridge (2004).
CO2 = (
    "315.91 316.86 317.59 318.55 318.91 318.57 319.98 321.32 322.13 323.01 324.58 325.63 326.27 "
    "327.43 329.64 330.20 331.10 332.07 333.87 335.48 336.82 338.65 339.87 341.07 342.72 344.18 "
    "345.87 347.09 348.88 351.44 352.88 354.14 355.57 356.32 357.01 358.86 360.84 362.60 363.72 "
    "366.58 368.23 369.35 370.87"
)
# Sunspot numbers by year from 1948 on. National Geophysical Data Center.
SUNSPOTS = (
    "136.3 134.7 83.9 69.4 31.5 13.9 4.4 38.0 141.7 190.2 184.8 159.0 112.3 53.9 37.6 27.9 10.2 "
    "15.1 47.0 93.8 105.9 105.5 104.5 66.6 68.9 38.0 34.5 15.5 12.6 27.5 92.5 155.4 154.6 140.4 "
    "115.9 66.6 45.9 17.9 13.4 29.4 100.2 157.6 142.6 145.7 94.3 54.6 29.9 17.5 8.6 21.5 64.3 93.3 "
    "119.6 111.0 104.0 63.7 40.4 29.8 15.2 7.5 2.9"
)
# Sea surface temperature of the region Nino 1+2, annual means of months from 1950 on, degrees C.
# National Weather Service, ERSST.V3B.
OCEAN = (
    "21.953 23.711 22.665 23.644 21.442 21.734 22.287 24.318 23.463 23.052 22.612 22.648 22.154 "
    "22.972 22.034 24.089 22.518 22.209 22.562 23.888 22.190 22.210 24.619 22.575 22.532 22.122 "
    "23.661 22.899 22.557 23.330 22.989 22.570 23.956 25.703 22.847 22.274 23.103 24.439 22.369 "
    "22.875 22.901 23.470 23.882 23.898 23.052 22.872 22.394 25.784 25.013 22.692 22.802 22.827 "
    "23.821 23.343 23.303 22.653 23.641 22.482 23.605 23.643 22.798"
)
# Air flow, water temperature, acid concentration, and the loss of ammonia, on 21 days of a plant.
# K. A. Brownlee, Statistical Theory and Methodology in Science and Engineering, Wiley (1965).
STACK_LOSS = (
    "80 27 89 42  80 27 88 37  75 25 90 37  62 24 87 28  62 22 87 18  62 23 87 18  62 24 93 19 "
    "62 24 93 20  58 23 87 15  58 18 80 14  58 18 89 14  58 17 88 13  58 18 82 11  58 19 93 12 "
    "50 18 89 8  50 18 86 7  50 19 72 8  50 19 79 8  50 20 80 9  56 20 82 15  70 20 91 15"
)


def _numbers(text: str) -> Array:
    return np.array(text.split(), dtype=float)


def _series(text: str, first: int, every: int = 1) -> Data:
    values = _numbers(text)
    years = first + np.arange(len(values), dtype=float)
    return years[::every, None], values[::every]


def carbon_dioxide(every: int = 1) -> Data:
    return _series(CO2, 1959, every)


def sunspots(every: int = 1) -> Data:
    return _series(SUNSPOTS, 1948, every)


def ocean(every: int = 1) -> Data:
    return _series(OCEAN, 1950, every)


def stack_loss() -> Data:
    rows = _numbers(STACK_LOSS).reshape(-1, 4)
    return rows[:, :3], rows[:, 3]


def linnerud(output: int = 0) -> Data:
    """Weight, waist and pulse of 20 men, and how many chin-ups, sit-ups or jumps they did."""
    given = datasets.load_linnerud()
    return given.target, given.data[:, output]


def diabetes(rows: int, columns: tuple[int, ...], first: int = 0) -> Data:
    """Some of the 442 patients, and of their 10 readings."""
    inputs, outputs = datasets.load_diabetes(return_X_y=True, scaled=False)
    part = slice(first, first + rows)
    return inputs[part, list(columns)], outputs[part]


def schwefel(rows: int, inputs: int, seed: int) -> Data:
    """Points of Schwefel's function."""
    x = np.random.default_rng(seed).uniform(-500, 500, (rows, inputs))
    return x, 418.9829 * inputs - (x * np.sin(np.sqrt(np.abs(x)))).sum(axis=1)


def friedman(rows: int, seed: int, noise: float, inputs: int = 5) -> Data:
    """Friedman's function of five inputs, or the part of it that the first few make."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(rows, max(inputs, 5)))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    if inputs >= 5:
        y = y + 10 * x[:, 3] + 5 * x[:, 4]
    return x[:, :inputs], y + noise * rng.standard_normal(rows)


def sine(rows: int, seed: int, noise: float, inputs: int = 1, waves: float = 1.0) -> Data:
    """A sine along the first input and noise; any further inputs are irrelevant."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(rows, inputs))
    return x, np.sin(2 * np.pi * waves * x[:, 0]) + noise * rng.standard_normal(rows)


def walk(rows: int, seed: int, noise: float) -> Data:
    """A random walk seen through noise."""
    rng = np.random.default_rng(seed)
    x = np.arange(rows, dtype=float)
    steps = np.cumsum(rng.standard_normal(rows))
    return x[:, None], steps + noise * rng.standard_normal(rows)
