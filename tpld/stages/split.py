"""Stage: the easy and the hard target images of a phase-2 round (METHOD 8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.core.split import split_by_confidence
from tpld.errors import StoreError
from tpld.stages.common import read_csv, write_csv
from tpld.stores.lineage import DUMP


def split(config: Config, confidence: Path, round_index: int, out: Path) -> None:
    """Write which images are easy to the table `out`, most confident first."""
    table = _read(confidence)
    portion = min(1.0, config.phase2.easy_portion + config.phase2.easy_step * round_index)
    easy = split_by_confidence(table["image"].tolist(), table["confidence"].tolist(), portion)
    table["easy"] = table["image"].isin(easy)
    ordered = table.sort_values(["confidence", "image"], ascending=[False, True])
    write_csv(ordered[["image", "confidence", "easy", DUMP]], out)


def _read(path: Path) -> pd.DataFrame:
    """The table of `score_images`.

    Raises:
        StoreError: it is missing, no such table, or holds a score that is no number.
    """
    remedy = "Rerun `tpld score`"
    table = read_csv(path, "table of confidences", remedy, {"image": str, DUMP: str})
    if not {"image", "confidence", DUMP} <= set(table.columns) or table["image"].duplicated().any():
        raise StoreError(f"{path} is no table of confidences. {remedy}")
    scores = pd.to_numeric(table["confidence"], errors="coerce")
    if not np.isfinite(scores.to_numpy(np.float64)).all():
        raise StoreError(f"{path} is damaged: a confidence is no finite number. {remedy}")
    return table.assign(confidence=scores)
