"""Label Studio: a JSON file of tasks, with brushes, polygons, boxes and ellipses; later on top.

Of several annotations of a task the one that is marked as ground truth counts, else the last one.
Predictions count where the whole file has no annotation, as in what `Writer` writes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np

from tpld.data.annotations import brush
from tpld.data.annotations.base import (
    Annotations,
    Picture,
    Shape,
    Size,
    as_said,
    clean,
    coco_masks,
    labels_of,
    load_json,
    number,
    painter,
    points_of,
    size_of,
)
from tpld.data.annotations.draw import box, ellipse, polygons
from tpld.errors import DataError

TITLE = "Label Studio"
FILE = "tasks.json"
CONFIG = "labeling_config.xml"
LOCAL = "/data/local-files/?d="
_LABELS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels", "labels")
_WITHOUT_AREA = {"keypoint", "keypointlabels", "vector", "vectorlabels"}
# What a result's value has, if it is an area.
_AREAS = ("rle", "points", "radiusX", "width")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")


def read(path: Path) -> Annotations:
    """Read an export: JSON, JSON-MIN, or tasks with predictions.

    Raises:
        DataError: it is damaged, or an image was turned in Label Studio.
        ConfigError: pycocotools is not installed.
    """
    coco_masks()
    tasks = load_json(path)
    if not isinstance(tasks, list):
        raise DataError(f"{path} is no list of tasks. Export it from Label Studio as JSON")
    skipped, pictures, several = Counter[str](), [], 0
    with as_said(str(path), TITLE):
        said = [_results(task) for task in tasks]
        guessed = not any(results is not None for results, _ in said)
        if guessed:
            said = [_predicted(task) for task in tasks]
    for position, (task, (results, count)) in enumerate(zip(tasks, said, strict=True)):
        place = f"{path}, task {task.get('id', position)}"
        several += count > 1
        with as_said(place, TITLE):
            pictures.append(_picture(task, results, place, skipped))
    notes = [f"{several} tasks have several annotations: one was taken"] if several else []
    if guessed and tasks:
        notes.append("nothing is annotated: the predictions were taken")
    return Annotations("labelstudio", pictures, skipped=skipped, notes=notes)


Results = list[dict[str, Any]]


def _results(task: dict[str, Any]) -> tuple[Results | None, int]:
    """The results that count, None where nobody has annotated; and the number of annotations."""
    if "data" not in task:  # JSON-MIN: what was annotated lies beside the image
        areas = [area for value in task.values() if _is_areas(value) for area in value]
        return [{"value": area, **area} for area in areas], 1
    done = task.get("annotations") or task.get("completions") or []
    done = [entry for entry in done if not entry.get("was_cancelled")]
    if not done:
        return None, 0
    true = [entry for entry in done if entry.get("ground_truth")]
    # Times are of one form, so that they sort as text; of equal ones the later in the file counts.
    best = max(reversed(true or done), key=lambda entry: str(entry.get("updated_at") or ""))
    return best["result"], len(true or done)


def _is_areas(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(area, dict) and "original_width" in area for area in value)
    )


def _predicted(task: dict[str, Any]) -> tuple[Results | None, int]:
    made = task.get("predictions") or []
    return (made[-1]["result"], len(made)) if made else (None, 0)


def _picture(
    task: dict[str, Any], results: Results | None, place: str, skipped: Counter[str]
) -> Picture:
    shapes, sizes = [], set()
    labelled = {entry.get("id") for entry in results or () if _label(entry["value"])}
    for position, entry in enumerate(results or ()):
        with as_said(f"{place}, result {entry.get('id', position)}", TITLE):
            value = entry["value"]
            if entry.get("type") in _WITHOUT_AREA:
                skipped[str(entry["type"])] += 1
            elif any(key in value for key in _AREAS):
                size = size_of(entry["original_height"], entry["original_width"])
                sizes.add(size)
                if entry.get("image_rotation"):
                    raise ValueError("the image was turned in Label Studio; turn it back there")
                label = _label(value)
                # A region and its label may be two results of one id.
                if label or entry.get("id") is None or entry["id"] not in labelled:
                    shapes.append(_shape(value, label, size, f"{place}, result {position}"))
                    skipped["area without a label: its pixels are ignored"] += not label
                    skipped["further label of an area"] += len(_all_labels(value)) > 1
    if len(sizes) > 1:
        raise DataError(f"{place}: its results are of images of several sizes {sorted(sizes)}")
    size = sizes.pop() if sizes else None
    name = _name(task, place)
    return Picture(name, size, labels_of(shapes), painter(shapes), place, results is not None)


def _all_labels(value: dict[str, Any]) -> list[str]:
    return next((value[key] for key in _LABELS if value.get(key)), [])


def _label(value: dict[str, Any]) -> str | None:
    labels = _all_labels(value)
    return clean(labels[0]) if labels else None


def _shape(value: dict[str, Any], label: str | None, size: Size, place: str) -> Shape:
    """Coordinates are per cent of width and height."""
    if "rle" in value:
        code = value["rle"]

        def draw(size: Size) -> np.ndarray:
            with as_said(place, TITLE):
                return brush.decode(code, size)

        return Shape(label, draw)
    across, down = size[1] / 100, size[0] / 100
    if "points" in value:
        points = points_of(points_of(value["points"], least=3) * (across, down))
        return Shape(label, lambda size: polygons([points], size))
    x, y = number(value["x"]) * across, number(value["y"]) * down
    turn = number(value.get("rotation") or 0)
    if "radiusX" in value:
        radii = number(value["radiusX"]) * across, number(value["radiusY"]) * down
        points = ellipse(x, y, *radii, turn)
    else:
        right, bottom = x + number(value["width"]) * across, y + number(value["height"]) * down
        points = box(x, y, right, bottom, turn, corner=True)
    return Shape(label, lambda size: polygons([points], size))


def _name(task: dict[str, Any], place: str) -> str:
    """Relative path of the image: from a file that was served, uploaded, or lies in a store."""
    data = task.get("data", task)
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    named = [texts[key] for key in ("image", "img", "url") if texts.get(key)]
    address = next(iter([*named, *(text for text in texts.values() if "." in text)]), None)
    if address is None:
        raise DataError(f"{place}: its `data` names no image")
    parts = urlsplit(address)
    if "d=" in parts.query and "local-files" in parts.path:
        return parse_qs(parts.query, keep_blank_values=True)["d"][0].lstrip("/")
    path = unquote(parts.path) if parts.scheme or address.startswith("/") else address
    if "/data/upload/" in path or path.startswith("upload/"):
        return _UPLOADED.sub("", PurePosixPath(path).name)
    return PurePosixPath(path).name if parts.scheme else path.lstrip("/").replace("\\", "/")


class Writer:
    """Writes label maps as tasks with predictions, a brush for each class of an image.

    Args:
        out: where the tasks go.
        classes: names.
        root: what stands before an image's name in its address.
    """

    def __init__(self, out: IO[str], classes: list[str], root: str = LOCAL) -> None:
        self.out, self.classes, self.root, self.count = out, classes, root, 0
        out.write("[")

    def add(self, name: str, label: np.ndarray) -> None:
        """Write a label map, uint8 (H, W); values that are no class are left out."""
        height, width = label.shape
        found = np.unique(label[label < len(self.classes)]).tolist()
        results = [
            {
                "id": f"{self.count}_{k}",
                "type": "brushlabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    "format": "rle",
                    "rle": brush.encode(label == k),
                    "brushlabels": [self.classes[k]],
                },
            }
            for k in found
        ]
        task = {
            "data": {"image": self.root + quote(name)},
            "predictions": [{"model_version": "tpld", "result": results}],
        }
        text = json.dumps(task, ensure_ascii=False, separators=(",", ":"))
        self.out.write(("," if self.count else "") + "\n" + text)
        self.count += 1

    def close(self) -> None:
        """Write the end."""
        self.out.write("\n]\n")


def labeling_config(classes: list[str], colors: np.ndarray) -> str:
    """What Label Studio wants to be told about a project, as XML: the image, and its labels."""
    lines = ['<View>\n  <Image name="image" value="$image" zoom="true"/>']
    lines.append('  <BrushLabels name="label" toName="image">')
    for name, (red, green, blue) in zip(classes, colors.tolist(), strict=True):
        background = f"#{red:02x}{green:02x}{blue:02x}"
        lines.append(f'    <Label value={quoteattr(name)} background="{background}"/>')
    return "\n".join([*lines, "  </BrushLabels>", "</View>", ""])
