"""Probabilities of a target image from the stored low-resolution logits (METHOD 2).

    p[k] = mean over views v of softmax_k( upsample(logits[v]) )     [C]

The views are the image and its mirror image. Everything is returned as log p, because float32
probabilities of a confident network tie at 1 and thresholds then lose their rank: where p[k] > 1/2
we take log p[k] = log1p(-(sum of the other classes)), which keeps its relative precision.

No kernel holds K planes of an image. They walk through it in tiles of `_TILE_ROWS` rows and
`_BLOCK` columns, and inside a tile row by row:

    low-resolution row j      o-------o-------o     widened once to `_BLOCK` columns (1)
    rows of the image         . . . . . . . . .     between both: one multiplication and addition
    low-resolution row j+1    o-------o-------o     a pixel, class and view (2), then 2^x (3)

so that a tile's K x _BLOCK probabilities stay in the first-level cache until all that is wanted of
them is known. (1) multiplies by log2 e, since 2^x is what is cheap. Loops have the class outside
and the column inside, without branches: the compiler computes eight pixels at a time.
"""

import math
from typing import Literal

import numba
import numpy as np
from numpy.typing import ArrayLike

from tpld.core import checks
from tpld.core.fastmath import LOG2_E, exp2_negative
from tpld.core.selection import Candidates

Size = tuple[int, int]

_BLOCK = 128
_TILE_ROWS = 64
# Nearer to the bar than this share, a candidate's excess is computed from logarithms instead.
_NEAR = np.float32(1e-5)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
# exp of it is finite in float32: no threshold lies under it, as λ is at least 1 / K.
_LOWEST_LOG_THRESHOLD = np.float32(-60)


def log_probabilities(
    logits: np.ndarray, size: Size, top: int = 0, left: int = 0, height: int = 0, width: int = 0
) -> np.ndarray:
    """log p of a window of an image.

    Args:
        logits: float32 (V, K, h, w), V is 1 (image) or 2 (image, mirror image as predicted).
        size: (H, W) of the whole image at label resolution; upsampling is bilinear with
            align_corners=True.
        top: first row of the window; the other three likewise, height and width 0 mean all.
        left: first column of the window.
        height: rows of the window.
        width: columns of the window.

    Returns:
        float32 (K, height, width), log of the probability, at most 0; -inf where p < 1e-38.
    """
    height, width = height or size[0] - top, width or size[1] - left
    out = np.empty((logits.shape[1], height, width), np.float32)
    places = _places(logits.shape, size, left, width)
    _fill(np.ascontiguousarray(logits, np.float32), size[0], top, *places, out)
    return out


def predict(logits: np.ndarray, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Predicted class and its log probability, without holding K planes.

    Args:
        logits: float32 (V, K, h, w) as in `log_probabilities`.
        size: (H, W) at label resolution.

    Returns:
        uint8 (H, W) argmax_k p[k] (the lower class at a tie), and float32 (H, W) log of its p.
    """
    prediction = np.empty(size, np.uint8)
    confidence = np.empty(size, np.float32)
    places = _places(logits.shape, size, 0, size[1])
    _predict(np.ascontiguousarray(logits, np.float32), *places, prediction, confidence)
    return prediction, confidence


def candidates_from_logits(
    logits: np.ndarray,
    size: Size,
    log_threshold: ArrayLike,
    rank_by: Literal["normalised", "probability"] = "normalised",
) -> Candidates:
    """The two competing classes of every pixel, without holding K planes. METHOD 5.1.

    The confident label of METHOD 4 is `first` where `first_excess` >= 0 (with rank_by
    "normalised"), 255 elsewhere.

    Args:
        logits: float32 (V, K, h, w) as in `log_probabilities`, K >= 2.
        size: (H, W) at label resolution.
        log_threshold: log λ float32 (K,), at least -60.
        rank_by: as in `selection.top_two_from_logs`.

    Returns:
        What ``top_two_from_logs(log_probabilities(logits, size), log_threshold, rank_by)`` gives,
        with the same sign of every excess. Two differences: classes whose r agree to 4e-6 (of
        themselves) may change places, since here p / λ is compared and there its logarithm, which
        float32 holds less exactly; and excesses differ by up to 1e-6 or 1e-5 of themselves.

    Raises:
        ValueError: log_threshold has not K values, holds NaN or one under -60; unknown rank_by.
    """
    checks.one_of("rank_by", rank_by, ("normalised", "probability"))
    logits = np.ascontiguousarray(logits, np.float32)
    bar = checks.per_class("log_threshold", log_threshold, logits.shape[1])
    if (bar < _LOWEST_LOG_THRESHOLD).any():
        raise ValueError(f"log_threshold holds {bar.min()}; is it λ instead of log λ, or damaged?")
    exact = bar.astype(np.float64)
    bars = np.stack([exact, np.exp(exact), -np.expm1(exact), np.exp(-exact)]).astype(np.float32)
    weight = bars[3] if rank_by == "normalised" else np.ones_like(bar)
    found = Candidates(
        np.empty(size, np.uint8), np.empty(size, np.uint8),
        np.empty(size, np.float32), np.empty(size, np.float32),
    )  # fmt: skip
    _candidates(logits, *_places(logits.shape, size, 0, size[1]), weight, bars, *found)
    return found


def _places(
    shape: tuple[int, ...], size: Size, left: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where each column of a window lies between the low-resolution ones, in each view.

    Returns int32 (V, n) left neighbour and float32 (V, n) weight of the right one, n being the
    width rounded up to whole blocks; what is too much repeats the last column.
    """
    views, inputs, columns = shape[0], shape[3], size[1]
    x = left + np.minimum(np.arange(-(-width // _BLOCK) * _BLOCK), width - 1)
    x = np.stack([x, columns - 1 - x])[:views]  # the mirror image is read from the right
    place = x * (inputs - 1) / (columns - 1) if columns > 1 else np.zeros(x.shape)
    low = np.minimum(place.astype(np.int32), inputs - 1)
    return low, (place - low).astype(np.float32)


@numba.njit(cache=True, inline="always")
def _position(index: int, outputs: int, inputs: int) -> tuple[int, int, np.float32]:
    """Neighbours and weight of an output index under align_corners=True."""
    place = index * (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
    low = min(int(place), inputs - 1)
    return low, min(low + 1, inputs - 1), np.float32(place - low)


@numba.njit(cache=True)
def _scratch(views: int, classes: int):
    """What a tile works in: see `_mix`."""
    wide = np.empty((2, views, classes, _BLOCK), np.float32)
    held = np.full(2, -1, np.int64)
    maps = np.empty((views, classes, _BLOCK), np.float32)
    lines = np.empty((2, _BLOCK), np.float32)
    return wide, held, maps, lines


@numba.njit(cache=True, fastmath={"contract"})
def _widen(logits, row, low, weight, wide):
    """(1) Bring one low-resolution row to the columns of a block, times log2 e."""
    views, classes, _, inputs = logits.shape
    for view in range(views):
        for k in range(classes):
            for x in range(_BLOCK):
                a = logits[view, k, row, low[view, x]]
                b = logits[view, k, row, min(low[view, x] + 1, inputs - 1)]
                wide[view, k, x] = (a * (_ONE - weight[view, x]) + b * weight[view, x]) * LOG2_E


@numba.njit(cache=True, fastmath={"contract"})
def _mix(logits, y, rows, low, weight, wide, held, maps, lines):
    """Probabilities of one block of output row y, in maps[0] (K, _BLOCK).

    wide holds two widened low-resolution rows, an even and an odd one, and `held` which.
    """
    views, inputs = logits.shape[0], logits.shape[2]
    y0, y1, wy = _position(y, rows, inputs)
    for row in (y0, y1):
        if held[row & 1] != row:
            _widen(logits, row, low, weight, wide[row & 1])
            held[row & 1] = row
    for view in range(views):
        _softmax(wide[y0 & 1, view], wide[y1 & 1, view], wy, maps[view], lines[0], lines[1])
        _scale(maps[view], np.float32(views), lines[1])
    for view in range(1, views):
        _add(maps[0], maps[view])


@numba.njit(cache=True, fastmath={"contract"})
def _softmax(upper, lower, wy, e, best, total):
    """(2) and (3): e = 2^(z - best) of the logits z between two rows, and total, its sum."""
    keep = _ONE - wy
    best[:] = -np.inf
    total[:] = 0
    for k in range(e.shape[0]):
        up, down, z = upper[k], lower[k], e[k]
        for x in range(_BLOCK):
            value = up[x] * keep + down[x] * wy
            z[x] = value
            best[x] = value if value > best[x] else best[x]
    for k in range(e.shape[0]):
        z = e[k]
        for x in range(_BLOCK):
            value = exp2_negative(z[x] - best[x])
            z[x] = value
            total[x] += value


@numba.njit(cache=True)
def _scale(e, views, total):
    """e / (views * total), in place."""
    for x in range(_BLOCK):
        total[x] = _ONE / (views * total[x])
    for k in range(e.shape[0]):
        row = e[k]
        for x in range(_BLOCK):
            row[x] *= total[x]


@numba.njit(cache=True)
def _add(p, other):
    """p += other, in place."""
    for k in range(p.shape[0]):
        row, more = p[k], other[k]
        for x in range(_BLOCK):
            row[x] += more[x]


@numba.njit(cache=True)
def _best_and_others(p, best, others):
    """The largest p of each pixel, and the sum of all but that, never a difference from 1."""
    best[:] = p[0]
    others[:] = 0
    for k in range(1, p.shape[0]):
        for x in range(_BLOCK):
            value = p[k, x]
            top = best[x]
            others[x] += top if value > top else value
            best[x] = value if value > top else top


@numba.njit(cache=True, inline="always")
def _log(p, best, others):
    """log p of a class, precise near 1 too: only the best class can have p > 1/2."""
    if p == best and others < _HALF:
        return np.float32(math.log1p(-others))
    return np.float32(math.log(p)) if p > 0 else np.float32(-np.inf)


@numba.njit(cache=True, parallel=True)
def _fill(logits, rows, top, low, weight, out):
    classes, height, width = out.shape
    blocks, bands = low.shape[1] // _BLOCK, -(-height // _TILE_ROWS)
    for tile in numba.prange(blocks * bands):
        wide, held, maps, lines = _scratch(logits.shape[0], classes)
        left, first_row = tile % blocks * _BLOCK, tile // blocks * _TILE_ROWS
        low_of, weight_of = low[:, left : left + _BLOCK], weight[:, left : left + _BLOCK]
        for y in range(first_row, min(first_row + _TILE_ROWS, height)):
            _mix(logits, top + y, rows, low_of, weight_of, wide, held, maps, lines)
            p, best, others = maps[0], lines[0], lines[1]
            _best_and_others(p, best, others)
            for k in range(classes):
                for x in range(min(_BLOCK, width - left)):
                    out[k, y, left + x] = _log(p[k, x], best[x], others[x])


@numba.njit(cache=True, parallel=True)
def _predict(logits, low, weight, prediction, confidence):
    classes = logits.shape[1]
    height, width = prediction.shape
    blocks, bands = low.shape[1] // _BLOCK, -(-height // _TILE_ROWS)
    for tile in numba.prange(blocks * bands):
        wide, held, maps, lines = _scratch(logits.shape[0], classes)
        left, first_row = tile % blocks * _BLOCK, tile // blocks * _TILE_ROWS
        low_of, weight_of = low[:, left : left + _BLOCK], weight[:, left : left + _BLOCK]
        winner = np.empty(_BLOCK, np.int32)
        for y in range(first_row, min(first_row + _TILE_ROWS, height)):
            _mix(logits, y, height, low_of, weight_of, wide, held, maps, lines)
            p, best, others = maps[0], lines[0], lines[1]
            _best_and_others(p, best, others)
            winner[:] = 0
            for k in range(classes - 1, -1, -1):  # downwards: the lowest class stays at ties
                for x in range(_BLOCK):
                    winner[x] = np.int32(k) if p[k, x] == best[x] else winner[x]
            for x in range(min(_BLOCK, width - left)):
                prediction[y, left + x] = winner[x]
                confidence[y, left + x] = _log(best[x], best[x], others[x])


@numba.njit(cache=True)
def _two_best(p, weight, ranks, ids):
    """The classes with the two largest p[k] * weight[k], in ids[0] and ids[1] (_BLOCK,).

    As `selection._two_best_classes`: strict >, so that the lower class stays in front at ties.
    """
    r0, r1, k0, k1 = ranks[0], ranks[1], ids[0], ids[1]
    ranks[:] = -1
    ids[:] = 0
    for k in range(p.shape[0]):
        class_id = np.int32(k)
        factor, row = weight[k], p[k]
        for x in range(_BLOCK):
            value = row[x] * factor
            top, low, first, second = r0[x], r1[x], k0[x], k1[x]
            wins, enters = value > top, value > low
            lower, lower_id = (value, class_id) if enters else (low, second)
            r1[x], k1[x] = (top, first) if wins else (lower, lower_id)
            r0[x], k0[x] = (value, class_id) if wins else (top, first)


@numba.njit(cache=True, inline="always")
def _excess(k, p, best, others, bars):
    """e = p / λ - 1 of class k; bars (4, K) holds log λ, λ, 1 - λ and 1 / λ.

    Of a best class near 1 the misses count, e = ((1 - λ) - (1 - p)) / λ: nothing saturates. Close
    to the bar logarithms decide, as they did when the threshold was taken from them.
    """
    if p == best and others < _HALF:
        above, size = bars[2, k] - others, max(bars[2, k], others)
    else:
        above, size = p - bars[1, k], bars[1, k]
    if abs(above) < _NEAR * size:
        return np.float32(math.expm1(_log(p, best, others) - bars[0, k]))
    return above * bars[3, k]


@numba.njit(cache=True, parallel=True)
def _candidates(logits, low, weight_x, weight, bars, first, second, first_excess, second_excess):
    classes = logits.shape[1]
    height, width = first.shape
    blocks, bands = low.shape[1] // _BLOCK, -(-height // _TILE_ROWS)
    for tile in numba.prange(blocks * bands):
        wide, held, maps, lines = _scratch(logits.shape[0], classes)
        ranks, ids = np.empty((2, _BLOCK), np.float32), np.empty((2, _BLOCK), np.int32)
        left, first_row = tile % blocks * _BLOCK, tile // blocks * _TILE_ROWS
        low_of, weight_of = low[:, left : left + _BLOCK], weight_x[:, left : left + _BLOCK]
        for y in range(first_row, min(first_row + _TILE_ROWS, height)):
            _mix(logits, y, height, low_of, weight_of, wide, held, maps, lines)
            p, best, others = maps[0], lines[0], lines[1]
            _best_and_others(p, best, others)
            _two_best(p, weight, ranks, ids)
            for x in range(min(_BLOCK, width - left)):
                a, b = ids[0, x], ids[1, x]
                first[y, left + x], second[y, left + x] = a, b
                first_excess[y, left + x] = _excess(a, p[a, x], best[x], others[x], bars)
                second_excess[y, left + x] = _excess(b, p[b, x], best[x], others[x], bars)
