"""Matern correlations and their derivatives to 50 digits, by mpmath.

Run ``python tests/reference/matern.py``, which takes some minutes and writes ``matern.npz`` beside
itself: 2,000 random orders and distances where the correlation is above 1e-100, then half-integers,
integers and their neighbours 1e-9 away. Rows of ``points`` are ``nu, r``; rows of ``values`` are
``k, dk/dr, dk/dnu, d2k/dnu2, d2k/dr dnu``.
"""

from pathlib import Path

import mpmath as mp
import numpy as np

POINTS = 2000


def correlation(nu, r):
    """The definition."""
    s = mp.sqrt(2 * nu) * r
    return 2 ** (1 - nu) / mp.gamma(nu) * s**nu * mp.besselk(nu, s)


def slope(nu, r):
    """``dk/dr`` by the rule for the derivative of ``s^nu K_nu(s)``."""
    s = mp.sqrt(2 * nu) * r
    return -mp.sqrt(2 * nu) * 2 ** (1 - nu) / mp.gamma(nu) * s**nu * mp.besselk(nu - 1, s)


def row(nu, r):
    nu, r = mp.mpf(float(nu)), mp.mpf(float(r))
    return [
        float(x)
        for x in (
            correlation(nu, r),
            slope(nu, r),
            mp.diff(lambda n: correlation(n, r), nu),
            mp.diff(lambda n: correlation(n, r), nu, 2),
            mp.diff(lambda n: slope(n, r), nu),
        )
    ]


def points():
    rng = np.random.default_rng(0)
    found = []
    while len(found) < POINTS:
        nu = np.exp(rng.uniform(np.log(0.2), np.log(50)))
        r = np.exp(rng.uniform(np.log(1e-8), np.log(300)))
        if correlation(mp.mpf(nu), mp.mpf(r)) > 1e-100:
            found.append((nu, r))
    for centre in [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4.5, 7, 7.5, 12, 12.5, 20, 30.5, 49, 49.5]:
        for nu in (centre - 1e-9, centre, centre + 1e-9):
            found += [(nu, r) for r in (1e-6, 1e-2, 0.5, 1.0, 3.0, 8.0)]
    return np.array(found)


if __name__ == "__main__":
    mp.mp.dps = 50
    where = points()
    values = np.array([row(nu, r) for nu, r in where])
    np.savez_compressed(Path(__file__).with_suffix(".npz"), points=where, values=values)
