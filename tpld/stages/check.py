"""Stage: check every file before any training (DESIGN 8)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.data.decode import decode_image, decode_label
from tpld.data.sources import (
    ClassTable,
    Item,
    class_table,
    domain_of,
    has_split,
    list_items,
)
from tpld.data.splits import SPLITS, Split
from tpld.errors import DataError
from tpld.progress import progress
from tpld.stages.common import write_csv

_SHOWN = 10


def check_data(config: Config, out: Path) -> None:
    """Decode every image and label, and write what each split holds to the table `out`.

    All problems are collected, so that one run of the check names them together.

    Raises:
        DataError: a split is empty or leaks into another, the source has no labels, or files are
            missing, unreadable, of unequal size, or hold unknown label values.
    """
    table, problems, rows = class_table(config), [], []
    if domain_of(config, "source_train").labels is None:
        raise DataError(
            "source_train has no label folder. Training needs data.folder.source.labels"
        )
    _check_subsets(config, table)
    listed: dict[Split, list[Item]] = {
        split: list_items(config, split) for split in SPLITS if has_split(config, split)
    }
    _check_disjoint(listed)
    for split, items in listed.items():
        with progress(f"checking {split}", len(items)) as tick, ThreadPoolExecutor() as pool:
            counts = np.zeros(256, np.int64)
            checked = pool.map(lambda item: _check(item, table), items)
            for done, (problem, pixels) in enumerate(checked, start=1):
                if problem:
                    problems.append(f"{split}: {problem}")
                else:
                    counts += pixels
                tick(done)
        rows += [
            (split, len(items), name, int(n)) for name, n in zip(table.names, counts, strict=False)
        ]
    if problems:
        shown = "\n".join(f"  - {problem}" for problem in problems[:_SHOWN])
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(f"{len(problems)} files cannot be used:\n{shown}{more}")
    write_csv(pd.DataFrame(rows, columns=["split", "images", "class", "pixels"]), out)


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


def _check(item: Item, table: ClassTable) -> tuple[str | None, np.ndarray]:
    """A problem, or None and the label's pixel counts (at file size, before any resizing)."""
    counts = np.zeros(256, np.int64)
    try:
        image = decode_image(item.image)
        if item.label is not None:
            label = decode_label(item.label, table)
            if label.shape != image.shape[:2]:
                raise DataError(
                    f"{item.image} is {_size(image)}, its label {item.label} is {_size(label)}. "
                    "Give a label of the image's size"
                )
            counts = np.bincount(label.ravel(), minlength=256)
    except DataError as error:
        return str(error), counts
    return None, counts


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]} pixels"
