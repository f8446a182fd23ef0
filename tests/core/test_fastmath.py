import numpy as np
from numba import njit

from tpld.core.fastmath import expm1_bounded


@njit
def expm1_of(x):
    out = np.empty_like(x)
    for i in range(len(x)):
        out[i] = expm1_bounded(x[i])
    return out


def test_expm1_is_exact_to_float32_near_the_bar_and_far_from_it():
    small = np.logspace(-30, 0, 2001)
    wide = np.linspace(-90, 20, 20_001)
    x = np.concatenate([small, -small, wide, [0.0, -np.inf]]).astype(np.float32)
    got = expm1_of(x)
    np.testing.assert_allclose(got, np.expm1(x.astype(np.float64)), rtol=3e-7)
    np.testing.assert_array_equal(np.sign(got), np.sign(x))
