"""What lies in somebody's folders: which label belongs to which image, sizes, label values."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from tpld.data.listing import IMAGES
from tpld.errors import DataError

_IMAGE_FOLDERS = ("images", "image", "img", "imgs", "JPEGImages", "leftImg8bit", "RGB", "rgb")
_LABEL_FOLDERS = (
    "labels", "label", "masks", "mask", "annotations", "gt", "GT", "gtFine", "SegmentationClass",
)  # fmt: skip
_SEPARATORS = "_-."
_INDEX_MODES = {"L", "P", "I;16", "I"}
# Label files whose values are counted, and images whose sizes are looked at: evenly spread.
SAMPLE = 1000


class Domain(NamedTuple):
    """Images of one domain, and the labels of those that have one.

    Attributes:
        images: folder.
        labels: folder, or None.
        image_suffix: what follows a name in the image folder.
        label_suffix: what follows a name in the label folder.
        names: of all images.
        labelled: of those with a label, in the same order.
        left_out: files of other suffixes in the image folder.
    """

    images: Path
    labels: Path | None
    image_suffix: str
    label_suffix: str
    names: list[str]
    labelled: list[str]
    left_out: int

    def label_file(self, name: str) -> Path:
        """Path of an image's label."""
        assert self.labels is not None
        return self.labels / f"{name}{self.label_suffix}"

    def image_file(self, name: str) -> Path:
        """Path of an image."""
        return self.images / f"{name}{self.image_suffix}"


def find_domain(folder: Path, labels: Path | None = None, want_labels: bool = False) -> Domain:
    """Find images and labels in a folder that somebody names.

    Args:
        folder: of the images; or one that holds a folder such as ``images`` (and ``labels``).
        labels: folder of the label files; None: beside the images, where there is one.
        want_labels: without labels this is an error.

    Raises:
        DataError: no such folder, no image in it, or no label where labels are needed.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Give the folder that holds the images")
    images = _inside(folder, _IMAGE_FOLDERS) or folder
    labels = labels or _inside(folder, _LABEL_FOLDERS)
    if labels is None and images == folder and folder.name in _IMAGE_FOLDERS:
        labels = _inside(folder.parent, _LABEL_FOLDERS)
    files = [f for f in _files(images) if f.lower().endswith(IMAGES)]
    if labels is not None and labels != images and images in labels.parents:
        below = labels.relative_to(images).as_posix() + "/"
        files = [f for f in files if not f.startswith(below)]
    if not files:
        raise DataError(f"no image below {images}. Looked for {', '.join(IMAGES)}")
    ending = Counter(Path(f).suffix for f in files).most_common(1)[0][0]
    stems = [f.removesuffix(ending) for f in files if f.endswith(ending)]
    left_out = len(files) - len(stems)
    if labels is None:
        if want_labels:
            raise DataError(
                f"no labels beside {images}. The source needs label files: give their folder "
                "(--source-labels), or name it 'labels' beside the images"
            )
        return Domain(images, None, ending, ".png", stems, [], left_out)
    if not labels.is_dir():
        raise DataError(f"{labels} is no folder. Give the folder that holds the label files")
    tail, label_suffix, labelled = _pair(stems, images == labels, labels, ending)
    names = [stem.removesuffix(tail) for stem in stems if stem.endswith(tail)]
    if images == labels:
        names = labelled  # the label files themselves are no images
    return Domain(images, labels, tail + ending, label_suffix, names, labelled, left_out)


def _inside(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _files(folder: Path) -> list[str]:
    """Relative names of all files, sorted."""
    found = []
    for where, _, names in os.walk(folder):
        found += [Path(where, name).relative_to(folder).as_posix() for name in names]
    return sorted(found)


def _pair(
    stems: list[str], together: bool, labels: Path, ending: str
) -> tuple[str, str, list[str]]:
    """What follows the name of an image, and of its label, and the names that have both.

    Names agree after something that all images end in, such as ``_leftImg8bit``, is taken off;
    labels then have a tail of their own, such as ``_gtFine_labelIds``.

    Raises:
        DataError: no label belongs to any image.
    """
    files = [f for f in _files(labels) if f.lower().endswith(IMAGES)]
    best: tuple[str, str, list[str]] = ("", "", [])
    for tail in ("", *_tails(stems)):
        names = [stem.removesuffix(tail) for stem in stems if stem.endswith(tail)]
        known = set(names)
        by_suffix: Counter[str] = Counter()
        found: dict[str, set[str]] = {}
        for file in files:
            name = _name_in(file, known, f"{tail}{ending}" if together else None)
            if name is not None:
                suffix = file[len(name) :]
                by_suffix[suffix] += 1
                found.setdefault(suffix, set()).add(name)
        ranked = sorted(by_suffix, key=lambda s: (-by_suffix[s], _rank(labels, found[s], s)))
        if ranked and len(found[ranked[0]]) > len(best[2]):
            best = (tail, ranked[0], [name for name in names if name in found[ranked[0]]])
    if not best[2]:
        raise DataError(
            f"none of the {len(files)} files below {labels} has the name of an image "
            f"(first image '{stems[0]}', first label '{files[0] if files else 'none'}'). Rename "
            "them, or give the folder whose files are called like the images"
        )
    return best


def _tails(stems: list[str]) -> list[str]:
    """What all names end in, from the longest on, cut at separators."""
    backwards = (reversed(stem) for stem in stems)
    same = takewhile(lambda signs: len(set(signs)) == 1, zip(*backwards, strict=False))
    common = "".join(signs[0] for signs in same)[::-1]
    return [common[i:] for i, sign in enumerate(common) if sign in _SEPARATORS]


def _name_in(file: str, names: set[str], own: str | None) -> str | None:
    """The longest image name that a label file begins with, up to a separator.

    `own`: what follows the name of an image, where images lie among the labels: none labels itself.
    """
    for end in range(len(file) - 1, 0, -1):
        if file[end] in _SEPARATORS and file[:end] in names and file[end:] != own:
            return file[:end]
    return None


def _rank(labels: Path, names: set[str], suffix: str) -> int:
    """Of several label files an image has: class ids before anything else, colours last."""
    try:
        with Image.open(labels / f"{min(names)}{suffix}") as picture:
            mode = picture.mode
    except OSError:
        return 9
    if mode not in _INDEX_MODES:
        return 8
    order = ("labelTrainIds", "labelIds", "instance")
    place = next((i for i, part in enumerate(order) if part in suffix), 1)
    return place if mode in ("L", "P") else 3 + place


def spread(names: Sequence[str], count: int = SAMPLE) -> list[str]:
    """At most `count` names, evenly spread."""
    step = max(1, -(-len(names) // count))
    return list(names[::step])


def image_size(domain: Domain) -> tuple[int, int]:
    """Most frequent (height, width) of a domain's images."""

    def size_of(name: str) -> tuple[int, int] | None:
        try:
            with Image.open(domain.image_file(name)) as picture:
                return picture.height, picture.width
        except OSError:
            return None  # check-data will name the file

    with ThreadPoolExecutor() as pool:
        sizes = Counter(s for s in pool.map(size_of, spread(domain.names)) if s is not None)
    if not sizes:
        raise DataError(f"no image of {domain.images} can be read")
    return sizes.most_common(1)[0][0]


class Values(NamedTuple):
    """Values of label files: pixels of each, int64 (65536,), and the palette of the first file."""

    pixels: np.ndarray
    palette: np.ndarray | None


def label_values(domain: Domain) -> Values:
    """Count the values of a domain's label files.

    Raises:
        DataError: files hold colours instead of class ids, or none can be read.
    """
    names = spread(domain.labelled)

    def count(name: str) -> np.ndarray | str:
        try:
            with Image.open(domain.label_file(name)) as picture:
                if picture.mode not in _INDEX_MODES:
                    return picture.mode
                values = np.asarray(picture).astype(np.int64).ravel()
        except OSError:
            return ""  # check-data will name the file
        return np.bincount(np.clip(values, 0, 65535), minlength=65536)

    pixels = np.zeros(65536, np.int64)
    with ThreadPoolExecutor() as pool:
        for name, found in zip(names, pool.map(count, names), strict=True):
            if isinstance(found, np.ndarray):
                pixels += found
            elif found:
                raise DataError(
                    f"{domain.label_file(name)} is a picture of mode {found}, whose colours are no "
                    "class ids. `tpld init --convert-labels FOLDER` writes index PNGs of such files"
                )
    if not pixels.any():
        raise DataError(f"no label file below {domain.labels} can be read")
    with Image.open(domain.label_file(names[0])) as picture:
        raw = picture.getpalette() if picture.mode == "P" else None
    palette = None
    if raw:
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(raw) // 3] = np.array(raw, np.uint8).reshape(-1, 3)
    return Values(pixels, palette)


def read_legend(folders: Iterable[Path | None]) -> dict[int, tuple[str, tuple[int, int, int]]]:
    """Names and colours of values, from a ``classes.csv`` as `tpld` writes it beside its masks."""
    for folder in folders:
        for place in (folder, folder.parent) if folder else ():
            file = place / "classes.csv"
            if not file.is_file():
                continue
            table = pd.read_csv(file, keep_default_na=False, dtype={"name": str})
            if {"value", "name", "red", "green", "blue"} <= set(table.columns):
                return {
                    int(row["value"]): (
                        str(row["name"]),
                        (int(row["red"]), int(row["green"]), int(row["blue"])),
                    )
                    for row in table.to_dict("records")
                    if row["name"] != "unlabelled"
                }
    return {}
