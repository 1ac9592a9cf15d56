"""Folds: where two stationary points of a family of targets meet and vanish.

At a fold the gradient is zero and the Hessian has a null vector. Both together, with the length of
that vector, are as many equations as unknowns, and the solution is regular where the fold is a true
one: Newton's method finds it to rounding.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bayescape.landscape.family import Family

__all__ = ["Fold", "solve_fold"]

Array = NDArray[np.float64]

ITERATIONS = 12
STILL = 1e-11  # Newton step, in units of the coordinates, that is rounding
SETTLED = 1e-6  # the same, of a solution: what is left is its square
FAR = 1.0  # units of the coordinates: beyond, another fold was found
AT_END = 1e-9  # share of the range by which a fold at the end of an interval may be beyond it


@dataclasses.dataclass(frozen=True, slots=True)
class Fold:
    """One fold, in the targets' own coordinates.

    Near it the stationary points are those of ``t s + c z^2 / 2 = 0`` with ``s`` the parameter and
    ``z`` the distance along the null vector, both from the fold: two on the side where ``t s`` and
    ``c`` have opposite signs, and none on the other. A fold is a true one if neither vanishes.

    Attributes
    ----------
    theta, parameter, energy
        Where it is: shape ``(d,)``, a number, and nats.
    null_vector
        Unit vector ``v`` with ``H v = 0``, ``(d,)``; its component of largest size is positive.
    gradient_norm
        Norm of the gradient, nats per unit of the coordinates.
    smallest_eigenvalue
        Of the Hessian, by size, with its sign.
    cubic
        ``c = v . H'[v] v``, the third derivative of the energy along the null vector.
    transversality
        ``t = v . dg/dp``, how the gradient along it changes with the parameter.
    """

    theta: Array
    parameter: float
    energy: float
    null_vector: Array
    gradient_norm: float
    smallest_eigenvalue: float
    cubic: float
    transversality: float

    @property
    def side(self) -> int:
        """Where the two points exist: 1 above the parameter's value, -1 below."""
        return -1 if self.cubic * self.transversality > 0 else 1


def solve_fold(family: Family, x: Array, p: float, v: Array) -> Fold | None:
    """Solve ``g = 0``, ``H v = 0``, ``|v| = 1`` by Newton's method from nearby.

    The system's matrix needs the Hessian's derivatives along ``v`` and along the parameter. These
    are differences of exact Hessians; as only the matrix takes them, and not the equations, the
    solution is as exact as gradient and Hessian are.

    Parameters
    ----------
    family
        The targets.
    x, p, v
        Point ``(d,)`` in the family's units, parameter, and direction ``(d,)`` of the null vector.

    Returns
    -------
    Fold or None
        ``None`` if the iteration does not converge within the neighbourhood and the range.

    References
    ----------
    G. Moore, A. Spence, "The calculation of turning points of nonlinear equations", SIAM J. Numer.
    Anal. 17, 567 (1980).
    """
    d = len(x)
    start = x
    v = v / np.linalg.norm(v)
    last = np.inf
    for _ in range(ITERATIONS):
        g, H = family.gradient(x[None], p)[0], family.hessian(x[None], p)[0]
        g_p = family.gradient_slope(x[None], p)[0] * family.range
        H_p = family.hessian_slope(x[None], p)[0] * family.range
        matrix = np.zeros((2 * d + 1, 2 * d + 1))
        matrix[:d, :d], matrix[:d, d] = H, g_p
        matrix[d:-1, :d], matrix[d:-1, d] = family.hessian_along(x, p, v), H_p @ v
        matrix[d:-1, d + 1 :], matrix[-1, d + 1 :] = H, v
        residual = np.concatenate([g, H @ v, [0.5 * (v @ v - 1)]])
        if not (np.isfinite(matrix).all() and np.isfinite(residual).all()):
            return None
        try:
            step = -np.linalg.solve(matrix, residual)
        except np.linalg.LinAlgError:
            return None
        size = float(np.linalg.norm(step))
        # Rounding keeps the last steps from shrinking: the best point is the one before these.
        if size >= last and last < SETTLED:
            break
        x, v, last = x + step[:d], v + step[d + 1 :], size
        q = p + float(step[d]) * family.range
        p = family.within(q)
        if np.linalg.norm(x - start) > FAR:
            return None
        if size < STILL:
            break
    if last > SETTLED or abs(q - p) > AT_END * family.range:
        return None
    return fold_at(family, x, p)


def fold_at(family: Family, x: Array, p: float) -> Fold:
    """What there is to say of a fold at a point ``(d,)`` in the family's units."""
    values, vectors = np.linalg.eigh(
        family.hessian(x[None], p)[0] / np.outer(family.unit, family.unit)
    )
    softest = int(np.argmin(np.abs(values)))
    null = vectors[:, softest]
    null = null * np.sign(null[np.argmax(np.abs(null))])
    along = null / family.unit  # the same direction in the family's units
    gradient = family.gradient(x[None], p)[0] / family.unit
    third = family.hessian_along(x, p, along)
    return Fold(
        theta=x * family.unit,
        parameter=p,
        energy=float(family.energy(x[None], p)[0]),
        null_vector=null,
        gradient_norm=float(np.linalg.norm(gradient)),
        smallest_eigenvalue=float(values[softest]),
        cubic=float(along @ third @ along),
        transversality=float(null @ (family.gradient_slope(x[None], p)[0] / family.unit)),
    )
