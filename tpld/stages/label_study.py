"""Stage: the first pseudo labels of every row, beside labels as dense without voting.

Trains nothing: all of them come from the source model's dump. Ground truth of the target's training
images is read here for figures alone, as `tpld assess` does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.data.cache import Cache
from tpld.data.sources import class_table, has_truth
from tpld.errors import ConfigError
from tpld.evaluation.labels import summarise_labels
from tpld.evaluation.render import pipe_table
from tpld.layout import Layout
from tpld.method.thresholds import ConfidenceRanks
from tpld.methods import parse_method
from tpld.progress import progress
from tpld.stages.assess import read_label_counts
from tpld.stages.common import write_csv, write_text
from tpld.stores.predictions import Predictions
from tpld.study.changes import changes_of
from tpld.study.controls import LoweredCurve, PortionCurve
from tpld.study.figures import draw_labels
from tpld.study.labels import compare_labels, mean_over_seeds

_STEP = 0.025
_KEYS = ["row", "changes"]


def label_study(config: Config, out: Path) -> None:
    """Write labels.csv (a line a row and seed), .md, .svg and curves.csv into `out`.

    Raises:
        ConfigError: no row makes pseudo labels, or there is no ground truth to judge them by.
    """
    rows = [name for name in config.methods if parse_method(name).kind == "self_training"]
    if not rows or not has_truth(config, "target_train"):
        lacks = "ground truth of the target's training images" if rows else "a self-training row"
        raise ConfigError(f"a study of labels needs {lacks}. Give it, or leave the study out")
    layout, first = Layout(config), "round0"
    lines, curves = [], {}
    for row in rows:
        for seed in config.seeds:
            place = (layout.network(parse_method(row).network), seed)
            if place not in curves:
                dump = Path(layout.predictions(row, seed, first))
                curves[place] = _curves(config, dump, Path(layout.data("target_train_truth")))
            counts = read_label_counts(Path(layout.round(row, seed, first, "labels.csv")))
            where = {"row": row, "changes": changes_of(config, row)}
            where |= {"network": place[0], "seed": seed}
            lines.append(where | summarise_labels(counts))
    parts = [part.assign(network=n, seed=s) for (n, s), part in curves.items()]
    known = pd.concat(parts, ignore_index=True)
    table = compare_labels(pd.DataFrame(lines), known)
    means = mean_over_seeds(table, _KEYS)
    write_csv(known, out / "curves.csv")
    write_csv(table, out / "labels.csv")
    title = f"{config.experiment}: first pseudo labels, seeds {config.seeds}"
    write_text(out / "labels.md", "\n".join([f"# {title}", "", *pipe_table(means), ""]))
    draw_labels(means, known, title, out / "labels.svg")


def _curves(config: Config, dump: Path, truth: Path) -> pd.DataFrame:
    """Both controls on the images of a dump, read one at a time, three times over."""
    store, ground = Predictions(dump), Cache(truth, class_table(config))
    start, every = config.thresholds.start_portion, config.thresholds.every
    portions = sorted({start, *np.round(np.arange(_STEP, 1 + _STEP / 2, _STEP), 6).tolist()})
    images = len(store)
    with progress("controls of voting", 3 * images) as tick:
        ranks = ConfidenceRanks(len(store.classes), start, every)
        for i in range(images):
            ranks.count(*store.predict(i))
            tick(i + 1)
        curve = PortionCurve(ranks, portions, every)
        for i in range(images):
            curve.refine(*store.predict(i))
            tick(images + i + 1)
        lowered = LoweredCurve(curve.bars[portions.index(start)])
        for i in range(images):
            log_p, true = (
                store.log_probabilities(i),
                ground.label(ground.names.index(store.names[i])),
            )
            curve.add(log_p, true)
            lowered.add(log_p, true)
            tick(2 * images + i + 1)
    return pd.concat([curve.table(), lowered.table()], ignore_index=True)
