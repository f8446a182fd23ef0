"""Recognising a public data set by its own layout and what its label files hold."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from tpld.commands.own.label_files import read_labels
from tpld.config import Domain
from tpld.data.classes import table_of
from tpld.data.datasets import CLASSES, DATASETS, Dataset
from tpld.data.decode import decode_label
from tpld.data.listing import image_files
from tpld.data.opened import image_size
from tpld.errors import DataError

# Label files that are looked into.
_LOOKED_AT = 3
# Folders that anybody may have: there the palette must be that of the data set, too.
_ANYBODYS = {
    "images", "labels", "img", "image", "train", "val", "training", "validation", "trainannot",
}  # fmt: skip
_MANY = 20


def recognise_public(root: Path) -> Dataset | None:
    """The public data set that lies in a folder in the layout of its authors; None: none does.

    Its folders and names have to be there, and the first label files have to hold nothing but
    values of its label table. Where its folders are called as anybody's may be, the label files
    also have to be palette files in its colours, of its only size, or hold many of its values.
    """
    fitting = [dataset for dataset in DATASETS.values() if _fits(root, dataset)]
    return fitting[0] if fitting else None


def _fits(root: Path, dataset: Dataset) -> bool:
    part = next((p for p in (dataset.train, dataset.val) if p and p.labels), None)
    if part is None or part.labels is None:
        return False
    images, labels = root / part.images, root / part.labels
    if not images.is_dir() or not labels.is_dir():
        return False
    suffixes = dataset.image_suffix
    suffixes = (suffixes,) if isinstance(suffixes, str) else suffixes
    files = [f for f in image_files(images, follow_links=True).names if f.endswith(tuple(suffixes))]
    names = [f.removesuffix(next(s for s in suffixes if f.endswith(s))) for f in files]
    truths = [labels / f"{n}{dataset.label_suffix}" for n in names if fnmatchcase(n, part.only)]
    truths = [file for file in truths[:_LOOKED_AT] if file.is_file()]
    if not truths:
        return False
    anybodys = {*part.images.lower().split("/"), *part.labels.lower().split("/")} <= _ANYBODYS
    try:
        of_its_size = dataset.size is not None and image_size(truths[0]) == dataset.size
        return all(_holds(file, dataset, anybodys and not of_its_size) for file in truths)
    except DataError:
        return False


def _holds(file: Path, dataset: Dataset, anybodys: bool) -> bool:
    """Whether a label file holds values of the data set's table alone.

    Raises:
        DataError: it does not, or cannot be read.
    """
    known = {label.id for label in dataset.labels} | {255}
    if dataset.reader != "index":
        classes = {name: CLASSES[name] for name in dataset.classes}
        table = table_of(Domain(kind=dataset.kind, root="."), classes, "source")  # pyright: ignore
        return decode_label(file, table) is not None
    found = read_labels(file)
    seen = set(np.unique(found.values).tolist())
    if found.form != "index" or not seen <= known:
        return False
    return not anybodys or len(seen) >= _MANY or _in_its_colors(found.palette, seen, dataset)


def _in_its_colors(palette: np.ndarray | None, seen: set[int], dataset: Dataset) -> bool:
    """Whether a palette has Cityscapes' colours where the data set's labels stand for a class."""
    stands = {label.id: label.stands_for for label in dataset.labels if label.stands_for}
    classes = [value for value in seen if value in stands]
    return (
        palette is not None
        and bool(classes)
        and all(
            v < len(palette) and tuple(palette[v].tolist()) == CLASSES[stands[v]] for v in classes
        )
    )
