"""From the folders of a split to the list of its files."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tpld.config import Config
from tpld.data.classes import class_table
from tpld.data.folders import (
    Folders,
    benchmark_of,
    city_counts,
    city_root,
    folders_of,
    has_split,
    has_truth,
)
from tpld.data.listing import IMAGES, image_files, is_utf8, natural, nothing_there, shown
from tpld.data.scan import Found, composed, read_list, scan
from tpld.data.splits import Split
from tpld.data.table import IGNORE, ClassTable
from tpld.errors import DataError

__all__ = [
    "IGNORE",
    "ClassTable",
    "Files",
    "Folders",
    "Item",
    "benchmark_of",
    "city_counts",
    "city_root",
    "class_table",
    "folders_of",
    "has_split",
    "has_truth",
    "list_files",
    "list_items",
]


class Item(NamedTuple):
    """One image of a split.

    Attributes:
        name: in the split; begins with the domain's name where there are several.
        image: its file.
        label: its label file, if its domain has labels.
        domain: position of its domain in `folders_of`.
    """

    name: str
    image: Path
    label: Path | None
    domain: int = 0


State = tuple[int, int]


class Files(NamedTuple):
    """The files of a split: names, paths, and size and time of each, by ``image`` and ``label``.

    A label is None where the domain of its image has none; `labels` is where all have none.
    `domains` has the position of each file's domain in `folders_of`.
    """

    names: list[str]
    images: list[str]
    labels: list[str | None] | None
    states: dict[str, list[State]]
    domains: list[int]


def list_items(config: Config, split: Split) -> list[Item]:
    """Images (and labels) of a split in the order of its lists, domain by domain.

    Raises:
        DataError: see `list_files`.
    """
    files = list_files(config, split)
    labels = files.labels or [None] * len(files.names)
    paths = [Path(label) if label else None for label in labels]
    return list(map(Item, files.names, map(Path, files.images), paths, files.domains))


def list_files(config: Config, split: Split, drawn: bool = True) -> Files:
    """The files of a split as text, found by one look at its folders: 50 000 take a second.

    Args:
        config: the configuration.
        split: the split.
        drawn: False: leave out the procedural city, which may not be drawn yet.

    Raises:
        DataError: folder or list missing, list empty, a name twice, outside the folder (by `..`,
            or behind a link unless the configuration allows it), without its image or label, or
            with two images.
    """
    every = folders_of(config, split)
    if not every:
        raise DataError(f"{split}: no such split is configured. Give a list of its images")
    total = Files([], [], [], {"image": [], "label": []}, [])
    assert total.labels is not None
    for place, folders in enumerate(every):
        if folders.drawn is not None and not drawn:
            continue
        found = _list(folders, split)
        total.names.extend(folders.prefix + name for name in found.names)
        total.images.extend(found.images)
        total.labels.extend(found.labels or [None] * len(found.names))
        total.states["image"].extend(found.states["image"])
        total.states["label"].extend(found.states["label"])
        total.domains.extend([place] * len(found.names))
    return total if any(total.labels) else total._replace(labels=None)


def _list(folders: Folders, split: str) -> Files:
    """The files of one domain; names without its prefix."""
    images = folders.images
    if not images.is_dir():
        raise DataError(f"{split}: image folder {images} does not exist. {folders.remedy}")
    found = scan(images, folders.follow_links)
    names = read_list(folders.names, split) if folders.names else _all_names(found, folders, split)
    names = [name for name in names if _wanted(name, folders.only)]
    if not names:
        raise DataError(f"{split}: {_why_empty(folders)}")
    suffixes = folders.image_suffix or IMAGES
    pictures, states = _resolve(names, images, suffixes, found, "image", split, folders)
    domains = [0] * len(names)
    if folders.labels is None:
        return Files(names, pictures, None, {"image": states, "label": []}, domains)
    found = scan(folders.labels, folders.follow_links)
    truths, more = _resolve(
        names, folders.labels, folders.label_suffix, found, "label", split, folders
    )
    return Files(names, pictures, [*truths], {"image": states, "label": more}, domains)


def _why_empty(folders: Folders) -> str:
    """What to say of a split without images."""
    if folders.only:
        patterns = " and ".join(" or ".join(several) for several in folders.only)
        return f"the split is empty: no name below {folders.images} is like {patterns}"
    if folders.names:
        return f"the split is empty (list {folders.names}). Name at least one image"
    listing = image_files(folders.images)
    if not listing.names:
        return f"the split is empty: {nothing_there(listing)}"
    wanted = ", ".join(f"*{suffix}" for suffix in folders.image_suffix)
    return (
        f"the split is empty: no {wanted} among the {len(listing.names)} images below "
        f"{folders.images}. Correct `image_suffix`, or leave it out"
    )


def _wanted(name: str, only: tuple[tuple[str, ...], ...]) -> bool:
    return all(any(fnmatchcase(name, pattern) for pattern in several) for several in only)


def _all_names(found: Found, folders: Folders, split: str) -> list[str]:
    """The names of all images of a folder, f2 before f10."""
    names: dict[str, str] = {}
    suffixes = sorted(folders.image_suffix, key=len, reverse=True)
    for key, entry in found.items():
        suffix = _suffix_of(key, suffixes)
        name = key[: len(key) - len(suffix)]
        if not suffix or name in folders.left_out:
            continue
        if not is_utf8(name):
            raise DataError(
                f"{split}: the name of {shown(os.fspath(entry))} is not UTF-8, so that no list and "
                "no table can hold it. Rename it"
            )
        if names.setdefault(name, key) != key:
            raise DataError(
                f"{split}: {names[name]} and {key} below {folders.images} are two images of one "
                "name. Write `image_suffix`, or remove one"
            )
    return sorted(names, key=natural)


def _suffix_of(name: str, suffixes: list[str]) -> str:
    """The first of the suffixes that a name ends in; without suffixes any image's."""
    if suffixes:
        for suffix in suffixes:
            if name.endswith(suffix):
                return suffix
        return ""
    suffix = PurePosixPath(name).suffix
    return suffix if suffix.lower() in IMAGES else ""


def _resolve(
    names: list[str],
    root: Path,
    suffixes: tuple[str, ...],
    found: Found,
    what: str,
    split: str,
    folders: Folders,
) -> tuple[list[str], list[State]]:
    """Path and state of each name's file; a file behind a linked folder is asked for by itself."""
    above, paths, missing, outside = f"{root.as_posix()}/", [], [], []
    states: list[State] = []
    inside = os.path.realpath(root) + os.sep
    for name in names:
        entry = _entry(name, above, suffixes, found)
        if isinstance(entry, str):
            missing.append(entry)
            continue
        path = os.fspath(entry)
        paths.append(path)
        stat = entry.stat()
        states.append((stat.st_size, stat.st_mtime_ns))
        # What the look at the folders found and is no link itself lies inside them.
        if not folders.follow_links and (isinstance(entry, Path) or entry.is_symlink()):
            real = os.path.realpath(path)
            outside += [] if real.startswith(inside) else [f"{path} -> {real}"]
    if outside:
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


def _entry(
    name: str, above: str, suffixes: tuple[str, ...], found: Found
) -> os.DirEntry[str] | Path | str:
    """The file of a name, under whichever suffix; the path of the first where there is none."""
    for suffix in suffixes:
        for spelt in (suffix, suffix.upper()) if suffixes is IMAGES else (suffix,):
            entry = found.get(composed(f"{name}{spelt}"))
            if entry is not None and _is_file(entry):
                return entry
    paths = [Path(f"{above}{name}{suffix}") for suffix in suffixes]
    there = [path for path in paths if _is_file(path)]
    return there[0] if there else str(paths[0])


def _is_file(entry: os.DirEntry[str] | Path) -> bool:
    """Whether it is a file; a name too long for the system, or a circle of links, is none."""
    try:
        return entry.is_file()
    except (OSError, ValueError):
        return False
