"""Pascal VOC: label PNGs in ``SegmentationClass``, and ``labelmap.txt`` with their colours.

So CVAT's 'Segmentation mask' exports, and so VOC itself, which has no labelmap: its files, known
by their names, are read by index. labelme's converter writes ``class_names.txt`` instead, which
names the indices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tpld.data.annotations.base import Annotations, Color, Picture, Size, as_said, clean
from tpld.errors import DataError

TITLE = "Pascal VOC"
FOLDERS = ("SegmentationClass", "SegmentationClassPNG")
# The classes of VOC itself, in the order of its indices.
CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
BACKGROUND = frozenset(["background", "_background_"])
_IGNORED = frozenset(["ignored", "__ignore__"])
_BORDER: Color = (224, 224, 192)  # round the objects of VOC, index 255
_IGNORE = 255
_SHOWN = 5
_LEGENDS = ("labelmap.txt", "class_names.txt")
_ITS_OWN = re.compile(r"20\d\d_\d{6}\.png")  # names of VOC's own files: 2007_000032.png


def folder_of(path: Path) -> Path | None:
    """The folder of the label files: below `path`, or itself."""
    if path.name in FOLDERS:
        return path if path.is_dir() else None
    return next((path / name for name in FOLDERS if (path / name).is_dir()), None)


def has_legend(folder: Path, files: Sequence[Path]) -> bool:
    """Whether anything says what the values of label files mean."""
    listed = any((folder.parent / name).is_file() for name in _LEGENDS)
    return listed or (bool(files) and all(_ITS_OWN.fullmatch(file.name) for file in files))


def read(path: Path) -> Annotations:
    """Read an export; names of images are those of the label files.

    Raises:
        DataError: no label files, a damaged labelmap, or a colour that it does not know.
    """
    folder = folder_of(path)
    files = sorted(folder.rglob("*.png")) if folder else []
    files = [file for file in files if not file.name.startswith(".")]
    if not folder or not files:
        raise DataError(f"{path} has no folder {' or '.join(FOLDERS)} with PNG files")
    if not has_legend(folder, files):
        raise DataError(
            f"{folder} has no {' or '.join(_LEGENDS)} beside it, so that nothing says what its "
            "values mean. Files of class numbers are label files as they are; write a labelmap.txt "
            "with lines such as 'road:128,64,128::' for coloured ones"
        )
    table = _table(folder.parent)
    pictures = [
        Picture(
            file.relative_to(folder).as_posix(), *_look(file, table), _painter(file, table),
            str(file),
        )
        for file in files
    ]  # fmt: skip
    names = [name for name in table.names if name not in BACKGROUND | _IGNORED]
    colors = dict(zip(table.names, table.colors, strict=True)) if table.colors else {}
    roots = [folder.parent / "JPEGImages", folder.parent / "images"]
    return Annotations("voc", pictures, names, colors, roots, uncovered=BACKGROUND)


class _Table:
    """Labels by index, and their colours; without those the files are read by index alone."""

    def __init__(self, names: list[str], colors: list[Color] | None, source: str) -> None:
        self.names, self.colors, self.source = names, colors, source
        self.of_color = dict(zip(colors or (), names, strict=False))
        self.of_color.setdefault((0, 0, 0), "background")
        self.of_color.setdefault(_BORDER, "ignored")


def _table(root: Path) -> _Table:
    labelmap, listed = (root / name for name in _LEGENDS)
    if labelmap.is_file():
        names, colors = [], []
        for number, line in enumerate(_lines(labelmap), start=1):
            if line and not line.startswith("#"):
                with as_said(f"{labelmap}, line {number}", "a labelmap (name:red,green,blue::)"):
                    name, color = _label(line)
                if name in names or color in colors:
                    raise DataError(
                        f"{labelmap}, line {number}: label '{name}' or its colour stands in it "
                        "twice. Give each label its own"
                    )
                names.append(name)
                colors.append(color)
        return _Table(names, colors, str(labelmap))
    if listed.is_file():
        return _Table([clean(line) for line in _lines(listed) if line], None, str(listed))
    return _Table(list(CLASSES), None, "the classes of VOC itself")


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}). Save it as UTF-8") from None


def _label(line: str) -> tuple[str, Color]:
    name, color, _, _ = line.rsplit(":", 3)
    red, green, blue = (int(value) for value in color.split(","))
    if min(red, green, blue) < 0 or max(red, green, blue) > 255:
        raise ValueError(f"{color} is no colour")
    return clean(name), (red, green, blue)


def _opened(file: Path) -> Image.Image:
    try:
        picture = Image.open(file, formats=("PNG",))
        picture.load()
    except Exception as error:  # PIL raises whatever its decoders stumble over
        raise DataError(f"{file} cannot be decoded ({error}). Export it again") from None
    return picture


def _look(file: Path, table: _Table) -> tuple[Size, frozenset[str | None]]:
    """Size and labels, so that every colour is known before anything is written."""
    found = list(_masks(file, table))
    with Image.open(file) as picture:
        return (picture.height, picture.width), frozenset(label for label, _ in found)


def _painter(file: Path, table: _Table):
    return lambda size: _masks(file, table)


def _masks(file: Path, table: _Table) -> Iterator[tuple[str | None, np.ndarray]]:
    with _opened(file) as picture:
        by_color = picture.mode in ("RGB", "RGBA") or (picture.mode == "P" and table.colors)
        if by_color and picture.convert("RGBA").getchannel("A").tobytes().strip(b"\xff"):
            raise DataError(f"{file} is transparent in places; each pixel needs the label's colour")
        if by_color:
            rgb = np.asarray(picture.convert("RGB")).astype(np.int32)
            values = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
        elif picture.mode in ("1", "L", "P"):
            values = np.asarray(picture).astype(np.int32)
        else:
            raise DataError(f"{file} is of mode {picture.mode}; colours or 8-bit indices are read")
    found, counts = np.unique(values, return_counts=True)
    names = {int(v): _name(int(v), bool(by_color), table) for v in found}
    strange = [
        f"{_shown(int(v), bool(by_color))} ({count} pixels)"
        for v, count in zip(found, counts, strict=True)
        if names[int(v)] == ""
    ]
    if strange:
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        raise DataError(
            f"{file}: {', '.join(strange[:_SHOWN])}{more} stands for no label ({table.source}). "
            "Add it there, or export the files again; resized files mix colours"
        )
    for value, name in names.items():
        yield (None if name in _IGNORED else name), values == value


def _name(value: int, by_color: bool, table: _Table) -> str:
    """The label of a colour or index; nothing where there is none."""
    if by_color:
        return table.of_color.get((value >> 16, value >> 8 & 255, value & 255), "")
    if value == _IGNORE:
        return "ignored"
    return table.names[value] if value < len(table.names) else ""


def _shown(value: int, by_color: bool) -> str:
    kind = (value >> 16, value >> 8 & 255, value & 255) if by_color else value
    return f"{'colour' if by_color else 'value'} {kind}"
