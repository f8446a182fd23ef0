"""What is worth a word about images, said once for many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tpld.data.listing import shown


class Remark(StrEnum):
    """What is worth a word about an image that is read; continues "3 of 50 images ..."."""

    TURNED = "are turned as their EXIF orientation says"
    TRANSPARENT = "have transparent pixels: the colour below the transparency is used"
    PREMULTIPLIED = "are stored multiplied by their transparency: divided by it"
    PAGES = "have further pages or frames: the first is used"
    BANDS = "have further bands, such as infrared: the colours alone are used"
    CMYK = "are in CMYK: converted without their colour profile"
    DARK = (
        "have 16 bits a channel and nearly all values in the lowest quarter of that range: the "
        "network sees them dark. If they hold fewer bits, scale them up, all alike"
    )
    NO_EXIF = "have EXIF data that cannot be read: not turned"


@dataclass
class Remarks:
    """Remarks on a set of images: how many have each, and the first of them."""

    counts: Counter[Remark] = field(default_factory=Counter)
    first: dict[Remark, Path] = field(default_factory=dict)

    def add(self, path: Path, remarks: Iterable[Remark]) -> None:
        """Count the remarks on one image."""
        for remark in remarks:
            self.counts[remark] += 1
            self.first.setdefault(remark, path)

    def lines(self, images: int) -> list[str]:
        """One sentence a kind, in a fixed order."""
        return [
            f"{self.counts[remark]} of {images} images {remark.value} "
            f"(first {shown(str(self.first[remark]))})"
            for remark in Remark
            if self.counts[remark]
        ]
