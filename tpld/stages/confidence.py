"""Stage: confidence score of each target image (METHOD 8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.method.confidence import confident_counts, image_confidence
from tpld.progress import progress
from tpld.stages.common import write_csv
from tpld.stages.thresholds import read_thresholds
from tpld.stores.predictions import Predictions


def score_images(config: Config, predictions: Path, thresholds: Path, out: Path) -> None:
    """Write conf_t of every target image to the table `out`."""
    store = Predictions(predictions)
    log_threshold = read_thresholds(thresholds, store.classes)["log_threshold"].to_numpy(np.float32)
    settings, rows = config.phase2, []
    with progress("scoring target images", len(store)) as tick:
        for i, name in enumerate(store.names):
            prediction, log_p = store.predict(i)
            # The difference of logarithms has the sign of p - λ and never ties near 1.
            excess = np.expm1(log_p - log_threshold[prediction])
            predicted, confident = confident_counts(prediction, excess, len(store.classes))
            confidence = image_confidence(
                predicted,
                confident,
                np.exp(log_threshold),
                settings.divide_by,
                settings.weight_by_threshold,
            )
            share = confident.sum() / max(int(predicted.sum()), 1)
            rows.append((name, confidence, share, int((confident > 0).sum())))
            tick(i + 1)
    columns = ["image", "confidence", "confident_share", "confident_classes"]
    write_csv(pd.DataFrame(rows, columns=columns), out)
