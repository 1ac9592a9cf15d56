"""``exp`` that the compiler can vectorise, for compiled loops.

A call of the C library's ``exp`` keeps a loop scalar. Written out (argument reduced by ``ln 2`` in
two parts, Taylor polynomial, the power of two put into the exponent's bits) it costs a quarter.
"""

from __future__ import annotations

import math
from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic

__all__ = ["as_bits", "as_float", "exponential"]

LOWEST = -708.0  # below it the result is less than 4e-308, and counts as zero
ROUND = 1.5 * 2.0**52  # added to a number, leaves it rounded to an integer in the lowest bits
ROUND_BITS = 0x4338000000000000
LOG2E = 1 / math.log(2)
LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # ln 2 to 32 bits: its small multiples are exact
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
TAYLOR = tuple(1 / math.factorial(k) for k in range(14))


@intrinsic
def as_bits(typing: Any, x: Any) -> Any:
    """The bits of a float64 as an int64."""
    return types.int64(types.float64), _bitcast


@intrinsic
def as_float(typing: Any, bits: Any) -> Any:
    """The float64 with the bits of an int64."""
    return types.float64(types.int64), _bitcast


def _bitcast(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))


@numba.njit(fastmath={"contract"}, forceinline=True)
def exponential(x: float) -> float:
    """``exp(x)`` for ``x`` up to 708 to an ulp or two, 0 from -708 down; NaN stays NaN."""
    shifted = x * LOG2E + ROUND
    whole = shifted - ROUND
    r = x - whole * LN2_HIGH - whole * LN2_LOW
    y = TAYLOR[13]
    for k in range(12, -1, -1):
        y = y * r + TAYLOR[k]
    scale = as_float((as_bits(shifted) - ROUND_BITS + 1023) << 52)
    return 0.0 if x < LOWEST else y * scale
