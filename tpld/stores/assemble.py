"""A store put together from those that several jobs wrote, each the shards of images of its own.

A shard is a file, so nothing is read or copied: the whole gets links to the parts' files. It has
the bytes that one job would have written, but for the record of the run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from tpld.errors import StoreError
from tpld.stores import zarr_store as zs
from tpld.stores.parts import Part


def assemble(path: Path, kind: str, pieces: Sequence[Path]) -> None:
    """Make the store `path` of `pieces`, all parts of it in their order.

    Raises:
        StoreError: a piece is unfinished, out of place, made of other inputs, or lacks an image.
    """
    groups = [_open(piece, kind, Part(i, len(pieces))) for i, piece in enumerate(pieces)]
    runs = [zs.run_of(group) for group in groups]
    for piece, run in zip(pieces, runs, strict=True):
        for what in ("settings", "inputs"):
            if run.get(what) != runs[0].get(what):
                raise StoreError(
                    f"{piece} was made with other {what} than {pieces[0]}. "
                    "Delete both and rerun Snakemake"
                )
    with zs.new_store(path, kind, {**runs[0], "parts": len(pieces)}) as whole:
        root = whole.store_path.store.root  # pyright: ignore[reportAttributeAccessIssue]
        for name, array in groups[0].arrays():
            _begin(pieces[0] / name, Path(root) / name, linked=array.shards is None)
        for index, (piece, group) in enumerate(zip(pieces, groups, strict=True)):
            for name, array in group.arrays():
                mine = Part(index, len(pieces)).of(array.shape[0])
                if array.shards is not None:
                    _link_shards(piece / name, Path(root) / name, mine)
                elif np.issubdtype(array.dtype, np.number) and name_of(array) == ("image",):
                    zs.array_of(whole, name)[mine.start : mine.stop] = array[mine.start : mine.stop]


def name_of(array: zarr.Array) -> tuple[Any, ...]:
    """Names of an array's dimensions."""
    return tuple(array.metadata.dimension_names or ())  # pyright: ignore[reportAttributeAccessIssue]


def _open(piece: Path, kind: str, part: Part) -> zs.Group:
    remedy = f"Delete {piece} and rerun Snakemake"
    try:
        group = zarr.open_group(piece, mode="r")
        about = dict(group.attrs)
    except Exception as error:
        raise StoreError(f"{piece} cannot be opened as a Zarr store ({error}). {remedy}") from None
    if about.get("complete") is not True:
        raise StoreError(f"{piece} was not finished. {remedy}")
    if (about.get("kind"), about.get("part")) != (f"{kind}, part", [part.index, part.count]):
        raise StoreError(f"{piece} is not part {part.index} of {part.count} of {kind}. {remedy}")
    return group


def _begin(source: Path, target: Path, linked: bool) -> None:
    """An array's metadata; of one that is not sharded (names, sizes) also its values."""
    target.mkdir()
    shutil.copyfile(source / "zarr.json", target / "zarr.json")
    if linked and (source / "c").exists():
        shutil.copytree(source / "c", target / "c")


def _link_shards(source: Path, target: Path, images: range) -> None:
    for i in images:
        shard = source / "c" / str(i)
        if not shard.is_dir():
            raise StoreError(f"{source} lacks image {i}. Delete its store and rerun Snakemake")
        shutil.copytree(shard, target / "c" / str(i), copy_function=_link)


def _link(source: str, target: str) -> None:
    """A second name for the file; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
