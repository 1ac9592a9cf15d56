"""LAPACK and BLAS from compiled loops, without Python between the calls.

SciPy publishes the addresses of the routines that it is linked to. They are passed to compiled code
as numbers, so that the code can be kept on disk: an address is good for one process only.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address, intrinsic
from numpy.typing import NDArray

__all__ = ["Routines", "factorise", "invert", "multiply", "routines", "solve"]

Array = NDArray[np.float64]


class Routines(NamedTuple):
    """Addresses of the routines used here."""

    potrf: int
    potri: int
    trsv: int
    gemm: int


@functools.cache
def routines() -> Routines:
    """Look the addresses up, once in a process."""
    lapack, blas = "scipy.linalg.cython_lapack", "scipy.linalg.cython_blas"
    return Routines(
        *(get_cython_function_address(lapack, name) for name in ("dpotrf", "dpotri")),
        *(get_cython_function_address(blas, name) for name in ("dtrsv", "dgemm")),
    )


@intrinsic
def _call(typing: Any, address: Any, arguments: Any) -> Any:
    """Call the routine at an address with pointers, all of them given as integers."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        given = [
            builder.inttoptr(value, pointer) for value in cgutils.unpack_tuple(builder, values[1])
        ]
        kind = ir.FunctionType(ir.VoidType(), [pointer] * len(given))
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), given)
        return context.get_dummy_value()

    return types.void(types.intp, arguments), generate


# One byte each, as Fortran wants them.
LOWER, NORMAL, TRANSPOSED = (np.frombuffer(c, dtype=np.uint8) for c in (b"L", b"N", b"T"))


@numba.njit(nogil=True)
def factorise(address: Routines, a: Array) -> bool:
    """Cholesky factor of ``a`` in place, and whether there is one.

    Matrices have C's order, and of symmetric and triangular ones only the upper triangle is read
    and written: Fortran's lower one.
    """
    ints = np.array([a.shape[0], 0], dtype=np.int32)
    n, info = ints[:1].ctypes.data, ints[1:].ctypes.data
    _call(address.potrf, (LOWER.ctypes.data, n, a.ctypes.data, n, info))
    return ints[1] == 0


@numba.njit(nogil=True)
def invert(address: Routines, factor: Array) -> None:
    """The inverse of the factorised matrix in place of its factor."""
    ints = np.array([factor.shape[0], 0], dtype=np.int32)
    n, info = ints[:1].ctypes.data, ints[1:].ctypes.data
    _call(address.potri, (LOWER.ctypes.data, n, factor.ctypes.data, n, info))


@numba.njit(nogil=True)
def solve(address: Routines, factor: Array, x: Array, transposed: bool) -> None:
    """``L^-1 x`` or ``L^-T x`` in place of ``x``, ``(n,)``."""
    ints = np.array([factor.shape[0], 1], dtype=np.int32)
    n, one = ints[:1].ctypes.data, ints[1:].ctypes.data
    side = TRANSPOSED.ctypes.data if transposed else NORMAL.ctypes.data
    _call(
        address.trsv,
        (LOWER.ctypes.data, side, NORMAL.ctypes.data, n, factor.ctypes.data, n, x.ctypes.data, one),
    )
    ints[1] = 0  # still in use until here


@numba.njit(nogil=True)
def multiply(address: Routines, a: Array, b: Array, out: Array) -> None:
    """``a b`` of two square matrices into ``out``."""
    ints = np.array([a.shape[0]], dtype=np.int32)
    scalars = np.array([1.0, 0.0])
    n, alpha, beta = ints.ctypes.data, scalars[:1].ctypes.data, scalars[1:].ctypes.data
    normal = NORMAL.ctypes.data
    # Fortran sees the transposes, and so must multiply them the other way round.
    _call(
        address.gemm,
        (
            *(normal, normal, n, n, n, alpha),
            *(b.ctypes.data, n, a.ctypes.data, n, beta, out.ctypes.data, n),
        ),
    )
    ints[0], scalars[0] = 0, 0.0  # still in use until here
