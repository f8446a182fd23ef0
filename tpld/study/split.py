"""Whether easy images are easy: what the network knows of them and of the hard ones.

Ground truth is seen here for figures alone; the split never sees it (METHOD 8).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tpld.core.labels import IGNORE

IMAGE_COLUMNS = ["image", "confidence", "easy", "accuracy", "accuracy of argmax r"]
CLASS_COLUMNS = ["class", "easy", "truth", "predicted", "right"]
_ACCURACIES = IMAGE_COLUMNS[3:]


class SplitCounts:
    """Accuracy of each image, and pixels of each class on the easy and on the hard images.

    Args:
        classes: K names.
        log_threshold: (K,) float32, log λ of the round.
    """

    def __init__(self, classes: list[str], log_threshold: NDArray[np.float32]) -> None:
        self._classes, self._bars = classes, log_threshold[:, None, None]
        self._images: list[tuple[str, float, bool, float, float]] = []
        self._pixels = np.zeros((2, 3, len(classes)), np.int64)

    def add(
        self,
        image: str,
        confidence: float,
        easy: bool,
        log_p: NDArray[np.float32],
        truth: NDArray[np.uint8],
    ) -> None:
        """Count an image: conf_t, its side of the split, log p (K, H, W), ground truth (H, W)."""
        valid = truth != IGNORE
        known, predicted = truth[valid], log_p.argmax(0)[valid]
        full = (log_p - self._bars).argmax(0)[valid]
        right = [_percent(part == known) for part in (predicted, full)]
        self._images.append((image, confidence, easy, right[0], right[1]))
        for place, part in enumerate((known, predicted, known[predicted == known])):
            self._pixels[int(easy), place] += np.bincount(part, minlength=len(self._classes))

    def images(self) -> pd.DataFrame:
        """`IMAGE_COLUMNS`, a row an image; accuracies of argmax p and of argmax r in percent."""
        return pd.DataFrame(self._images, columns=IMAGE_COLUMNS)

    def classes(self) -> pd.DataFrame:
        """`CLASS_COLUMNS`: pixels of ground truth, predicted, and rightly so, by class and side."""
        parts = [
            pd.DataFrame(
                {"class": self._classes, "easy": bool(easy)}
                | dict(zip(CLASS_COLUMNS[2:], self._pixels[easy], strict=True))
            )
            for easy in (1, 0)
        ]
        return pd.concat(parts, ignore_index=True)


def _percent(right: NDArray[np.bool_]) -> float:
    return float(100 * right.mean()) if right.size else float("nan")


def describe_split(images: pd.DataFrame) -> pd.DataFrame:
    """One line a row: accuracy on easy and hard images, and how well conf_t ranks the images.

    Args:
        images: row, changes, seed, and `IMAGE_COLUMNS`.

    Returns:
        row, changes, both accuracies on the easy and on the hard images, and Spearman's rank
        correlation of confidence and accuracy: means over the seeds.
    """
    rows = []
    for (row, changes, seed), part in images.groupby(["row", "changes", "seed"], sort=False):
        line = {"row": row, "changes": changes, "seed": seed}
        for name in _ACCURACIES:
            for kind, side in (("easy", part[part["easy"]]), ("hard", part[~part["easy"]])):
                line[f"{kind}: {name}"] = side[name].mean()
        ranks = part[["confidence", "accuracy"]].rank()
        rows.append(line | {"rank correlation": ranks["confidence"].corr(ranks["accuracy"])})
    table = pd.DataFrame(rows)
    return table.groupby(["row", "changes"], sort=False).mean().drop(columns="seed").reset_index()


def describe_classes(classes: pd.DataFrame) -> pd.DataFrame:
    """One line a class: how much of it the easy images hold, and how right predictions are there.

    Args:
        classes: `CLASS_COLUMNS` of one row, of one seed or several.

    Returns:
        class, share of its ground truth that lies on easy images; precision and recall of argmax p
        on the easy and on the hard images; all in percent, NaN where there is nothing to divide by.
    """
    sums = classes.groupby(["class", "easy"], sort=False)[["truth", "predicted", "right"]].sum()
    easy, hard = sums.xs(True, level="easy"), sums.xs(False, level="easy")
    found = {"on easy images": easy["truth"] / (easy["truth"] + hard["truth"])}
    for kind, part in (("easy", easy), ("hard", hard)):
        found[f"{kind}: precision"] = part["right"] / part["predicted"]
        found[f"{kind}: recall"] = part["right"] / part["truth"]
    return (100 * pd.DataFrame(found)).reset_index()
