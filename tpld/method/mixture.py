"""Probabilities of a target image from the stored low-resolution logits (METHOD 2).

    p[k] = mean over views v of softmax_k( upsample(logits[v]) )     [C]

The views are the image and its mirror image. Everything is returned as log p, because float32
probabilities of a confident network tie at 1 and thresholds then lose their rank: where p[k] > 1/2
we take log p[k] = log1p(-(sum of the other classes)), which keeps its relative precision.

The kernels never hold more than one row of probabilities a thread.
"""

import math

import numba
import numpy as np

Size = tuple[int, int]


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
        float32 (K, height, width), log of the probability, at most 0.
    """
    height, width = height or size[0] - top, width or size[1] - left
    out = np.empty((logits.shape[1], height, width), np.float32)
    _fill(np.ascontiguousarray(logits, np.float32), size[0], size[1], top, left, out)
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
    _predict(np.ascontiguousarray(logits, np.float32), prediction, confidence)
    return prediction, confidence


@numba.njit(cache=True, inline="always")
def _position(index: int, outputs: int, inputs: int) -> tuple[int, int, np.float32]:
    """Neighbours and weight of an output index under align_corners=True."""
    place = index * (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
    low = min(int(place), inputs - 1)
    return low, min(low + 1, inputs - 1), np.float32(place - low)


@numba.njit(cache=True)
def _row(
    logits: np.ndarray,
    y: int,
    rows: int,
    columns: int,
    left: int,
    line: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write log p of one output row into `out` (K, width); `line` (K, w) is scratch.

    Softmax of one view needs its own maximum and sum; the views are averaged as probabilities.
    """
    views, classes, inputs_y, inputs_x = logits.shape
    width = out.shape[1]
    y0, y1, wy = _position(y, rows, inputs_y)
    p = np.empty(classes, np.float32)
    one = np.float32(1)
    out[:] = 0
    for view in range(views):
        for k in range(classes):
            for x in range(inputs_x):
                upper, lower = logits[view, k, y0, x], logits[view, k, y1, x]
                line[k, x] = upper * (one - wy) + lower * wy
        for x in range(width):
            column = left + x if view == 0 else columns - 1 - left - x  # the mirror image
            x0, x1, wx = _position(column, columns, inputs_x)
            best = np.float32(-np.inf)
            for k in range(classes):
                p[k] = line[k, x0] * (one - wx) + line[k, x1] * wx
                best = max(best, p[k])
            total = np.float32(0)
            for k in range(classes):
                p[k] = math.exp(p[k] - best)
                total += p[k]
            scale = one / (total * np.float32(views))
            for k in range(classes):
                out[k, x] += p[k] * scale
    for x in range(width):
        others, top = np.float32(0), 0
        for k in range(1, classes):
            if out[k, x] > out[top, x]:
                top = k
        for k in range(classes):
            if k != top:
                others += out[k, x]
                out[k, x] = math.log(out[k, x]) if out[k, x] > 0 else -np.inf
        out[top, x] = math.log1p(-others) if others < 0.5 else math.log(out[top, x])


@numba.njit(cache=True, parallel=True)
def _fill(
    logits: np.ndarray, rows: int, columns: int, top: int, left: int, out: np.ndarray
) -> None:
    classes, height, width = out.shape
    for y in numba.prange(height):
        line = np.empty((classes, logits.shape[3]), np.float32)
        row = np.empty((classes, width), np.float32)
        _row(logits, top + y, rows, columns, left, line, row)
        out[:, y, :] = row


@numba.njit(cache=True, parallel=True)
def _predict(logits: np.ndarray, prediction: np.ndarray, confidence: np.ndarray) -> None:
    classes = logits.shape[1]
    rows, columns = prediction.shape
    for y in numba.prange(rows):
        line = np.empty((classes, logits.shape[3]), np.float32)
        row = np.empty((classes, columns), np.float32)
        _row(logits, y, rows, columns, 0, line, row)
        for x in range(columns):
            top = 0
            for k in range(1, classes):
                if row[k, x] > row[top, x]:
                    top = k
            prediction[y, x] = top
            confidence[y, x] = row[top, x]
