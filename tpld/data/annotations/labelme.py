"""labelme: a JSON file an image, usually beside it.

Areas are drawn as labelme's own converters draw them: with their outline, later ones on top.
"""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tpld.data.annotations.base import (
    Annotations,
    Picture,
    Shape,
    Size,
    as_said,
    clean,
    labels_of,
    load_json,
    painter,
    points_of,
    size_of,
)
from tpld.data.annotations.draw import placed
from tpld.errors import DataError

TITLE = "labelme"
# Points that a shape needs at least; what is not here has no area.
_AREAS = {"polygon": 3, "rectangle": 2, "circle": 2, "oriented_rectangle": 4, "rotation": 4,
          "mask": 2}  # fmt: skip
_LINES = {"point", "points", "line", "linestrip"}
# Names with a meaning in labelme's own examples and converters.
_IGNORED, _BACKGROUND = "__ignore__", "_background_"


def read(files: list[Path], root: Path) -> Annotations:
    """Read labelme's files; names of images are relative to `root`.

    Raises:
        DataError: a file is damaged, or holds a shape that labelme does not know.
    """
    pictures, skipped, strange = [], Counter[str](), []
    for file in files:
        tree = load_json(file)
        if not isinstance(tree, dict) or "shapes" not in tree:
            strange.append(file)
            continue
        with as_said(str(file), TITLE):
            pictures.append(_picture(tree, file, root, skipped))
    notes = []
    if strange:
        notes.append(f"{len(strange)} JSON files are none of labelme's, first {strange[0]}")
    return Annotations(
        "labelme", pictures, roots=[root], uncovered=frozenset([_BACKGROUND]), skipped=skipped,
        notes=notes,
    )  # fmt: skip


def _picture(tree: dict[str, Any], file: Path, root: Path, skipped: Counter[str]) -> Picture:
    shapes = []
    for number, entry in enumerate(tree["shapes"]):
        place = f"{file}, shape {number}"
        with as_said(place, TITLE):
            shape = _shape(entry, place, skipped)
        shapes += [shape] if shape else []
    size = None
    if tree.get("imageHeight") and tree.get("imageWidth"):
        size = size_of(tree["imageHeight"], tree["imageWidth"])
    elif tree.get("imageData"):
        size = size_of(*_decoded(tree["imageData"]).shape[:2])
    name = _name(str(tree["imagePath"]), file, root)
    return Picture(name, size, labels_of(shapes), painter(shapes), str(file))


def _name(path: str, file: Path, root: Path) -> str:
    """Of the image: beside its JSON file, or where that says; `..` leads to the images' folder."""
    image = PurePosixPath(PureWindowsPath(path).as_posix())
    if image.is_absolute() or PureWindowsPath(path).drive or ".." in image.parts:
        image = PurePosixPath(image.name)
    below = PurePosixPath(file.parent.relative_to(root).as_posix())
    return (below / image).as_posix()


def _shape(entry: dict[str, Any], place: str, skipped: Counter[str]) -> Shape | None:
    kind = entry.get("shape_type") or "polygon"
    if kind in _LINES:
        skipped[kind] += 1
        return None
    if kind not in _AREAS:
        raise DataError(
            f"{place}: shape type '{kind}' is unknown. Known: {', '.join([*_AREAS, *_LINES])}"
        )
    points = points_of(entry["points"])
    if len(points) < _AREAS[kind]:
        skipped[f"{kind} of {len(points)} points"] += 1
        return None
    label: str | None = clean(entry["label"])
    label = None if label == _IGNORED else label
    if kind == "mask":
        code = entry["mask"]
        left, top = (int(value) for value in points[0])

        def draw(size: Size) -> np.ndarray:
            with as_said(place, TITLE):
                return placed(_decoded(code).astype(bool), left, top, size)

        return Shape(label, draw)
    return Shape(label, lambda size: _drawn(kind, points, size))


def _drawn(kind: str, points: np.ndarray, size: Size) -> np.ndarray:
    picture = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(picture)
    if kind == "rectangle":
        draw.rectangle((*points.min(0), *points.max(0)), outline=1, fill=1)
    elif kind == "circle":
        (x, y), (px, py) = points[:2]
        radius = math.hypot(px - x, py - y)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)
    else:
        draw.polygon([(x, y) for x, y in points.tolist()], outline=1, fill=1)
    return np.asarray(picture) > 0


def _decoded(text: str) -> np.ndarray:
    """The picture in a text of base 64, its first channel."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text)), formats=("PNG", "JPEG")) as picture:
            pixels = np.asarray(picture)
    except Exception as error:  # PIL raises whatever its decoders stumble over
        raise ValueError(f"a picture in it cannot be decoded: {error}") from None
    return pixels if pixels.ndim == 2 else pixels[..., 0]
