"""Files as the annotation tools write them, after their documentation; small images of 12x8."""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from tpld.data.annotations import brush

SIZE = (8, 12)


def png(mask: np.ndarray) -> str:
    """base64 of a PNG of one bit, as labelme keeps masks."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def labelme(*shapes: dict, **more: object) -> dict:
    tree = {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg"}
    return tree | {"imageData": None, "imageHeight": SIZE[0], "imageWidth": SIZE[1]} | more


def shape(label: str, points: list, kind: str = "polygon", **more: object) -> dict:
    entry = {"label": label, "points": points, "group_id": None, "description": ""}
    return entry | {"shape_type": kind, "flags": {}, "mask": None} | more


def coco(*annotations: dict, **more: object) -> dict:
    image = {"id": 397133, "file_name": "a.jpg", "width": SIZE[1], "height": SIZE[0]}
    return {
        "info": {"year": 2017}, "licenses": [],
        "images": [image | {"license": 1, "coco_url": "http://images/a.jpg"}],
        "annotations": [
            {"id": i, "image_id": 397133, "iscrowd": 0, "bbox": [0, 0, 1, 1], "area": 1} | entry
            for i, entry in enumerate(annotations)
        ],
        "categories": [
            {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
            {"id": 1, "name": "person", "supercategory": "person"},
            {"id": 18, "name": "dog", "supercategory": "animal"},
        ],
    } | more  # fmt: skip


def cvat(*shapes: str, name: str = "a.jpg", meta: str = "", more: str = "") -> str:
    labels = "".join(
        f"<label><name>{label}</name><color>{color}</color><type>any</type><attributes>"
        "</attributes></label>"
        for label, color in (("sky", "#0000ff"), ("car", "#ff0000"), ("road", "#804080"))
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta><task><id>4</id><name>segmentation</name><size>1</size><mode>annotation</mode>"
        f"<labels>{labels}{meta}</labels></task><dumped>2023-03-06</dumped></meta>\n"
        f'  <image id="0" name="{name}" width="{SIZE[1]}" height="{SIZE[0]}">\n'
        + "\n".join(shapes)
        + f"\n  </image>{more}\n</annotations>\n"
    )


def studio(*results: dict, image: str = "/data/upload/1/0a1b2c3d-a.jpg", **more: object) -> dict:
    annotation = {"id": 1001, "completed_by": 1, "was_cancelled": False, "ground_truth": False}
    annotation |= {"result": list(results), "updated_at": "2023-01-01T00:00:00Z"}
    task = {"id": 1, "annotations": [annotation], "file_upload": "0a1b2c3d-a.jpg", "drafts": []}
    return task | {"predictions": [], "data": {"image": image}, "project": 1} | more


def result(kind: str, label: str | None, name: str = "r1", **value: object) -> dict:
    value |= {kind: [label]} if label else {}
    entry = {"original_width": SIZE[1], "original_height": SIZE[0], "image_rotation": 0}
    entry |= {"value": value, "id": name, "from_name": "label", "to_name": "image"}
    return entry | {"type": kind, "origin": "manual"}


def stroke(label: str | None, mask: np.ndarray, name: str = "r1", **more: object) -> dict:
    return result("brushlabels", label, name, format="rle", rle=brush.encode(mask)) | more


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


def area(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[rows, columns] = True
    return mask
