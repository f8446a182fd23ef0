"""Reading image and label files into arrays, with errors that name file and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tpld.data.datasets.base import Reader
from tpld.data.table import IGNORE, ClassTable
from tpld.errors import DataError, TpldError

# A mode other than these would be converted by guesswork: RGB labels are colours, not ids.
_LABEL_MODES = {"L", "P", "I;16", "I"}
# PIL clips deep images to white instead of scaling them.
_DEEP_MODES = {"I;16", "I", "F", "I;16B", "I;16L"}
_SHOWN = 10
# PIL knows many more, and runs another program (Ghostscript) for some of them, whatever the name of
# the file says. These are read by libraries alone.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF")


def decode_image(
    path: Path, resize: tuple[int, int] | None = None, turn: bool = True
) -> np.ndarray:
    """Read an image as uint8 RGB (H, W, 3); `resize` is (height, width), bicubic.

    Raises:
        DataError: the file is missing, truncated or no image.
    """
    with _opened(path) as image:
        if image.mode in _DEEP_MODES:
            raise DataError(
                f"{path}: image of mode {image.mode}; 8 bits a channel are needed. Convert it, "
                "choosing how its range is scaled"
            )
        rgb = image.convert("RGB")
        if resize:
            rgb = rgb.resize((resize[1], resize[0]), Image.Resampling.BICUBIC)
        return np.asarray(rgb, np.uint8)


def decode_label(
    path: Path, table: ClassTable, resize: tuple[int, int] | None = None, turn: bool = True
) -> np.ndarray:
    """Read a label file as uint8 training ids (H, W), 255 = ignore; `resize` takes the nearest.

    Palette files are read by their index, never by their colour; `table.reader` says how.

    Raises:
        DataError: the file is missing, truncated, of a mode without ids, converted from 16 to 8
            bits, or holds a value that the class table does not know (file, values, counts and
            allowed values are named).
    """
    raw = _READERS[table.reader](path)
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


def _read_index(path: Path) -> np.ndarray:
    """int64 (H, W): the values of a file of one channel, or the indices of a palette file."""
    with _opened(path) as image:
        if image.mode not in _LABEL_MODES:
            raise DataError(
                f"{path}: label file of mode {image.mode}; one channel of class ids is needed. "
                "Convert colours to ids first"
            )
        return np.asarray(image).astype(np.int64)


def _read_first_of_16_bit(path: Path) -> np.ndarray:
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


_READERS: dict[Reader, Callable[[Path], np.ndarray]] = {
    "index": _read_index,
    "first_of_16_bit": _read_first_of_16_bit,
}


class _opened:
    """Open and fully decode an image file; PIL's errors, also those in the block, become ours."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Image.Image:
        try:
            self.image = Image.open(self.path, formats=_FORMATS)
            self.image.load()
        except FileNotFoundError:
            raise DataError(f"{self.path} does not exist. Correct the split list") from None
        except Exception as error:  # PIL raises whatever its decoders stumble over
            raise self._said(error) from None
        return self.image

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.image.close()
        if isinstance(error, Exception) and not isinstance(error, TpldError):
            raise self._said(error) from None

    def _said(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path} cannot be decoded ({str(error) or type(error).__name__}). Replace the "
            f"file or drop it from the split list; known formats: {', '.join(_FORMATS)}"
        )
