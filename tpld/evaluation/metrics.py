"""Confusion matrix, IoU and means (METHOD 12): pure functions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numba import get_num_threads, njit, prange


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Count pixels by true and predicted class.

    Args:
        truth: uint8 (...) training ids; values from `num_classes` on (255) are left out.
        prediction: uint8 (...) of the same shape, all below `num_classes`.
        num_classes: K.

    Returns:
        int64 (K, K), row = truth, column = prediction.

    Raises:
        ValueError: the shapes differ, or a pixel with a true class is predicted as none of K.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"shapes differ: truth {truth.shape}, prediction {prediction.shape}")
    rows, columns = _as_bytes(truth), _as_bytes(prediction)
    words = len(rows) // 8 * 8
    parts = max(1, min(get_num_threads(), words >> 16))
    counts = _count_pairs(
        rows,
        columns,
        rows[:words].view(np.uint64),
        columns[:words].view(np.uint64),
        num_classes,
        parts,
    )
    outside = int(counts[:, num_classes:].sum())
    if outside:
        raise ValueError(f"{outside} pixels are predicted as classes beyond {num_classes - 1}")
    return counts[:, :num_classes]


def _as_bytes(ids: np.ndarray) -> np.ndarray:
    """Class ids in a row as uint8; what does not fit becomes 255, which is no class."""
    if ids.dtype != np.uint8:
        ids = np.where((ids >= 0) & (ids < 255), ids, 255).astype(np.uint8)
    return np.ascontiguousarray(ids).ravel()


@njit(cache=True, parallel=True)
def _count_pairs(truth, prediction, truth_words, prediction_words, num_classes, parts):
    """Pixels of each pair of bytes, int64 (K, 256): the pair is the index, nothing is tested.

    Eight neighbours, one word of 64 bits, mostly hold the same pair, and so do the next eight: a
    run of such words is counted aside and added once. Where they do not, even and odd pixels count
    into tables of their own, because adding to the same counter twice in a row waits for the first
    addition to reach memory.
    """
    tables = np.zeros((parts, 2, 1 << 16), np.uint32)
    first_byte, repeat = np.uint64(0xFF), np.uint64(0x0101010101010101)
    for part in prange(parts):
        start, stop = part * len(truth_words) // parts, (part + 1) * len(truth_words) // parts
        even, odd = tables[part, 0], tables[part, 1]
        run_a = run_b = np.uint64(0)
        run = np.uint32(0)
        for word in range(start, stop):
            a, b = truth_words[word], prediction_words[word]
            if a == run_a and b == run_b:
                run += np.uint32(8)
            elif a == (a & first_byte) * repeat and b == (b & first_byte) * repeat:
                even[_pair(run_a & first_byte, run_b & first_byte)] += run
                run_a, run_b, run = a, b, np.uint32(8)
            else:
                for i in range(8 * word, 8 * word + 8, 2):
                    even[_pair(truth[i], prediction[i])] += np.uint32(1)
                    odd[_pair(truth[i + 1], prediction[i + 1])] += np.uint32(1)
        even[_pair(run_a & first_byte, run_b & first_byte)] += run
    for i in range(8 * len(truth_words), len(truth)):
        tables[0, 0, _pair(truth[i], prediction[i])] += np.uint32(1)
    total = np.zeros(num_classes << 8, np.int64)
    for part in range(parts):
        for pair in range(len(total)):
            total[pair] += tables[part, 0, pair] + tables[part, 1, pair]
    return total.reshape(num_classes, 256)


@njit(cache=True, inline="always")
def _pair(row, column):
    return np.uint64(row) << np.uint64(8) | np.uint64(column)


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class in percent, NaN for a class that occurs nowhere.

    Args:
        confusion: int64 (K, K) of `confusion_matrix`.
    """
    inside = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - inside
    return np.divide(100 * inside, union, out=np.full(len(inside), np.nan), where=union > 0)


def summarise(
    confusion: np.ndarray, classes: list[str], subsets: dict[str, list[str]]
) -> pd.Series:
    """Every figure of one evaluation: IoU of each class, mIoU, named subset means, accuracy.

    mIoU is the mean over the classes that occur in ground truth or prediction.
    """
    values = pd.Series(iou(confusion), index=classes)
    figures = {"mIoU": values.mean()}
    for name, members in subsets.items():
        figures[name] = values[members].mean()
    figures["accuracy"] = 100 * np.trace(confusion) / max(confusion.sum(), 1)
    return pd.concat([pd.Series(figures), values])
