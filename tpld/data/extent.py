"""How many images a split has and how large they are, as far as a plan needs to know it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tpld.config import Config
from tpld.data.folders import folders_of
from tpld.data.opened import image_size
from tpld.data.sources import Files
from tpld.data.splits import Split
from tpld.errors import DataError

_UNKNOWN = (1024, 2048)


class Extent(NamedTuple):
    """Images of a split, and the height and width of one, in pixels."""

    images: int
    height: int
    width: int

    @property
    def megapixels(self) -> float:
        """Of all images."""
        return self.images * self.height * self.width / 1e6


def extent_of(config: Config, split: Split, files: Files | None) -> Extent:
    """Counted from the files that a plan has listed; None where they are not there (yet).

    The size is that of decoded images of the first domain that is not the city: as configured, as
    the data set is known to have it, or that of the first file. What nothing tells is taken for
    3000 images of 1024x2048.
    """
    every, city = folders_of(config, split), config.data.city
    drawn = sum(folders.drawn or 0 for folders in every)
    others = [folders for folders in every if folders.drawn is None]
    if not others:
        return Extent(drawn, *(every[0].resize or (city.height, city.width)))
    size = others[0].resize or others[0].size
    if size is None and files and files.images:
        size = _size_of(files.images[0], others[0].exif)
    return Extent(drawn + (len(files.names) if files else 3000), *(size or _UNKNOWN))


def _size_of(path: str, turn: bool) -> tuple[int, int] | None:
    """Height and width in the header of an image file; None where it cannot be read."""
    try:
        return image_size(Path(path), turn)
    except DataError:
        return None  # checking the data will say so
