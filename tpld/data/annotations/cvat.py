"""CVAT for images 1.1: one XML file of images, with polygons, boxes, ellipses and masks.

The area of the higher `z_order` lies on top; of equal ones the later. Polygons are filled as
CVAT's own exports of masks fill them, with pycocotools.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from tpld.data.annotations.base import (
    Annotations,
    Color,
    Picture,
    Shape,
    Size,
    as_said,
    clean,
    coco_masks,
    labels_of,
    number,
    painter,
    points_of,
    size_of,
)
from tpld.data.annotations.draw import box, ellipse, from_runs, placed, polygons, runs_of
from tpld.errors import DataError

TITLE = "CVAT for images 1.1"
FILE = "annotations.xml"
_WITHOUT_AREA = {"points", "polyline", "cuboid", "skeleton", "tag"}


def read(path: Path) -> Annotations:
    """Read CVAT's file.

    Raises:
        DataError: it is damaged, of a video, or holds a shape that CVAT does not know.
        ConfigError: pycocotools is not installed.
    """
    coco_masks()
    try:
        tree = ET.parse(path).getroot()
    except (ET.ParseError, OSError, ValueError, LookupError) as error:
        raise DataError(f"{path} is damaged ({error}). Export it again, or correct it") from None
    if tree.find("track") is not None:
        raise DataError(
            f"{path} has tracks of a video. Export it from CVAT as 'CVAT for images 1.1'"
        )
    names: list[str] = []
    colors: dict[str, Color] = {}
    with as_said(f"{path}, labels", TITLE):
        for label in tree.iterfind("./meta//labels/label"):
            if label.find("parent") is not None:  # of a skeleton's points
                continue
            names.append(clean(label.findtext("name")))
            code = label.findtext("color") or ""
            if len(code) == 7 and code[0] == "#":
                red, green, blue = bytes.fromhex(code[1:])
                colors[names[-1]] = (red, green, blue)
    skipped = Counter[str]()
    pictures = []
    for image in tree.iterfind("image"):
        place = f"{path}, image '{image.get('name')}'"
        with as_said(place, TITLE):
            pictures.append(_picture(image, place, skipped))
    roots = [path.parent / "images", path.parent]
    return Annotations(
        "cvat", pictures, list(dict.fromkeys(names)) or None, colors, roots, skipped=skipped
    )


def _picture(image: ET.Element, place: str, skipped: Counter[str]) -> Picture:
    size = size_of(image.attrib["height"], image.attrib["width"])
    shapes: list[tuple[float, Shape]] = []
    for place_in_image, entry in enumerate(image):
        with as_said(f"{place}, {entry.tag} {place_in_image}", TITLE):
            if entry.tag in _WITHOUT_AREA:
                skipped[entry.tag] += 1
                continue
            shape = _shape(entry, f"{place}, {entry.tag} {place_in_image}")
            shapes.append((number(entry.get("z_order", 0)), shape))
    ordered = [shape for _, shape in sorted(shapes, key=lambda pair: pair[0])]
    name = image.attrib["name"].replace("\\", "/")
    return Picture(name, size, labels_of(ordered), painter(ordered), place)


def _shape(entry: ET.Element, place: str) -> Shape:
    label, values = clean(entry.attrib["label"]), entry.attrib
    if entry.tag == "mask":
        cut = size_of(values["height"], values["width"])
        runs = np.array([int(run) for run in values["rle"].split(",")], np.int64)
        left, top = int(values["left"]), int(values["top"])

        def draw(size: Size) -> np.ndarray:
            with as_said(place, TITLE):
                return placed(from_runs(runs, cut, by_columns=False), left, top, size)

        return Shape(label, draw)
    turn = number(values.get("rotation", 0))
    if entry.tag == "polygon":
        pairs = [pair.split(",") for pair in values["points"].split(";")]
        points = points_of([[float(value) for value in pair] for pair in pairs], least=3)
    elif entry.tag == "box":
        points = box(*_numbers(values, "xtl", "ytl", "xbr", "ybr"), turn)
    elif entry.tag == "ellipse":
        points = ellipse(*_numbers(values, "cx", "cy", "rx", "ry"), turn)
    else:
        raise ValueError(f"shape '{entry.tag}' is unknown")
    return Shape(label, lambda size: polygons([points], size))


def _numbers(values: dict[str, str], *keys: str) -> tuple[float, float, float, float]:
    first, second, third, fourth = (number(values[key]) for key in keys)
    return first, second, third, fourth


class Writer:
    """Writes label maps as CVAT's XML, a mask for each class of an image."""

    def __init__(self, out: IO[str], classes: list[str], colors: np.ndarray) -> None:
        self.out, self.classes, self.count = out, classes, 0
        out.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        )
        out.write("  <meta><task><labels>\n")
        for name, (red, green, blue) in zip(classes, colors.tolist(), strict=True):
            color = f"<color>#{red:02x}{green:02x}{blue:02x}</color>"
            out.write(f"    <label><name>{escape(name)}</name>{color}</label>\n")
        out.write("  </labels></task></meta>\n")

    def add(self, name: str, label: np.ndarray) -> None:
        """Write a label map, uint8 (H, W); values that are no class are left out."""
        height, width = label.shape
        self.out.write(_opening("  <image", id=self.count, name=name, width=width, height=height))
        self.count += 1
        for k in np.unique(label[label < len(self.classes)]).tolist():
            mask = label == k
            rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
            cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            runs = ", ".join(map(str, runs_of(cut.ravel()).tolist()))
            self.out.write(
                _opening(
                    "    <mask", label=self.classes[k], source="auto", occluded=0, rle=runs,
                    left=columns[0], top=rows[0], width=cut.shape[1], height=cut.shape[0],
                    z_order=0,
                )[:-2] + "></mask>\n"
            )  # fmt: skip
        self.out.write("  </image>\n")

    def close(self) -> None:
        """Write the end."""
        self.out.write("</annotations>\n")


def _opening(tag: str, **attributes: object) -> str:
    return f"{tag} {' '.join(f'{k}={quoteattr(str(v))}' for k, v in attributes.items())}>\n"
