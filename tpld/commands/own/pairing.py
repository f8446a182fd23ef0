"""Which label file belongs to which image, however the two are named."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath

from PIL import Image

from tpld.commands.own.folder_names import SEPARATORS


@dataclass
class Pairs:
    """Label files of images.

    Attributes:
        tail: what follows the names of images before their suffix, such as ``_leftImg8bit``.
        suffixes: what follows a name in the label folder.
        files: label file of each name, the tail taken off.
        rank: 0 for class ids, more for what is less likely to be them.
        left_out: other files that images have in the label folder: suffix, and how many.
    """

    tail: str = ""
    suffixes: list[str] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    rank: int = 99
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def goodness(self) -> tuple[int, int]:
        """Of several folders of labels the one with most pairs is taken, then by what they hold."""
        return len(self.files), -self.rank


def composed(name: str) -> str:
    """A name in NFC: macOS and some archives write letters and accents apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def pair(stems: list[str], folder: Path, files: list[str]) -> Pairs:
    """Find the label of each image.

    Names agree after something that all images end in, such as ``_leftImg8bit``, is taken off;
    labels then have a tail of their own, such as ``_gtFine_labelIds``. Names are compared in NFC.

    Args:
        stems: names of images, without suffix.
        folder: of the label files.
        files: their names relative to it.
    """
    best = Pairs()
    for tail in ("", *_tails(stems)):
        known = {composed(s.removesuffix(tail)): s.removesuffix(tail) for s in stems}
        found: dict[str, dict[str, Path]] = defaultdict(dict)
        for file in files:
            name = _name_in(composed(file), set(known))
            if name is not None:
                found[composed(file)[len(name) :]][known[name]] = folder / file
        ranks = {suffix: _rank(suffix, of) for suffix, of in found.items()}
        order = sorted(found, key=lambda s: (-len(found[s]), ranks[s], s))
        if order and len(found[order[0]]) > len(best.files):
            best = _chosen(tail, order, found, ranks)
    return best


def _chosen(
    tail: str, order: list[str], found: dict[str, dict[str, Path]], ranks: dict[str, int]
) -> Pairs:
    """The first suffix, and those that differ from it only in the kind of file."""
    suffixes, files = [order[0]], dict(found[order[0]])
    left_out: dict[str, int] = {}
    same = str(PurePosixPath(f"x{order[0]}").with_suffix(""))
    for suffix in order[1:]:
        alike = str(PurePosixPath(f"x{suffix}").with_suffix("")) == same
        if alike and not set(found[suffix]) & set(files):
            suffixes.append(suffix)
            files |= found[suffix]
        else:
            left_out[suffix] = len(found[suffix])
    return Pairs(tail, suffixes, files, ranks[order[0]], left_out)


def _tails(stems: list[str]) -> list[str]:
    """What all names end in, from the longest on, cut at separators."""
    backwards = (reversed(stem) for stem in stems)
    same = takewhile(lambda signs: len(set(signs)) == 1, zip(*backwards, strict=False))
    common = "".join(signs[0] for signs in same)[::-1]
    return [common[i:] for i, sign in enumerate(common) if sign in SEPARATORS]


def _name_in(file: str, names: set[str]) -> str | None:
    """The longest image name that a label file begins with, up to a separator."""
    for end in range(len(file) - 1, 0, -1):
        if file[end] in SEPARATORS and file[:end] in names:
            return file[:end]
    return None


def _rank(suffix: str, files: dict[str, Path]) -> int:
    """Of several label files an image has: class ids before anything else, colours last."""
    modes: Counter[str] = Counter()
    for file in list(files.values())[:5]:
        try:
            with Image.open(file) as picture:
                modes[picture.mode] += 1
        except Exception:  # PIL raises whatever it stumbles over; reading it will name the file
            modes["?"] += 1
    mode = modes.most_common(1)[0][0]
    if mode == "?":
        return 9
    if mode not in {"L", "P", "I;16", "I", "1"}:
        return 8
    low = suffix.lower()
    order = ("labeltrainids", "labelids", "instance")
    place = next((i for i, part in enumerate(order) if part in low), 1)
    place += any(part in low for part in ("depth", "disp", "color"))
    return place if mode in ("L", "P") else 3 + place
