"""The two ends of `tpld predict`: images come in, and masks, overlays and confidences go out."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tpld.commands.palette import save, write_index
from tpld.commands.predict_files import KINDS, Inputs
from tpld.data.decode import decode_image
from tpld.data.listing import shown
from tpld.data.remarks import Remark, Remarks
from tpld.errors import DataError
from tpld.models.card import Card

# What a file system answers to a name that it cannot hold.
_BAD_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
Size = tuple[int, int]


class Wanted(NamedTuple):
    """What `predict` writes and how it predicts.

    Attributes:
        overlays: also write the image with the classes' colours over it.
        confidence: also write the winner's probability, 0 to 255.
        label_ids: masks hold the values of the label files, not the position of the class.
        size: height and width that the network sees; None: what it was adapted with.
        scale: of that size.
        mirror: average with the prediction of the mirror image.
        opacity: of the colours in overlays.
    """

    overlays: bool = True
    confidence: bool = True
    label_ids: bool = False
    size: Size | None = None
    scale: float = 1.0
    mirror: bool = False
    opacity: float = 0.5


class Predicted(NamedTuple):
    """uint8 (H, W, 3) of the image, uint8 (H, W) of its labels, float32 (H, W) of their p."""

    image: np.ndarray
    label: np.ndarray
    p: np.ndarray


class Run:
    """The two ends of a call: reads images and writes what was found, and keeps what went wrong.

    Attributes:
        names: of the images, in order.
        counts: int64 (256,), pixels of each class.
        certain: float64 (256,), sum of their probabilities.
        problems: of images that could not be predicted.
        remarks: on those that could.
    """

    def __init__(
        self, found: Inputs, out: Path, card: Card, values: np.ndarray, wanted: Wanted
    ) -> None:
        self.names, self._files, self._out = list(found.files), found.files, out
        self._values, self._wanted, self._colors = values, wanted, card.colors
        self._palette = np.zeros((256, 3), np.uint8)
        self._palette[values] = card.colors
        self.problems, self.remarks = [*found.problems], Remarks()
        self.counts, self.certain = np.zeros(256, np.int64), np.zeros(256)

    def read(self, i: int) -> np.ndarray | None:
        """Image i; None if it cannot be read."""
        file, said = self._files[self.names[i]], list[Remark]()
        try:
            image = decode_image(file, remarks=said)
        except DataError as error:
            self.problems.append(str(error))
            return None
        self.remarks.add(file, said)
        return image

    def count(self, found: Predicted) -> Predicted:
        """Add an image to the sums."""
        label = found.label.ravel()
        self.counts += np.bincount(label, minlength=256)
        self.certain += np.bincount(label, found.p.ravel(), minlength=256)
        return found

    def write(self, i: int, found: Predicted | None) -> None:
        """Write what was found in image i; a name that no file can have is a problem of it."""
        if found is None:
            return
        image, label, p = found
        try:
            write_index(self._values[label], self._palette, self._place("masks", i))
            if self._wanted.confidence:
                grey = np.rint(255 * p).astype(np.uint8)
                save(Image.fromarray(grey), self._place("confidence", i))
            if self._wanted.overlays:
                opacity = self._wanted.opacity
                mixed = (1 - opacity) * image + opacity * self._colors[label]
                picture = Image.fromarray(np.rint(mixed).astype(np.uint8))
                save(picture, self._place("overlays", i))
        except OSError as error:
            if error.errno not in _BAD_NAMES:
                raise
            name = shown(self.names[i])
            self.problems.append(f"{name}: no file can be called so ({error.strerror})")

    def _place(self, kind: str, i: int) -> Path:
        return self._out / kind / f"{self.names[i]}{KINDS[kind]}"
