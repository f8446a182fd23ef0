"""`tpld predict`: an adapted network on new images, as masks, overlays and confidence maps."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tpld.commands.palette import write_legend
from tpld.commands.predict_files import LEGEND, check_out, find_images, write_record
from tpld.commands.predict_run import Predicted, Run, Size, Wanted
from tpld.commands.show import Page
from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.compute.runtime import resolve
from tpld.config import Compute, Config
from tpld.core.mixture import predict as predict_pixels
from tpld.data.listing import shown
from tpld.data.remarks import Remark
from tpld.errors import ConfigError, DataError
from tpld.models.card import Card, read_card
from tpld.models.inference import load_predictor, predict_views

# An image of about the proportions of the training images is stretched as they were.
_SAME_SHAPE = 1.05
# VGG-16 halves an image to nothing below 8 pixels, a transformer with patches of 16 below 16.
_SMALLEST = 16
_SHOWN = 10
log = logging.getLogger("tpld")


def predict(
    model: Path,
    images: Sequence[Path],
    out: Path,
    wanted: Wanted,
    compute: Compute,
    config: Config | None = None,
    overwrite: bool = False,
    follow_links: bool = False,
) -> Page:
    """Predict images of any size; write ``masks/``, ``overlays/`` and ``confidence/`` into `out`.

    A file that cannot be read is named at the end and stops none of the others. A picture is turned
    as its EXIF orientation says, and so is everything that is written of it.

    Args:
        model: a checkpoint of any stage.
        images: files, or folders whose images are taken with those of their sub-folders.
        out: folder to write into.
        wanted: see `Wanted`.
        compute: device and precision.
        config: of checkpoints that do not say which network they are of.
        overwrite: files in `out` that are not of this call may be replaced, or stay beside it.
        follow_links: also take images of sub-folders that are links.

    Raises:
        DataError: no image there, or some could not be read (after all others were predicted).
        ConfigError: two images would write the same file, `out` holds images or files of others,
            or label ids do not fit into 8 bits.
        StoreError: the checkpoint cannot be used.
    """
    found = find_images(images, follow_links)
    kinds = ["masks", *["overlays"] * wanted.overlays, *["confidence"] * wanted.confidence]
    check_out(out, images, found, kinds, overwrite)
    card = read_card(model, config)
    values = _values(card, wanted.label_ids)
    runtime = resolve(compute)
    network = load_predictor(card.config(compute), len(card.names), model, runtime)
    run = Run(found, out, card, values, wanted)
    write_record(out, {"model": str(model), "network": card.model.name, **wanted._asdict()})
    write_legend(card.names, values.tolist(), card.colors, out / LEGEND)

    def compute_one(_: int, image: np.ndarray | None) -> Predicted | None:
        if image is None:
            return None
        seen = _resized(image, input_size(image.shape[:2], wanted.size or card.size, wanted.scale))
        logits = predict_views(network, seen, 1.0, wanted.mirror, runtime).cpu().numpy()
        label, log_p = predict_pixels(logits, (image.shape[0], image.shape[1]))
        return run.count(Predicted(image, label, np.exp(log_p)))

    with progress("predicting", len(run.names)) as tick:
        overlap(len(run.names), run.read, compute_one, run.write, tick)
    for line in [*found.notes, *run.remarks.lines(len(run.names))]:
        log.warning("%s", line)
    if run.remarks.counts[Remark.TURNED]:
        log.warning("the masks of turned images are turned as well")
    if run.problems:
        raise _unread(run.problems, len(run.names) + len(found.problems), out)
    return _page(out, card, run, runtime.describe(), kinds)


def _unread(problems: list[str], images: int, out: Path) -> DataError:
    """Says which images could not be predicted, after all others were."""
    lines = "\n".join(f"  - {problem}" for problem in problems[:_SHOWN])
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    rest = f", the others are in {shown(str(out))}" if len(problems) < images else ""
    return DataError(
        f"{len(problems)} of {images} images could not be predicted{rest}:\n{lines}{more}"
    )


def input_size(own: tuple[int, ...], trained: Size | None, scale: float) -> Size:
    """Height and width that the network sees of an image of size `own`.

    `trained`: what the images were brought to when the network was trained (None: nothing).
    An image of other proportions keeps them, at the area of `trained`.
    """
    height, width = own[0], own[1]
    if trained is not None:
        stretch = (height * trained[1]) / (width * trained[0])
        if 1 / _SAME_SHAPE <= stretch <= _SAME_SHAPE:
            height, width = trained
        else:
            scale *= math.sqrt(trained[0] * trained[1] / (height * width))
    return max(_SMALLEST, round(scale * height)), max(_SMALLEST, round(scale * width))


def _resized(image: np.ndarray, size: Size) -> np.ndarray:
    if size == image.shape[:2]:
        return image
    picture = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8)


def _values(card: Card, label_ids: bool) -> np.ndarray:
    """uint8 (K,): what a mask holds for each class."""
    if not label_ids:
        return np.arange(len(card.names), dtype=np.uint8)
    lacking = [name for name, value in zip(card.names, card.ids, strict=True) if value < 0]
    if lacking:
        raise ConfigError(
            f"--label-ids: no value of the label files stands for {', '.join(lacking)}. "
            "Leave it out; classes.csv says which position is which class"
        )
    if max(card.ids) > 254:
        raise ConfigError(
            f"--label-ids: the label files' values reach {max(card.ids)}, masks have 8 bits. "
            "Leave it out; classes.csv says which position is which class"
        )
    return np.array(card.ids, np.uint8)


def _page(out: Path, card: Card, run: Run, where: dict[str, str], kinds: list[str]) -> Page:
    """What was predicted: the share of each class, and how sure the network is of it."""
    known, images = len(card.names), len(run.names)
    counts = run.counts[:known]
    table = pd.DataFrame({"class": card.names, "share %": 100 * counts / counts.sum()})
    mean = run.certain[:known] / np.maximum(counts, 1)
    table["mean p"] = np.where(counts > 0, mean, np.nan)
    facts = {
        "written": [shown(f"{out}/{part}") for part in [*kinds, LEGEND]],
        "images": images,
        "network": card.model.name,
        **where,
    }
    return Page(f"{images} images predicted", facts, {"classes": table})
