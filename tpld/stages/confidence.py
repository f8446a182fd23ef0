"""Stage: confidence score of each target image (METHOD 8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.config import Config
from tpld.core.confidence import confident_counts, image_confidence
from tpld.core.mixture import predict
from tpld.stages.common import write_csv
from tpld.stages.thresholds import read_thresholds
from tpld.stores.lineage import DUMP
from tpld.stores.parts import WHOLE, Part
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint


def score_images(
    config: Config, predictions: Path, thresholds: Path, out: Path, part: Part = WHOLE
) -> None:
    """Write conf_t of every target image (of a part of them) to the table `out`."""
    store = Predictions(predictions)
    dump = fingerprint(predictions)
    bars = read_thresholds(thresholds, store.classes, dump)
    log_threshold = bars["log_threshold"].to_numpy(np.float32)
    settings, rows, mine = config.phase2, [], part.of(len(store))

    def counts_of(k: int, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        prediction, log_p = predict(logits, store.size(mine[k]))
        # The difference of logarithms has the sign of p - λ and never ties near 1.
        excess = np.expm1(log_p - log_threshold[prediction])
        return confident_counts(prediction, excess, len(store.classes))

    def add(k: int, counts: tuple[np.ndarray, np.ndarray]) -> None:
        predicted, confident = counts
        confidence = image_confidence(
            predicted,
            confident,
            np.exp(log_threshold),
            settings.divide_by,
            settings.weight_by_threshold,
        )
        share = confident.sum() / max(int(predicted.sum()), 1)
        rows.append((store.names[mine[k]], confidence, share, int((confident > 0).sum())))

    with progress("scoring target images", len(mine)) as tick:
        overlap(len(mine), lambda k: store.logits(mine[k]), counts_of, add, tick)
    columns = ["image", "confidence", "confident_share", "confident_classes"]
    write_csv(pd.DataFrame(rows, columns=columns).assign(**{DUMP: dump}), out)


def join_scores(pieces: list[Path], out: Path) -> None:
    """Write the tables of all parts as one; text stays as it is, so that no digit changes."""
    tables = [pd.read_csv(piece, dtype=str, keep_default_na=False) for piece in pieces]
    write_csv(pd.concat(tables), out)
