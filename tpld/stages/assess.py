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
from tpld.stages.common import write_csv
from tpld.stores.labels import Labels


def assess_labels(config: Config, labels: Path, truth: Path | None, out: Path) -> None:
    """Write pixel counts by class and origin of the store `labels` to the table `out`.

    Columns: class (of the pseudo label; ``none`` where unlabelled), origin, pixels (valid ones,
    that is with ground truth where it is given), correct (empty without ground truth).
    """
    store, table = Labels(labels), class_table(config)
    ground = Cache(truth, table) if truth else None
    place = {name: i for i, name in enumerate(ground.names)} if ground else {}
    pixels = np.zeros((256, 256), np.int64)
    correct = np.zeros((256, 256), np.int64)
    for i, name in enumerate(store.names):
        label, origin = store.layer("label", i), store.layer("origin", i)
        right = valid = np.ones(label.shape, bool)
        if ground:
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


def _count(label: np.ndarray, origin: np.ndarray) -> np.ndarray:
    pairs = label.astype(np.int64) * 256 + origin
    return np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
