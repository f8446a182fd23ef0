"""What pseudo labels of any density are worth without voting: two controls, as curves.

Voting makes labels denser, and denser labels are less often right. It earns its place where its
labels are right more often than those that simpler means make equally dense:

- `PORTION`: a larger portion of every class, which keeps the classes balanced;
- `LOWERED`: all thresholds λ of the first round lowered by one factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tpld.core.selection import select_from_logs
from tpld.core.thresholds import ConfidenceRanks, log_thresholds

PORTION, LOWERED = "larger portion", "lowered thresholds"
CONTROLS = (PORTION, LOWERED)
COLUMNS = ["control", "portion", "factor", "density", "accuracy"]
_BINS = 8192
_DEEPEST = 12.0  # of log r: r = 6e-6, below which no pixel's best class lies


class PortionCurve:
    """Density and accuracy of the confident labels (METHOD 4), portion by portion.

    Args:
        ranks: counts of pass 1 over all images (METHOD 3).
        portions: ascending, each from 0 to 1.
        every: as the thresholds are estimated.
    """

    def __init__(self, ranks: ConfidenceRanks, portions: Sequence[float], every: int) -> None:
        counts = ranks.counts()
        self.portions = list(portions)
        self._ranks = [ConfidenceRanks.of_counts(counts, p, every) for p in self.portions]
        self._labelled = np.zeros(len(self.portions), np.int64)
        self._right = np.zeros(len(self.portions), np.int64)
        self._valid = 0

    def refine(self, prediction: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
        """Pass 2 of the ranks, every image once; see `ConfidenceRanks.refine`."""
        for ranks in self._ranks:
            ranks.refine(prediction, confidence)

    @cached_property
    def bars(self) -> list[NDArray[np.float32]]:
        """log λ (K,) of every portion, once pass 2 is over."""
        return [log_thresholds(ranks.result().value) for ranks in self._ranks]

    def add(self, log_p: NDArray[np.float32], truth: NDArray[np.uint8], ignore: int = 255) -> None:
        """Pass 3: log p (K, H, W) float32 and the ground truth (H, W) uint8 of an image."""
        valid = truth != ignore
        self._valid += int(valid.sum())
        for place, bars in enumerate(self.bars):
            label, _ = select_from_logs(log_p, bars)
            self._labelled[place] += np.count_nonzero((label != ignore) & valid)
            self._right[place] += np.count_nonzero((label == truth) & valid)

    def table(self) -> pd.DataFrame:
        """`COLUMNS`, a row a portion, in percent; NaN where nothing is labelled."""
        made = {"control": PORTION, "portion": self.portions, "factor": float("nan")}
        return _curve(made, self._labelled, self._right, self._valid)


class LoweredCurve:
    """Density and accuracy of argmax r where r >= c, for every factor c at once.

    Lowering all thresholds by c leaves argmax r as it is, so that one histogram of max log r, of
    all pixels and of those that are right, holds the whole curve.

    Args:
        log_threshold: (K,) float32, log λ of the portion that voting starts from.
    """

    def __init__(self, log_threshold: NDArray[np.float32]) -> None:
        self._bars = log_threshold[:, None, None]
        self._pixels = np.zeros(_BINS + 1, np.int64)
        self._right = np.zeros(_BINS + 1, np.int64)

    def add(self, log_p: NDArray[np.float32], truth: NDArray[np.uint8], ignore: int = 255) -> None:
        """Log p (K, H, W) float32 and the ground truth (H, W) uint8 of an image."""
        log_r = log_p - self._bars
        best, valid = log_r.argmax(0), truth != ignore
        depth = -np.minimum(log_r.max(0), 0) / _DEEPEST  # 0 for all that λ itself labels
        place = np.minimum(np.ceil(depth * _BINS), _BINS).astype(np.int64)
        self._pixels += np.bincount(place[valid], minlength=_BINS + 1)
        self._right += np.bincount(place[valid & (best == truth)], minlength=_BINS + 1)

    def table(self) -> pd.DataFrame:
        """`COLUMNS`, denser and denser, in percent; no portion, and the factor of each."""
        labelled, right = self._pixels.cumsum(), self._right.cumsum()
        wanted = np.searchsorted(labelled, np.linspace(labelled[0], labelled[-1], 100))
        wanted = np.unique(np.minimum(wanted, _BINS))
        factor = np.exp(-wanted * _DEEPEST / _BINS)
        made = {"control": LOWERED, "portion": float("nan"), "factor": factor}
        return _curve(made, labelled[wanted], right[wanted], int(labelled[-1]))


def _curve(
    made: dict[str, Any],
    labelled: NDArray[np.int64],
    right: NDArray[np.int64],
    valid: int,
) -> pd.DataFrame:
    density = 100 * labelled / max(valid, 1)
    accuracy = np.where(labelled > 0, 100 * right / np.maximum(labelled, 1), np.nan)
    frame = pd.DataFrame({**made, "density": density, "accuracy": accuracy}, columns=COLUMNS)
    return frame.astype({"portion": float, "factor": float})


def factor_at(curve: pd.DataFrame, density: float) -> float:
    """The factor by which lowered thresholds reach a density, in percent; arguments as below.

    1 below the density that λ itself labels.
    """
    points = curve.sort_values("density")
    return float(np.interp(density, points["density"], points["factor"]))


def accuracy_at(curve: pd.DataFrame, density: float) -> float:
    """Accuracy of a control at a density, both in percent, between the curve's points.

    Args:
        curve: `COLUMNS` of one control.
        density: in percent.

    Returns:
        The accuracy; NaN beyond the ends of the curve.
    """
    points = curve.dropna(subset=["accuracy"]).sort_values("density")
    if points.empty:
        return float("nan")
    x, y = points["density"].to_numpy(), points["accuracy"].to_numpy()
    return float(np.interp(density, x, y, left=np.nan, right=np.nan))
