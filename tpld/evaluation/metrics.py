"""Confusion matrix, IoU and means (METHOD 12): pure functions."""

from __future__ import annotations

import numpy as np
import pandas as pd


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Count pixels by true and predicted class.

    Args:
        truth: uint8 (...) training ids; values from `num_classes` on (255) are left out.
        prediction: uint8 (...) of the same shape, all below `num_classes`.
        num_classes: K.

    Returns:
        int64 (K, K), row = truth, column = prediction.
    """
    valid = truth < num_classes
    pairs = truth[valid].astype(np.int64) * num_classes + prediction[valid]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


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
