"""The data section that `tpld init` writes: domains, their lists of images, their label tables."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpld.commands.own.convert import below, converted, renumbered
from tpld.commands.own.discover import Domain, image_size
from tpld.commands.own.look import Found, Side
from tpld.commands.own.matching import Labelled
from tpld.commands.own.splits import Entry
from tpld.data.datasets import Dataset
from tpld.data.listing import image_files
from tpld.data.opened import image_size as size_of_file
from tpld.data.table import IGNORE
from tpld.errors import ConfigError, DataError

# Pixels of an image in a first try on a CPU.
_QUICK_PIXELS = 192 * 384
_DIVISOR = 16
Size = tuple[int, int]


@dataclass
class Section:
    """What is written of one side.

    Attributes:
        text: lines of YAML below ``source:`` or ``target:``.
        lists: files to write, and the names in each.
        size: height and width of the images that the network sees.
        images: how many are trained on; None: a public data set, which nobody has counted.
        labelled: something can be evaluated.
    """

    text: list[str]
    lists: dict[Path, list[str]] = field(default_factory=dict)
    size: Size = (0, 0)
    images: int | None = None
    labelled: bool = False


def section_of(
    found: Found, side: Side, folder: Path, quick: bool, numbers: dict[int, int] | None, ids: Path
) -> Section:
    """Lines of the configuration for one side.

    Args:
        found: everything that is known.
        side: the side.
        folder: for lists of images.
        quick: bring images to the size of a first try.
        numbers: of the values in converted files; None: they are used as they are.
        ids: folder of the converted files.
    """
    if side.dataset:
        return _public(found, side, side.dataset, quick)
    entries = found.plans[side.name].entries
    section = Section([], images=sum(len(entry.trained_on) for entry in entries))
    section.labelled = any(entry.labels and entry.val for entry in entries)
    sizes: list[Size] = []
    for entry in entries:
        domain = entry.domain
        if numbers is not None and entry.labels:
            where = below(ids, domain, len(side.domains))
            entry = Entry(**{**vars(entry), "domain": converted(domain, where)})
        lines, lists, size = _entry(found, side, entry, folder, quick, numbers)
        section.lists |= lists
        sizes.append(size)
        section.text += _listed(lines) if len(entries) > 1 else lines
    section.size = (min(s[0] for s in sizes), min(s[1] for s in sizes))
    return section


def _listed(lines: list[str]) -> list[str]:
    return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]


def _entry(
    found: Found,
    side: Side,
    entry: Entry,
    folder: Path,
    quick: bool,
    numbers: dict[int, int] | None,
) -> tuple[list[str], dict[Path, list[str]], Size]:
    domain = entry.domain
    lines = ["kind: folder"]
    lists: dict[Path, list[str]] = {}
    if entry.name:
        lines.append(f"name: {_json(entry.name)}")
    lines.append(f"images: {_json(domain.images)}")
    lines.append(f"image_suffix: {_one_or_more(domain.image_suffixes)}")
    labelled = found.labels.get(side.name)
    if entry.labels and labelled:
        note = "" if side.name == "source" else "   # for evaluation and reports alone"
        lines.append(f"labels: {_json(domain.labels)}{note}")
        lines.append(f"label_suffix: {_one_or_more(domain.label_suffixes)}")
        lines += _table(labelled, numbers, found.classes.maps.get(side.name, {}))
    for part in ("train", "val"):
        names = entry.train if part == "train" else entry.val
        if names is None or (part == "train" and _is_whole(domain, names)):
            continue
        if not names:
            lines.append(f"{part}: none   # it is for evaluation alone")
            continue
        path = folder / f"{side.name}{entry.name and '_'}{entry.name}_{part}.txt"
        lists[path] = names
        lines.append(f"{part}: {_json(path)}   # {len(names)} images")
    if entry.name and entry.trained_on:
        lines.append(f"weight: {entry.weight}   # drawn as often as its images ask")
    size = image_size(domain)
    return [*lines, *_resize(size, quick)], lists, _seen_size(size, quick)


def _table(
    labelled: Labelled, numbers: dict[int, int] | None, mapped: dict[str, list[str]]
) -> list[str]:
    """Label table: a line a value, with its share and, where it was converted, what it was."""
    table, counted = labelled.table, labelled.counted
    assert table is not None and counted is not None
    before = {number: value for value, number in (numbers or {}).items()}
    now = renumbered(table, numbers) if numbers is not None else table
    lines = ["values:"]
    for value, name in now.names.items():
        was = before.get(value, value)
        share = f"{labelled.share([was]):.2f} %" if was in counted.pixels else "none"
        note = f", was {counted.shown(was)}" if numbers is not None and was != value else ""
        lines.append(f"  {value}: {_json(name)}   # {share} of the labelled pixels{note}")
    ignored = [value for value in now.ignored if value != IGNORE and 0 <= value <= 65535]
    lines.append(f"ignored: {ignored}   # values that stand for no class")
    if mapped:
        lines.append(f"map: {_json(mapped)}   # class: labels that are it")
    return lines


def _public(found: Found, side: Side, dataset: Dataset, quick: bool) -> Section:
    lines = [f"kind: {dataset.kind}", f"root: {_json(side.folder)}"]
    mapped = found.classes.maps.get(side.name, {})
    if mapped:
        lines.append(f"map: {_json(mapped)}   # class: labels that are it")
    size = dataset.resize or dataset.size or _first_size(side.folder / dataset.train.images)
    evaluated = dataset.val is not None and dataset.val.labels is not None
    return Section(lines + _resize(size, quick), size=_seen_size(size, quick), labelled=evaluated)


def _first_size(folder: Path) -> Size:
    names = image_files(folder, follow_links=True).names
    if not names:
        raise DataError(f"no image below {folder}. Complete the data set")
    return size_of_file(folder / names[0])


def _is_whole(domain: Domain, names: list[str]) -> bool:
    """Whether the pipeline finds the same images without a list."""
    ends = sorted(domain.image_suffixes, key=len, reverse=True)
    there: set[str] = set()
    for file in image_files(domain.images, follow_links=True).names:
        end = next((end for end in ends if file.endswith(end)), None)
        if end:
            there.add(file.removesuffix(end))
    return there == set(names)


def _resize(size: Size, quick: bool) -> list[str]:
    small = _quick_size(size) if quick else None
    said = f"   # height, width; the files are {size[0]}x{size[1]}"
    return [f"resize: {list(small)}{said}"] if small else []


def _seen_size(size: Size, quick: bool) -> Size:
    return (_quick_size(size) or size) if quick else size


def _quick_size(size: Size) -> Size | None:
    """Height and width at about the area of a first try; None for images that are small already."""
    factor = math.sqrt(_QUICK_PIXELS / (size[0] * size[1]))
    if factor >= 1:
        return None
    height, width = (max(_DIVISOR, _DIVISOR * round(n * factor / _DIVISOR)) for n in size)
    return height, width


def _one_or_more(suffixes: list[str]) -> str:
    return _json(suffixes[0] if len(suffixes) == 1 else suffixes)


def _json(value: Any) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def refuse_edited(lists: dict[Path, list[str]]) -> None:
    """Refuse to write over a list that holds other names than it would get.

    Raises:
        ConfigError: somebody has edited it, or it is another configuration's.
    """
    for path, names in lists.items():
        if path.exists() and path.read_text(encoding="utf-8").split("\n") != [*names, ""]:
            raise ConfigError(
                f"{path} exists already and holds other names than `init` would write. Move it "
                "away, or give another --out"
            )
