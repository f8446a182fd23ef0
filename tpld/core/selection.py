"""Confident pseudo labels and the two best classes of each pixel (METHOD 4 and 5.1)."""

from typing import Literal, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from tpld.core import checks
from tpld.core.fastmath import expm1_bounded
from tpld.core.labels import IGNORE


class Candidates(NamedTuple):
    """The two competing classes of every pixel, best first, with their excesses e = r - 1."""

    first: NDArray[np.uint8]  # (H, W)
    second: NDArray[np.uint8]  # (H, W)
    first_excess: NDArray[np.float32]  # (H, W)
    second_excess: NDArray[np.float32]  # (H, W)


def normalised_excess(log_p: ArrayLike, log_threshold: ArrayLike) -> NDArray[np.float32]:
    """Excess e[k] = p[k] / λ[k] - 1 = expm1(log p[k] - log λ[k]).

    log_p (K, H, W) float32, log_threshold (K,) float32; returns (K, H, W) float32. Zero at the bar.
    """
    log_p = checks.class_maps("log_p", log_p)
    log_threshold = checks.per_class("log_threshold", log_threshold, len(log_p))
    excess = log_p - log_threshold[:, None, None]
    return _expm1(excess)


def excess_from_probabilities(p: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float32]:
    """Excess from plain probabilities: e[k] = (p[k] - λ[k]) / λ[k].

    p (K, H, W) float32, thresholds (K,) float32 above 0; returns (K, H, W) float32. For networks
    with probabilities close to 1 prefer `normalised_excess`: float32 p ties there.
    """
    p = checks.class_maps("p", p)
    thresholds = checks.per_class("thresholds", thresholds, len(p))
    if (thresholds <= 0).any():
        raise ValueError(f"thresholds must be above 0, the smallest is {thresholds.min()}")
    excess = p - thresholds[:, None, None]
    return np.divide(excess, thresholds[:, None, None], out=excess)


def select(excess: ArrayLike) -> NDArray[np.uint8]:
    """Pseudo label of CBST and CRST-MRKLD: argmax r where max r >= 1, else 255. METHOD 4 [C].

    excess (K, H, W) float32; returns (H, W) uint8. Ties go to the lower class id. Equality with the
    bar is accepted (the paper prints a strict >): a saturated class, λ = 1, would lose all pixels.
    """
    excess = checks.class_maps("excess", excess)
    return _best_class(excess, np.zeros(len(excess), np.float32), False)[0]


def select_from_logs(
    log_p: ArrayLike, log_threshold: ArrayLike
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """`select(normalised_excess(...))` without the (K, H, W) temporary, ranked by log r.

    log_p (K, H, W) float32, log_threshold (K,) float32; returns the label (H, W) uint8 and the
    excess of the best class (H, W) float32 of every pixel, labelled (>= 0) or not. METHOD 4 [C].
    """
    log_p = checks.class_maps("log_p", log_p)
    bar = checks.per_class("log_threshold", log_threshold, len(log_p))
    return _best_class(log_p, bar, True)


def top_two(excess: ArrayLike, rank: ArrayLike | None = None) -> Candidates:
    """The two classes with the largest r, and their excesses. METHOD 5.1 [P "top two", O ranking].

    excess (K, H, W) float32. rank: another (K, H, W) float32 array to rank by, for the key
    rank_by = probability. One pass over the classes; ties go to the lower class id.
    """
    excess = checks.class_maps("excess", excess)
    if rank is None:
        return Candidates(*_two_best_classes(excess, np.zeros(len(excess), np.float32), False))
    rank = checks.class_maps("rank", rank)
    checks.same_shape(excess=excess, rank=rank)
    first, second, _, _ = _two_best_classes(rank, np.zeros(len(rank), np.float32), False)
    return Candidates(first, second, _at(excess, first), _at(excess, second))


def top_two_from_logs(
    log_p: ArrayLike,
    log_threshold: ArrayLike,
    rank_by: Literal["normalised", "probability"] = "normalised",
) -> Candidates:
    """`top_two` of log p and log λ: no (K, H, W) temporary, and no ties at either end of r.

    log_p (K, H, W) float32, log_threshold (K,) float32. rank_by: "normalised" ranks by r,
    "probability" by p. METHOD 5.1 [P "top two", O ranking].
    """
    checks.one_of("rank_by", rank_by, ("normalised", "probability"))
    log_p = checks.class_maps("log_p", log_p)
    bar = checks.per_class("log_threshold", log_threshold, len(log_p))
    if rank_by == "normalised":
        return Candidates(*_two_best_classes(log_p, bar, True))
    first, second, best, next_best = _two_best_classes(log_p, np.zeros_like(bar), False)
    return Candidates(first, second, _expm1(best - bar[first]), _expm1(next_best - bar[second]))


def _at(maps: NDArray[np.float32], class_id: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Value of each pixel's class: maps (K, H, W), class_id (H, W) -> (H, W)."""
    return np.take_along_axis(maps, class_id[None].astype(np.intp), axis=0)[0]


def _expm1(logarithms: NDArray[np.float32]) -> NDArray[np.float32]:
    """e^x - 1 of each element, in place: contiguous float32 of any shape."""
    if logarithms.size:
        _expm1_rows(logarithms.reshape(-1, logarithms.shape[-1]))
    return logarithms


@njit(cache=True, parallel=True)
def _expm1_rows(values):
    for y in prange(values.shape[0]):
        row = values[y]
        for x in range(len(row)):
            row[x] = expm1_bounded(row[x])


@njit(cache=True, parallel=True)
def _best_class(maps, offset, logarithms):
    """Class with the largest maps[k] - offset[k], 255 where that is negative, and that value.

    Of `logarithms`, not the value but e to its power, minus 1: the excess.

    Classes outside, columns inside: every memory stream is contiguous, the row of results stays
    in the first-level cache, and without branches the compiler compares many pixels at a time (it
    does so only if all is read before anything is chosen: a read inside a choice is a branch).
    """
    num_classes, height, width = maps.shape
    label = np.zeros((height, width), np.uint8)
    best = np.empty((height, width), np.float32)
    for y in prange(height):
        labels, values = label[y], best[y]
        for x in range(width):
            values[x] = maps[0, y, x] - offset[0]
        for k in range(1, num_classes):
            row, bar, class_id = maps[k, y], offset[k], np.uint8(k)
            for x in range(width):
                value, top, old = row[x] - bar, values[x], labels[x]
                better = value > top
                labels[x] = class_id if better else old
                values[x] = value if better else top
        for x in range(width):
            old = labels[x]
            labels[x] = old if values[x] >= 0 else np.uint8(IGNORE)
        if logarithms:
            for x in range(width):
                values[x] = expm1_bounded(values[x])
    return label, best


@njit(cache=True, parallel=True)
def _two_best_classes(maps, offset, logarithms):
    """The two classes with the largest maps[k] - offset[k], and those values; see _best_class.

    A value above the best pushes the best to second place; the strict > keeps the lower id at ties.
    """
    num_classes, height, width = maps.shape
    first = np.empty((height, width), np.uint8)
    second = np.empty((height, width), np.uint8)
    best = np.empty((height, width), np.float32)
    next_best = np.empty((height, width), np.float32)
    for y in prange(height):
        for x in range(width):
            v0, v1 = maps[0, y, x] - offset[0], maps[1, y, x] - offset[1]
            swap = v1 > v0
            first[y, x], second[y, x] = np.uint8(swap), np.uint8(not swap)
            best[y, x], next_best[y, x] = (v1, v0) if swap else (v0, v1)
        firsts, seconds, tops, lows = first[y], second[y], best[y], next_best[y]
        for k in range(2, num_classes):
            row, bar, class_id = maps[k, y], offset[k], np.uint8(k)
            for x in range(width):
                value, top, low = row[x] - bar, tops[x], lows[x]
                a, b = firsts[x], seconds[x]
                wins, enters = value > top, value > low
                lower, lower_id = (value, class_id) if enters else (low, b)
                seconds[x], lows[x] = (a, top) if wins else (lower_id, lower)
                firsts[x], tops[x] = (class_id, value) if wins else (a, top)
        if logarithms:
            for x in range(width):
                tops[x], lows[x] = expm1_bounded(tops[x]), expm1_bounded(lows[x])
    return first, second, best, next_best
