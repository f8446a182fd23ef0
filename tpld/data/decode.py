"""Reading image and label files into arrays, with errors that name file and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tpld.data.colors import ids_of_colors, unknown_colors
from tpld.data.datasets.base import Reader
from tpld.data.opened import Opened
from tpld.data.pixels import to_rgb
from tpld.data.remarks import Remark
from tpld.data.table import IGNORE, ClassTable
from tpld.errors import DataError

# A mode other than these would be converted by guesswork: RGB labels are colours, not ids.
_LABEL_MODES = {"1", "L", "P", "I;16", "I;16B", "I"}
_COLOR_MODES = {"RGB", "RGBA", "P"}
_SHOWN = 10


def decode_image(
    path: Path,
    resize: tuple[int, int] | None = None,
    turn: bool = True,
    remarks: list[Remark] | None = None,
) -> np.ndarray:
    """Read an image as uint8 RGB (H, W, 3), the same for training and prediction.

    Args:
        path: file of a known format; of several pages the first is read.
        resize: height and width to bring it to, bicubic.
        turn: as its EXIF orientation says; False: as it is stored.
        remarks: gets what is worth a word about this image. Pages are counted only if it is given.

    Raises:
        DataError: the file is missing, truncated, no image or a huge one, or its values have no
            known range (see `docs/own_data.md`).
    """
    found: list[Remark] = [] if remarks is None else remarks
    opened = Opened(path, turn, found)
    with opened as image:
        rgb = to_rgb(path, image, opened.source, found)
        if remarks is not None and opened.pages() > 1:
            found.append(Remark.PAGES)
        if resize:
            rgb = rgb.resize((resize[1], resize[0]), Image.Resampling.BICUBIC)
        return np.asarray(rgb, np.uint8)


def decode_label(
    path: Path, table: ClassTable, resize: tuple[int, int] | None = None, turn: bool = True
) -> np.ndarray:
    """Read a label file as uint8 training ids (H, W), 255 = ignore; `resize` takes the nearest.

    `table.reader` says how: palette files are read by their index, unless it is ``color``. A label
    file that carries an orientation is turned as the image is.

    Raises:
        DataError: the file is missing, truncated, of a mode without ids, converted from 16 to 8
            bits, or holds a value or a colour that the class table does not know (file, values,
            counts and allowed values are named).
    """
    raw = _READERS[table.reader](path, table, turn)
    if resize and raw.shape != tuple(resize):
        nearest = Image.fromarray(raw.astype(np.int32))
        nearest = nearest.resize((resize[1], resize[0]), Image.Resampling.NEAREST)
        raw = np.asarray(nearest)
    if raw.min() < 0 or raw.max() > 65535:
        raise DataError(f"{path}: label values {raw.min()}..{raw.max()} are outside 0..65535")
    ids = table.lookup[raw]
    unknown = np.unique(raw[ids == 65535], return_counts=True)
    if unknown[0].size:
        pairs = list(zip(*unknown, strict=True))
        known = sorted(value for values in table.values for value in values)
        seen = ", ".join(f"{value} ({count} pixels)" for value, count in pairs[:_SHOWN])
        seen += f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        raise DataError(
            f"{path}: label value {seen} is not in the class table. Allowed: "
            f"{known}, ignored: {sorted({*table.ignored, IGNORE} - {*known})}. "
            f"{table.remedy}"
        )
    return ids.astype(np.uint8)


def _read_index(path: Path, _: ClassTable, turn: bool) -> np.ndarray:
    """int64 (H, W): the values of a file of one channel, or the indices of a palette file."""
    opened = Opened(path, turn)
    with opened as image:
        _refuse_label(path, opened)
        if image.mode not in _LABEL_MODES:
            raise DataError(
                f"{path}: label file of mode {image.mode}; one channel of class ids is needed. "
                "Convert colours to ids first"
            )
        return np.asarray(image).astype(np.int64) // opened.source.spread


def _refuse_label(path: Path, opened: Opened) -> None:
    """What PIL reads as other values than the file has, or reads a part of."""
    if opened.pages() > 1:
        raise DataError(
            f"{path}: label file of {opened.pages()} pages or frames. Save the one that holds the "
            "labels by itself"
        )
    strange = opened.source.strange
    if strange:
        raise DataError(f"{path}: label file with {strange}. Save it as PNG of 8 or 16 bits")


def _read_first_of_16_bit(path: Path, _: ClassTable, turn: bool) -> np.ndarray:
    """int64 (H, W): the first channel of a 16-bit RGB PNG, as SYNTHIA keeps its classes.

    torchvision reads all 16 bits (compared with a decoder written out by hand); PIL, and imageio
    through it, keep the upper 8 and turn every class into 0.
    """
    from torchvision.io import decode_image as decode_unchanged

    try:
        head = path.read_bytes()[:26]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Correct the folder") from None
    depth, colour = head[24:26] if head[1:4] == b"PNG" and len(head) == 26 else (0, 0)
    if (depth, colour) != (16, 2):
        seen = f"a PNG of {depth} bits and colour type {colour}" if depth else "no PNG"
        raise DataError(
            f"{path}: {seen}; SYNTHIA's label files are 16-bit RGB PNGs (colour type 2) with the "
            "class in the first channel. Programs that save them with 8 bits turn every class into "
            "0: unpack the original file again"
        )
    try:
        values = decode_unchanged(str(path))
    except RuntimeError as error:
        raise DataError(f"{path} cannot be decoded ({error}). Unpack the file again") from None
    return values[0].numpy().astype(np.int64)


def _read_color(path: Path, table: ClassTable, turn: bool) -> np.ndarray:
    """int64 (H, W): the ids of the colours of an RGB file, or of a palette file's colours."""
    known = table.file_colors or []
    colors, ids = np.array([c for _, c in known], np.uint8), np.array([i for i, _ in known])
    opened = Opened(path, turn)
    with opened as image:
        _refuse_label(path, opened)
        if image.mode not in _COLOR_MODES:
            raise DataError(
                f"{path}: label file of mode {image.mode}; RGB colours are expected. {table.remedy}"
            )
        rgb = np.asarray(image.convert("RGB"))
    found = ids_of_colors(rgb, colors, ids)
    strange = unknown_colors(rgb, colors) if (found < 0).any() else {}
    if strange:
        seen = ", ".join(f"{color} ({n} pixels)" for color, n in list(strange.items())[:_SHOWN])
        seen += f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        raise DataError(
            f"{path}: colour {seen} is none of its label table. Many rare ones come from resizing "
            f"or JPEG: use the original files. {table.remedy}"
        )
    return found


_READERS: dict[Reader, Callable[[Path, ClassTable, bool], np.ndarray]] = {
    "index": _read_index,
    "first_of_16_bit": _read_first_of_16_bit,
    "color": _read_color,
}
