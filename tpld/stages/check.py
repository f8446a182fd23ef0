"""Stage: check every file before any training (DESIGN 8)."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd

from tpld.compute.progress import progress
from tpld.config import Config
from tpld.data.decode import decode_image, decode_label
from tpld.data.sources import (
    ClassTable,
    Item,
    class_table,
    folders_of,
    has_split,
    has_truth,
    list_items,
)
from tpld.data.splits import SPLITS, Split
from tpld.errors import DataError
from tpld.stages.common import write_csv

_SHOWN = 10


def check_data(config: Config, out: Path) -> None:
    """Decode every image and label, and write what each split holds to the table `out`.

    All problems are collected, so that one run of the check names them together.

    Raises:
        DataError: a split is empty or leaks into another, the source has no labels, or files are
            missing, unreadable, of unequal size, or hold unknown label values.
    """
    problems, rows = [], []
    if not has_truth(config, "source_train"):
        key = "labels" if config.data.kind == "folder" else "labelled: true"
        raise DataError(
            f"source_train has no label folder. Training needs data.{config.data.kind}.source.{key}"
        )
    _check_subsets(config, class_table(config))
    listed = _listed(config)
    _check_disjoint(listed)
    for split, items in listed.items():
        table = class_table(config, split)
        sizes: Counter[tuple[int, int]] = Counter()
        with progress(f"checking {split}", len(items)) as tick, ThreadPoolExecutor() as pool:
            counts = np.zeros(256, np.int64)
            checked = pool.map(_check, items, repeat(table))
            for done, (problem, size, pixels) in enumerate(checked, start=1):
                if problem:
                    problems.append(f"{split}: {problem}")
                else:
                    counts += pixels
                    sizes[size] += 1
                tick(done)
        _warn_of_sizes(config, split, sizes)
        rows += [
            (split, len(items), name, int(n)) for name, n in zip(table.names, counts, strict=False)
        ]
    if problems:
        shown = "\n".join(f"  - {problem}" for problem in problems[:_SHOWN])
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(f"{len(problems)} files cannot be used:\n{shown}{more}")
    write_csv(pd.DataFrame(rows, columns=["split", "images", "class", "pixels"]), out)


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


def _warn_of_sizes(config: Config, split: Split, sizes: Counter[tuple[int, int]]) -> None:
    """A shrunk copy of a data set works, but its figures compare with nobody's."""
    folders = folders_of(config, split)
    others = {size: n for size, n in sizes.items() if folders and folders.size not in (None, size)}
    if folders and folders.size and others:
        (height, width), count = next(iter(others.items()))
        logging.getLogger("tpld").warning(
            "%s: %d of %d images are not %dx%d pixels as the data set's own, for example %d of "
            "%dx%d: figures will not compare with those of the original images",
            split, sum(others.values()), sizes.total(), folders.size[1], folders.size[0],
            count, width, height,
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


def _check(item: Item, table: ClassTable) -> tuple[str | None, tuple[int, int], np.ndarray]:
    """A problem or None; the image's size and the label's pixel counts, before any resizing."""
    counts, size = np.zeros(256, np.int64), (0, 0)
    try:
        image = decode_image(item.image)
        size = (image.shape[0], image.shape[1])
        if item.label is not None:
            label = decode_label(item.label, table)
            if label.shape != image.shape[:2]:
                raise DataError(
                    f"{item.image} is {_size(image)}, its label {item.label} is {_size(label)}. "
                    "Give a label of the image's size"
                )
            counts = np.bincount(label.ravel(), minlength=256)
    except DataError as error:
        return str(error), size, counts
    return None, size, counts


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]} pixels"
