"""COCO: one JSON file of images, categories and annotations (polygons, or runs of pixels).

The larger of two areas that overlap lies below, so that small objects stay visible: COCO has no
order of its own. Several polygons of an annotation are united, as pycocotools unites them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import IO, Any

import numpy as np

from tpld.data.annotations.base import (
    Annotations,
    Color,
    Picture,
    Size,
    as_said,
    clean,
    coco_masks,
    load_json,
    points_of,
    size_of,
)
from tpld.data.annotations.draw import from_runs, polygons
from tpld.errors import DataError

TITLE = "COCO"
FILE = "annotations.json"


def read(path: Path) -> Annotations:
    """Read a COCO file.

    Raises:
        DataError: it is damaged, or names a category that it does not list.
        ConfigError: pycocotools is not installed.
    """
    coco_masks()
    tree = load_json(path)
    with as_said(str(path), TITLE):
        images = dict(_by_id(tree["images"], path, "image"))
        categories = {
            key: clean(entry["name"]) for key, entry in _by_id(tree["categories"], path, "category")
        }
        colors = {clean(entry["name"]): _color(entry) for entry in tree["categories"]}
        entries = list(tree.get("annotations") or [])
    skipped = Counter[str]()
    areas: dict[Any, list[_Area]] = {key: [] for key in images}
    for number, entry in enumerate(entries):
        place = f"{path}, annotation {_id(entry, number)}"
        with as_said(place, TITLE):
            if entry["image_id"] not in images:
                skipped["annotation of an image that is not listed"] += 1
                continue
            if entry["category_id"] not in categories:
                raise DataError(
                    f"{place}: category {entry['category_id']} is not among the file's "
                    f"categories {sorted(categories, key=str)}"
                )
            area = _area(entry, categories[entry["category_id"]], place, skipped)
        areas[entry["image_id"]] += [area] if area else []
    return Annotations(
        "coco",
        [_picture(entry, areas[key], f"{path}, image {key}") for key, entry in images.items()],
        names=list(dict.fromkeys(categories.values())),
        colors={name: color for name, color in colors.items() if color},
        roots=[folder / below for folder in (path.parent, path.parent.parent)
               for below in ("", "images")],
        skipped=skipped,
    )  # fmt: skip


def _id(entry: Any, number: int) -> Any:
    return entry.get("id", f"number {number}") if isinstance(entry, dict) else f"number {number}"


def _by_id(entries: list[dict[str, Any]], path: Path, what: str) -> list[tuple[Any, dict]]:
    found = [(entry["id"], entry) for entry in entries]
    twice = [key for key, count in Counter(key for key, _ in found).items() if count > 1]
    if twice:
        raise DataError(f"{path}: {what} {twice[0]} is listed twice. Give each its own `id`")
    return found


def _color(entry: dict[str, Any]) -> Color | None:
    color = entry.get("color")
    if not isinstance(color, list) or len(color) != 3:
        return None
    red, green, blue = color
    whole = all(isinstance(value, int) and 0 <= value <= 255 for value in color)
    return (red, green, blue) if whole else None


class _Area:
    """An annotation: its label, and its mask as pycocotools keeps it."""

    def __init__(self, label: str, segmentation: Any, place: str) -> None:
        self.label, self.segmentation, self.place = label, segmentation, place

    def encoded(self, size: Size) -> dict[str, Any]:
        """Runs of the mask, in pycocotools' own code."""
        masks = coco_masks()
        with as_said(self.place, TITLE):
            if isinstance(self.segmentation, list):
                mask = polygons(self.segmentation, size)
            else:
                counts = self.segmentation["counts"]
                if list(self.segmentation["size"]) != list(size):
                    raise ValueError(
                        f"its mask has size {self.segmentation['size']}, its image {list(size)}"
                    )
                runs = counts if isinstance(counts, list) else runs_of_text(counts)
                mask = from_runs(runs, size, by_columns=True)
            return masks.encode(np.asfortranarray(mask, np.uint8))


def runs_of_text(counts: str) -> list[int]:
    """Lengths of runs from COCO's compressed text of them.

    pycocotools reads such a text without a look at its end, and takes half of a mask for the whole:
    so the runs are taken apart here, where they can be added up.

    Raises:
        ValueError: no such text.
    """
    runs: list[int] = []
    value = shift = 0
    for sign in counts.encode("ascii"):
        bits = sign - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the `counts` of a mask hold the sign {chr(sign)!r}")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4)  # the last group's sign
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift or not runs:
        raise ValueError("the `counts` of a mask end in the middle")
    return runs


def _area(entry: dict, label: str, place: str, skipped: Counter[str]) -> _Area | None:
    segmentation = entry.get("segmentation")
    if not segmentation:
        skipped["box without a segmentation" if entry.get("bbox") else "empty segmentation"] += 1
        return None
    if isinstance(segmentation, list):
        parts = [points_of(np.reshape(part, (-1, 2))) for part in segmentation]
        segmentation = [part for part in parts if len(part) >= 3]
        skipped["polygon of less than 3 points"] += len(parts) - len(segmentation)
        if not segmentation:
            return None
    elif not isinstance(segmentation["counts"], str | list):
        raise ValueError("the `counts` of a mask are neither text nor a list")
    return _Area(label, segmentation, place)


def _picture(entry: dict[str, Any], areas: list[_Area], place: str) -> Picture:
    with as_said(place, TITLE):
        name = str(entry["file_name"]).replace("\\", "/")
        size = size_of(entry["height"], entry["width"])

    def paint(size: Size):
        masks = coco_masks()
        encoded = [(area.label, area.encoded(size)) for area in areas]
        # Stable: of equal ones the later lies on top.
        for label, runs in sorted(encoded, key=lambda pair: -int(masks.area(pair[1]))):
            yield label, masks.decode(runs).astype(bool)

    return Picture(name, size, frozenset(area.label for area in areas), paint, place)


class Writer:
    """Writes label maps as one COCO file, a mask for each class of an image."""

    def __init__(self, out: IO[str], classes: list[str], colors: np.ndarray) -> None:
        coco_masks()
        self.out, self.images, self.count = out, [], 0
        # From 1: to several readers category 0 means none.
        self.categories = [
            {"id": k + 1, "name": name, "supercategory": "", "color": color.tolist()}
            for k, (name, color) in enumerate(zip(classes, colors, strict=True))
        ]
        out.write('{"annotations": [')

    def add(self, name: str, label: np.ndarray) -> None:
        """Write a label map, uint8 (H, W); values that are no class are left out."""
        masks = coco_masks()
        image = len(self.images) + 1
        height, width = label.shape
        self.images.append({"id": image, "file_name": name, "width": width, "height": height})
        for k in np.unique(label[label < len(self.categories)]).tolist():
            runs = masks.encode(np.asfortranarray(label == k, np.uint8))
            self.count += 1
            entry = {
                "id": self.count,
                "image_id": image,
                "category_id": k + 1,
                "segmentation": {"size": [height, width], "counts": runs["counts"].decode("ascii")},
                "area": int(masks.area(runs)),
                "bbox": masks.toBbox(runs).tolist(),
                "iscrowd": 0,
            }
            self.out.write(("," if self.count > 1 else "") + "\n" + json.dumps(entry))

    def close(self) -> None:
        """Write what stands behind the annotations."""
        rest = {"images": self.images, "categories": self.categories}
        text = json.dumps(rest, ensure_ascii=False)
        self.out.write(f'\n], "info": {{"description": "pseudo labels of tpld"}}, {text[1:]}\n')
