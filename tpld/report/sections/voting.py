"""Section: what voting does to three images of the last phase-1 round."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib import cm, colors

from tpld.dag.layout import parse_round
from tpld.data.cache import Cache
from tpld.data.sources import IGNORE
from tpld.report import pictures
from tpld.report.blocks import Block, Gallery, Legend, Plot, Section, Tile
from tpld.report.colors import CONFIDENCE_MAP, RIGHT, SURE, UNKNOWN, UNSURE, WRONG
from tpld.report.experiment import Experiment, css_color
from tpld.report.style import figure, plot
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions

_TITLE = "What voting adds"
_SCANNED = 200
_LEAST = 1.0  # percent of an image's pixels; the accuracy of fewer says little


class _Stores(NamedTuple):
    labels: Labels
    predictions: Predictions | None
    images: Cache
    truth: Cache | None


def voting_section(experiment: Experiment) -> Section:
    """Best, median and worst image, each as image, prediction, labels before and after voting."""
    found = _open(experiment)
    if isinstance(found, str):
        return Section("voting", _TITLE, missing=found)
    where, stores = found
    scores = added_scores(stores.labels, stores.truth)
    chosen = choose(scores)
    if not chosen:
        return Section("voting", _TITLE, missing=f"voting added no label in {where}.")
    blocks: list[Block] = [class_legend(experiment), _added_legend(stores), _scale()]
    names = stores.labels.names
    for word, row in chosen:
        note = _note(scores.loc[[row]].iloc[0])
        tiles = _tiles(experiment, stores, int(row))
        blocks.append(Gallery(tiles, f"{word}: {names[int(row)]}", note, columns=4))
    return Section("voting", _TITLE, _caption(where, stores, scores, experiment), blocks)


def _open(experiment: Experiment) -> tuple[str, _Stores] | str:
    """The stores of the last phase-1 round, or why there are none."""
    if not experiment.densifying:
        return "no method with TPLD is configured."
    images = experiment.cache("target_train")
    method, seed = experiment.densifying[0], experiment.seeds[0]
    rounds = [r for r in experiment.layout.rounds(method) if not parse_round(r).phase2]
    path = Path(experiment.layout.round(method, seed, rounds[-1], "labels.zarr"))
    if images is None or not path.exists():
        return f"the labels of {path.parent} are not there."
    dump = Path(experiment.layout.predictions(method, seed, rounds[-1]))
    predictions = Predictions(dump) if dump.exists() else None
    where = f"{method}, seed {seed}, {rounds[-1]}"
    return where, _Stores(Labels(path), predictions, images, experiment.truth())


def voted_origins(labels: Labels) -> list[int]:
    """Values of ``origin`` that voting wrote."""
    return [value for value, meaning in labels.origins.items() if meaning.startswith("voted")]


def added_scores(labels: Labels, truth: Cache | None, limit: int = _SCANNED) -> pd.DataFrame:
    """Percentages of each image: density before, density added, and both accuracies (or NaN).

    At most `limit` images, evenly spread over the list, are looked at.
    """
    place = {name: i for i, name in enumerate(truth.names)} if truth else {}
    voted, rows = voted_origins(labels), {}
    step = max(1, -(-len(labels) // limit))
    for i in range(0, len(labels), step):
        label, origin = labels.layer("label", i), labels.layer("origin", i)
        true = truth.label(place[labels.names[i]]) if truth else None
        valid = np.ones(label.shape, bool) if true is None else true != IGNORE
        new = np.isin(origin, voted) & valid
        old = (label != IGNORE) & ~new & valid
        total = max(int(valid.sum()), 1)
        rows[i] = {
            "before": 100 * old.sum() / total,
            "added": 100 * new.sum() / total,
            "right before": _right(label, true, old),
            "right added": _right(label, true, new),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _right(label: np.ndarray, true: np.ndarray | None, where: np.ndarray) -> float:
    if true is None or not where.any():
        return float("nan")
    return 100 * float((label[where] == true[where]).mean())


def choose(scores: pd.DataFrame) -> list[tuple[str, int]]:
    """Best, median and worst image: by accuracy of what was added, else by its density."""
    judged = scores[scores["right added"].notna() & (scores["added"] > 0)]
    judged = judged if (judged["added"] < _LEAST).all() else judged[judged["added"] >= _LEAST]
    if len(judged):
        order = judged["right added"].sort_values(ascending=False, kind="stable").index.tolist()
        words = ("Most accurate", "Median", "Least accurate")
    else:
        some = scores.loc[scores["added"] > 0, "added"]
        order = some.sort_values(ascending=False, kind="stable").index.tolist()
        words = ("Most added", "Median", "Least added")
    if not order:
        return []
    places = dict.fromkeys([0, len(order) // 2, len(order) - 1])
    wanted = words if len(places) == 3 else (words[0], words[2])
    return [(word, order[p]) for word, p in zip(wanted, places, strict=False)]


def _note(score: pd.Series) -> str:
    text = f"Labelled before voting {score['before']:.1f} %, added {score['added']:.1f} %."
    if score["right added"] == score["right added"]:
        text += f" Of the added labels {score['right added']:.0f} % are right"
        if score["right before"] == score["right before"]:
            text += f", of those before {score['right before']:.0f} %"
        text += "."
    return text


def _tiles(experiment: Experiment, stores: _Stores, i: int) -> list[Tile]:
    name, palette = stores.labels.names[i], experiment.classes.palette
    image = stores.images.image(stores.images.names.index(name))
    label, origin = stores.labels.layer("label", i), stores.labels.layer("origin", i)
    added = np.isin(origin, voted_origins(stores.labels))
    truth = stores.truth.label(stores.truth.names.index(name)) if stores.truth else None
    before = np.where(added, IGNORE, label).astype(np.uint8)
    tiles = [Tile(pictures.photo(image), "image")]
    if stores.predictions:
        prediction, log_p = stores.predictions.predict(stores.predictions.names.index(name))
        tiles.append(Tile(pictures.label_map(prediction, palette), "prediction", crisp=True))
        tiles.append(Tile(pictures.confidence_map(log_p), "confidence of the prediction"))
    if truth is not None:
        tiles.append(Tile(pictures.label_map(truth, palette), "ground truth", crisp=True))
    tiles.append(Tile(pictures.label_map(before, palette), "labels before voting", crisp=True))
    tiles.append(Tile(pictures.label_map(label, palette), "labels after voting", crisp=True))
    tiles.append(
        Tile(pictures.photo(pictures.added_canvas(image, added, label, truth)), "what voting added")
    )
    return tiles


def class_legend(experiment: Experiment, gaps: bool = True) -> Legend:
    """The classes and their colours; `gaps` adds that of pixels without a label."""
    table = experiment.classes
    entries = [(css_color(c), n) for c, n in zip(table.colors, table.names, strict=True)]
    return Legend([*entries, ("#ffffff", "no label")] if gaps else entries)


def _added_legend(stores: _Stores) -> Legend:
    def key(color: tuple[int, int, int], name: str) -> tuple[str, str]:
        return css_color(np.array(color)), name

    if stores.truth is None:
        return Legend([key(RIGHT, "added by voting")])
    return Legend(
        [
            key(RIGHT, "added by voting and right"),
            key(WRONG, "added and wrong"),
            key(UNKNOWN, "added, no ground truth here"),
        ]
    )


def _scale() -> Plot:
    """The colour scale of the confidence pictures."""
    levels = [0.9999, 0.999, 0.99, 0.9, 0.5, 0.1]
    norm = colors.LogNorm(SURE, UNSURE)
    reverse = cm.ScalarMappable(norm, f"{CONFIDENCE_MAP}_r")
    with figure(5, 0.75) as drawing:
        axes = drawing.add_subplot()
        bar = drawing.colorbar(reverse, cax=axes, orientation="horizontal")
        bar.set_ticks([-np.log(p) for p in levels], labels=[str(p) for p in levels])
        bar.ax.minorticks_off()
        bar.ax.grid(visible=False)
        bar.set_label("confidence: probability of the predicted class")
        return plot(drawing, "Colour scale of the confidence pictures", wide=False)


def _caption(where: str, stores: _Stores, scores: pd.DataFrame, experiment: Experiment) -> str:
    ordered = "the accuracy of what voting added" if stores.truth else "how much voting added"
    window = experiment.config.voting.window
    return (
        "Phase 1 fills gaps between confident labels: an unlabelled pixel takes the class whose "
        f"score, pooled with that of the confident neighbours in a {window}×{window} window, "
        f"reaches the class threshold. Shown is {where}: the first, middle and last image when "
        f"{len(scores)} of the {len(stores.labels)} target images are ordered by {ordered}."
    )
