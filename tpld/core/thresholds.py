"""Class thresholds λ[k]: one exact rank per class over all target images (METHOD 3)."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tpld.core import checks
from tpld.core.labels import MAX_CLASSES

_BINS = 1 << 16


class RankResult(NamedTuple):
    """What `ConfidenceRanks` found for each of K classes."""

    value: NDArray[np.float32]
    """(K,) the confidence at rank floor(n * portion), NaN for a class where that rank is 0."""
    predicted: NDArray[np.int64]
    """(K,) n_k: pixels predicted as k, before every-th-pixel subsampling."""
    selected: NDArray[np.int64]
    """(K,) pixels that reach `value`, ties included, among those kept by the subsampling."""


class ConfidenceRanks:
    """Exact rank selection over a stream of images; memory does not grow with their number.

    METHOD 3 [C]: sort the confidences of all pixels predicted as class k in descending order; the
    threshold is the value at rank floor(n * portion), 1-based, n counting the kept pixels of k.

    Instead of sorting, two passes count. A float32 has an unsigned 32-bit image with the same
    order; the first pass histograms its upper 16 bits, which tells the one bin that holds the rank;
    the second pass histograms the lower 16 bits of that bin's values alone:

        pass 1   count(prediction, confidence) for every image, then merge(...) of all workers
        pass 2   refine(prediction, confidence) for every image again, then merge(...)
        result()

    Two tables of K * 65536 * 8 bytes (K = 19: 10 MB each). The counting holds no GIL and runs on
    one core: give each thread its own object and merge. For pass 2 each worker needs the merged
    counts of pass 1: hand it a `fork()`.

    num_classes K from 1 to 254; portion in [0, 1]; every = d keeps every d-th pixel in raster
    order of each predicted class and image, the first included (CRST's ds_rate). Confidences are
    float32 of any sign, larger is more confident: p, or log p, which gives the same pixels.
    """

    def __init__(self, num_classes: int, portion: float, every: int = 1):
        if not 1 <= num_classes <= MAX_CLASSES:
            raise ValueError(f"num_classes is {num_classes}; expected 1 to {MAX_CLASSES}")
        if every < 1:
            raise ValueError(f"every is {every}; expected 1 (each pixel) or more")
        self.num_classes = num_classes
        self.portion = checks.share("portion", portion)
        self.every = int(every)
        self.predicted = np.zeros(num_classes, np.int64)
        self._upper = np.zeros((num_classes, _BINS), np.int64)
        self._lower: NDArray[np.int64] | None = None  # allocated when pass 2 begins
        self._bin = np.full(num_classes, -1, np.int64)  # upper half of the value at the rank
        self._rank_in_bin = np.zeros(num_classes, np.int64)

    def count(self, prediction: ArrayLike, confidence: ArrayLike) -> None:
        """Pass 1: prediction (H, W) uint8 = argmax, confidence (H, W) float32 of that class.

        Raises ValueError for differing shapes, class ids out of range, NaN, or after `refine`.
        """
        if self._lower is not None:
            raise ValueError(
                "count after refine: pass 2 has begun and counts of pass 1 are final. "
                "Start a new ConfidenceRanks to add images."
            )
        prediction, confidence = self._checked(prediction, confidence)
        _count_upper(prediction, confidence, self.every, self._upper, self.predicted)

    def refine(self, prediction: ArrayLike, confidence: ArrayLike) -> None:
        """Pass 2, over the same images (in any order). Raises as `count` does."""
        lower = self._begin_pass_two()
        prediction, confidence = self._checked(prediction, confidence)
        _count_lower(prediction, confidence, self.every, self._bin, lower)

    def merge(self, other: "ConfidenceRanks") -> None:
        """Add another worker's counts, in pass 1 or in pass 2. Raises ValueError if they differ."""
        self._check_mergeable(other)
        if self._lower is None or other._lower is None:
            self._upper += other._upper
            self.predicted += other.predicted
        else:
            self._lower += other._lower

    def fork(self) -> "ConfidenceRanks":
        """A worker's copy for pass 2: the same counts of pass 1, none of pass 2."""
        self._begin_pass_two()
        copy = ConfidenceRanks(self.num_classes, self.portion, self.every)
        copy._upper, copy.predicted = self._upper, self.predicted  # final, so shared
        copy._begin_pass_two()
        return copy

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """What was counted, to be kept in a file and merged later; see `of_counts`."""
        found = {"predicted": self.predicted, "upper": self._upper}
        return found if self._lower is None else found | {"lower": self._lower}

    @classmethod
    def of_counts(
        cls, counts: Mapping[str, NDArray[np.int64]], portion: float, every: int
    ) -> "ConfidenceRanks":
        """The object that `counts` came from, in pass 1, or in pass 2 with its counts of that."""
        ranks = cls(len(counts["predicted"]), portion, every)
        ranks.predicted, ranks._upper = counts["predicted"].copy(), counts["upper"].copy()
        if "lower" in counts:
            ranks._begin_pass_two()
            ranks._lower = counts["lower"].copy()
        return ranks

    def result(self) -> RankResult:
        """The ranks. Raises ValueError when pass 2 did not see the images of pass 1."""
        lower = self._begin_pass_two()
        value = np.full(self.num_classes, np.nan, np.float32)
        selected = np.zeros(self.num_classes, np.int64)
        for k in np.flatnonzero(self._bin >= 0):
            upper_bin = int(self._bin[k])
            in_bin = int(self._upper[k, upper_bin])
            if int(lower[k].sum()) != in_bin:
                raise ValueError(
                    f"class {k}: pass 1 counted {in_bin} pixels in the bin of the threshold, pass "
                    f"2 {int(lower[k].sum())}. Call refine for exactly the images of count."
                )
            lower_bin, rest = _find_rank(lower[k], int(self._rank_in_bin[k]))
            value[k] = _float_of_key(upper_bin << 16 | lower_bin)
            above = int(self._upper[k, upper_bin + 1 :].sum())
            selected[k] = above + self._rank_in_bin[k] + (lower[k, lower_bin] - rest)
        return RankResult(value, self.predicted.copy(), selected)

    def _begin_pass_two(self) -> NDArray[np.int64]:
        """Find each class's bin, once; returns the table of pass 2."""
        if self._lower is None:
            self._lower = np.zeros((self.num_classes, _BINS), np.int64)
            for k in range(self.num_classes):
                rank = math.floor(int(self._upper[k].sum()) * self.portion)
                if rank > 0:
                    self._bin[k], self._rank_in_bin[k] = _find_rank(self._upper[k], rank)
        return self._lower

    def _checked(self, prediction: ArrayLike, confidence: ArrayLike):
        prediction = checks.class_ids("prediction", prediction, self.num_classes)
        confidence = np.ascontiguousarray(confidence, dtype=np.float32)
        checks.same_shape(prediction=prediction, confidence=confidence)
        if confidence.size and np.isnan(confidence.min()):  # min passes NaN on, without a mask
            raise ValueError(
                f"confidence is NaN at {int(np.isnan(confidence).sum())} pixels: the network "
                "diverged, or the prediction store has missing chunks. Predict this image again."
            )
        return prediction, confidence

    def _check_mergeable(self, other: "ConfidenceRanks") -> None:
        mine = (self.num_classes, self.portion, self.every)
        theirs = (other.num_classes, other.portion, other.every)
        if mine != theirs:
            raise ValueError(f"merge of different (num_classes, portion, every): {mine}, {theirs}")
        if (self._lower is None) != (other._lower is None):
            raise ValueError("merge of pass 1 with pass 2: merge all of pass 1, then fork, refine")
        if self._lower is not None and not np.array_equal(self._upper, other._upper):
            raise ValueError(
                "merge of pass 2 with other counts of pass 1: refine on fork() of one merged object"
            )


def log_thresholds(log_value: ArrayLike, factor: float = 1.0) -> NDArray[np.float32]:
    """log λ (K,) float32 from ranks of log p (K,): λ = 1 where a class selects no pixel (NaN).

    METHOD 3 [C]. factor, above 0 and up to 1, lowers the other λ alike: no rule of the paper's.
    """
    if not 0 < factor <= 1:
        raise ValueError(f"factor is {factor}; expected a number above 0 and up to 1")
    log_value = np.asarray(log_value, dtype=np.float32) + np.float32(np.log(factor))
    return np.where(np.isnan(log_value), np.float32(0), log_value)


def thresholds(value: ArrayLike) -> NDArray[np.float32]:
    """λ (K,) float32 from ranks of p (K,): 1 where a class selects no pixel (NaN). METHOD 3 [C]."""
    value = np.asarray(value, dtype=np.float32)
    return np.where(np.isnan(value), np.float32(1), value)


def mined_classes(predicted: ArrayLike, share: float = 1e-3) -> NDArray[np.int64]:
    """Ids, ascending, of classes with less than `share` of all predicted pixels. METHOD 3 [C].

    predicted (K,) pixels predicted as each class. A class that is never predicted counts as mined;
    without any prediction at all there is none.
    """
    predicted = np.asarray(predicted, dtype=np.float64)
    return np.flatnonzero(predicted < share * predicted.sum())


def _find_rank(histogram: NDArray[np.int64], rank: int) -> tuple[int, int]:
    """Bin that holds the rank-th (1-based) largest entry, and its rank inside that bin."""
    from_top = np.cumsum(histogram[::-1])
    place = int(np.searchsorted(from_top, rank))
    above = int(from_top[place - 1]) if place else 0
    return len(histogram) - 1 - place, rank - above


def _float_of_key(key: int) -> np.float32:
    """Inverse of _keys."""
    bits = key ^ 0x80000000 if key & 0x80000000 else key ^ 0xFFFFFFFF
    return np.uint32(bits).view(np.float32)


@njit(cache=True, nogil=True, inline="always")
def _key(bits):
    """Monotone image: order of float32 = order of uint32. Flip the sign bit, all if negative."""
    mask = (bits >> np.uint32(31)) * np.uint32(0x7FFFFFFF)
    return bits ^ (mask | np.uint32(0x80000000))


@njit(cache=True, nogil=True)
def _count_upper(prediction, confidence, every, upper, predicted):
    """Histogram the upper half of each kept pixel's key; count all pixels of each class.

    `skip[k]` counts down to the next kept pixel of class k: raster order within one image.
    Adding +0 turns -0 into +0, which compare equal and must share a bin.
    """
    skip = np.zeros(upper.shape[0], np.int64)
    height, width = prediction.shape
    for y in range(height):
        bits = (confidence[y] + np.float32(0)).view(np.uint32)
        for x in range(width):
            k = prediction[y, x]
            predicted[k] += 1
            if skip[k] == 0:
                skip[k] = every
                upper[k, _key(bits[x]) >> np.uint32(16)] += 1
            skip[k] -= 1


@njit(cache=True, nogil=True)
def _count_lower(prediction, confidence, every, wanted, lower):
    """Histogram the lower half of the kept keys whose upper half is the class's wanted bin."""
    skip = np.zeros(lower.shape[0], np.int64)
    height, width = prediction.shape
    for y in range(height):
        bits = (confidence[y] + np.float32(0)).view(np.uint32)
        for x in range(width):
            k = prediction[y, x]
            if skip[k] == 0:
                skip[k] = every
                key = _key(bits[x])
                if np.int64(key >> np.uint32(16)) == wanted[k]:
                    lower[k, key & np.uint32(0xFFFF)] += 1
            skip[k] -= 1
