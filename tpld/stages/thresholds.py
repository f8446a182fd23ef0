"""Stage: class thresholds λ of a round (METHOD 3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.errors import StoreError
from tpld.method.mixture import predict
from tpld.method.thresholds import ConfidenceRanks, RankResult, log_thresholds, mined_classes
from tpld.overlap import overlap
from tpld.parts import Part
from tpld.progress import progress
from tpld.stages.common import write_csv
from tpld.stores.atomic import replacing
from tpld.stores.predictions import Predictions

COLUMNS = [
    "class", "portion", "predicted", "share", "selected", "threshold", "log_threshold", "mined"
]  # fmt: skip


def estimate_thresholds(config: Config, predictions: Path, portion: float, out: Path) -> None:
    """Write λ[k] of every class, with what it rests on, to the table `out`."""
    store = Predictions(predictions)
    ranks = ConfidenceRanks(len(store.classes), portion, config.thresholds.every)
    everything = range(len(store))
    _walk(store, everything, ranks.count)
    _walk(store, everything, ranks.refine)
    write_csv(_table(store.classes, portion, ranks.result(), config.thresholds.mined_share), out)


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
    write_csv(_table(classes, portion, result, config.thresholds.mined_share), out)


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
