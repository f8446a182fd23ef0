"""Which files of a folder count as images, and in which order: one answer for every command.

What programs leave behind is no image whatever its suffix says: hidden files and folders
(``.ipynb_checkpoints``, ``._a.png`` of macOS), ``__MACOSX`` of its archives, thumbnails of network
disks, and what lies in a bin.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from tpld.errors import DataError

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm")
_LEFT_BEHIND = {"__macosx", "@eadir", "#recycle", "$recycle.bin", "thumbs.db", "desktop.ini"}
_ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}
_FILMS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v"}
_TEXTS = {".json", ".xml", ".csv", ".txt", ".yaml", ".yml", ".md"}
_SHOWN = 5
_DIGITS = re.compile("([0-9]+)")


@dataclass
class Listing:
    """What lies below a folder.

    Attributes:
        folder: where was looked.
        names: images, relative to the folder with ``/`` between parts, in natural order. A link
            that leads nowhere is among them if it is called like an image: who reads it says so.
        others: how many other files have which suffix (small letters; "" for none).
        links: linked sub-folders that were not looked into, in natural order.
        hidden: how many files and folders were left out because programs leave them behind.
        not_utf8: images whose names are not UTF-8, made printable; no list could name them.
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    hidden: int = 0
    not_utf8: list[str] = field(default_factory=list)


def image_files(folder: Path, follow_links: bool = False) -> Listing:
    """Look for images in a folder and its sub-folders.

    Args:
        folder: may be a link itself.
        follow_links: also look into sub-folders that are links; a circle of links is left after
            one turn.

    Raises:
        DataError: the folder, or one below it, cannot be read.
    """
    listing = Listing(Path(folder))
    for name, is_link in _walk(str(folder), "", follow_links, (), listing):
        suffix = PurePosixPath(name).suffix.lower()
        if is_link:
            listing.links.append(name)
        elif suffix not in IMAGES:
            listing.others[suffix] += 1
        elif is_utf8(name):
            listing.names.append(name)
        else:
            listing.not_utf8.append(shown(name))
    for names in (listing.names, listing.links, listing.not_utf8):
        names.sort(key=natural)
    return listing


def _walk(
    root: str, below: str, follow: bool, above: tuple[str, ...], listing: Listing
) -> Iterator[tuple[str, bool]]:
    """Relative name of each file, and of each linked folder that is not followed (True)."""
    where = f"{root}/{below}"
    real = os.path.realpath(where)
    if real in above:
        return
    try:
        with os.scandir(where) as found:
            entries = list(found)
    except OSError as error:
        raise DataError(
            f"{shown(where.rstrip('/'))} cannot be read ({error.strerror}). Give a folder of "
            "images, with the right to read it and all below it"
        ) from None
    for entry in entries:
        name = f"{below}{entry.name}"
        if is_hidden(entry.name):
            listing.hidden += 1
        elif _is_folder(entry):
            if entry.is_symlink() and not follow:
                yield name, True
            else:
                yield from _walk(root, f"{name}/", follow, (*above, real), listing)
        elif entry.is_symlink() or entry.is_file():  # a pipe would be waited for
            yield name, False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_hidden(name: str) -> bool:
    """Whether one part of a path is something that programs leave behind."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def is_utf8(name: str) -> bool:
    """Whether a file name can be written into a list; Linux allows names that cannot."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """A name as a message can hold it: line breaks and bytes that are no text as escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def natural(name: str) -> tuple[object, ...]:
    """Sort key by which f2 comes before f10, folder by folder; unequal names have unequal keys."""
    folder, _, file = name.rpartition("/")
    return (*_folder_key(folder), _key(file), (name,))


@lru_cache(maxsize=1024)
def _folder_key(folder: str) -> tuple[tuple[object, ...], ...]:
    return tuple(_key(part) for part in folder.split("/")) if folder else ()


def _key(part: str) -> tuple[object, ...]:
    """Text and numbers in turn, so that keys of any two names can be compared."""
    pieces: list[object] = [*_DIGITS.split(part)]
    pieces[1::2] = [(len(n), n) for n in (str(digits).lstrip("0") for digits in pieces[1::2])]
    return tuple(pieces)


def twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ only in how accents are encoded (NFC and NFD), as copies from a
    Mac do: one file on some disks, two that look alike on others."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            pairs.append((other, name))
    return pairs


def nothing_there(listing: Listing) -> str:
    """What to say where a listing has no images: what lies there instead, and what to do."""
    folder, total = shown(str(listing.folder)), listing.others.total()
    parts = []
    if listing.not_utf8:
        parts.append(
            f"the names of all {len(listing.not_utf8)} images below {folder} are not UTF-8, first "
            f"'{listing.not_utf8[0]}'. Rename them"
        )
    elif total:
        common = sorted(listing.others.items(), key=lambda pair: (-pair[1], pair[0]))
        kinds = ", ".join(f"{n} {shown(end) or 'without suffix'}" for end, n in common[:_SHOWN])
        more = f" and {len(common) - _SHOWN} other kinds" if len(common) > _SHOWN else ""
        which = "the only file" if total == 1 else f"none of the {total} files"
        verb = "is no image" if total == 1 else "is an image"
        parts.append(f"{which} below {folder} {verb}: {kinds}{more}. {_advice(listing.others)}")
    else:
        parts.append(f"no file below {folder}. Give a folder of images ({', '.join(IMAGES)})")
    if listing.links:
        parts.append(
            f"{len(listing.links)} linked sub-folders were not looked into, first "
            f"'{shown(listing.links[0])}'"
        )
    if listing.hidden:
        parts.append(f"{listing.hidden} hidden files or folders were left out")
    return "; ".join(parts)


def _advice(others: Counter[str]) -> str:
    """What to do with files of these suffixes."""
    if _ARCHIVES & set(others):
        return "Unpack the archives"
    if _FILMS & set(others):
        return "Save the films' frames as PNG, for example with ffmpeg"
    if set(others) <= _TEXTS:
        return f"Give the folder of the images ({', '.join(IMAGES)})"
    return f"Convert them to PNG, or give the folder of the images ({', '.join(IMAGES)})"
