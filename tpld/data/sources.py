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
    "Files",
    "Folders",
    "Item",
    "benchmark_of",
    "city_root",
    "class_table",
    "folders_of",
    "has_split",
    "has_truth",
    "list_files",
    "list_items",
]


class Item(NamedTuple):
    """One image of a split and its label file, if the split has labels."""

    name: str
    image: Path
    label: Path | None


State = tuple[int, int]


class Files(NamedTuple):
    """The files of a split: names, paths, and size and time of each, by ``image`` and ``label``."""

    names: list[str]
    images: list[str]
    labels: list[str] | None
    states: dict[str, list[State]]


def list_items(config: Config, split: Split) -> list[Item]:
    """Images (and labels) of a split in the order of its list.

    Raises:
        DataError: see `list_files`.
    """
    files = list_files(config, split)
    labels = [Path(path) for path in files.labels] if files.labels else [None] * len(files.names)
    return list(map(Item, files.names, map(Path, files.images), labels))


def list_files(config: Config, split: Split) -> Files:
    """The files of a split as text, found by one look at its folders: 50 000 take half a second.

    Raises:
        DataError: folder or list missing, list empty, a name twice, outside the folder (by `..`,
            or behind a link unless the configuration allows it), or without its image or label.
    """
    folders = folders_of(config, split)
    if folders is None:
        raise DataError(f"{split}: no such split is configured. Give a list of its images")
    images = folders.images
    if not images.is_dir():
        raise DataError(f"{split}: image folder {images} does not exist. {folders.remedy}")
    found = _scan(images)
    names = _read_list(folders, split) if folders.names else _all_names(found, folders)
    if not names:
        nothing = f"no *{folders.image_suffix} below {images}"
        where = f"list {folders.names}" if folders.names else nothing
        raise DataError(f"{split}: the split is empty ({where}). Name at least one image")
    pictures, states = _resolve(names, images, folders.image_suffix, found, "image", split, folders)
    if folders.labels is None:
        return Files(names, pictures, None, {"image": states, "label": []})
    found = _scan(folders.labels)
    truths, more = _resolve(
        names, folders.labels, folders.label_suffix, found, "label", split, folders
    )
    return Files(names, pictures, truths, {"image": states, "label": more})


def _scan(root: Path, below: str = "") -> dict[str, os.DirEntry[str]]:
    """Every file below a folder by its relative name; nothing for a folder that does not exist."""
    found: dict[str, os.DirEntry[str]] = {}
    if not root.is_dir():
        return found
    with os.scandir(root / below) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found |= _scan(root, f"{below}{entry.name}/")
            else:
                found[f"{below}{entry.name}"] = entry
    return found


def _resolve(
    names: list[str],
    root: Path,
    suffix: str,
    found: dict[str, os.DirEntry[str]],
    what: str,
    split: str,
    folders: Folders,
) -> tuple[list[str], list[State]]:
    """Path and state of each name's file; a file behind a linked folder is asked for by itself."""
    above, paths, missing, outside = f"{root.as_posix()}/", [], [], []
    states: list[State] = []
    inside = os.path.realpath(root) + os.sep
    for name in names:
        paths.append(f"{above}{name}{suffix}")
        entry = found.get(f"{name}{suffix}") or Path(paths[-1])
        if _is_file(entry):
            stat = entry.stat()
            states.append((stat.st_size, stat.st_mtime_ns))
            # What the look at the folders found and is no link itself lies inside them.
            if isinstance(entry, Path) or entry.is_symlink():
                real = os.path.realpath(entry)
                outside += [] if real.startswith(inside) else [f"{paths[-1]} -> {real}"]
        else:
            missing.append(paths[-1])
    if outside and not folders.follow_links:
        raise DataError(
            f"{split}: {len(outside)} of {len(names)} {what} files are links that lead out of "
            f"{root}, first {outside[0]}. If that is wanted, set data.follow_links: true"
        )
    if missing:
        raise DataError(
            f"{split}: {len(missing)} of {len(names)} {what} files are missing, first "
            f"{missing[0]}. {folders.pairs}"
        )
    return paths, states


def _is_file(entry: os.DirEntry[str] | Path) -> bool:
    """Whether it is a file; a name too long for the system, or a circle of links, is none."""
    try:
        return entry.is_file()
    except (OSError, ValueError):
        return False


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


def _all_names(found: dict[str, os.DirEntry[str]], folders: Folders) -> list[str]:
    suffix = folders.image_suffix
    names = {name.removesuffix(suffix) for name in found if name.endswith(suffix)}
    return sorted(names - folders.left_out)
