"""Full pseudo labels of easy images, phase 2 (METHOD 9)."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tpld.core import checks

Reading = Literal["soft", "hard", "argmax", "sparse"]


def full_label(
    excess: ArrayLike,
    gamma: float = 2.0,
    reading: Reading = "soft",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A target distribution and a weight for every pixel, confident or not. METHOD 9.

    excess (K, ...) float32, e = r - 1. Returns the target (K, ...) float32, sum 1 over K, and the
    weight (...) float32 in [0, 1] of the pixel's loss.

    Where max r >= 1: one-hot of argmax r, weight 1 [P]. Elsewhere the calibrated value r^γ [P]:

    - soft (default, O): r^γ normalised over the classes; weight (max r)^γ
    - hard (O): one-hot of argmax r; weight (max r)^γ
    - argmax (O): one-hot of argmax r; weight 1
    - sparse: weight 0, the control that tells what the full labels add to the confident ones

    Ties of argmax go to the lower class id. Raises ValueError for γ <= 0 or an unknown reading.
    """
    excess = np.asarray(excess, dtype=np.float32)
    if excess.ndim < 1 or len(excess) < 2:
        raise ValueError(f"excess has shape {excess.shape}; expected (K, ...) with K >= 2")
    if not gamma > 0:
        raise ValueError(f"gamma is {gamma}; expected a number above 0")
    checks.one_of("reading", reading, ("soft", "hard", "argmax", "sparse"))
    winner = excess.argmax(axis=0)
    best_excess = excess.max(axis=0)
    confident = best_excess >= 0
    target = np.zeros_like(excess)
    np.put_along_axis(target, winner[None], np.float32(1), axis=0)
    if reading == "argmax":
        return target, np.ones_like(best_excess)
    best = np.maximum(best_excess + np.float32(1), np.float32(0))
    doubtful = np.float32(0) if reading == "sparse" else best ** np.float32(gamma)
    weight = np.where(confident, np.float32(1), doubtful)
    if reading == "soft":
        target = np.where(confident, target, _calibrated(excess, best, gamma))
    return target, weight


def _calibrated(
    excess: NDArray[np.float32], best: NDArray[np.float32], gamma: float
) -> NDArray[np.float32]:
    """r^γ normalised over the classes: excess (K, ...), best = max r (...) -> (K, ...).

    Each r is divided by the largest first, so that the sum is at least 1 and no power under- or
    overflows all of it. A pixel without any score (every r = 0) becomes uniform; its weight is 0.
    """
    r = np.maximum(excess + np.float32(1), np.float32(0))
    soft = np.where(best > 0, r / np.where(best > 0, best, np.float32(1)), np.float32(1))
    np.power(soft, np.float32(gamma), out=soft)
    soft /= soft.sum(axis=0)
    return soft
