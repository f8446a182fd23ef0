"""Files that lie beside images and are none: masks, depth maps, two files of one name."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image

from tpld.commands.own.folder_names import SEPARATORS, role_of, tails, without_image_tail
from tpld.commands.own.pairing import composed
from tpld.data.listing import shown
from tpld.errors import DataError


@dataclass
class Sides:
    """Files of one folder of images, told apart.

    Attributes:
        images: the images, by their names without suffix.
        labels: files that are called like an image and a label: ``x_mask.png``.
        notes: what was left out.
    """

    images: dict[str, str] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def without_sides(folder: Path, files: list[str], any_tail: bool = False) -> Sides:
    """Tell the images of a folder from files that belong to them.

    Args:
        folder: of the images.
        files: relative names, in the order that images are to have.
        any_tail: whatever follows the name of another image makes a label, not only known words.

    Raises:
        DataError: two images have one name.
    """
    found = Sides()
    inner: Counter[str] = Counter()
    kept: list[str] = []
    for file in files:
        roles = [(part, role_of(part)[0]) for part in PurePosixPath(file).parts[:-1]]
        strange = next((part for part, role in roles if role in ("label", "other")), None)
        if strange is None:
            kept.append(file)
        else:
            inner[strange] += 1
    found.notes += [f"{n} files in folders '{part}' are no images" for part, n in inner.items()]
    side_of = _tails_of(kept, any_tail)
    images = [file for file in kept if file not in side_of]
    found.labels = [file for file, (_, role) in side_of.items() if role == "label"]
    if side_of:
        kinds = Counter(tail for tail, _ in side_of.values())
        which = ", ".join(f"*{tail} ({n})" for tail, n in sorted(kinds.items()))
        found.notes.append(f"files beside images of {folder} that are none themselves: {which}")
    found.images = _by_stem(folder, images, found)
    return found


def stem_of(file: str) -> str:
    """A relative name without its suffix."""
    return str(PurePosixPath(file).with_suffix(""))


def _tails_of(files: list[str], any_tail: bool) -> dict[str, tuple[str, str]]:
    """Of each file that is no image: what follows the image's name, and whether it is a label.

    A tail that follows the name of one image makes labels of all files that end in it.
    """
    ways = {file: tails(stem_of(file)) for file in files}
    bases = {stem_of(file) for file in files if any_tail or not ways[file]}
    bases |= {without_image_tail(base) for base in bases}
    for file in files:  # x_color.png is the image where there is no x.png
        stem = stem_of(file)
        if ways[file] and stem.lower().endswith("color") and ways[file][-1][0] not in bases:
            bases |= {ways[file][0][0]}
            ways[file] = []
    if any_tail:
        ends = {f: [i for i, s in enumerate(stem_of(f)) if s in SEPARATORS] for f in files}
        ways = {f: [(stem_of(f)[:i], "label") for i in reversed(at)] for f, at in ends.items()}
    known: dict[str, str] = {}
    for file, read in ways.items():
        for base, _ in read:
            if base in bases:
                known.setdefault(stem_of(file)[len(base) :], read[0][1])
                break
    side_of = {}
    for file, read in ways.items():
        tail = next((t for t in sorted(known, key=len) if stem_of(file).endswith(t)), None)
        if read and tail is not None:
            other = any(
                role == "other" for base, role in read if stem_of(file)[len(base) :] == tail
            )
            side_of[file] = (tail, "other" if other else "label")
    return side_of


def _by_stem(folder: Path, files: list[str], found: Sides) -> dict[str, str]:
    """File of each name without suffix. Where two files have one name, one kind of them counts."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_stem[composed(stem_of(file))].append(file)
    double = [same for same in by_stem.values() if len(same) > 1]
    if double:
        out = _spare_suffix(folder, files, double, found)
        by_stem = {
            stem: [f for f in same if not f.endswith(out)] or same for stem, same in by_stem.items()
        }
    return {stem_of(same[0]): same[0] for same in by_stem.values()}


def _spare_suffix(folder: Path, files: list[str], double: list[list[str]], found: Sides) -> str:
    """The suffix that can be left out so that each name has one file.

    Raises:
        DataError: there is none: names are given twice in another way.
    """
    total = Counter(PurePosixPath(file).suffix for file in files)
    twice = Counter(PurePosixPath(file).suffix for same in double for file in same)
    spare = [s for s in twice if twice[s] == total[s] == len(double)]
    masks = [s for s in spare if all(_is_index(folder / f) for f in files if f.endswith(s))]
    first = double[0]
    if not spare or len(twice) != 2 or len(masks) == 2:
        raise DataError(
            f"{len(double)} names below {folder} belong to two images, first {shown(first[0])} and "
            f"{shown(first[1])}. Lists name images without their suffix: remove or rename one"
        )
    if masks:
        found.labels += [file for file in files if file.endswith(masks[0])]
        found.notes.append(f"*{masks[0]} files of {folder} have one channel: they are labels")
        return masks[0]
    out = min(spare, key=lambda s: (s.lower() not in (".jpg", ".jpeg"), s))
    found.notes.append(
        f"{shown(first[0])} and {shown(first[1])} are two images of one name"
        + (f", as are those of {len(double) - 1} other names" if len(double) > 1 else "")
        + f": *{out} is left out"
    )
    return out


def _is_index(file: Path) -> bool:
    try:
        with Image.open(file) as picture:
            return picture.mode in ("L", "P", "1", "I", "I;16")
    except Exception:  # PIL raises whatever it stumbles over; check-data will name the file
        return False
