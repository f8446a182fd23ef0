"""Voting, phase 1: labels spread from confident pixels to their neighbourhood (METHOD 5).

In excesses e = r - 1 (see the package docstring) the combination of METHOD 5.3 becomes

    combined - 1 = (1-α) e[c] + α v_e[c],      v_e[c] = v[c] - 1

and with n_c confident neighbours of class c, E_c = Σ of their excesses, and n confident neighbours
of any class, Σ of their r is n_c + E_c and the three poolings become

    mean    v = (n_c + E_c) / n_c     v_e = E_c / n_c
    sum     v =  n_c + E_c            v_e = E_c + (n_c - 1)
    share   v = (n_c + E_c) / n       v_e = (E_c + (n_c - n)) / n

and v_e = -1 in each of them where n_c = 0, since v = 0.

E_c is summed in int64 fixed point: every excess is clipped to [-1, 4096] and rounded to a multiple
of 1 / scale. scale is the largest power of two with which a whole window of 4096 cannot overflow
(2^38 for a window of 57x57). Integer sums do not depend on their order, so the result is the same
to the bit for running sums and plain ones, and for any number of threads.
"""

import math
from typing import Literal, NamedTuple

import numba
import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from tpld.core import checks
from tpld.core.labels import (
    IGNORE,
    MAX_CLASSES,
    ORIGIN_FULL,
    ORIGIN_NONE,
    ORIGIN_VOTED_FIRST,
)
from tpld.core.selection import Candidates
from tpld.core.voting_bound import TILE, local_reach

_POOLS = ("mean", "sum", "share")
_MEAN, _SUM, _SHARE = range(3)
_FRESH = ("combined", "pooled")
_CLIP_BITS = 12
CLIP = float(2**_CLIP_BITS)
"""Largest excess that counts in a sum."""

# A band shorter than this would spend its time on filling its first window.
_MIN_BAND_ROWS = 64


class VotingResult(NamedTuple):
    """Labels after voting; origin 0 none, 1 confident, 1 + i voted in iteration i."""

    label: NDArray[np.uint8]  # (H, W), 255 = none
    origin: NDArray[np.uint8]  # (H, W)
    excess: NDArray[np.float32]  # (H, W), r - 1 of the label; -1 where there is none


def vote(
    label: ArrayLike,
    candidates: Candidates,
    label_excess: ArrayLike,
    *,
    num_classes: int,
    window: int = 57,
    iterations: int = 3,
    alpha: float = 0.7,
    pool: Literal["mean", "sum", "share"] = "mean",
    fresh: Literal["combined", "pooled"] = "combined",
) -> VotingResult:
    """Label pixels by the confident values of their neighbours. METHOD 5.

    label: (H, W) uint8, the base method's labels, 255 = none. They never change.
    candidates: the two competing classes of each pixel and their excesses (`selection.top_two`).
    label_excess: (H, W) float32, the excess of each label; ignored where label is 255.
    window: full side length of the square window in pixels, odd, any size; clipped at the border.
    iterations: from 0 to 252; all pixels of one iteration are decided from the same state.
    alpha: weight of the pooled value, 0 to 1 [L 0.7; that it weighs the pool is O].
    pool: what v[c] is, see the module docstring [P pooling, O mean].

    For both candidates c: combined[c] = (1-α) r[c] + α v[c]; the larger wins, the first candidate
    at a tie; where it is >= 1 the pixel takes that label, and from the next iteration on `combined`
    counts as its confident value [P]. Where `fresh` is `pooled`, v counts, the value that the pool
    elected it with, if it is larger: a choice of ours, for combined < v where r < 1, so that labels
    fade as they spread.
    Raises ValueError for arrays that do not fit together.
    """
    check_keys(window, iterations, alpha, pool, fresh)
    label, origin, excess, candidates = _checked(label, candidates, label_excess, num_classes)
    height, width = label.shape
    if label.size == 0:
        return VotingResult(label, origin, excess)
    # Beyond the image there is nothing: a larger radius sees the same pixels.
    radius_y, radius_x = min(window // 2, height - 1), min(window // 2, width - 1)
    scale = fixed_point_scale((2 * radius_y + 1) * (2 * radius_x + 1))
    bands = max(1, min(numba.get_num_threads(), height // _MIN_BAND_ROWS))
    for iteration in range(iterations):
        code = np.uint8(ORIGIN_VOTED_FIRST + iteration)
        reach = local_reach(
            label, excess, num_classes, radius_y, radius_x, float(alpha), pool == "sum", 1 / scale
        )
        won = _iterate(
            label, origin, excess, *candidates, reach, radius_y, radius_x, float(alpha),
            _POOLS.index(pool), fresh == "pooled", scale, code, bands,
        )  # fmt: skip
        if not won:
            break  # the state did not change, nor would it in any further iteration
    return VotingResult(label, origin, excess)


def _checked(label, candidates, label_excess, num_classes):
    """The state to work on, and the candidates; all in range."""
    if not 1 <= num_classes <= MAX_CLASSES:
        raise ValueError(f"num_classes is {num_classes}; expected 1 to {MAX_CLASSES}")
    label = checks.class_ids("label", label, IGNORE + 1)
    given = np.ascontiguousarray(label_excess, dtype=np.float32)
    first = checks.class_ids("candidates.first", candidates.first, num_classes)
    second = checks.class_ids("candidates.second", candidates.second, num_classes)
    first_excess = np.ascontiguousarray(candidates.first_excess, dtype=np.float32)
    second_excess = np.ascontiguousarray(candidates.second_excess, dtype=np.float32)
    checks.same_shape(
        label=label, label_excess=given, first=first, second=second,
        first_excess=first_excess, second_excess=second_excess,
    )  # fmt: skip
    bands = max(1, min(numba.get_num_threads(), len(label)))
    own, origin, excess, seen, unordered = _start(label, given, bands)
    if len(strange := num_classes + np.flatnonzero(seen[num_classes:IGNORE])):
        raise ValueError(
            f"label holds {int(strange[-1])}; expected class ids from 0 to "
            f"{num_classes - 1}, or {IGNORE} for none"
        )
    if unordered:
        raise ValueError("label_excess is NaN at labelled pixels: pass the excess of each label")
    return own, origin, excess, Candidates(first, second, first_excess, second_excess)


@njit(cache=True, parallel=True)
def _start(label, given, bands):
    """Copies of label and excess (-1 where there is none), the origin, and in the same walk which
    label values there are, (256,) bool; and whether the excess of one is NaN."""
    height, width = label.shape
    own, origin = np.empty((height, width), np.uint8), np.empty((height, width), np.uint8)
    excess = np.empty((height, width), np.float32)
    seen = np.zeros((bands, 256), np.bool_)
    unordered = np.zeros(bands, np.bool_)
    for band in prange(bands):
        nan = False
        for y in range(band * height // bands, (band + 1) * height // bands):
            labels, excesses, origins = label[y], excess[y], origin[y]
            for x in range(width):  # without a branch: the compiler takes many pixels at a time
                c, e = labels[x], given[y, x]
                own[y, x] = c
                excesses[x] = e if c != IGNORE else np.float32(-1)
                origins[x] = np.uint8(c != IGNORE)  # ORIGIN_CONFIDENT or ORIGIN_NONE
                nan |= excesses[x] != excesses[x]
            for x in range(width):
                seen[band, labels[x]] = True
        unordered[band] = nan
    for band in range(1, bands):
        seen[0] |= seen[band]
    return own, origin, excess, seen[0], unordered.any()


def check_keys(
    window: int, iterations: int, alpha: float, pool: str, fresh: str = "combined"
) -> None:
    """Raise ValueError for a key of `vote` out of range."""
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window is {window}; expected an odd side length: {window | 1}, say")
    if not 0 <= iterations <= ORIGIN_FULL - ORIGIN_VOTED_FIRST:
        raise ValueError(f"iterations is {iterations}; expected 0 to 252, one origin code for each")
    checks.share("alpha", alpha)
    checks.one_of("pool", pool, _POOLS)
    checks.one_of("fresh", fresh, _FRESH)


def fixed_point_scale(window_pixels: int) -> float:
    """Units per 1: the largest power of two with window_pixels * 4096 * scale <= 2^62."""
    return 2.0 ** (62 - _CLIP_BITS - math.ceil(math.log2(window_pixels)))


@njit(cache=True, inline="always")
def _fixed(excess, scale):
    """An excess in fixed point, clipped to [-1, 4096]."""
    return np.int64(np.rint(min(max(np.float64(excess), -1.0), CLIP) * scale))


@njit(cache=True)
def _move_row(columns, label, origin, excess, code, radius_x, scale, sign, any_class):
    """Let one image row enter (sign 1) or leave (sign -1) the column sums.

    columns[c, radius_x + x] = (E, n) over the rows of the window at column x, of class c. The
    frame of radius_x empty columns on either side spares the border its own case.
    Pixels labelled in this very iteration carry its `code` and do not count yet: that is what
    makes an iteration synchronous although labels are written in place.
    """
    last = columns.shape[0] - 1
    width = label.shape[0]
    words = origin[: width // 8 * 8].view(np.uint64)
    for left in range(0, width, 8):
        if left + 8 <= width and words[left // 8] == 0:
            continue  # eight neighbours without a label, as most are
        for x in range(left, min(left + 8, width)):
            if origin[x] != ORIGIN_NONE and origin[x] != code:
                c = label[x]
                columns[c, radius_x + x, 0] += sign * _fixed(excess[x], scale)
                columns[c, radius_x + x, 1] += sign
                if any_class:
                    columns[last, radius_x + x, 1] += sign


@njit(cache=True, inline="always")
def _move_window(columns, windows, c, x, size_x):
    """Bring one class's window sum (E, n, x it stands at) to x, only now that x asks for it.

        column sums   . . [ . . . . . ] . . .     window at its last x: `size_x` columns
        moved right   . . . . [ . . . . . ] .     subtract what leaves, add what enters

    A class is summed only where a pixel has it as a candidate. After a gap of more than half a
    window it is cheaper to sum afresh. Either way all moves along a row cost at most two
    operations a column and class, whatever the window.
    """
    total, count, at = windows[c, 0], windows[c, 1], windows[c, 2]
    if at < 0 or 2 * (x - at) > size_x:
        total = np.int64(0)
        count = np.int64(0)
        for t in range(x, x + size_x):
            total += columns[c, t, 0]
            count += columns[c, t, 1]
    else:
        for t in range(at, x):
            total += columns[c, t + size_x, 0] - columns[c, t, 0]
            count += columns[c, t + size_x, 1] - columns[c, t, 1]
    windows[c, 0], windows[c, 1], windows[c, 2] = total, count, x


@njit(cache=True, inline="always")
def _pooled_excess(pool, total, count, count_any, unit):
    """v_e of the module docstring from E_c in fixed point, n_c and n."""
    if count == 0:
        return -1.0
    if pool == _SUM:
        return total * unit + (count - 1)
    if pool == _SHARE:
        return (total * unit + (count - count_any)) / count_any
    return total * unit / count


@njit(cache=True)
def _could_win(hopeful, origin, first, second, first_excess, second_excess, reach, alpha):
    """hopeful[x]: without a label, and the best pool in reach would lift a candidate to the bar.

    All is read before anything is decided, so that the compiler takes many pixels at a time.
    """
    own = 1.0 - alpha
    for x in range(len(origin)):
        a = own * np.float64(first_excess[x]) + reach[x // TILE, first[x]]
        b = own * np.float64(second_excess[x]) + reach[x // TILE, second[x]]
        hopeful[x] = np.uint8(origin[x] == ORIGIN_NONE) & (np.uint8(a >= 0) | np.uint8(b >= 0))


@njit(cache=True, error_model="numpy")
def _vote_row(
    label, origin, excess, first, second, first_excess, second_excess,
    hopeful, columns, windows, reach, size_x, alpha, pool, fresh_pooled, scale, code,
):  # fmt: skip
    """Decide the hopeful pixels of one row; returns how many took a label."""
    won = 0
    last = len(windows) - 1
    unit = 1.0 / scale  # a power of two: multiplying is exact
    windows[:, 2] = -1  # the column sums have changed since the last row
    for x in range(len(label)):
        if not hopeful[x]:
            continue
        winner, value, kept = first[x], -1.0, -1.0
        for turn in range(2):
            c, own = (second[x], second_excess[x]) if turn else (first[x], first_excess[x])
            combined = (1.0 - alpha) * np.float64(own)
            if combined + reach[x // TILE, c] < 0:
                continue  # even the best pool leaves it under the bar: no need to sum
            _move_window(columns, windows, c, x, size_x)
            count_any = 0
            if pool == _SHARE:
                _move_window(columns, windows, last, x, size_x)
                count_any = windows[last, 1]
            pooled = _pooled_excess(pool, windows[c, 0], windows[c, 1], count_any, unit)
            combined += alpha * pooled
            if turn == 0 or combined > value:
                winner, value = c, combined
                kept = max(pooled, combined) if fresh_pooled else combined
        if value >= 0:
            label[x], origin[x], excess[x] = winner, code, np.float32(kept)
            won += 1
    return won


@njit(cache=True, parallel=True)
def _iterate(
    label, origin, excess, first, second, first_excess, second_excess,
    reach, radius_y, radius_x, alpha, pool, fresh_pooled, scale, code, bands,
):  # fmt: skip
    """One iteration in place; returns the number of new labels.

    Bands of rows run in parallel. Each slides its own column sums down the image:

            x ->
        y  | | | | | |   leaves: row y - radius_y - 1
        |  +-+-+-+-+-+
        v  |c|c|c|c|c|   columns[c, x]: sum over 2 radius_y + 1 rows, one update a pixel and row
           +-+-+-+-+-+   windows[c]:    sum of 2 radius_x + 1 of those, moved along x
           | | | | | |   enters: row y + radius_y

    Bands read rows that their neighbours write. They look at the origin first, and a pixel not
    labelled at the start of the iteration shows 0 or `code` there: both mean "does not count".
    """
    num_classes = reach.shape[2]
    height, width = label.shape
    won = np.zeros(bands, np.int64)
    any_class = pool == _SHARE
    for band in prange(bands):
        columns = np.zeros((num_classes + any_class, width + 2 * radius_x, 2), np.int64)
        windows = np.zeros((num_classes + any_class, 3), np.int64)
        hopeful = np.empty(width, np.uint8)
        top, bottom = band * height // bands, (band + 1) * height // bands
        for y in range(top - 2 * radius_y, bottom):  # the rows above `top` fill the first window
            enter, leave = y + radius_y, y - radius_y - 1
            if 0 <= enter < height:
                _move_row(
                    columns, label[enter], origin[enter], excess[enter],
                    code, radius_x, scale, 1, any_class,
                )  # fmt: skip
            if y < top:
                continue
            if leave >= max(0, top - radius_y):
                _move_row(
                    columns, label[leave], origin[leave], excess[leave],
                    code, radius_x, scale, -1, any_class,
                )  # fmt: skip
            _could_win(
                hopeful, origin[y], first[y], second[y], first_excess[y], second_excess[y],
                reach[y // TILE], alpha,
            )  # fmt: skip
            won[band] += _vote_row(
                label[y], origin[y], excess[y],
                first[y], second[y], first_excess[y], second_excess[y],
                hopeful, columns, windows, reach[y // TILE],
                2 * radius_x + 1, alpha, pool, fresh_pooled, scale, code,
            )  # fmt: skip
    return won.sum()
