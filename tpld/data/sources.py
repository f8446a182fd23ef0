"""From the configuration to lists of files: which images and labels belong to which split.

Both kinds of data end here as the same thing, a `FolderData`: the procedural city is written as
folders first, and everything after that does not know it from anybody's own images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from tpld.config import ClassEntry, Config, FolderData, FolderSplits
from tpld.data.splits import Split
from tpld.errors import DataError

IGNORE = 255


class Item(NamedTuple):
    """One image of a split and its label file, if the split has labels."""

    name: str
    image: Path
    label: Path | None


@dataclass(frozen=True)
class ClassTable:
    """Names, label-file ids and colours; the position of a class is its training id."""

    names: list[str]
    ids: list[int]
    colors: np.ndarray
    ignored_ids: list[int]

    @property
    def lookup(self) -> np.ndarray:
        """uint16 (65536,): training id of each file value, 255 if ignored, 65535 if unknown."""
        table = np.full(65536, 65535, np.uint16)
        table[[*self.ignored_ids, IGNORE]] = IGNORE
        table[self.ids] = np.arange(len(self.ids))
        return table

    @property
    def palette(self) -> np.ndarray:
        """uint8 (256, 3): colour of each training id; black where there is none."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self.colors)] = self.colors
        return palette


def city_root(config: Config) -> Path:
    """Where the procedural city of this experiment is written."""
    return Path(config.results) / config.experiment / "data" / "city"


def folder_data(config: Config) -> FolderData:
    """The data of a configuration as folders, whatever its kind."""
    if config.data.kind == "folder":
        assert config.data.folder is not None  # the configuration has checked it
        return config.data.folder
    from tpld.data.city import CITY_CLASSES

    root = city_root(config)
    entries = [
        ClassEntry(name=name, id=index, color=color)
        for index, (name, color) in enumerate(CITY_CLASSES)
    ]
    return FolderData(
        source=_city_domain(root / "source"), target=_city_domain(root / "target"), classes=entries
    )


def _city_domain(root: Path) -> FolderSplits:
    return FolderSplits(
        images=str(root / "images"),
        labels=str(root / "labels"),
        train=str(root / "train.txt"),
        val=str(root / "val.txt"),
    )


def class_table(config: Config) -> ClassTable:
    """The class table of a configuration."""
    data = folder_data(config)
    return ClassTable(
        names=[entry.name for entry in data.classes],
        ids=[entry.id for entry in data.classes],
        colors=np.array([entry.color for entry in data.classes], np.uint8),
        ignored_ids=list(data.ignored_ids),
    )


def domain_of(config: Config, split: Split) -> FolderSplits:
    """The folders that a split comes from."""
    data = folder_data(config)
    return data.source if split.startswith("source") else data.target


def has_split(config: Config, split: Split) -> bool:
    """Whether the configuration gives this split (training splits always exist)."""
    return split.endswith("train") or domain_of(config, split).val is not None


def has_truth(config: Config, split: Split) -> bool:
    """Whether the split comes with ground truth."""
    return has_split(config, split) and domain_of(config, split).labels is not None


def list_items(config: Config, split: Split) -> list[Item]:
    """Images (and labels) of a split in the order of its list.

    Raises:
        DataError: folder or list missing, list empty, a name twice, outside the folder, or
            without its image.
    """
    domain = domain_of(config, split)
    images = Path(domain.images)
    if not images.is_dir():
        raise DataError(f"{split}: image folder {images} does not exist. Correct `images`")
    list_file = domain.train if split.endswith("train") else domain.val
    names = _read_list(Path(list_file), split) if list_file else _all_names(images, domain)
    if not names:
        where = f"list {list_file}" if list_file else f"no *{domain.image_suffix} below {images}"
        raise DataError(f"{split}: the split is empty ({where}). Name at least one image")
    labels = Path(domain.labels) if domain.labels else None
    items = [
        Item(
            name,
            images / f"{name}{domain.image_suffix}",
            labels / f"{name}{domain.label_suffix}" if labels else None,
        )
        for name in names
    ]
    _check_exist(items, split)
    return items


def _read_list(path: Path, split: str) -> list[str]:
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


def _all_names(images: Path, domain: FolderSplits) -> list[str]:
    suffix = domain.image_suffix
    found = sorted(images.rglob(f"*{suffix}"))
    return [path.relative_to(images).as_posix().removesuffix(suffix) for path in found]


def _check_exist(items: list[Item], split: str) -> None:
    for what, paths in (
        ("image", [item.image for item in items]),
        ("label", [item.label for item in items if item.label]),
    ):
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise DataError(
                f"{split}: {len(missing)} of {len(paths)} {what} files are missing, first "
                f"{missing[0]}. Correct the folder, the suffix or the split list"
            )
