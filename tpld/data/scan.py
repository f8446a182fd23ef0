"""Looking at a folder once, and reading a list of names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePosixPath

from tpld.data.listing import is_hidden
from tpld.errors import DataError

Found = dict[str, os.DirEntry[str]]


def scan(root: Path, follow_links: bool) -> Found:
    """Every file below a folder by its relative name; nothing for a folder that does not exist.

    Names are composed (`composed`). What programs leave behind is no file, linked folders are
    looked into where links may be followed; a circle of links is left after one turn.
    """
    found: Found = {}
    if root.is_dir():
        _scan(os.fspath(root), "", follow_links, (), found)
    return found


def composed(name: str) -> str:
    """A name in NFC: macOS and some archives write letters and accents apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _scan(root: str, below: str, follow: bool, above: tuple[str, ...], found: Found) -> None:
    inside = above
    if follow:
        real = os.path.realpath(f"{root}/{below}")
        if real in above:
            return
        inside = (*above, real)
    with os.scandir(f"{root}/{below}" if below else root) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            name = f"{below}{entry.name}"
            if _is_folder(entry, follow):
                _scan(root, f"{name}/", follow, inside, found)
            else:
                found[composed(name)] = entry


def _is_folder(entry: os.DirEntry[str], follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:  # a link to itself
        return False


def read_list(path: Path, split: str) -> list[str]:
    """The names of a split list, one a line.

    Raises:
        DataError: it cannot be read, or a name leads out of the folder or stands in it twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{split}: cannot read split list {path}: {error}") from None
    # Through PurePosixPath: `./a` and `a` are the same image.
    names = [PurePosixPath(line.strip()).as_posix() for line in lines if line.strip()]
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\0" in name:
            raise DataError(
                f"{path}, entry {number}: '{name}' leads out of the image folder. "
                "Names are relative to it, without '..'"
            )
        if composed(name) in seen:
            raise DataError(
                f"{path}: '{name}' stands in it twice (entries {seen[composed(name)]} and "
                f"{number}). Remove one"
            )
        seen[composed(name)] = number
    return names
