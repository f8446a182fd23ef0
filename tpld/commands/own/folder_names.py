"""What folders and files are called: images, labels, or neither; training, evaluation or test."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

Role = Literal["image", "label", "other"]

# In order of preference, where one folder holds several.
_IMAGE = (
    "images", "image", "img", "imgs", "jpegimages", "leftimg8bit", "rgb", "rgbs", "photos", "photo",
    "pictures", "frames", "stills", "sat",
)  # fmt: skip
_LABEL = {
    "labels", "label", "labeled", "lbl", "lbls", "masks", "mask", "annotations", "annotation",
    "annots", "annot", "gt", "gts", "gtfine", "gtcoarse", "groundtruth", "groundtruths",
    "segmentationclass", "segmentation", "segmentations", "seg", "segs", "semantic", "semantics",
    "semseg", "labelids", "labeltrainids", "trainids", "labelmap", "labelmaps",
}  # fmt: skip
_OTHER = {
    "depth", "depths", "disparity", "disparities", "disp", "instance", "instances", "instanceids",
    "segmentationobject", "flow", "normals", "normal", "confidence", "overlay", "overlays",
    "thumbnails", "rightimg8bit", "edges", "boundary", "boundaries", "panoptic",
}  # fmt: skip
# After the name of an image only: `color` may be the folder of the images themselves.
_LABEL_TAILS = _LABEL | {"color", "colors", "colour", "colours", "l", "annotated"}
_SPLIT = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
SEPARATORS = "_-. "


class Place(NamedTuple):
    """Where a file lies.

    Attributes:
        key: what the images and labels that belong together share: folders above the one that is
            called like images or labels, and what else stands in that one's name.
        role: of the folder; None: none above it is called so.
        folder: relative path of that folder.
    """

    key: tuple[str, ...]
    role: Role | None
    folder: str


def role_of(folder: str) -> tuple[Role | None, str]:
    """What a folder's name says that it holds, and the rest of the name.

    ``Labels`` is (label, ""), ``train_masks`` and ``trainannot`` are (label, "train").
    """
    words = [word for word in re.split(r"[_\-. ]+", folder) if word]
    if len(words) == 1 and (cut := re.fullmatch(r"(?i)(\w+?)(annot|masks?|labels?)", folder)):
        words = [cut[1], cut[2]] if cut[1].lower() in _SPLIT else words
    if camel := re.fullmatch(r"(images|labels|masks)(Tr|Ts)", folder):  # of nnU-Net
        words = [camel[1], {"Tr": "train", "Ts": "test"}[camel[2]]]
    low = [word.lower() for word in words]
    known: dict[Role, set[str]] = {"other": _OTHER, "label": _LABEL, "image": set(_IMAGE)}
    for role, called in known.items():
        if any(word in called for word in low):
            every = _OTHER | _LABEL | set(_IMAGE)
            rest = [w for w in words if w.lower() not in every and not w.isdigit()]
            return role, "_".join(rest)
    return None, folder


def place_of(file: str) -> Place:
    """Where a file lies, from its path relative to a folder."""
    folders = PurePosixPath(file).parts[:-1]
    for i, folder in enumerate(folders):
        role, rest = role_of(folder)
        if role:
            key = folders[:i] + ((rest,) if rest else ())
            return Place(key, role, "/".join(folders[: i + 1]))
    return Place((), None, "")


def preference(folder: str) -> int:
    """Of several folders of images: which comes first."""
    words = re.split(r"[_\-. ]+", PurePosixPath(folder).name.lower())
    return min((_IMAGE.index(word) for word in words if word in _IMAGE), default=len(_IMAGE))


def split_of(folders: tuple[str, ...] | list[str]) -> str | None:
    """``train``, ``val`` or ``test``, where one of some folders is called so."""
    return next((_SPLIT[f.lower()] for f in folders if f.lower() in _SPLIT), None)


def tails(stem: str) -> list[tuple[str, Role]]:
    """Ways to read a file's name as that of an image and something that says that it is none.

    ``a_1_gt_color`` -> (``a_1_gt``, label), (``a_1``, label); the longest name first.
    """
    found: list[tuple[str, Role]] = []
    start = stem.rfind("/") + 1
    for i in range(len(stem) - 1, start, -1):
        if stem[i] in SEPARATORS:
            words = [w.lower() for w in re.split(r"[_\-. ]+", stem[i + 1 :]) if w]
            role: Role | None = (
                "other" if _OTHER & {*words} else "label" if _LABEL_TAILS & {*words} else None
            )
            if role:
                found.append((stem[:i], role))
    return found


def without_image_tail(stem: str) -> str:
    """``aachen_1_leftImg8bit`` -> ``aachen_1``; other names as they are."""
    for i in range(len(stem) - 1, stem.rfind("/") + 1, -1):
        if stem[i] in SEPARATORS:
            words = re.split(r"[_\-. ]+", stem[i + 1 :].lower())
            return stem[:i] if set(words) & {*_IMAGE} else stem
    return stem
