"""Which annotation tool a file or folder comes from, by names and first bytes."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Literal

from tpld.data.annotations.voc import folder_of, has_legend

Format = Literal["labelme", "coco", "cvat", "voc", "labelstudio"]
# What is looked for, in words: for the message that nothing was found.
LOOKED_FOR = (
    "labelme (JSON files with `shapes`), COCO (a JSON file with `images`, `annotations` and "
    "`categories`), CVAT for images 1.1 (an XML file that begins with <annotations>), Pascal VOC "
    "(a folder SegmentationClass, and labelmap.txt beside it), Label Studio (a JSON file: a list "
    "of tasks)"
)
_HEAD = 65536
_FILES = 20
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[][{}]')


def recognise(path: Path) -> Format | None:
    """Tell the format of an annotation file, or of a folder that holds such files.

    Cheap: at most 64 KiB of each of a few files are read, and nothing is checked. A folder of
    label PNGs alone is none of these formats.

    Args:
        path: a file, or a folder: of labelme's files, of an unpacked export, or of a VOC tree.

    Returns:
        ``labelme``, ``coco``, ``cvat``, ``voc`` or ``labelstudio``; None where it is none of them,
        or cannot be read.
    """
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        return None
    folder = folder_of(path)
    if folder and has_legend(folder, list(islice(folder.rglob("*.png"), _FILES))):
        return "voc"
    return next((form for form in map(_of_file, _few(path)) if form), None)


def files_of(path: Path, form: Format) -> list[Path]:
    """The files of a format: `path` itself, or those of the folder, sorted."""
    if path.is_file():
        return [path]
    ending = ".xml" if form == "cvat" else ".json"
    found = sorted(f for f in path.rglob("*") if f.suffix.lower() == ending and _counts(f, path))
    return found if form == "labelme" else [file for file in found if _of_file(file) == form]


def _few(folder: Path) -> list[Path]:
    """Some files that may be annotations; an export's own few lie at the top or one below it."""
    patterns = ("*.xml", "*.json", "*/*.xml", "*/*.json")
    named = (f for pattern in patterns for f in folder.glob(pattern) if _counts(f, folder))
    few = list(islice(named, _FILES))
    return few or list(islice((f for f in folder.rglob("*.json") if _counts(f, folder)), _FILES))


def _counts(file: Path, below: Path) -> bool:
    """Not what other programs leave behind, as ``.ipynb_checkpoints`` and ``._a.json``."""
    return not any(part.startswith(".") for part in file.relative_to(below).parts)


def _of_file(path: Path) -> Format | None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", errors="ignore")
    except OSError:
        return None
    kind = path.suffix.lower()
    if kind == ".xml":
        return "cvat" if re.search(r"<annotations[\s>]", head) else None
    if kind != ".json":
        return None
    keys, is_list = _keys(head)
    if is_list:
        tasks = {"annotations", "predictions", "completions", "annotation_id"}
        return "labelstudio" if keys & tasks else None
    if "shapes" in keys or {"flags", "imagePath"} <= keys:
        return "labelme"
    return "coco" if keys & {"images", "categories"} and "data" not in keys else None


def _keys(head: str) -> tuple[set[str], bool]:
    """Keys of the object that a JSON text begins with, or of the first one in its list."""
    is_list = head.lstrip().startswith("[")
    wanted, depth, keys = 1 + is_list, 0, set[str]()
    for token in _TOKEN.finditer(head):
        sign = token[0]
        if sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
            if depth < wanted and keys:
                break
        elif token[2] and depth == wanted:
            keys.add(token[1])
    return keys, is_list
