"""2^x and e^x - 1 in float32 by polynomials that the compiler computes for eight pixels at a time.

``math.exp`` is a call into the C library for every single number, and it was most of the time of
a softmax. Here 2^x = 2^n 2^f with n the nearest integer, f in [-1/2, 1/2]: 2^n is written straight
into the exponent bits, 2^f is a polynomial of degree 6 (relative error 2e-9, fitted for this file
by weighted least squares). With float32 rounding the result is within 1.5e-7 of the truth, and 2^0
is 1 exactly.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LOG2_E = np.float32(1.4426950408889634)

# Adding it leaves round(x) in the lowest bits of the mantissa; taking it away again gives round(x).
_ROUND = np.float32(1.5 * 2**23)
# Below it the result is not a normal float32 any more, and becomes 0.
_SMALLEST = np.float32(-126)
_BIAS = np.int32(127)
_MANTISSA_BITS = np.int32(23)
_C1, _C2, _C3 = np.float32(0.6931471825), np.float32(0.2402264625), np.float32(0.0555032864)
_C4, _C5, _C6 = np.float32(0.0096184891), np.float32(0.0013399931), np.float32(0.0001534581)


def _reinterpreted(llvm_type):
    def generate(_context, builder, _signature, arguments):
        return builder.bitcast(arguments[0], llvm_type)

    return generate


def _bits_of(_context, value):
    """The 32 bits of a float32 as int32."""
    return types.int32(types.float32), _reinterpreted(ir.IntType(32))


def _float_of(_context, bits):
    """The float32 that 32 bits of an int32 stand for."""
    return types.float32(types.int32), _reinterpreted(ir.FloatType())


def _widened(_context, number):
    """A float32 or float64 as it is; the float32 of 16 bits that are a bfloat16."""
    if not isinstance(number, types.Integer):
        return number(number), lambda _context, _builder, _signature, arguments: arguments[0]

    def generate(_context, builder, _signature, arguments):
        bits = builder.zext(arguments[0], ir.IntType(32))
        return builder.bitcast(builder.shl(bits, ir.Constant(ir.IntType(32), 16)), ir.FloatType())

    return types.float32(number), generate


bits_of = cast(Callable[[Any], Any], intrinsic(_bits_of))
float_of = cast(Callable[[Any], Any], intrinsic(_float_of))
widened = cast(Callable[[Any], Any], intrinsic(_widened))


@njit(cache=True, inline="always", fastmath={"contract"})
def exp2_negative(x):
    """2^x of a float32 x <= 0; 0 where x < -126. See the module docstring."""
    bounded = x if x > _SMALLEST else _SMALLEST
    shifted = bounded + _ROUND
    f = bounded - (shifted - _ROUND)
    power = _C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * (_C5 + f * _C6))))
    power = power * f + np.float32(1)
    scale = float_of((bits_of(shifted) + _BIAS) << _MANTISSA_BITS)
    return power * scale if x >= _SMALLEST else np.float32(0)


# ln 2 in two parts: n times the first is exact for every n that occurs.
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# e^x leaves float32 above it; no excess can: r <= K / (smallest λ).
_LARGEST = np.float32(87)
_E2, _E3, _E4 = np.float32(1 / 2), np.float32(1 / 6), np.float32(1 / 24)
_E5, _E6, _E7 = np.float32(1 / 120), np.float32(1 / 720), np.float32(1 / 5040)


@njit(cache=True, inline="always", fastmath={"contract"})
def expm1_bounded(x):
    """e^x - 1 of a float32 x, within 3e-7 of itself; -1 where x < -87, as if x were 87 above that.

    e^x - 1 = 2^n (e^f - 1) + (2^n - 1), f in [-ln 2 / 2, ln 2 / 2]: near 0, where n = 0, nothing
    is lost, and the sign is that of x.
    """
    bounded = min(max(x, -_LARGEST), _LARGEST)
    shifted = bounded * LOG2_E + _ROUND
    n = shifted - _ROUND
    f = bounded - n * _LN2_HIGH - n * _LN2_LOW
    series = _E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * (_E6 + f * _E7))))
    inner = f + f * f * series
    scale = float_of((bits_of(shifted) + _BIAS) << _MANTISSA_BITS)
    return scale * inner + (scale - np.float32(1))
