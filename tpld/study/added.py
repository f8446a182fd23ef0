"""What voting adds, pixel by pixel, beside what lowered thresholds add: which are right, and where.

Voting and `thresholds.factor` label pixels below the bar. Here the factor is the one that makes
labels as dense as voting does, so that both add as many, some of them the same.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn.functional import max_pool2d

from tpld.core.labels import IGNORE, ORIGIN_CONFIDENT

COLUMNS = ["group", "share", "accuracy", "near"]
VOTED = "added by voting"
SAME, OTHER = "as argmax r", "another class"
BOTH, VOTING_ALONE = "by lowered thresholds as well", "by voting alone"
LOWERED_ALONE = "by lowered thresholds alone"
RIGHT, WRONG = "right", "wrong"
GROUPS = (VOTED, SAME, OTHER, BOTH, VOTING_ALONE, LOWERED_ALONE, RIGHT, WRONG)
NEAR = 3
"""Pixels from a boundary of the ground truth that count as near it, in rows and in columns."""


class AddedPixels:
    """Counts of the added pixels by group, image by image.

    Args:
        log_threshold: (K,) float32, log λ that the confident labels were made with.
        factor: by which lowered thresholds label as many pixels as voting does.
    """

    def __init__(self, log_threshold: NDArray[np.float32], factor: float) -> None:
        self._bars, self._bar = log_threshold[:, None, None], float(np.log(factor))
        self._counts: dict[str, NDArray[np.int64]] = {
            group: np.zeros(3, np.int64) for group in GROUPS
        }

    def add(
        self,
        log_p: NDArray[np.float32],
        label: NDArray[np.uint8],
        origin: NDArray[np.uint8],
        truth: NDArray[np.uint8],
    ) -> None:
        """Count an image: log p (K, H, W), and uint8 (H, W) labels, origins and ground truth."""
        log_r = log_p - self._bars
        best, valid = log_r.argmax(0), truth != IGNORE
        voted = (origin > ORIGIN_CONFIDENT) & (label != IGNORE) & valid
        lowered = (log_r.max(0) >= self._bar) & (origin != ORIGIN_CONFIDENT) & valid
        right, near = label == truth, near_boundary(truth)
        for group, pixels in (
            (VOTED, voted),
            (SAME, voted & (label == best)),
            (OTHER, voted & (label != best)),
            (BOTH, voted & lowered),
            (VOTING_ALONE, voted & ~lowered),
            (RIGHT, voted & right),
            (WRONG, voted & ~right),
        ):
            self._count(group, pixels, right, near)
        self._count(LOWERED_ALONE, lowered & ~voted, best == truth, near)

    def _count(self, group: str, pixels: NDArray, right: NDArray, near: NDArray) -> None:
        found = [np.count_nonzero(part) for part in (pixels, pixels & right, pixels & near)]
        self._counts[group] = self._counts[group] + found

    def table(self) -> pd.DataFrame:
        """`COLUMNS`, a row a group, in percent.

        share: of what voting added; accuracy: of the group; near: share of the group that lies near
        a boundary. NaN where there is nothing to divide by.
        """
        added = self._counts[VOTED][0]
        rows = []
        for group, (pixels, right, near) in self._counts.items():
            rows.append((group, _share(pixels, added), _share(right, pixels), _share(near, pixels)))
        return pd.DataFrame(rows, columns=COLUMNS)


def near_boundary(truth: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where pixels of another class lie within `NEAR` rows and columns; uint8, bool (H, W)."""
    classes = torch.from_numpy(truth.astype(np.float32))[None]
    highest, lowest = (
        sign * max_pool2d(sign * classes, 2 * NEAR + 1, stride=1, padding=NEAR) for sign in (1, -1)
    )
    return (highest != lowest)[0].numpy()


def _share(part: np.int64, whole: np.int64) -> float:
    return float(100 * part / whole) if whole else float("nan")
