"""Stage: density of pseudo labels and, where there is ground truth, their accuracy (METHOD 12).

The only stage that sees pseudo labels and target ground truth together; nothing trains on it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.data.cache import Cache
from tpld.data.sources import IGNORE, class_table
from tpld.errors import StoreError
from tpld.stages.common import read_csv, write_csv
from tpld.stores.labels import Labels


def assess_labels(config: Config, labels: Path, truth: Path | None, out: Path) -> None:
    """Write pixel counts by class and origin of the store `labels` to the table `out`.

    Columns: class (of the pseudo label; ``none`` where unlabelled), origin, pixels (valid ones,
    that is with ground truth where it is given), correct (empty without ground truth).

    Raises:
        StoreError: the labels are of other classes, or of images without ground truth.
    """
    store, table = Labels(labels), class_table(config)
    if store.classes != table.names:
        raise StoreError(f"{labels} has other classes than this run. Rerun `tpld label`")
    ground = Cache(truth, table) if truth else None
    place = {name: i for i, name in enumerate(ground.names)} if ground else {}
    pixels = np.zeros((256, 256), np.int64)
    correct = np.zeros((256, 256), np.int64)
    for i, name in enumerate(store.names):
        label, origin = store.layer("label", i), store.layer("origin", i)
        right = valid = np.ones(label.shape, bool)
        if ground:
            if name not in place or ground.size(place[name]) != label.shape:
                raise StoreError(
                    f"{labels} labels '{name}', of which {truth} has no ground truth of that size. "
                    "Rerun `tpld prepare` and `tpld label`"
                )
            true = ground.label(place[name])
            valid, right = true != IGNORE, label == true
        pixels += _count(label[valid], origin[valid])
        correct += _count(label[valid & right], origin[valid & right])
    rows = [
        (
            "none" if label == IGNORE else table.names[label],
            store.origins[int(origin)],
            pixels[label, origin],
            correct[label, origin] if ground else None,
        )
        for label, origin in np.argwhere(pixels)
    ]
    write_csv(pd.DataFrame(rows, columns=["class", "origin", "pixels", "correct"]), out)


def read_label_counts(path: Path) -> pd.DataFrame:
    """Read a table of `assess_labels`.

    Raises:
        StoreError: it is missing or no such table.
    """
    remedy = "Delete it and rerun `tpld assess`"
    table = read_csv(path, "table of label counts", remedy, {"class": str, "origin": str})
    pixels = pd.to_numeric(table.get("pixels", pd.Series(["none"])), errors="coerce")
    if not {"class", "origin", "correct"} <= set(table.columns) or not np.isfinite(pixels).all():
        raise StoreError(f"{path} is no table of label counts. {remedy}")
    return table


def _count(label: np.ndarray, origin: np.ndarray) -> np.ndarray:
    pairs = label.astype(np.int64) * 256 + origin
    return np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
