"""From the folders of a split to the list of its files."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tpld.config import Config
from tpld.data.folders import (
    IGNORE,
    ClassTable,
    Folders,
    benchmark_of,
    city_root,
    class_table,
    folders_of,
    has_split,
    has_truth,
)
from tpld.data.splits import Split
from tpld.errors import DataError

__all__ = [
    "IGNORE",
    "ClassTable",
    "Folders",
    "Item",
    "benchmark_of",
    "city_root",
    "class_table",
    "folders_of",
    "has_split",
    "has_truth",
    "list_items",
]


class Item(NamedTuple):
    """One image of a split and its label file, if the split has labels."""

    name: str
    image: Path
    label: Path | None


def list_items(config: Config, split: Split) -> list[Item]:
    """Images (and labels) of a split in the order of its list.

    Raises:
        DataError: folder or list missing, list empty, a name twice, outside the folder, or
            without its image.
    """
    folders = folders_of(config, split)
    if folders is None:
        raise DataError(f"{split}: no such split is configured. Give a list of its images")
    images, labels = str(folders.images), str(folders.labels)
    if not folders.images.is_dir():
        raise DataError(f"{split}: image folder {images} does not exist. {folders.remedy}")
    names = _read_list(folders, split) if folders.names else _all_names(folders)
    if not names:
        where = (
            f"list {folders.names}"
            if folders.names
            else f"no *{folders.image_suffix} below {images}"
        )
        raise DataError(f"{split}: the split is empty ({where}). Name at least one image")
    items = [
        Item(
            name,
            Path(f"{images}/{name}{folders.image_suffix}"),
            Path(f"{labels}/{name}{folders.label_suffix}") if folders.labels else None,
        )
        for name in names
    ]
    _check_exist(items, split, folders.pairs)
    return items


def _read_list(folders: Folders, split: str) -> list[str]:
    path = folders.names
    assert path is not None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{split}: cannot read split list {path}: {error}") from None
    # Through PurePosixPath: `./a` and `a` are the same image.
    names = [PurePosixPath(line.strip()).as_posix() for line in lines if line.strip()]
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\0" in name:
            raise DataError(
                f"{path}, entry {number}: '{name}' leads out of the image folder. "
                "Names are relative to it, without '..'"
            )
        if name in seen:
            raise DataError(
                f"{path}: '{name}' stands in it twice (entries {seen[name]} and {number}). "
                "Remove one"
            )
        seen[name] = number
    return names


def _all_names(folders: Folders) -> list[str]:
    # By text: a Path for each of 25 000 names would take longer than the look at the disk.
    root, suffix = str(folders.images), folders.image_suffix
    found = (
        f"{folder}/{file}"[len(root) + 1 :].removesuffix(suffix)
        for folder, _, files in os.walk(root)
        for file in files
        if file.endswith(suffix)
    )
    return sorted(set(found) - folders.left_out)


def _check_exist(items: list[Item], split: str, remedy: str) -> None:
    for what, paths in (
        ("image", [item.image for item in items]),
        ("label", [item.label for item in items if item.label]),
    ):
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise DataError(
                f"{split}: {len(missing)} of {len(paths)} {what} files are missing, first "
                f"{missing[0]}. {remedy}"
            )
