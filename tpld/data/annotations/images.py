"""The images that annotations belong to: their names, sizes, and how EXIF turns them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tpld.data.annotations.base import Size
from tpld.data.listing import IMAGES, image_files, nothing_there
from tpld.data.opened import Opened, image_size
from tpld.data.scan import composed
from tpld.errors import DataError

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
    opened = Opened(path, load=False)
    with opened:
        orientation = opened.orientation()
    return Looks(image_size(path), orientation)


def stem_of(name: str) -> str:
    """A name without the suffix of an image; a name such as ``frame.001`` has none."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in IMAGES else name


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
        listing = image_files(folder, follow_links=True)
        self.names = listing.names
        if listing.not_utf8:
            raise DataError(
                f"{len(listing.not_utf8)} file names below {folder} are not UTF-8, first "
                f"'{listing.not_utf8[0]}'. Rename them (convmv -t utf8)"
            )
        if not self.names:
            raise DataError(nothing_there(listing))
        self._exact = {composed(name): name for name in self.names}
        self._by_stem = _grouped((composed(stem_of(name)), name) for name in self.names)
        self._by_file = _grouped((PurePosixPath(composed(stem_of(n))).name, n) for n in self.names)
        uploaded = ((PurePosixPath(composed(stem_of(n))).name, n) for n in self.names)
        self._by_upload = _grouped((_UPLOADED.sub("", file), name) for file, name in uploaded)

    def find(self, name: str) -> str | None:
        """The relative name of an image; None where there is none, or several that may be meant.

        The path as it is; else without suffix; else as far as it agrees from its end on, so that
        ``images/a.jpg`` finds ``a.jpg``; else the name of the file alone.
        """
        wanted = composed(name)
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
            wanted = composed(name)
            begun = [n for n in self.names if re.match(rf"{re.escape(wanted)}[._-]", composed(n))]
            found = begun[0] if len(begun) == 1 else None
        return found


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return groups
