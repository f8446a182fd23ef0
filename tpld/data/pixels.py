"""From an opened image file to the pixels that a network sees, and what is to say about the way.

PIL reads far more than it reads right: it keeps the upper byte of 16 bits whatever range is used,
leaves out bands and pages, and takes signed numbers for unsigned ones, all without a word. Here is
decided which of it is right, which is worth a remark, and which is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from tpld.data.listing import shown
from tpld.data.remarks import Remark
from tpld.errors import DataError

# Of the upper byte: a 16-bit file that stays below the first is refused, as 12 bits in a file of
# 16; one whose values are nearly all below the second is worth a remark, as 14 bits would be.
_TOO_DARK, _DARK, _NEARLY_ALL = 32, 64, 0.99
# Tags of a TIFF.
_PAGE, _BITS, _INVERTED, _ORIENTATION, _BANDS = 254, 258, 262, 274, 277
_PLANES, _EXTRA, _SIGNS = 284, 338, 339
_TURN_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Source:
    """What only the file knows, before its pixels are decoded.

    Attributes:
        deep: more than 8 bits a channel, of which PIL keeps the upper 8 of 16.
        bits: of a channel that PIL keeps whole.
        orientation: of a TIFF, which PIL turns by itself; 1 for other formats.
        tags: of a TIFF.
        spread: what PIL has multiplied grey values of 2 or 4 bits by, so that white is 255.
    """

    deep: bool = False
    bits: int = 8
    orientation: int = 1
    tags: dict[int, Any] = field(default_factory=dict)
    spread: int = 1

    @property
    def strange(self) -> str | None:
        """Why the values of a label file are not those that PIL gives."""
        if self.tags.get(_INVERTED) == 0:
            return "values of which the highest is black (MinIsWhite)"
        if any(sign == 3 or (sign == 2 and self.bits < 16) for sign in self.signs):
            return "values with decimals, or 8 bits with signs"
        if len(_numbers(self.tags.get(_EXTRA, ()))) and 0 in _numbers(self.tags[_EXTRA]):
            return "further bands"
        return None

    @property
    def signs(self) -> tuple[int, ...]:
        """Of each band of a TIFF: 1 unsigned, 2 signed, 3 with decimals."""
        return _numbers(self.tags.get(_SIGNS, 1))


def source_of(image: Image.Image) -> Source:
    """Look at an image that is opened, and not loaded yet."""
    if image.format == "TIFF":
        wanted = (_ORIENTATION, _BITS, _INVERTED, _BANDS, _PLANES, _EXTRA, _SIGNS)
        tags = {tag: image.tag_v2[tag] for tag in wanted if tag in image.tag_v2}  # type: ignore
        bits = max(_numbers(tags.get(_BITS, 1)))
        spread = {2: 85, 4: 17}.get(bits, 1) if image.mode == "L" else 1
        return Source(bits > 8, bits, tags.get(_ORIENTATION, 1), tags, spread)
    # The raw mode that PIL decodes with, such as "RGB;16B"; for PPM the declared maximum.
    tile = getattr(image, "tile", None)
    args: Any = tile[0][3] if tile else ""
    spread = 1
    if image.format == "PNG":
        deep = ";16" in str(args)
        spread = {"L;2": 85, "L;4": 17}.get(str(args), 1)
    else:
        deep = image.format == "PPM" and ("16" in args if isinstance(args, str) else args[1] > 255)
    return Source(deep, 16 if deep else 8, spread=spread)


def _numbers(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def turned(image: Image.Image, source: Source, turn: bool, remarks: list[Remark]) -> Image.Image:
    """A loaded image, turned as its EXIF says, or as it is stored (`turn` is False)."""
    try:
        left = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF; the pixels are whole
        remarks.append(Remark.NO_EXIF)
        return image
    by_pil = source.orientation in _TURN_BACK and left == 1
    if not turn:
        return image.transpose(_TURN_BACK[source.orientation]) if by_pil else image
    if not by_pil and left not in _TURN_BACK:
        return image
    remarks.append(Remark.TURNED)
    if by_pil:
        return image
    result = ImageOps.exif_transpose(image)
    result.format = image.format
    return result


def orientation(image: Image.Image, source: Source) -> int:
    """EXIF orientation of an opened image, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        found = source.orientation if source.orientation != 1 else image.getexif()[_ORIENTATION]
    except Exception:  # damaged EXIF, or none
        return 1
    return found if found in _TURN_BACK else 1


def to_rgb(path: Path, image: Image.Image, source: Source, remarks: list[Remark]) -> Image.Image:
    """The 8-bit RGB picture of a loaded image.

    Raises:
        DataError: its values have no known range, or it has bands that are no colours.
    """
    _refuse(path, image, source)
    bands = int(source.tags.get(_BANDS, 1))
    extra = _numbers(source.tags.get(_EXTRA, ()))
    if bands > len(image.getbands()):
        remarks.append(Remark.BANDS)
    if _is_transparent(image, source.deep):
        remarks.append(Remark.PREMULTIPLIED if 1 in extra else Remark.TRANSPARENT)
    if image.mode == "CMYK":
        remarks.append(Remark.CMYK)
    if image.mode.startswith("I"):
        return _upper_byte(path, image, source, remarks)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, PIL warns
    elif image.mode == "La":
        image = image.convert("LA")
    rgb = image.convert("RGB")
    if source.deep:
        counts = np.array(rgb.histogram()).reshape(3, 256).sum(0)
        _check_range(path, counts, 257 if image.format == "PPM" else 256, remarks)
    return rgb


def _refuse(path: Path, image: Image.Image, source: Source) -> None:
    """What PIL decodes into something else than the picture."""
    tags = source.tags
    bands = int(tags.get(_BANDS, 1))
    signed = any(sign != 1 for sign in source.signs)
    why = None
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM") or signed:
        why = "values with signs, decimals or 32 bits"
        if bands == 1 and not (image.mode == "I" and not signed):  # PIL has no unsigned 32 bits
            low, high = image.getextrema()
            why += f", {low} to {high}"
        why += ": it is not known which of them are dark and which bright"
    elif source.deep and (tags.get(_INVERTED) == 0 or image.mode == "CMYK"):
        why = f"{source.bits} bits a channel, of which the highest is black"
    elif source.deep and bands > 1 and tags.get(_PLANES, 1) == 2:  # PIL mixes up their bytes
        why = f"{source.bits} bits a channel, and one plane after the other"
    elif tags.get(_INVERTED) == 0 and tags.get(_PLANES, 1) == 2:  # PIL does not invert them
        why = "values of which the highest is black, one plane after the other"
    elif bands > 2 and len(image.getbands()) == 1:
        why = f"{bands} bands that are no colours"
    if why:
        raise DataError(
            f"{shown(str(path))} has {why}. Write red, green and blue (or grey) as PNG of 8 bits, "
            "choosing how the values are scaled, for all images alike"
        )


def _is_transparent(image: Image.Image, deep: bool) -> bool:
    """Whether any pixel is not opaque."""
    if not image.has_transparency_data:
        return False
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        alpha = image.getchannel(image.getbands()[-1])
    elif deep:
        return True  # one colour counts as transparent; it stands in 16 bits, the pixels do not
    else:
        alpha = image.convert("RGBA").getchannel("A")
    low, _ = alpha.getextrema()
    return float(low) < 255  # type: ignore[arg-type]  (one band has two numbers)


def _upper_byte(
    path: Path, image: Image.Image, source: Source, remarks: list[Remark]
) -> Image.Image:
    """Grey of 9 to 16 bits; 12 bits that a TIFF declares are read as 12."""
    values = np.asarray(image).astype(np.int64)
    counts = np.bincount(values.ravel(), minlength=2**source.bits)
    if source.bits == 16:
        _check_range(path, counts, 1, remarks)
    return Image.fromarray((values >> (source.bits - 8)).astype(np.uint8)).convert("RGB")


def _check_range(path: Path, counts: np.ndarray, step: int, remarks: list[Remark]) -> None:
    """Whether 16-bit values use their range.

    `counts`: how often each value was seen in units of `step`: 1 for all bits, 256 for the upper
    byte, 257 where PIL has scaled and rounded.
    """
    top = int(np.flatnonzero(counts)[-1])
    if top * step < 256 * _TOO_DARK and (top or step > 1):  # an upper byte of 0 hides 8 bits
        about, highest = {
            1: ("", top),
            256: ("at most ", 256 * top + 255),
            257: ("about ", max(257 * top - 128, 128)),
        }[step]
        bits = highest.bit_length()
        raise DataError(
            f"{shown(str(path))} has 16 bits a channel, but its highest value is {about}{highest} "
            f"of 65535: the network would see it nearly black. Its values fit into {bits} bits. If "
            f"that is what the camera gives, multiply them by {2 ** (16 - bits)}, in all images "
            "alike, or write PNGs of 8 bits"
        )
    quarter = -(-256 * _DARK // step) + (step == 257)
    if top and counts[:quarter].sum() > _NEARLY_ALL * counts.sum():
        remarks.append(Remark.DARK)


def pages(image: Image.Image) -> int:
    """Pages or frames of an image that is opened; smaller copies of one in a TIFF do not count.

    Leaves the image at its last page.
    """
    count = int(getattr(image, "n_frames", 1))
    if image.format != "TIFF" or count == 1:
        return count
    own = 0
    for page in range(count):
        image.seek(page)
        own += not image.tag_v2.get(_PAGE, 0) & 0b101 or page == 0  # type: ignore
    return own
