"""Label regularisation of CRST-LRENT: soft pseudo labels and which pixels keep one (METHOD 4).

With r[k] = p[k] / λ[k] and Z = Σ_k r[k]^(1/α), the soft label is s[k] = r[k]^(1/α) / Z. Put into
the keep rule -Σ s log p + α Σ s log s < -Σ s log λ, everything but Z cancels:

    α Σ s log s = Σ s log r - α log Z,   so the rule is   -α log Z < 0,   that is   Z > 1.

Both are computed from log r, relative to the largest: 1/α = 4 powers of small r would underflow.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from tpld.core import checks
from tpld.core.labels import IGNORE


def select_lrent(
    log_p: ArrayLike, log_threshold: ArrayLike, alpha: float = 0.25
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Hard label argmax s where LRENT keeps the pixel, else 255. METHOD 4 [C].

    log_p (K, H, W) float32, log_threshold (K,) float32; returns the label (H, W) uint8 and the
    excess r - 1 of the best class (H, W) float32. Ties go to the lower class id. Z = 1 is kept
    [O; printed as a strict >]: a saturated class, λ = p = 1, would lose all pixels. A kept pixel
    may have an excess a little under 0: its second class helps Z over 1.
    """
    log_p, bar = _checked(log_p, log_threshold, alpha)
    label, best = _kept_class(log_p, bar, np.float32(1 / alpha))
    return label, np.expm1(best, out=best)


def soft_label(
    log_p: ArrayLike, log_threshold: ArrayLike, alpha: float = 0.25
) -> NDArray[np.float32]:
    """s[k] ∝ (p[k] / λ[k])^(1/α) of every pixel, kept or not. METHOD 4 [C].

    log_p (K, H, W) float32, log_threshold (K,) float32; returns (K, H, W) float32, sum 1 over K.
    """
    log_p, bar = _checked(log_p, log_threshold, alpha)
    return _soft_label(log_p, bar, np.float32(1 / alpha))


def _checked(
    log_p: ArrayLike, log_threshold: ArrayLike, alpha: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}; expected a number above 0")
    maps = checks.class_maps("log_p", log_p)
    return maps, checks.per_class("log_threshold", log_threshold, len(maps))


@njit(cache=True, parallel=True)
def _kept_class(log_p, bar, power):
    """Class of the largest log r where Z >= 1, else 255, and that log r of every pixel.

    Z lies between r_best^(1/α) and K times it: only between the two are powers of the other
    classes summed, relative to the best.
    """
    num_classes, height, width = log_p.shape
    label = np.zeros((height, width), np.uint8)
    best = np.empty((height, width), np.float32)
    most = np.float32(np.log(num_classes))
    for y in prange(height):
        for x in range(width):
            best[y, x] = log_p[0, y, x] - bar[0]
        for k in range(1, num_classes):
            class_id = np.uint8(k)
            for x in range(width):
                value = log_p[k, y, x] - bar[k]
                better = value > best[y, x]
                label[y, x] = class_id if better else label[y, x]
                best[y, x] = value if better else best[y, x]
        others = np.zeros(width, np.float32)
        for k in range(num_classes):
            for x in range(width):
                log_power = best[y, x] * power
                if log_power < 0 and log_power + most >= 0 and k != label[y, x]:
                    others[x] += np.exp((log_p[k, y, x] - bar[k] - best[y, x]) * power)
        # Z = r_best^(1/α) (1 + others): log1p keeps others that are tiny beside 1.
        for x in range(width):
            if not best[y, x] * power + np.log1p(others[x]) >= 0:
                label[y, x] = IGNORE
    return label, best


@njit(cache=True, parallel=True)
def _soft_label(log_p, bar, power):
    num_classes, height, width = log_p.shape
    soft = np.empty((num_classes, height, width), np.float32)
    for y in prange(height):
        best = np.full(width, -np.inf, np.float32)
        total = np.zeros(width, np.float32)
        for k in range(num_classes):
            for x in range(width):
                best[x] = max(best[x], log_p[k, y, x] - bar[k])
        for k in range(num_classes):
            for x in range(width):
                value = np.exp((log_p[k, y, x] - bar[k] - best[x]) * power)
                soft[k, y, x] = value
                total[x] += value
        for k in range(num_classes):
            for x in range(width):
                soft[k, y, x] /= total[x]
    return soft
