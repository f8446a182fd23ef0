"""Stage: the first pseudo labels of every row, beside labels as dense without voting.

Trains nothing: all of them come from the source model's dump. Ground truth of the target's training
images is read here for figures alone, as `tpld assess` does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.config import Config
from tpld.core.mixture import log_probabilities, predict
from tpld.core.thresholds import ConfidenceRanks
from tpld.dag.changes import changes_of
from tpld.dag.layout import Layout
from tpld.data.cache import Cache
from tpld.data.sources import class_table, has_truth
from tpld.errors import ConfigError
from tpld.evaluation.labels import summarise_labels
from tpld.evaluation.render import pipe_table
from tpld.methods import parse_method
from tpld.stages.assess import read_label_counts
from tpld.stages.common import write_csv, write_text
from tpld.stages.label_study_added import FirstLabels
from tpld.stores.predictions import Predictions
from tpld.study.controls import LOWERED, LoweredCurve, PortionCurve, factor_at
from tpld.study.figures import draw_labels
from tpld.study.labels import compare_labels, describe_added, mean_over_seeds

_STEP = 0.025
_KEYS = ["row", "changes"]


def label_study(config: Config, out: Path) -> None:
    """Write labels.csv (a line a row and seed), .md, .svg, curves.csv, added.csv and added.jpg.

    added.jpg shows the first row of TPLD that votes; without TPLD there is none.

    Raises:
        ConfigError: no row makes pseudo labels, or there is no ground truth to judge them by.
    """
    rows = [name for name in config.methods if parse_method(name).kind == "self_training"]
    if not rows or not has_truth(config, "target_train"):
        lacks = "ground truth of the target's training images" if rows else "a self-training row"
        raise ConfigError(f"a study of labels needs {lacks}. Give it, or leave the study out")
    layout = Layout(config)
    truth = Cache(Path(layout.data("target_train_truth")), class_table(config))
    lines, added, curves, shown = [], [], {}, _shown(config, rows)
    for row in rows:
        for seed in config.seeds:
            found = FirstLabels(config, row, seed, truth)
            place = (layout.network(parse_method(row).network), seed)
            if place not in curves:
                curves[place] = _curves(config, found.dump, truth)
            where = {"row": row, "changes": changes_of(config, row)}
            where |= {"network": place[0], "seed": seed}
            counts = summarise_labels(read_label_counts(found.counts))
            lines.append(where | counts)
            lowered = curves[place][curves[place]["control"] == LOWERED]
            factor = factor_at(lowered, float(counts["density"]))
            added.append(found.added(factor).assign(**where))
            if (row, seed) == (shown, config.seeds[0]):
                found.draw(factor, out / "added.jpg")
    known = pd.concat(
        [part.assign(network=n, seed=s) for (n, s), part in curves.items()], ignore_index=True
    )
    _write(config, pd.DataFrame(lines), known, pd.concat(added, ignore_index=True), out)


def _shown(config: Config, rows: list[str]) -> str | None:
    """The first row of TPLD that votes; the first one where none does."""
    densified = [row for row in rows if parse_method(row).tpld]
    return max(densified, key=lambda row: config.of(row).voting.iterations > 0, default=None)


def _write(
    config: Config, lines: pd.DataFrame, curves: pd.DataFrame, added: pd.DataFrame, out: Path
) -> None:
    table, described = compare_labels(lines, curves), describe_added(added)
    means = mean_over_seeds(table, _KEYS)
    write_csv(curves, out / "curves.csv")
    write_csv(table, out / "labels.csv")
    write_csv(added, out / "added.csv")
    title = f"{config.experiment}: first pseudo labels, seeds {config.seeds}"
    text = [f"# {title}", "", *pipe_table(means), ""]
    if len(described):
        text += ["## What voting adds", "", *pipe_table(described), ""]
    write_text(out / "labels.md", "\n".join(text))
    draw_labels(means, curves, title, out / "labels.svg")


def _curves(config: Config, store: Predictions, truth: Cache) -> pd.DataFrame:
    """Both controls on the images of a dump, which are read three times over."""
    start, every = config.thresholds.start_portion, config.thresholds.every
    portions = sorted({start, *np.round(np.arange(_STEP, 1 + _STEP / 2, _STEP), 6).tolist()})
    place = {name: i for i, name in enumerate(truth.names)}

    def confidences(i: int, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return predict(logits, store.size(i))

    def beside_truth(i: int, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return log_probabilities(logits, store.size(i)), truth.label(place[store.names[i]])

    ranks = ConfidenceRanks(len(store.classes), start, every)
    _walk(store, "counting confidences", confidences, ranks.count)
    curve = PortionCurve(ranks, portions, every)
    _walk(store, "larger portions", confidences, curve.refine)
    lowered = LoweredCurve(curve.bars[portions.index(start)])
    _walk(store, "both controls", beside_truth, curve.add, lowered.add)
    return pd.concat([curve.table(), lowered.table()], ignore_index=True)


def _walk(
    store: Predictions,
    title: str,
    compute: Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]],
    *adders: Callable[[np.ndarray, np.ndarray], None],
) -> None:
    """Compute something of each image's logits, and hand it to `adders`."""

    def add(i: int, found: tuple[np.ndarray, np.ndarray]) -> None:
        for adder in adders:
            adder(*found)

    with progress(title, len(store)) as tick:
        overlap(len(store), store.logits, compute, add, tick)
