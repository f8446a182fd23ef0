"""Reading image and label files into arrays, with errors that name file and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from tpld.data.datasets.base import Reader
from tpld.data.folders import IGNORE, ClassTable
from tpld.data.listing import shown
from tpld.data.pixels import Remark, orientation, pages, source_of, to_rgb, turned
from tpld.errors import DataError, TpldError

# A mode other than these would be converted by guesswork: RGB labels are colours, not ids.
_LABEL_MODES = {"L", "P", "I;16", "I"}
_SHOWN = 10
# PIL knows many more, and runs another program (Ghostscript) for some of them, whatever the name of
# the file says. These are read by libraries alone.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF")


# PIL refuses above a sixth of this, for fear of small files that unpack to gigabytes. Such an image
# (23170 x 23170) takes 4 GiB while it is decoded; larger ones, of satellites, are cut into tiles.
MAX_PIXELS = 2**29
Image.MAX_IMAGE_PIXELS = None


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
    with _opened(path, turn, found) as opened:
        rgb = to_rgb(path, opened.image, opened.source, found)
        if remarks is not None and opened.pages() > 1:
            found.append(Remark.PAGES)
        if resize:
            rgb = rgb.resize((resize[1], resize[0]), Image.Resampling.BICUBIC)
        return np.asarray(rgb, np.uint8)


def image_size(path: Path, turn: bool = True) -> tuple[int, int]:
    """Height and width of an image as `decode_image` gives it, read from the head of the file.

    Raises:
        DataError: the file is missing or no image.
    """
    with _opened(path, turn, [], load=False) as opened:
        height, width = opened.image.height, opened.image.width
        # PIL has swapped a TIFF's already; a PNG's is decoded where it names none at once.
        is_tiff = opened.image.format == "TIFF"
        known = is_tiff or opened.image.format != "PNG" or "exif" in opened.image.info
        swap = known and opened.orientation() >= 5 and turn != is_tiff
        return (width, height) if swap else (height, width)


def unequal_sizes(
    image: Path, pixels: np.ndarray, label: Path, ids: np.ndarray, turn: bool = True
) -> DataError:
    """The error of an image (H, W, 3) and a label (h, w) of different sizes; it names EXIF where
    that is why."""
    remedy = "Give a label of the image's size"
    if pixels.shape[:2] == ids.shape[::-1]:
        with _opened(image, turn, [], load=False) as opened:
            stored = opened.orientation()
        remedy = f"One is the other turned by a quarter. {remedy}"
        if stored >= 5 and turn:
            remedy = (
                f"The image is turned as its EXIF orientation {stored} says, the label is "
                "not. If all labels are stored unturned, set `exif: false` for these images; "
                "otherwise turn the label"
            )
        elif stored >= 5:
            remedy = (
                f"The image has the EXIF orientation {stored}, which `exif: false` leaves "
                "out, and the label is upright. Remove `exif: false`"
            )
    return DataError(f"{image} is {_size(pixels)}, its label {label} is {_size(ids)}. {remedy}")


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]} pixels"


def decode_label(
    path: Path, table: ClassTable, resize: tuple[int, int] | None = None, turn: bool = True
) -> np.ndarray:
    """Read a label file as uint8 training ids (H, W), 255 = ignore; `resize` takes the nearest.

    Palette files are read by their index, never by their colour; `table.reader` says how. `turn` as
    of the image: a label file that carries an orientation is turned by it too.

    Raises:
        DataError: the file is missing, truncated, of a mode without ids, converted from 16 to 8
            bits, or holds a value that the class table does not know (file, values, counts and
            allowed values are named).
    """
    raw = _READERS[table.reader](path, turn)
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
        seen = ", ".join(f"{value} ({count} pixels)" for value, count in pairs[:_SHOWN])
        seen += f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        raise DataError(
            f"{path}: label value {seen} is not in the class table. Allowed: "
            f"{sorted(table.ids)}, ignored: {sorted({*table.ignored_ids, IGNORE})}. "
            f"{table.remedy}"
        )
    return ids.astype(np.uint8)


def _read_index(path: Path, turn: bool) -> np.ndarray:
    """int64 (H, W): the values of a file of one channel, or the indices of a palette file."""
    with _opened(path, turn) as opened:
        image = opened.image
        if opened.pages() > 1:
            raise DataError(
                f"{shown(str(path))}: label file of {opened.pages()} pages or frames. Save the one "
                "that holds the class ids by itself"
            )
        if image.mode not in _LABEL_MODES:
            raise DataError(
                f"{path}: label file of mode {image.mode}; one channel of class ids is needed. "
                "Convert colours to ids first"
            )
        return np.asarray(image).astype(np.int64)


def _read_first_of_16_bit(path: Path, turn: bool) -> np.ndarray:
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


_READERS: dict[Reader, Callable[[Path, bool], np.ndarray]] = {
    "index": _read_index,
    "first_of_16_bit": _read_first_of_16_bit,
}


class _opened:
    """Open and fully decode an image file; PIL's errors, also those in the block, become ours."""

    def __init__(
        self, path: Path, turn: bool = True, remarks: list[Remark] | None = None, load: bool = True
    ) -> None:
        self.path, self.turn, self.load = path, turn, load
        self.remarks: list[Remark] = [] if remarks is None else remarks

    def __enter__(self) -> Self:
        try:
            self.file = self.image = Image.open(self.path, formats=_FORMATS)
            _check_size(self.path, self.file)
            self.source = source_of(self.file)
            if self.load:
                self.file.load()
                self.image = turned(self.file, self.source, self.turn, self.remarks)
        except FileNotFoundError:
            raise DataError(
                f"{shown(str(self.path))} does not exist. Correct the split list"
            ) from None
        except DataError:
            raise
        except Exception as error:  # PIL raises whatever its decoders stumble over
            raise self._said(error) from None
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.file.close()
        if isinstance(error, Exception) and not isinstance(error, TpldError):
            raise self._said(error) from None

    def orientation(self) -> int:
        """Its EXIF orientation, 1 to 8."""
        return orientation(self.file, self.source)

    def pages(self) -> int:
        """How many pages or frames it has."""
        with Image.open(self.path, formats=_FORMATS) as again:
            return pages(again)

    def _said(self, error: Exception) -> DataError:
        return DataError(
            f"{shown(str(self.path))} cannot be decoded ({str(error) or type(error).__name__}). "
            "Replace the file or drop it from the split list; known formats: "
            f"{', '.join(_FORMATS)}"
        )


def _check_size(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if not 0 < width * height <= MAX_PIXELS:
        raise DataError(
            f"{shown(str(path))} has {width}x{height} pixels; 1 to {MAX_PIXELS} are possible. "
            + ("Cut it into tiles" if width * height else "Replace the file")
        )
