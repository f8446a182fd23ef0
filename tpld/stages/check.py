"""Stage: check every file before any training (DESIGN 8)."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tpld.compute.progress import progress
from tpld.config import Config
from tpld.data.decode import decode_image, decode_label
from tpld.data.opened import unequal_sizes
from tpld.data.remarks import Remark, Remarks
from tpld.data.sources import (
    ClassTable,
    Folders,
    Item,
    class_table,
    folders_of,
    has_split,
    has_truth,
    list_items,
)
from tpld.data.splits import SPLITS, Split
from tpld.errors import DataError
from tpld.stages.check_content import check_copies, check_counts, check_names, check_shapes
from tpld.stages.common import write_csv

_SHOWN = 10


def check_data(config: Config, out: Path) -> set[tuple[int, int]]:
    """Decode every image and label, and write what each split holds to the table `out`.

    All problems are collected, so that one run of the check names them together.

    Returns:
        Heights and widths of the images as they are decoded for training.

    Raises:
        DataError: a split is empty or leaks into another, the source has no labels, or files are
            missing, unreadable, of unequal size, or hold unknown label values.
    """
    problems, rows = [], []
    if not has_truth(config, "source_train"):
        raise DataError("source_train has no label folder. Training needs data.source.labels")
    _check_subsets(config, class_table(config))
    listed = _listed(config)
    _check_disjoint(listed)
    shapes: set[tuple[int, int]] = set()
    pixels: dict[Split, list[bytes]] = {split: [] for split in listed}
    for split, items in listed.items():
        problems += [f"{split}: {problem}" for problem in check_names(items)]
        every = folders_of(config, split)
        sizes: list[Counter[tuple[int, int]]] = [Counter() for _ in every]
        remarks = [Remarks() for _ in every]
        with progress(f"checking {split}", len(items)) as tick, ThreadPoolExecutor() as pool:
            counts = np.zeros(256, np.int64)
            checked = pool.map(_check, items, [every[item.domain] for item in items])
            for done, (item, found) in enumerate(zip(items, checked, strict=True), start=1):
                pixels[split].append(found.digest)
                if found.problem:
                    problems.append(f"{split}: {found.problem}")
                else:
                    counts += found.counts
                    sizes[item.domain][found.size] += 1
                    remarks[item.domain].add(item.image, found.remarks)
                tick(done)
        for folders, seen, said in zip(every, sizes, remarks, strict=True):
            _warn_of_sizes(split, folders, seen)
            _warn_of_pixels(split, said, seen.total())
            check_shapes(split, folders, seen)
            shapes |= {folders.resize or size for size in seen}
            _say_what_lacks(split, folders)
        names = every[0].table.names
        rows += [(split, len(items), name, int(n)) for name, n in zip(names, counts, strict=False)]
    if problems:
        shown = "\n".join(f"  - {problem}" for problem in problems[:_SHOWN])
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(f"{len(problems)} files cannot be used:\n{shown}{more}")
    check_copies(config, listed, pixels)
    check_counts(config, rows)
    write_csv(pd.DataFrame(rows, columns=["split", "images", "class", "pixels"]), out)
    return shapes


def _listed(config: Config) -> dict[Split, list[Item]]:
    """The files of every split; what is wrong with each is said together."""
    listed: dict[Split, list[Item]] = {}
    problems = []
    for split in SPLITS:
        try:
            if has_split(config, split):
                listed[split] = list_items(config, split)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return listed


def _say_what_lacks(split: Split, folders: Folders) -> None:
    """What a domain does not have is legal, but for labels of a source."""
    if folders.labels is None and split.startswith("source"):
        raise DataError(
            f"{split}: the domain '{folders.domain}' has no labels. Give their folder, or leave "
            "the domain out"
        )
    log = logging.getLogger("tpld")
    if folders.labels is None:
        log.info("%s: '%s' has no labels", split, folders.domain)
        return
    pairs = zip(folders.table.names, folders.table.values, strict=True)
    lacking = [name for name, values in pairs if not values]
    if lacking:
        log.info("%s: no label of '%s' is %s", split, folders.domain, " or ".join(lacking))


def _warn_of_sizes(split: Split, folders: Folders, sizes: Counter[tuple[int, int]]) -> None:
    """A shrunk copy of a data set works, but its figures compare with nobody's."""
    others = {size: n for size, n in sizes.items() if folders.size not in (None, size)}
    if folders.size and others:
        (height, width), count = next(iter(others.items()))
        logging.getLogger("tpld").warning(
            "%s: %d of %d images of '%s' are not %dx%d pixels as the data set's own, for example "
            "%d of %dx%d: figures will not compare with those of the original images",
            split, sum(others.values()), sizes.total(), folders.domain, folders.size[1],
            folders.size[0], count, width, height,
        )  # fmt: skip


def _warn_of_pixels(split: Split, remarks: Remarks, images: int) -> None:
    """Images that are read, but not as somebody may think; once a split and kind."""
    for line in remarks.lines(images):
        logging.getLogger("tpld").warning("%s: %s", split, line)
    if remarks.counts[Remark.TURNED]:
        logging.getLogger("tpld").warning(
            "%s: if the masks of turned images are stored as the files are, set `exif: false` "
            "beside `images`", split,
        )  # fmt: skip


def _check_subsets(config: Config, table: ClassTable) -> None:
    """Found at the end of a run otherwise, in the last stage."""
    for name, members in config.evaluation.subsets.items():
        unknown = [member for member in members if member not in table.names]
        if unknown or not members:
            raise DataError(
                f"evaluation.subsets.{name} names {unknown or 'no class'}; known classes: "
                f"{', '.join(table.names)}"
            )


def _check_disjoint(listed: dict[Split, list[Item]]) -> None:
    """An image must not be trained on and evaluated on."""
    pairs: tuple[tuple[Split, Split], ...] = (
        ("source_train", "source_val"),
        ("target_train", "target_val"),
    )
    for first, second in pairs:
        train = {item.image for item in listed.get(first, [])}
        both = [item.name for item in listed.get(second, []) if item.image in train]
        if both:
            raise DataError(
                f"{len(both)} images are both in {first} and {second}, first '{both[0]}'. "
                "Evaluation would be on training images; remove them from one list"
            )


class _Found(NamedTuple):
    """What one image and its label are, before any resizing.

    Attributes:
        problem: why they cannot be used, or None.
        size: height and width.
        counts: int64 (256,), pixels of each class.
        remarks: what is worth a word.
        digest: of the image's size and pixels; empty where it cannot be read.
    """

    problem: str | None
    size: tuple[int, int]
    counts: np.ndarray
    remarks: list[Remark]
    digest: bytes


def _check(item: Item, folders: Folders) -> _Found:
    counts, size = np.zeros(256, np.int64), (0, 0)
    remarks: list[Remark] = []
    digest = b""
    try:
        image = decode_image(item.image, turn=folders.exif, remarks=remarks)
        size = (image.shape[0], image.shape[1])
        digest = hashlib.blake2b(image.tobytes(), key=str(size).encode()).digest()
        if item.label is not None:
            label = decode_label(item.label, folders.table, turn=folders.exif)
            if label.shape != image.shape[:2]:
                raise unequal_sizes(item.image, size, item.label, label.shape, folders.exif)
            counts = np.bincount(label.ravel(), minlength=256)
    except DataError as error:
        return _Found(str(error), size, counts, remarks, digest)
    return _Found(None, size, counts, remarks, digest)
