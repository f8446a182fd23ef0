"""Stage: the easy and the hard target images of a phase-2 round (METHOD 8)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tpld.config import Config
from tpld.method.split import split_by_confidence
from tpld.stages.common import write_csv


def split(config: Config, confidence: Path, round_index: int, out: Path) -> None:
    """Write which images are easy to the table `out`, most confident first."""
    table = pd.read_csv(confidence, keep_default_na=False, dtype={"image": str})
    portion = min(1.0, config.phase2.easy_portion + config.phase2.easy_step * round_index)
    easy = split_by_confidence(table["image"].tolist(), table["confidence"].tolist(), portion)
    table["easy"] = table["image"].isin(easy)
    ordered = table.sort_values(["confidence", "image"], ascending=[False, True])
    write_csv(ordered[["image", "confidence", "easy"]], out)
