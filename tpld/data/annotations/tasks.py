"""From what annotations say to label files: their classes, names and sizes, and their pixels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from tpld.data.annotations.base import Annotations, Picture, Size, clean
from tpld.data.annotations.images import ImageFolder, looks, stem_of
from tpld.data.table import IGNORE
from tpld.errors import ConfigError, DataError, nearest

# Of a pixel that no area covers, while an image is drawn: never a class, which end at 253.
UNCOVERED = 254
# What legends call 255.
NO_CLASS = "unlabelled"
_MOST = 254
_SHOWN = 10


class Task(NamedTuple):
    """A label file to write: its name without suffix, its size, and what is drawn on it."""

    name: str
    size: Size
    picture: Picture


def classes_of(said: Annotations, names: Sequence[str] | None, background: str | None) -> list[str]:
    """The classes in the order of their values; see `import_labels` for the arguments.

    Raises:
        ConfigError: a name that is a label in another spelling, or a name twice.
        DataError: no label, or more than fit beside 254 and 255.
    """
    found = {label for picture in said.pictures for label in picture.labels if label}
    found -= said.uncovered | {NO_CLASS}
    listed = said.names or sorted(found, key=natural)
    known = [n for n in [*listed, *sorted(found - set(listed), key=natural)] if n != NO_CLASS]
    classes = [clean(name) for name in names] if names else known
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise ConfigError(f"--names has '{twice[0]}' twice")
    folded = {name.casefold(): name for name in known}
    for name in classes:
        if name not in known and name.casefold() in folded:
            raise ConfigError(f"--names has '{name}': the label is '{folded[name.casefold()]}'")
    if NO_CLASS in (background, *classes):
        raise ConfigError(f"'{NO_CLASS}' is what legends call {IGNORE}: no class can be called so")
    if names and not set(classes) & set(known):
        hint = nearest(classes[0], known)
        raise ConfigError(f"none of --names is a label. {hint}Labels: {', '.join(known)}")
    if background and background not in classes:
        classes = [background, *classes]
    if not classes:
        raise DataError("nothing has a label. Annotate areas, and export again")
    if len(classes) > _MOST:
        raise DataError(
            f"{len(classes)} labels are more than the {_MOST} that fit into 8 bits. Choose with "
            "--names, or correct labels that are instances (car_1, car_2)"
        )
    return classes


def natural(text: str) -> list[tuple[int, str]]:
    """Key that sorts f2 before f10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def tasks_of(said: Annotations, images: Path | None, covered: bool) -> tuple[list[Task], list[str]]:
    """The label files to write, and what must be said; all problems of all images together.

    Raises:
        DataError: images are missing or of other sizes, or names clash or lead elsewhere.
    """
    folder = ImageFolder(images) if images else None
    tasks: dict[str, Task] = {}
    problems, turned, waiting, empty = [], [], [], []
    for picture in said.pictures:
        if not picture.annotated:
            waiting.append(picture.name)
            continue
        try:
            name, file = _file(picture, said, folder)
            size, is_turned = _size(picture, file)
        except DataError as error:
            problems.append(str(error))
            continue
        turned += [picture.name] if is_turned else []
        empty += [] if picture.labels - said.uncovered else [picture.name]
        if name in tasks:
            problems.append(
                f"{picture.place}: '{picture.name}' and '{tasks[name].picture.name}' would write "
                f"the same file {name}.png. Rename one, or give --images"
            )
        tasks[name] = Task(name, size, picture)
    if problems:
        more = f"\n  - and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        shown = "".join(f"\n  - {problem}" for problem in problems[:_SHOWN])
        raise DataError(f"{len(problems)} of {len(said.pictures)} images:{shown}{more}")
    notes = list(said.notes)
    notes += [
        f"left out: {kind} ({count})" for kind, count in sorted(said.skipped.items()) if count
    ]
    written = "written as background" if covered else f"written as {IGNORE} alone"
    notes += _listed(empty, f"without any annotation, {written}")
    notes += _listed(waiting, "not annotated yet, left out")
    notes += _listed(turned, "turned by EXIF: taken to be annotated upright, as tools show them")
    if not tasks:
        raise DataError("no image is annotated yet. " + "; ".join(notes))
    return list(tasks.values()), notes


def _listed(names: list[str], what: str) -> list[str]:
    more = ", ..." if len(names) > _SHOWN else ""
    return [f"{len(names)} images {what}: {', '.join(names[:_SHOWN])}{more}"] if names else []


def _file(
    picture: Picture, said: Annotations, folder: ImageFolder | None
) -> tuple[str, Path | None]:
    """Name of a label file without suffix, and the image's file where it is known."""
    if folder:
        found = folder.find(picture.name)
        if found is None:
            raise DataError(
                f"{picture.place}: no image below {folder.folder} is called '{picture.name}', or "
                "several are. Correct --images, or leave it out"
            )
        return stem_of(found), folder.folder / found
    parts = PurePosixPath(picture.name)
    if parts.is_absolute() or ".." in parts.parts or not parts.name or "\0" in picture.name:
        raise DataError(
            f"{picture.place}: '{picture.name}' leads out of any folder. Give --images, whose "
            "names are then taken"
        )
    near = (root / parts for root in said.roots)
    return stem_of(parts.as_posix()), next((file for file in near if _is_file(file)), None)


def _is_file(path: Path) -> bool:
    """Whether it is a file; a name too long for the system is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _size(picture: Picture, file: Path | None) -> tuple[Size, bool]:
    """The size of a label file, and whether EXIF turns the image."""
    if file is None:
        if picture.size is None:
            raise DataError(f"{picture.place}: its size is not said. Give --images")
        return picture.size, False
    seen = looks(file)
    if picture.size not in (None, seen.size):
        told = picture.size
        if told == seen.size[::-1] and seen.orientation > 4:
            raise DataError(
                f"{picture.place}: annotated as {told[1]}x{told[0]}, but {file} is "
                f"{seen.size[1]}x{seen.size[0]} once EXIF orientation {seen.orientation} turns it. "
                "Take the orientation out of the file (exiftool -Orientation#=1)"
            )
        raise DataError(
            f"{picture.place}: annotated as {told[1]}x{told[0]}, but {file} is "
            f"{seen.size[1]}x{seen.size[0]}. Use the images that were annotated"
        )
    return seen.size, seen.orientation > 1


def drawn(task: Task, values: dict[str, int], uncovered: frozenset[str]) -> np.ndarray:
    """uint8 (H, W): areas on each other; 254 where none is, 255 under labels that are no class."""
    label = np.full(task.size, UNCOVERED, np.uint8)
    for name, mask in task.picture.paint(task.size):
        if name in uncovered and name not in values:
            label[mask] = UNCOVERED
        else:
            label[mask] = values.get(name or "", IGNORE)
    return label
