"""Label files as they are given: class ids, or colours, or something that is neither."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from tpld.data.opened import Opened
from tpld.errors import DataError

Form = Literal["index", "grey", "color"]
# Tags of a TIFF.
_INVERTED, _BANDS, _SIGNS = 262, 277, 339
_PLAIN = {"L", "P", "I;16", "I"}


class Labels(NamedTuple):
    """One label file.

    Attributes:
        values: int64 (H, W): class ids, or colours as red * 65536 + green * 256 + blue.
        form: `index` for ids, `grey` for ids that are stored as RGB with equal channels, `color`.
        palette: uint8 (n, 3), the colour of each index of a palette file.
        plain: the pipeline reads the file as it is; False: it has to be converted.
    """

    values: np.ndarray
    form: Form
    palette: np.ndarray | None
    plain: bool


def read_labels(path: Path) -> Labels:
    """Read a label file without changing what it says.

    Raises:
        DataError: it cannot be read, was compressed with loss, has several pages, transparent
            pixels, more than 8 bits a colour, values that are stored turned round, or fractions.
    """
    opened = Opened(path)
    with opened as picture:
        _refuse_lossy(path, opened.file)
        if opened.pages() > 1:
            raise DataError(
                f"{path} has {opened.pages()} pages; one is needed. Save the right one by itself"
            )
        bands = int(opened.source.tags.get(_BANDS, 1))
        if bands > len(picture.getbands()):
            raise DataError(
                f"{path} has {bands} bands; one of class ids is needed. Save the right one alone"
            )
        if opened.source.deep and len(picture.getbands()) > 1:
            raise DataError(
                f"{path} has 16 bits in each of several channels, which is no picture of classes "
                "in colours. If one channel holds the ids, save it as a PNG of one channel"
            )
        if opened.source.tags.get(_INVERTED) == 0:  # PIL turns its values round
            raise DataError(
                f"{path} is a TIFF in which the highest value is black (MinIsWhite), and programs "
                "do not agree on what its values are. Save it as a PNG of 8 or 16 bits"
            )
        signed = opened.source.tags.get(_SIGNS, 1) in (2, (2,)) and picture.mode == "L"
        labels = _labels(path, picture, signed)
        # As `decode_label` does: PIL has stretched grey values of 2 or 4 bits to 0..255.
        return labels._replace(values=labels.values // opened.source.spread)


def _refuse_lossy(path: Path, picture: Image.Image) -> None:
    jpeg = picture.format == "JPEG" or "jpeg" in str(picture.info.get("compression", ""))
    if jpeg or (picture.format == "WEBP" and _is_lossy_webp(path)):
        raise DataError(
            f"{path} is a {picture.format} compressed with loss: its values are mixed at every "
            "border, and no class ids. Use the original label files, as PNG; if there are none, "
            "label them anew"
        )


def _is_lossy_webp(path: Path) -> bool:
    """Whether a WebP file holds a lossy frame; its chunks are listed in it one after the other."""
    raw = path.read_bytes()
    at = 12
    while at + 8 <= len(raw):
        if raw[at : at + 4] in (b"VP8 ", b"VP8L"):
            return raw[at : at + 4] == b"VP8 "
        size = int.from_bytes(raw[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return True


def _labels(path: Path, picture: Image.Image, signed: bool) -> Labels:
    mode, plain = picture.mode, picture.mode in _PLAIN
    if mode in ("LA", "PA", "La", "RGBA", "RGBa", "RGBX"):
        bands = np.asarray(picture)
        if mode != "RGBX" and (bands[..., -1] != 255).any():
            raise DataError(
                f"{path} has pixels that are not opaque (mode {mode}): is that a class of their "
                "own? Save label files without alpha, of one channel"
            )
        values = bands[..., :-1] if bands.shape[-1] == 4 else bands[..., 0]
        palette = _palette(picture) if mode == "PA" else None
        return (
            _of_rgb(values) if values.ndim == 3 else Labels(_ints(values), "index", palette, False)
        )
    if mode == "RGB":
        return _of_rgb(np.asarray(picture))
    values = np.asarray(picture)
    if signed:  # PIL takes -1 in 8 bits for 255
        values, plain = values.view(np.int8), False
    if mode == "F":
        if not np.isfinite(values).all() or (values != np.round(values)).any():
            raise DataError(
                f"{path} holds numbers with fractions: these are no class ids. Is it a depth map "
                "or a probability? --source-labels names the folder of class ids"
            )
        return Labels(values.astype(np.int64), "index", None, False)
    if mode not in {*_PLAIN, "1", "I;16B", "I;16L"}:
        raise DataError(f"{path} is a picture of mode {mode}; save its class ids as PNG")
    return Labels(_ints(values), "index", _palette(picture) if mode == "P" else None, plain)


def _ints(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64)


def _of_rgb(rgb: np.ndarray) -> Labels:
    wide = rgb.astype(np.int64)
    if (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all():
        return Labels(wide[..., 0], "grey", None, False)
    return Labels(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], "color", None, False)


def _palette(picture: Image.Image) -> np.ndarray | None:
    raw = picture.getpalette("RGB")
    return np.array(raw, np.uint8).reshape(-1, 3) if raw else None


def rgb_of(packed: int) -> tuple[int, int, int]:
    """Red, green and blue of a colour that is one number."""
    return packed >> 16, packed >> 8 & 255, packed & 255


def packed_of(rgb: tuple[int, int, int]) -> int:
    """The inverse of `rgb_of`."""
    return rgb[0] << 16 | rgb[1] << 8 | rgb[2]
