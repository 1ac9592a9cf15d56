"""Known stationary points of the analytic surfaces, and where the numbers are from.

* Mueller-Brown: K. Mueller, L. D. Brown, Theor. Chim. Acta 53, 75 (1979), their table 1, to the
  digits printed there.
* Six-hump camel: 6 minima, 7 saddles, 2 maxima; 6 - 7 + 2 = 1 as a surface that rises on all sides
  must have. Lowest energy -1.0316284535 (Dixon & Szego, 1978).
* Schwefel: stationary points in one coordinate are the roots of
  ``sin s + (s / 2) cos s = 0, s = sqrt |x|``, found here by bisection between the poles of
  ``tan s + s / 2``.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

MUELLER_BROWN_MINIMA = {
    (-0.558, 1.442): -146.700,
    (0.623, 0.028): -108.167,
    (-0.050, 0.467): -80.768,
}
MUELLER_BROWN_SADDLES = {(-0.822, 0.624): -40.665, (0.212, 0.293): -72.249}
SIX_HUMP_LOWEST = -1.0316284535


def schwefel_one_dimension():
    """Interior minima and maxima of ``-x sin sqrt |x|`` on (-500, 500), each ascending."""
    roots = []
    for k in range(8):
        low, high = (k + 0.5) * np.pi, (k + 1) * np.pi
        s = brentq(lambda s: np.sin(s) + 0.5 * s * np.cos(s), low, high)
        if s**2 < 500:
            roots += [s**2, -(s**2)]

    def curvature(x, h=1e-3):
        value = [-y * np.sin(np.sqrt(abs(y))) for y in (x - h, x, x + h)]
        return value[0] - 2 * value[1] + value[2]

    return (
        sorted(x for x in roots if curvature(x) > 0),
        sorted(x for x in roots if curvature(x) < 0),
    )
