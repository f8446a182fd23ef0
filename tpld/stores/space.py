"""How much disk a store will take, said before it is written, and refused where it cannot fit."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from tpld.errors import StoreError

log = logging.getLogger("tpld")
# The first image may compress better than the others.
_MARGIN = 1.1


def ensure_space(path: Path, measured: int, pixels: int, sizes: list[tuple[int, int]]) -> None:
    """Say how large the store `path` will be, and stop where the disk is too small for it.

    Args:
        path: the store to be written; it need not exist, nor its folder.
        measured: bytes that one image of the store took.
        pixels: of that image, at label resolution.
        sizes: (height, width) of all images.

    Raises:
        StoreError: what is needed, what is free and where, and the remedy.
    """
    needed = round(_MARGIN * measured / pixels * sum(height * width for height, width in sizes))
    folder = next(p for p in Path(path).absolute().parents if p.exists())
    free = shutil.disk_usage(folder).free
    each = readable(needed / len(sizes))
    what = f"{path} will take about {readable(needed)} for {len(sizes)} images ({each} an image)"
    if needed > free:
        raise StoreError(
            f"{what}, but {folder} has {readable(free)} free. Free "
            f"{readable(needed - free)} there, or set `results` to a folder on a larger disk"
        )
    log.info("%s; %s are free", what, readable(free))


def readable(size: float) -> str:
    """A number of bytes as text, such as 2.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
