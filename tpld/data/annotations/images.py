"""The images that annotations belong to: their names, sizes, and how EXIF turns them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from tpld.data.annotations.base import Size
from tpld.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm")
_ORIENTATION, _QUARTER_TURNS = 0x0112, range(5, 9)
# What Label Studio puts before the name of a file that is uploaded.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")


class Looks(NamedTuple):
    """An image file: (height, width) as EXIF turns it, and its EXIF orientation (1: upright)."""

    size: Size
    orientation: int


def looks(path: Path) -> Looks:
    """Size and orientation of an image file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with Image.open(path) as picture:
            orientation = int(picture.getexif().get(_ORIENTATION, 1))
            height, width = picture.height, picture.width
    except Exception as error:  # PIL raises whatever its decoders stumble over
        raise DataError(f"{path} is no image that can be read ({error}). Replace it") from None
    turned = orientation in _QUARTER_TURNS
    return Looks((width, height) if turned else (height, width), orientation)


def stem_of(name: str) -> str:
    """A name without the suffix of an image; a name such as ``frame.001`` has none."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in SUFFIXES else name


class ImageFolder:
    """Finds the image files of a folder by the names that annotations, or stores, have for them.

    Args:
        folder: of images, in sub-folders too; linked folders are looked into.

    Raises:
        DataError: no such folder, or no image in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise DataError(f"{folder} is no folder. Give the folder that holds the images")
        self.names = sorted(_images(folder))
        if not self.names:
            raise DataError(f"no image below {folder}. Looked for {', '.join(SUFFIXES)}")
        strange = [name for name in self.names if not _is_unicode(name)]
        if strange:
            raise DataError(
                f"{len(strange)} file names below {folder} are not UTF-8, first {strange[0]!a}. "
                "Rename them (convmv -t utf8)"
            )
        self._exact = {_nfc(name): name for name in self.names}
        self._by_stem = _grouped((_nfc(stem_of(name)), name) for name in self.names)
        self._by_file = _grouped((PurePosixPath(_nfc(stem_of(n))).name, n) for n in self.names)
        uploaded = ((PurePosixPath(_nfc(stem_of(n))).name, n) for n in self.names)
        self._by_upload = _grouped((_UPLOADED.sub("", file), name) for file, name in uploaded)

    def find(self, name: str) -> str | None:
        """The relative name of an image; None where there is none, or several that may be meant.

        The path as it is; else without suffix; else as far as it agrees from its end on, so that
        ``images/a.jpg`` finds ``a.jpg``; else the name of the file alone.
        """
        wanted = _nfc(name)
        if wanted in self._exact:
            return self._exact[wanted]
        parts = PurePosixPath(stem_of(wanted)).parts
        for start in range(len(parts)):
            found = self._by_stem.get("/".join(parts[start:]), [])
            if found:
                return found[0] if len(found) == 1 else None
        file = parts[-1] if parts else ""
        for known, key in (
            (self._by_file, file), (self._by_file, _UPLOADED.sub("", file)),
            (self._by_upload, file),
        ):  # fmt: skip
            if len(known.get(key, [])) == 1:
                return known[key][0]
        return None

    def find_begun(self, name: str) -> str | None:
        """As `find`; else the one image whose name goes on after it, as ``_leftImg8bit`` does."""
        found = self.find(name)
        if found is None:
            wanted = _nfc(name)
            begun = [n for n in self.names if re.match(rf"{re.escape(wanted)}[._-]", _nfc(n))]
            found = begun[0] if len(begun) == 1 else None
        return found


def _images(folder: Path) -> Iterable[str]:
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            if not file.startswith(".") and Path(file).suffix.lower() in SUFFIXES:
                yield (Path(where) / file).relative_to(folder).as_posix()


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return groups
