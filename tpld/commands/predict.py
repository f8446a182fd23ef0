"""`tpld predict`: an adapted network on new images, as masks, overlays and confidence maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from tpld.commands.palette import save, write_index, write_legend
from tpld.commands.show import Page
from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.compute.runtime import resolve
from tpld.config import Compute, Config
from tpld.core.mixture import predict as predict_pixels
from tpld.data.decode import decode_image
from tpld.data.listing import IMAGES
from tpld.errors import ConfigError, DataError
from tpld.models.card import Card, read_card
from tpld.models.inference import load_predictor, predict_views

# An image of about the proportions of the training images is stretched as they were.
_SAME_SHAPE = 1.05
_SHOWN = 10
Size = tuple[int, int]


class Wanted(NamedTuple):
    """What `predict` writes and how it predicts.

    Attributes:
        overlays: also write the image with the classes' colours over it.
        confidence: also write the winner's probability, 0 to 255.
        label_ids: masks hold the values of the label files, not the position of the class.
        size: height and width that the network sees; None: what it was adapted with.
        scale: of that size.
        mirror: average with the prediction of the mirror image.
        opacity: of the colours in overlays.
    """

    overlays: bool = True
    confidence: bool = True
    label_ids: bool = False
    size: Size | None = None
    scale: float = 1.0
    mirror: bool = False
    opacity: float = 0.5


def predict(
    model: Path,
    images: Sequence[Path],
    out: Path,
    wanted: Wanted,
    compute: Compute,
    config: Config | None = None,
) -> Page:
    """Predict images of any size; write ``masks/``, ``overlays/`` and ``confidence/`` into `out`.

    A file that cannot be read is named at the end and stops none of the others.

    Args:
        model: a checkpoint of any stage.
        images: files, or folders whose images are taken with those of their sub-folders.
        out: folder to write into.
        wanted: see `Wanted`.
        compute: device and precision.
        config: of checkpoints that do not say which network they are of.

    Raises:
        DataError: no image there, or some could not be read (after all others were predicted).
        ConfigError: two images would write the same file, or label ids do not fit into 8 bits.
        StoreError: the checkpoint cannot be used.
    """
    card = read_card(model, config)
    files = find_images(images, out)
    values = _values(card, wanted.label_ids)
    runtime = resolve(compute)
    network = load_predictor(card.config(compute), len(card.names), model, runtime)
    counts, certain = np.zeros(256, np.int64), np.zeros(256)
    problems: list[str] = []
    names = list(files)

    def read(i: int) -> np.ndarray | None:
        try:
            return decode_image(files[names[i]])
        except DataError as error:
            problems.append(str(error))
            return None

    def compute_one(_: int, image: np.ndarray | None) -> tuple[np.ndarray, ...] | None:
        if image is None:
            return None
        seen = _resized(image, input_size(image.shape[:2], wanted.size or card.size, wanted.scale))
        logits = predict_views(network, seen, 1.0, wanted.mirror, runtime).cpu().numpy()
        label, log_p = predict_pixels(logits, (image.shape[0], image.shape[1]))
        p = np.exp(log_p)
        counts[:] += np.bincount(label.ravel(), minlength=256)
        certain[:] += np.bincount(label.ravel(), p.ravel(), minlength=256)
        return image, label, p

    write = _writer(out, names, card, values, wanted)
    with progress("predicting", len(names)) as tick:
        overlap(len(names), read, compute_one, write, tick)
    write_legend(card.names, values.tolist(), card.colors, out / "classes.csv")
    if problems:
        raise _unread(problems, len(names), out)
    return _page(out, card, counts, certain, len(names), runtime.describe(), wanted)


def _unread(problems: list[str], images: int, out: Path) -> DataError:
    """Says which images could not be read, after all others were predicted."""
    shown = "\n".join(f"  - {problem}" for problem in problems[:_SHOWN])
    return DataError(
        f"{len(problems)} of {images} images could not be read, the others are in {out}:\n{shown}"
    )


def find_images(paths: Sequence[Path], out: Path) -> dict[str, Path]:
    """Image files by the name that their results get: relative to the folder, without suffix.

    What lies below `out`, perhaps from an earlier call, is no input.

    Raises:
        DataError: a path does not exist, or no image is found.
        ConfigError: two images would get the same name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(f for f in path.rglob("*") if f.suffix.lower() in IMAGES)
            pairs = [
                (f.relative_to(path).with_suffix("").as_posix(), f)
                for f in inside
                if out.absolute() not in f.absolute().parents
            ]
        elif path.is_file():
            pairs = [(path.stem, path)]
        else:
            raise DataError(f"{path} does not exist. Give image files, or a folder of images")
        for name, file in pairs:
            if found.setdefault(name, file) != file:
                raise ConfigError(
                    f"{found[name]} and {file} would both be written as {name}.png. Predict them "
                    "in two calls with different --out"
                )
    if not found:
        raise DataError(f"no image in {', '.join(map(str, paths))}. Looked for {', '.join(IMAGES)}")
    return found


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
    return max(1, round(scale * height)), max(1, round(scale * width))


def _resized(image: np.ndarray, size: Size) -> np.ndarray:
    if size == image.shape[:2]:
        return image
    picture = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8)


def _values(card: Card, label_ids: bool) -> np.ndarray:
    """uint8 (K,): what a mask holds for each class."""
    if not label_ids:
        return np.arange(len(card.names), dtype=np.uint8)
    if max(card.ids) > 254:
        raise ConfigError(
            f"--label-ids: the label files' values reach {max(card.ids)}, masks have 8 bits. "
            "Leave it out; classes.csv says which position is which class"
        )
    return np.array(card.ids, np.uint8)


def _writer(
    out: Path, names: list[str], card: Card, values: np.ndarray, wanted: Wanted
) -> Callable[[int, tuple[np.ndarray, ...] | None], None]:
    """A function that writes what was found in image i."""
    palette = np.zeros((256, 3), np.uint8)
    palette[values] = card.colors

    def write(i: int, found: tuple[np.ndarray, ...] | None) -> None:
        if found is None:
            return
        image, label, p = found
        write_index(values[label], palette, out / "masks" / f"{names[i]}.png")
        if wanted.confidence:
            grey = np.rint(255 * p).astype(np.uint8)
            save(Image.fromarray(grey), out / "confidence" / f"{names[i]}.png")
        if wanted.overlays:
            mixed = (1 - wanted.opacity) * image + wanted.opacity * card.colors[label]
            picture = Image.fromarray(np.rint(mixed).astype(np.uint8))
            save(picture, out / "overlays" / f"{names[i]}.jpg")

    return write


def _page(
    out: Path,
    card: Card,
    counts: np.ndarray,
    certain: np.ndarray,
    images: int,
    where: dict[str, str],
    wanted: Wanted,
) -> Page:
    """What was predicted: the share of each class, and how sure the network is of it."""
    known = len(card.names)
    seen = counts[:known] > 0
    table = pd.DataFrame({"class": card.names, "share %": 100 * counts[:known] / counts.sum()})
    table["mean p"] = np.where(seen, certain[:known] / np.maximum(counts[:known], 1), np.nan)
    kinds = ["masks", *["overlays"] * wanted.overlays, *["confidence"] * wanted.confidence]
    facts = {
        "written": [f"{out}/{kind}" for kind in kinds] + [f"{out}/classes.csv"],
        "images": images,
        "network": card.model.name,
        **where,
    }
    return Page(f"{images} images predicted", facts, {"classes": table})
