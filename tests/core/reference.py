"""Slow and obviously right versions of the rules, to compare the fast ones with."""

import numpy as np

from tpld.core.voting import fixed_point_scale


def rank_threshold(predictions, confidences, num_classes, portion, every=1):
    """Concatenate, sort, take the value at rank floor(n * portion). Returns value, n, selected."""
    value = np.full(num_classes, np.nan, np.float32)
    predicted = np.zeros(num_classes, np.int64)
    selected = np.zeros(num_classes, np.int64)
    for k in range(num_classes):
        of_class = [c[p == k] for p, c in zip(predictions, confidences, strict=True)]
        predicted[k] = sum(len(c) for c in of_class)
        kept = np.concatenate([c[::every] for c in of_class])
        rank = int(np.floor(len(kept) * portion))
        if rank:
            value[k] = np.sort(kept)[::-1][rank - 1]
            selected[k] = (kept >= value[k]).sum()
    return value, predicted, selected


def top_two(values):
    order = np.argsort(-values, axis=0, kind="stable")[:2]
    return order[0].astype(np.uint8), order[1].astype(np.uint8)


def select(excess):
    label = excess.argmax(axis=0).astype(np.uint8)
    label[excess.max(axis=0) < 0] = 255
    return label


def _pooled(pool, c, labels, excesses, scale):
    """v - 1 of one pixel's window."""
    mine = labels == c
    n, n_any = int(mine.sum()), int((labels != 255).sum())
    if n == 0:
        return -1.0
    clipped = np.clip(excesses[mine].astype(np.float64), -1, 4096)
    total = float(np.rint(clipped * scale).astype(np.int64).sum()) / scale
    return {
        "mean": total / n,
        "sum": total + (n - 1),
        "share": (total + (n - n_any)) / n_any,
    }[pool]


def vote(label, candidates, label_excess, window, iterations, alpha, pool, fresh="combined"):
    """Pixel by pixel, window by window, from a frozen copy of the state."""
    height, width = label.shape
    w = window // 2
    scale = fixed_point_scale((2 * min(w, height - 1) + 1) * (2 * min(w, width - 1) + 1))
    label = label.copy()
    origin = np.where(label == 255, 0, 1).astype(np.uint8)
    excess = np.where(label == 255, np.float32(-1), label_excess).astype(np.float32)
    for iteration in range(iterations):
        old_label, old_excess = label.copy(), excess.copy()
        for y, x in np.argwhere(old_label == 255):
            box = np.s_[max(0, y - w) : y + w + 1, max(0, x - w) : x + w + 1]
            combined = []
            for c, e in (
                (candidates.first[y, x], candidates.first_excess[y, x]),
                (candidates.second[y, x], candidates.second_excess[y, x]),
            ):
                v = _pooled(pool, c, old_label[box].ravel(), old_excess[box].ravel(), scale)
                combined.append(((1 - alpha) * float(e) + alpha * v, v, c))
            value, pooled, winner = combined[combined[1][0] > combined[0][0]]
            if value >= 0:
                kept = max(pooled, value) if fresh == "pooled" else value
                label[y, x], excess[y, x], origin[y, x] = winner, kept, iteration + 2
    return label, origin, excess
