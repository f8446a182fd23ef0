"""`tpld import-labels`: files of annotation tools as index PNGs and a legend."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from tpld.commands.palette import spread_colors, write_index, write_legend
from tpld.commands.show import Page
from tpld.compute.progress import progress
from tpld.data.annotations import coco, cvat, labelme, labelstudio, voc
from tpld.data.annotations.base import Annotations, clean
from tpld.data.annotations.recognise import LOOKED_FOR, Format, files_of, recognise
from tpld.data.annotations.tasks import (
    NO_CLASS,
    UNCOVERED,
    Task,
    classes_of,
    drawn,
    natural,
    tasks_of,
)
from tpld.data.datasets import CLASSES
from tpld.data.sources import IGNORE
from tpld.errors import ConfigError, DataError
from tpld.stores.atomic import replacing

log = logging.getLogger("tpld")
_SHOWN = 10


def import_labels(
    source: Path,
    out: Path,
    form: Format | None = None,
    names: Sequence[str] | None = None,
    background: str | None = None,
    images: Path | None = None,
) -> Page:
    """Write an index PNG for each annotated image, and ``classes.csv``, which says what it holds.

    Everything is read and compared before anything is written, and `out` appears whole.

    Args:
        source: a file of an annotation tool, or the folder of its files.
        out: folder to write; it must not hold anything yet.
        form: the format; None: `recognise` tells.
        names: labels that become classes, in this order; pixels of all others are ignored (255).
            None: all, in the file's own order, or by name.
        background: class of pixels that nothing covers; None: they are ignored.
        images: folder of the images, whose names and sizes are then those of the label files.

    Raises:
        DataError: nothing is recognised, a file is damaged, or sizes differ from the images'.
        ConfigError: `out` is not empty, a name is no label, or an optional package is missing.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already and not empty. Name a folder that is new")
    said = read(source, form)
    classes = classes_of(said, names, background)
    tasks, notes = tasks_of(said, images, background is not None)
    colors = _colors(classes, said)
    values = {name: value for value, name in enumerate(classes)}
    with replacing(out.absolute()) as partial:
        partial.mkdir()
        counts, seen = _write(tasks, values, said, background, colors, partial)
        write_legend(classes, list(range(len(classes))), colors, partial / "classes.csv")
    for note in notes:
        log.warning("%s", note)
    return _page(said, out, classes, counts, seen, notes)


def read(source: Path, form: Format | None = None) -> Annotations:
    """Read the annotations of a file or folder.

    Raises:
        DataError: nothing there, no known format, or damage.
    """
    if not source.exists():
        raise DataError(f"{source} does not exist. Give a file or folder of an annotation tool")
    found = form or recognise(source)
    if found is None:
        zipped = source.suffix.lower() == ".zip"
        hint = "Unpack it first. " if zipped else "--format says what it is, if it is one. "
        raise DataError(f"{source} is not recognised. {hint}Looked for: {LOOKED_FOR}")
    if found == "voc":
        said = voc.read(source)
    else:
        files = files_of(source, found)
        if not files:
            raise DataError(f"{source} holds no file of {found}. Looked for: {LOOKED_FOR}")
        if found == "labelme":
            said = labelme.read(files, source if source.is_dir() else source.parent)
        elif len(files) > 1:
            shown = ", ".join(str(file.relative_to(source)) for file in files[:_SHOWN])
            raise DataError(f"{source} holds {len(files)} files of {found}: {shown}. Name one")
        else:
            said = {"coco": coco.read, "cvat": cvat.read, "labelstudio": labelstudio.read}[found](
                files[0]
            )
    if not said.pictures:
        raise DataError(f"{source} lists no image. Export it again, with its images")
    return said


def _colors(classes: list[str], said: Annotations) -> np.ndarray:
    """uint8 (K, 3): the tool's own colours, else Cityscapes', else some that differ."""
    made = spread_colors(len(classes))
    known = CLASSES | said.colors
    return np.array([known.get(name, color) for name, color in zip(classes, made, strict=True)],
                    np.uint8)  # fmt: skip


def _write(
    tasks: list[Task],
    values: dict[str, int],
    said: Annotations,
    background: str | None,
    colors: np.ndarray,
    out: Path,
) -> tuple[np.ndarray, np.ndarray]:
    """Write all label files; pixels, and images, of each value, int64 (256,)."""
    rest = np.arange(256, dtype=np.uint8)
    rest[UNCOVERED] = IGNORE if background is None else values[clean(background)]
    counts, seen = np.zeros(256, np.int64), np.zeros(256, np.int64)

    def one(task: Task) -> np.ndarray:
        label = rest[drawn(task, values, said.uncovered)]
        write_index(label, colors, out / f"{task.name}.png")
        return np.bincount(label.ravel(), minlength=256)

    with progress("writing labels", len(tasks)) as tick, ThreadPoolExecutor() as pool:
        for done, found in enumerate(pool.map(one, tasks), start=1):
            counts += found
            seen += found > 0
            tick(done)
    return counts, seen


def _page(
    said: Annotations,
    out: Path,
    classes: list[str],
    counts: np.ndarray,
    seen: np.ndarray,
    notes: list[str],
) -> Page:
    total, number = max(int(counts.sum()), 1), len(classes)
    found = {label for picture in said.pictures for label in picture.labels if label}
    left = sorted(found - set(classes) - said.uncovered - {NO_CLASS}, key=natural)
    ignored = 100 * float(counts[IGNORE]) / total
    facts = {
        "format": said.format,
        "files": f"{out}/<image>.png",
        "values": f"0 to {number - 1} as in classes.csv, {IGNORE} where unlabelled",
        "unlabelled %": ignored,
    }
    if left:
        facts["labels that became no class"] = left
    bare = [name for name, count in zip(classes, counts, strict=False) if not count]
    if bare:
        facts["classes without a pixel"] = bare
    if notes:
        facts["notes"] = notes
    table = pd.DataFrame(
        {
            "value": range(number),
            "class": classes,
            "share %": 100 * counts[:number] / total,
            "images": seen[:number],
        }
    )
    return Page(f"{len(said.pictures)} images read into {out}", facts, {"classes": table})
