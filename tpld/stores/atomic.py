"""Artefacts appear whole or not at all: write beside the final place, then rename."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path; on success it is renamed to `target`, on failure removed.

    Works for files and folders. A kill leaves only ``.<name>.partial``, which no reader takes for
    the artefact and which the next writer removes.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.partial"
    _remove(partial)
    try:
        yield partial
        _sync(partial)
        if target.is_dir():
            _remove(target)  # a rename cannot replace a folder that is not empty
        partial.replace(target)
    except BaseException:
        _remove(partial)
        raise


def _sync(path: Path) -> None:
    """Flush to disk, so that a power cut after the rename does not leave an empty file."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
