"""Stage: class thresholds λ of a round (METHOD 3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.errors import StoreError
from tpld.method.mixture import predict
from tpld.method.thresholds import ConfidenceRanks, RankResult, log_thresholds, mined_classes
from tpld.overlap import overlap
from tpld.progress import progress
from tpld.stages.common import write_csv
from tpld.stores.predictions import Predictions

COLUMNS = [
    "class", "portion", "predicted", "share", "selected", "threshold", "log_threshold", "mined"
]  # fmt: skip


def estimate_thresholds(config: Config, predictions: Path, portion: float, out: Path) -> None:
    """Write λ[k] of every class, with what it rests on, to the table `out`."""
    store = Predictions(predictions)
    ranks = ConfidenceRanks(len(store.classes), portion, config.thresholds.every)
    with progress("counting confidences", 2 * len(store)) as tick:
        for done, step in ((0, ranks.count), (len(store), ranks.refine)):
            overlap(
                len(store),
                store.logits,
                lambda i, logits: predict(logits, store.size(i)),
                lambda i, found, step=step: step(*found),
                lambda ready, done=done: tick(done + ready),
            )
    write_csv(_table(store.classes, portion, ranks.result(), config.thresholds.mined_share), out)


def _table(
    classes: list[str], portion: float, result: RankResult, mined_share: float
) -> pd.DataFrame:
    log_threshold = log_thresholds(result.value).astype(np.float64)
    mined = np.zeros(len(classes), bool)
    mined[mined_classes(result.predicted, mined_share)] = True
    columns = (
        classes,
        portion,
        result.predicted,
        result.predicted / max(int(result.predicted.sum()), 1),
        result.selected,
        np.exp(log_threshold),
        log_threshold,
        mined,
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def read_thresholds(path: Path, classes: list[str]) -> pd.DataFrame:
    """Read a table of `estimate_thresholds`.

    Raises:
        StoreError: missing, of other columns, or of other classes.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype={"class": str})
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} is no table of thresholds ({error}). Rerun `tpld thresholds`"
        ) from None
    if list(table.columns) != COLUMNS or list(table["class"]) != classes:
        raise StoreError(
            f"{path} is a table of {len(table)} classes with columns {list(table.columns)}; the "
            f"predictions have the classes {classes}. Rerun `tpld thresholds`"
        )
    return table
