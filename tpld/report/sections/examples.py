"""Section: the same images through the last checkpoint of every method."""

from __future__ import annotations

import numpy as np

from tpld.data.cache import Cache
from tpld.data.sources import IGNORE
from tpld.report import pictures
from tpld.report.blocks import Block, Gallery, Section, Tile
from tpld.report.experiment import Experiment
from tpld.report.networks import Predicted, predict_images
from tpld.report.sections.voting import class_legend

_TITLE = "The same images through every method"
_SHOWN = 3


def examples_section(experiment: Experiment) -> Section:
    """Image, ground truth, and each method's prediction, side by side."""
    cache = experiment.cache("target_val") or experiment.cache("target_train")
    if cache is None or not len(cache):
        return Section("examples", _TITLE, missing="there are no decoded images of the target.")
    chosen = spread(len(cache))
    images = [cache.image(i) for i in chosen]
    found = {m: predict_images(experiment, m, images) for m in experiment.methods}
    known = {method: many for method, many in found.items() if many}
    if not known:
        return Section("examples", _TITLE, missing="there is no checkpoint of any method.")
    split = cache.folder.name
    judged = split == "target_val" and experiment.has_truth("target_val")
    blocks: list[Block] = [class_legend(experiment, gaps=judged)]
    for place, i in enumerate(chosen):
        truth = cache.label(i) if judged else None
        predicted = {method: many[place] for method, many in known.items()}
        tiles = _tiles(experiment, cache, i, truth, predicted)
        blocks.append(Gallery(tiles, cache.names[i], columns=5))
    return Section("examples", _TITLE, _caption(experiment, split, judged), blocks)


def spread(number: int, wanted: int = _SHOWN) -> list[int]:
    """Places of at most `wanted` images, evenly over a list, neither its first nor its last."""
    wanted = min(number, wanted)
    return [int((place + 0.5) * number / wanted) for place in range(wanted)]


def _caption(experiment: Experiment, split: str, judged: bool) -> str:
    text = (
        f"Images taken at even distances from the list of {split}, so that none is picked for its "
        f"looks, as the last checkpoint of each method (seed {experiment.seeds[0]}) sees them."
    )
    if judged:
        text += " The figure is the share of that image's pixels that are right."
    return text


def _tiles(
    experiment: Experiment,
    cache: Cache,
    i: int,
    truth: np.ndarray | None,
    predicted: dict[str, Predicted],
) -> list[Tile]:
    palette = experiment.classes.palette
    tiles = [Tile(pictures.photo(cache.image(i)), "image")]
    if truth is not None:
        tiles.append(Tile(pictures.label_map(truth, palette), "ground truth", crisp=True))
    for method, (prediction, _) in predicted.items():
        label = method
        if truth is not None and (truth != IGNORE).any():
            valid = truth != IGNORE
            label += f": {100 * (prediction[valid] == truth[valid]).mean():.1f} %"
        tiles.append(Tile(pictures.label_map(prediction, palette), label, crisp=True))
    return tiles
