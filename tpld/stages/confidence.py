"""Stage: confidence score of each target image (METHOD 8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.method.confidence import confident_counts, image_confidence
from tpld.method.mixture import predict
from tpld.overlap import overlap
from tpld.progress import progress
from tpld.provenance import fingerprint
from tpld.stages.common import write_csv
from tpld.stages.thresholds import read_thresholds
from tpld.stores.lineage import DUMP
from tpld.stores.predictions import Predictions


def score_images(config: Config, predictions: Path, thresholds: Path, out: Path) -> None:
    """Write conf_t of every target image to the table `out`."""
    store = Predictions(predictions)
    dump = fingerprint(predictions)
    bars = read_thresholds(thresholds, store.classes, dump)
    log_threshold = bars["log_threshold"].to_numpy(np.float32)
    settings, rows = config.phase2, []

    def counts_of(i: int, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        prediction, log_p = predict(logits, store.size(i))
        # The difference of logarithms has the sign of p - λ and never ties near 1.
        excess = np.expm1(log_p - log_threshold[prediction])
        return confident_counts(prediction, excess, len(store.classes))

    def add(i: int, counts: tuple[np.ndarray, np.ndarray]) -> None:
        predicted, confident = counts
        confidence = image_confidence(
            predicted,
            confident,
            np.exp(log_threshold),
            settings.divide_by,
            settings.weight_by_threshold,
        )
        share = confident.sum() / max(int(predicted.sum()), 1)
        rows.append((store.names[i], confidence, share, int((confident > 0).sum())))

    with progress("scoring target images", len(store)) as tick:
        overlap(len(store), store.logits, counts_of, add, tick)
    columns = ["image", "confidence", "confident_share", "confident_classes"]
    write_csv(pd.DataFrame(rows, columns=columns).assign(**{DUMP: dump}), out)
