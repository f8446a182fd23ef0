"""Stage: class thresholds λ of a round (METHOD 3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.config import Config
from tpld.config.labels import Thresholds
from tpld.core.mixture import predict
from tpld.core.thresholds import ConfidenceRanks, RankResult, log_thresholds, mined_classes
from tpld.errors import StoreError
from tpld.stages.common import read_csv, write_csv
from tpld.stores.atomic import replacing
from tpld.stores.lineage import DUMP, expect_dump
from tpld.stores.parts import Part
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint

COLUMNS = [
    "class", "portion", "factor", "predicted", "share", "selected", "threshold", "log_threshold",
    "mined", DUMP,
]  # fmt: skip


def estimate_thresholds(config: Config, predictions: Path, portion: float, out: Path) -> None:
    """Write λ[k] of every class, with what it rests on, to the table `out`."""
    store = Predictions(predictions)
    ranks = ConfidenceRanks(len(store.classes), portion, config.thresholds.every)
    everything = range(len(store))
    _walk(store, everything, ranks.count)
    _walk(store, everything, ranks.refine)
    _write(config, predictions, store.classes, portion, ranks.result(), out)


def count_part(
    config: Config,
    predictions: Path,
    portion: float,
    part: Part,
    counted: list[Path],
    out: Path,
) -> None:
    """Write the counts of one part of the images to the file `out` (numpy's ``.npz``).

    Those of pass 1; and where `counted` holds them of all parts, those of pass 2.
    """
    store = Predictions(predictions)
    mine = part.of(len(store))
    if counted:
        ranks = _merged(config, portion, counted).fork()
        _walk(store, mine, ranks.refine)
    else:
        ranks = ConfidenceRanks(len(store.classes), portion, config.thresholds.every)
        _walk(store, mine, ranks.count)
    with replacing(out) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **ranks.counts())  # pyright: ignore[reportArgumentType]


def join_thresholds(
    config: Config, predictions: Path, portion: float, refined: list[Path], out: Path
) -> None:
    """Write λ[k] from the counts of pass 2 of all parts, as `estimate_thresholds` does."""
    classes, result = Predictions(predictions).classes, _merged(config, portion, refined).result()
    _write(config, predictions, classes, portion, result, out)


def _write(
    config: Config, dump: Path, classes: list[str], portion: float, result: RankResult, out: Path
) -> None:
    """Write the table, which says of which dump it is."""
    table = _table(classes, portion, result, config.thresholds)
    write_csv(table.assign(**{DUMP: fingerprint(dump)}), out)


def _walk(store: Predictions, images: range, add: Callable[..., None]) -> None:
    """Hand the prediction and confidence of every image to `add`."""
    with progress("counting confidences", len(images)) as tick:
        overlap(
            len(images),
            lambda k: store.logits(images[k]),
            lambda k, logits: predict(logits, store.size(images[k])),
            lambda k, found: add(*found),
            tick,
        )


def _merged(config: Config, portion: float, files: list[Path]) -> ConfidenceRanks:
    """The counts of all parts."""
    found = None
    for path in files:
        try:
            with np.load(path, allow_pickle=False) as counts:
                ranks = ConfidenceRanks.of_counts(counts, portion, config.thresholds.every)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise StoreError(
                f"{path} holds no counts ({error}). Delete it and rerun Snakemake"
            ) from None
        if found is None:
            found = ranks
        else:
            found.merge(ranks)
    assert found is not None
    return found


def _table(
    classes: list[str], portion: float, result: RankResult, section: Thresholds
) -> pd.DataFrame:
    log_threshold = log_thresholds(result.value, section.factor).astype(np.float64)
    mined = np.zeros(len(classes), bool)
    mined[mined_classes(result.predicted, section.mined_share)] = True
    columns = (
        classes,
        portion,
        section.factor,
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
