"""Names of label values, from the files that tools and data sets put beside them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpld.commands.own.label_files import packed_of
from tpld.data.datasets import CLASSES, DATASETS
from tpld.errors import DataError

RGB = tuple[int, int, int]
# What stands for no class, as tools write it.
VOID = {"unlabelled", "unlabeled", "void", "ignore", "ignored", "ignore_label", "__ignore__"}
_FEW = 5
_FILES = (
    "classes.csv", "labelmap.txt", "class_dict.csv", "codes.txt", "classes.json", "legend.json",
    "names.json", "labels.json", "id2label.json",
)  # fmt: skip
_KEYS = ("names", "legend", "classes", "labels", "categories", "id2label")
_VALUE = ("value", "id", "index", "class_id", "label_id", "trainid")
_NAME = ("name", "class_name", "class", "label", "readable", "title")


@dataclass
class Legend:
    """What label values stand for.

    Attributes:
        where: file or data set, for messages.
        by_value: name of each value; names of `VOID` stand for no class.
        by_color: name of each colour (`label_files.packed_of`).
        colors: colour of each name, for pictures.
        ordered: values were not written there, but counted from 0.
    """

    where: str
    by_value: dict[int, str] = field(default_factory=dict)
    by_color: dict[int, str] = field(default_factory=dict)
    colors: dict[str, RGB] = field(default_factory=dict)
    ordered: bool = False


def is_void(name: str) -> bool:
    """Whether a name stands for no class."""
    return name.strip().casefold() in VOID


def find_legend(folders: Iterable[Path]) -> Legend | None:
    """The legend in the first of some folders that has one.

    Raises:
        DataError: see `read_legend`.
    """
    for folder in dict.fromkeys(folders):
        for name in _FILES:
            file = folder / name
            if file.is_file() and (legend := read_legend(file, sure=name == "classes.csv")):
                return legend
    return None


def of_dataset(kind: str) -> Legend:
    """The label table of a public data set, by the classes that its labels stand for.

    Where hardly any of its labels is one of Cityscapes' classes (IDD-Lite), they have their own
    names; elsewhere such labels are void.
    """
    legend, labels = Legend(DATASETS[kind].title), DATASETS[kind].labels
    own = sum(label.stands_for is not None for label in labels) < _FEW
    for label in labels:
        name = label.stands_for or (label.name if own else "void")
        legend.by_value[label.id] = name
        if label.color:
            legend.by_color[packed_of(label.color)] = name
        if label.stands_for:
            legend.colors[name] = CLASSES[name]
    return legend


def read_legend(file: Path, sure: bool = True) -> Legend | None:
    """Read names of values from a table, a list or JSON.

    Args:
        file: classes.csv (value, name, red, green, blue; with `,`, `;` or tabs), class_dict.csv
            (name, r, g, b), labelmap.txt of VOC and CVAT (name:r,g,b::), codes.txt (a name a line),
            or JSON (names by value, values by name, a list of names or of entries).
        sure: something that is no legend is an error; False: it is None.

    Raises:
        DataError: it cannot be read, or gives a value or colour two names.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".json":
            return _of_json(file, json.loads(text))
        if file.suffix.lower() == ".csv":
            return _of_csv(file, text)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return _of_lines(file, [line for line in lines if not line.startswith("#")])
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError, KeyError) as error:
        if not sure and isinstance(error, KeyError):
            return None
        raise DataError(
            f"{file} cannot be read as a legend of label values ({error}). Correct it, or move it "
            "away; a classes.csv has the columns value,name,red,green,blue"
        ) from None


def _of_csv(file: Path, text: str) -> Legend:
    first = text.splitlines()[0] if text.strip() else ""
    mark = max(",;\t", key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=mark) if any(row)]
    if not rows:
        raise ValueError("it is empty")
    head = [cell.strip().casefold() for cell in rows[0]]
    name_at = next((head.index(n) for n in _NAME if n in head), None)
    if name_at is None:
        raise ValueError(f"no column 'name' among {', '.join(head)}")
    value_at = next((head.index(n) for n in _VALUE if n in head), None)
    at = [
        next((head.index(c) for c in (n, n[0]) if c in head), None)
        for n in ("red", "green", "blue")
    ]
    legend = Legend(str(file), ordered=value_at is None)
    for number, row in enumerate(rows[1:]):
        if len(row) < len(head):
            raise ValueError(f"line {number + 2} has {len(row)} of {len(head)} columns")
        value = _number(row[value_at], number + 2) if value_at is not None else number
        rgb = None
        if None not in at:
            r, g, b = (_number(row[place], number + 2) for place in at if place is not None)
            rgb = (r, g, b)
        _add(legend, value, row[name_at], rgb)
    return legend


def _number(text: str, line: int) -> int:
    try:
        number = float(text)
        if number != int(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"line {line}: '{text}' is no whole number") from None
    return int(number)


def _of_lines(file: Path, lines: list[str]) -> Legend:
    """labelmap.txt (``name:r,g,b::``) or codes.txt (a name a line); values in order from 0."""
    legend = Legend(str(file), ordered=True)
    for number, line in enumerate(lines):
        name, _, rest = line.partition(":")
        color = rest.split(":")[0].split(",") if rest else []
        rgb = None
        if len(color) == 3:
            r, g, b = (_number(text, number + 1) for text in color)
            rgb = (r, g, b)
        _add(legend, number, name, rgb)
    if not legend.by_value:
        raise ValueError("it is empty")
    return legend


def _of_json(file: Path, tree: Any) -> Legend:
    """Names by value, values by name, or a list: of names, or of entries with id and name."""
    legend = Legend(str(file))
    while isinstance(tree, dict) and (key := next((k for k in _KEYS if k in tree), None)):
        tree = tree[key]
    if isinstance(tree, dict):
        for key, entry in tree.items():
            if isinstance(entry, int):
                _add(legend, entry, key, None)
            else:
                name = entry if isinstance(entry, str) else entry["name"]
                _add(legend, _number(key, 1), name, None)
    elif isinstance(tree, list):
        for place, entry in enumerate(tree):
            if isinstance(entry, str):
                _add(legend, place, entry, None)
                legend.ordered = True
                continue
            name = next(entry[k] for k in (*_NAME, "label") if k in entry)
            value = next((entry[k] for k in _VALUE if k in entry), place)
            legend.ordered |= not any(k in entry for k in _VALUE)
            rgb = entry.get("color")
            rgb = tuple(map(int, rgb)) if isinstance(rgb, list) and len(rgb) == 3 else None
            _add(legend, int(value), str(name), rgb)
    if not legend.by_value:
        raise KeyError("no names in it")
    return legend


def _add(legend: Legend, value: int, name: str, rgb: Any) -> None:
    name = name.strip()
    if not name or any(not sign.isprintable() for sign in name):
        raise ValueError(f"the name of value {value} is {name!r}, which is no name")
    if legend.by_value.setdefault(value, name) != name:
        raise ValueError(f"value {value} is both '{legend.by_value[value]}' and '{name}'")
    if rgb is None:
        return
    if not all(0 <= channel <= 255 for channel in rgb):
        raise ValueError(f"the colour of '{name}' is {list(rgb)}; channels go from 0 to 255")
    legend.by_color.setdefault(packed_of(rgb), name)
    legend.colors.setdefault(name, rgb)
