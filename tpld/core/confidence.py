"""Confidence of an image, which ranks images from easy to hard (METHOD 8)."""

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tpld.core import checks


def confident_counts(
    prediction: ArrayLike, excess_of_prediction: ArrayLike, num_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """N_k and N*_k of one image. METHOD 8 [P].

    prediction (H, W) uint8 = argmax p; excess_of_prediction (H, W) float32, e = r - 1 of that
    class. Returns pixels predicted as each class, and those of them with p >= λ, both (K,) int64.
    Raises ValueError for differing shapes or class ids out of range.
    """
    prediction = checks.class_ids("prediction", prediction, num_classes)
    excess = np.ascontiguousarray(excess_of_prediction, dtype=np.float32)
    checks.same_shape(prediction=prediction, excess_of_prediction=excess)
    ids = np.ascontiguousarray(prediction).ravel()
    words = ids[: len(ids) // 8 * 8].view(np.uint64)
    counts = _confident_counts(ids, words, excess.ravel(), num_classes)
    return counts[:, 0].copy(), counts[:, 1].copy()


def image_confidence(
    predicted: ArrayLike,
    confident: ArrayLike,
    thresholds: ArrayLike,
    divide_by: Literal["confident", "predicted"] = "confident",
    weight_by_threshold: bool = True,
) -> float:
    """conf_t = (1/K') Σ_k (N*_k / N_k) (1/λ[k]). METHOD 8 [P].

    predicted N_k (K,), confident N*_k (K,), thresholds λ (K,) above 0, not log λ.
    divide_by: what K' counts: classes with N*_k > 0 ("confident", the default, O) or with N_k > 0
    ("predicted"). weight_by_threshold: False leaves out 1/λ. Without any such class: 0.
    """
    checks.one_of("divide_by", divide_by, ("confident", "predicted"))
    n = np.asarray(predicted, dtype=np.float64)
    n_confident = np.asarray(confident, dtype=np.float64)
    lam = np.asarray(thresholds, dtype=np.float64)
    checks.same_shape(predicted=n, confident=n_confident, thresholds=lam)
    if not (lam > 0).all():
        raise ValueError(f"thresholds hold {lam.min()}; expected λ > 0: is this log λ? Take exp.")
    if (n_confident > n).any():
        raise ValueError("confident counts exceed predicted counts: are the arguments swapped?")
    counted = (n_confident if divide_by == "confident" else n) > 0
    if not counted.any():
        return 0.0
    ratio = n_confident[counted] / n[counted]
    return float(np.mean(ratio / lam[counted] if weight_by_threshold else ratio))


@njit(cache=True, nogil=True)
def _confident_counts(prediction, words, excess, num_classes):
    """counts[k]: pixels of class k, and those of them at the bar or above. Pixels in a row.

    Eight neighbours, one word of 64 bits, mostly are of one class: then two additions count them.
    """
    counts = np.zeros((num_classes, 2), np.int64)
    first_byte, repeat = np.uint64(0xFF), np.uint64(0x0101010101010101)
    for word in range(len(words)):
        first = words[word] & first_byte
        if words[word] == first * repeat:
            above = 0
            for x in range(8 * word, 8 * word + 8):
                above += excess[x] >= 0
            counts[first, 0] += 8
            counts[first, 1] += above
        else:
            for x in range(8 * word, 8 * word + 8):
                counts[prediction[x], 0] += 1
                counts[prediction[x], 1] += excess[x] >= 0
    for x in range(8 * len(words), len(prediction)):
        counts[prediction[x], 0] += 1
        counts[prediction[x], 1] += excess[x] >= 0
    return counts
