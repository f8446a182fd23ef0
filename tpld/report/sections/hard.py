"""Section: what phase 2 does to the hard images: their self-information before and after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tpld.dag.layout import parse_round
from tpld.report import pictures
from tpld.report.blocks import Block, Gallery, Section, Tile
from tpld.report.experiment import Experiment
from tpld.report.networks import Predicted, from_logits, predict_images
from tpld.report.sections.voting import class_legend
from tpld.stores.predictions import Predictions

_TITLE = "Hard images before and after phase 2"
_SHOWN = 3


def hard_section(experiment: Experiment) -> Section:
    """The least confident images: self-information and prediction on either side of phase 2."""
    blocks: list[Block] = []
    for method in experiment.densifying:
        blocks += _galleries(experiment, method)
    if not blocks:
        why = "it takes a finished phase 2, and the predictions that it started from."
        return Section("hard", _TITLE, missing=why)
    return Section(
        "hard",
        _TITLE,
        "The self-information of a pixel, -p log p summed over its classes, is 0 where the network "
        "is sure of one class and 1 where all are equally likely. Phase 2 shows these maps to a "
        "discriminator that tells easy from hard images, and trains the network until hard ones "
        "pass as easy: after it they should be darker, with the bright rims of objects left. Sure "
        "is not right, so the predictions stand beside them. Before: the last network of phase 1; "
        f"after: that of phase 2 (seed {experiment.seeds[0]}).",
        [class_legend(experiment, gaps=False), pictures.information_scale(), *blocks],
    )


def _galleries(experiment: Experiment, method: str) -> list[Gallery]:
    """A line an image; none where a store or the checkpoint is missing."""
    rounds = [r for r in experiment.layout.rounds(method) if parse_round(r).phase2]
    if not rounds:
        return []
    seed, cache = experiment.seeds[0], experiment.cache("target_train")
    table = experiment.round_table(method, seed, rounds[0], "split.csv")
    path = Path(experiment.layout.predictions(method, seed, rounds[0]))
    if cache is None or table is None or not path.exists():
        return []
    hard = table[table["easy"].astype(str) != "True"].sort_values("confidence", kind="stable")
    names = [str(name) for name in hard["image"].head(_SHOWN)]
    images = [cache.image(cache.names.index(name)) for name in names]
    after = predict_images(experiment, method, images) if images else None
    if after is None:
        return []
    truth = experiment.truth()
    store, galleries = Predictions(path), []
    for place, name in enumerate(names):
        i = store.names.index(name)
        before = from_logits(store.logits(i), store.size(i))
        tiles = _tiles(experiment, images[place], before, after[place])
        if truth is not None:
            true = truth.label(truth.names.index(name))
            drawn = pictures.label_map(true, experiment.classes.palette)
            tiles.append(Tile(drawn, "ground truth", crisp=True))
        galleries.append(Gallery(tiles, f"{method}: {name}", columns=len(tiles)))
    return galleries


def _tiles(
    experiment: Experiment, image: np.ndarray, before: Predicted, after: Predicted
) -> list[Tile]:
    palette = experiment.classes.palette
    tiles = [Tile(pictures.photo(image), "image")]
    for word, one in (("before", before), ("after", after)):
        mean = float(one.information.mean())
        drawn = pictures.information_map(one.information)
        tiles.append(Tile(drawn, f"self-information {word}, mean {mean:.3f}"))
    for word, one in (("before", before), ("after", after)):
        drawn = pictures.label_map(one.prediction, palette)
        tiles.append(Tile(drawn, f"prediction {word}", crisp=True))
    return tiles
