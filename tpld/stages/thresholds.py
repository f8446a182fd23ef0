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
from tpld.provenance import fingerprint
from tpld.stages.common import read_csv, write_csv
from tpld.stores.lineage import DUMP, expect_dump
from tpld.stores.predictions import Predictions

COLUMNS = [
    "class", "portion", "predicted", "share", "selected", "threshold", "log_threshold", "mined",
    DUMP,
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
    table = _table(store.classes, portion, ranks.result(), config.thresholds.mined_share)
    write_csv(table.assign(**{DUMP: fingerprint(predictions)}), out)


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
    return pd.DataFrame(dict(zip(COLUMNS[:-1], columns, strict=True)))


def read_thresholds(path: Path, classes: list[str], dump: str | None = None) -> pd.DataFrame:
    """Read a table of `estimate_thresholds`.

    Args:
        path: the table.
        classes: names that it must have.
        dump: fingerprint of the dump that it must be computed from; None: any.

    Raises:
        StoreError: missing, of other columns, of other classes, of another dump, or with values
            that no thresholds have.
    """
    remedy = "Rerun `tpld thresholds`"
    table = read_csv(path, "table of thresholds", remedy, {"class": str, DUMP: str})
    if list(table.columns) != COLUMNS or list(table["class"]) != classes:
        raise StoreError(
            f"{path} is a table of {len(table)} classes with columns {list(table.columns)}; the "
            f"predictions have the classes {classes}. {remedy}"
        )
    bars = pd.to_numeric(table["log_threshold"], errors="coerce").to_numpy(np.float64)
    if not (np.isfinite(bars) & (bars <= 0)).all() or table["mined"].dtype != bool:
        raise StoreError(
            f"{path} is damaged: every log_threshold must be a number up to 0, and mined True or "
            f"False. {remedy}"
        )
    if dump is not None:
        expect_dump(table, path, dump, "thresholds")
    return table
