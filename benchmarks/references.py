"""What a user would write with the usual libraries: the references that the core is timed against.

Each is written anew from METHOD.md, with the operations that section names.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import uniform_filter
from torch import Tensor


def thresholds_by_lists(images, num_classes: int, portion: float, every: int) -> list[float]:
    """METHOD 3: one Python list of confidences a class, sorted at the end."""
    lists: list[list] = [[] for _ in range(num_classes)]
    for prediction, confidence in images:
        for k in range(num_classes):
            lists[k].extend(confidence[prediction == k][::every])
    out = []
    for values in lists:
        values.sort(reverse=True)
        rank = int(len(values) * portion)
        out.append(values[rank - 1] if rank else 1.0)
    return out


def voting_by_filters(label, score, first, second, first_r, second_r, window, alpha):
    """METHOD 5, one iteration: two box filters a class, then the pixels' two classes picked."""

    def mean(of_class: np.ndarray) -> np.ndarray:
        count = uniform_filter(of_class, window, mode="constant")
        total = uniform_filter(of_class * score, window, mode="constant")
        return np.where(count > 1e-7, total / np.maximum(count, 1e-7), 0)

    return _voting(mean, label, first, second, first_r, second_r, alpha)


def voting_by_opencv(label, score, first, second, first_r, second_r, window, alpha):
    """The same with OpenCV's running box sums, for which `pip install opencv-python-headless`."""
    import cv2

    def total(plane: np.ndarray) -> np.ndarray:
        size, border = (window, window), cv2.BORDER_CONSTANT
        return cv2.boxFilter(plane, -1, size, normalize=False, borderType=border)

    def mean(of_class: np.ndarray) -> np.ndarray:
        return total(of_class * score) / np.maximum(total(of_class), 1)

    return _voting(mean, label, first, second, first_r, second_r, alpha)


def _voting(mean, label, first, second, first_r, second_r, alpha) -> np.ndarray:
    """`mean` takes the float32 map of a class's labels to the mean score of those around."""
    values = np.zeros((2, *label.shape), np.float32)
    for k in range(int(max(first.max(), second.max())) + 1):
        of_class = mean((label == k).astype(np.float32))
        for value, candidate in zip(values, (first, second), strict=True):
            np.copyto(value, of_class, where=candidate == k)
    combined = (1 - alpha) * np.stack([first_r, second_r]) + alpha * values
    winner = np.where(combined[1] > combined[0], second, first)
    wins = (label == 255) & (combined.max(0) >= 1)
    return np.where(wins, winner, label)


def top_two_by_torch(logits: Tensor, size: tuple[int, int], log_threshold: Tensor):
    """METHOD 2 and 5.1: upsample both views, softmax, mean, divide by λ, topk."""
    views = F.interpolate(logits, size=size, mode="bilinear", align_corners=True).softmax(1)
    p = (views[0] + views[1].flip(-1)) / 2
    return torch.topk(p / log_threshold.exp().view(-1, 1, 1), 2, dim=0)


def selection_by_numpy(p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """METHOD 4 on (H, W, K) probabilities: divide, argmax, max, mask."""
    r = p / thresholds
    label = np.asarray(np.argmax(r, axis=2), dtype=np.uint8)
    label[r.max(axis=2) < 1] = 255
    return label


def counts_by_masks(prediction, confidence, thresholds) -> list[tuple[int, int]]:
    """METHOD 8: N_k and N*_k by one mask a class."""
    counts = []
    for k, bar in enumerate(thresholds):
        of_class = prediction == k
        counts.append((int(of_class.sum()), int((of_class & (confidence >= bar)).sum())))
    return counts


def confusion_by_bincount(truth, prediction, num_classes: int) -> np.ndarray:
    """METHOD 12: mask, index of the pair, bincount."""
    valid = (truth >= 0) & (truth < num_classes)
    pairs = num_classes * truth[valid].astype(int) + prediction[valid]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def mrkld_by_tensors(logits: Tensor, label: Tensor, is_target: Tensor, weight: float) -> Tensor:
    """METHOD 6: classes last, valid pixels picked, cross-entropy plus the regulariser."""
    valid = label != 255
    of_target = valid & is_target.view(-1, 1, 1)
    log_p = F.log_softmax(_pixels(logits, valid), dim=1)
    loss = F.nll_loss(log_p, label[valid])
    regulariser = -F.log_softmax(_pixels(logits, of_target), dim=1).mean(dim=1).mean()
    return loss + weight * regulariser


def soft_by_tensors(logits: Tensor, label: Tensor, soft_label: Tensor) -> Tensor:
    """METHOD 6, LRENT: classes last, valid pixels picked, soft cross-entropy."""
    valid = label != 255
    log_p = F.log_softmax(_pixels(logits, valid), dim=1)
    return -(_pixels(soft_label, valid) * log_p).sum(dim=1).mean()


def _pixels(maps: Tensor, mask: Tensor) -> Tensor:
    """(B, K, H, W) -> (pixels in the mask, K), through a mask of all classes."""
    last = maps.permute(0, 2, 3, 1).contiguous()
    picked = last[mask.unsqueeze(-1).expand(-1, -1, -1, last.shape[-1])]
    return picked.view(-1, last.shape[-1])
