"""Stage: the split of the first phase-2 round, judged by ground truth that training never sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.compute.progress import progress
from tpld.config import Config
from tpld.dag.changes import changes_of
from tpld.dag.layout import Layout
from tpld.dag.rows import phase2_rounds
from tpld.data.cache import Cache
from tpld.data.sources import class_table, has_truth
from tpld.errors import ConfigError
from tpld.evaluation.render import pipe_table
from tpld.methods import parse_method
from tpld.stages.common import read_csv, write_csv, write_text
from tpld.stages.full_labels import easy_and_hard
from tpld.stages.thresholds import read_thresholds
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint
from tpld.study.figures import draw_split
from tpld.study.split import SplitCounts, describe_classes, describe_split

_FIRST = "phase2_round0"


def split_study(config: Config, out: Path) -> None:
    """Write split.csv (a line an image), split_classes.csv, split.md and split.svg.

    Raises:
        ConfigError: no row has a phase 2, or there is no ground truth to judge it by.
    """
    rows = [name for name in config.methods if phase2_rounds(config, parse_method(name))]
    if not rows or not has_truth(config, "target_train"):
        lacks = "ground truth of the target's training images" if rows else "a row with phase 2"
        raise ConfigError(f"a study of the split needs {lacks}. Give it, or leave the study out")
    truth = Cache(Path(Layout(config).data("target_train_truth")), class_table(config))
    images, classes = [], []
    for row in rows:
        for seed in config.seeds:
            where = {"row": row, "changes": changes_of(config, row), "seed": seed}
            counts = _count(config, row, seed, truth)
            images.append(counts.images().assign(**where))
            classes.append(counts.classes().assign(**where))
    found, by_class = pd.concat(images, ignore_index=True), pd.concat(classes, ignore_index=True)
    write_csv(found, out / "split.csv")
    write_csv(by_class, out / "split_classes.csv")
    title = f"{config.experiment}: easy and hard images, seeds {config.seeds}"
    text = [f"# {title}", "", *pipe_table(describe_split(found)), "", f"## {rows[0]}", ""]
    text += [*pipe_table(describe_classes(by_class[by_class["row"] == rows[0]])), ""]
    write_text(out / "split.md", "\n".join(text))
    draw_split(found[found["row"] == rows[0]], f"{title}: {rows[0]}", out / "split.svg")


def _count(config: Config, row: str, seed: int, truth: Cache) -> SplitCounts:
    layout = Layout(config)
    store = Predictions(Path(layout.predictions(row, seed, _FIRST)))
    thresholds, path = (
        Path(layout.round(row, seed, _FIRST, part)) for part in ("thresholds.csv", "split.csv")
    )
    mark = fingerprint(store.path)
    table = read_thresholds(thresholds, store.classes, mark)
    bars = table["log_threshold"].to_numpy(np.float32)
    easy = set(easy_and_hard(path, store.names, mark)[0])
    split = read_csv(path, "split", "Rerun `tpld split`", {"image": str}).set_index("image")
    counts, place = SplitCounts(store.classes, bars), {n: i for i, n in enumerate(truth.names)}
    with progress(f"{row}, seed {seed}", len(store)) as tick:
        for i, name in enumerate(store.names):
            confidence, label = float(split["confidence"][name]), truth.label(place[name])
            counts.add(name, confidence, i in easy, store.log_probabilities(i), label)
            tick(i + 1)
    return counts
