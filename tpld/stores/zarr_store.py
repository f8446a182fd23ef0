"""What both stores share: a Zarr 3 group that appears whole, names itself, and opens in xarray.

Arrays have named dimensions and coordinate arrays (``image`` and ``class`` names); label-resolution
arrays are padded to the largest image, whose own ``height`` and ``width`` are arrays too. One shard
holds one image, so that one writer owns it; crc32c makes a flipped bit an error instead of a label.
"""

from __future__ import annotations

import errno
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.buffer import Buffer
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec
from zarr.errors import ZarrUserWarning
from zarr.storage import MemoryStore

from tpld.errors import StoreError
from tpld.parts import WHOLE, Part
from tpld.stores.atomic import replacing

_CHUNK = 256
# Chunks of nothing but fill are written too: a missing chunk then always means damage. This is a
# setting of a handle and not of the array on disk, so every handle that writes must ask for it.
_WRITE_ALL: Any = {"write_empty_chunks": True}
Group = zarr.Group


def add_array(
    group: Group,
    name: str,
    shape: Sequence[int],
    dtype: str,
    fill: float,
    dims: Sequence[str],
    attributes: dict[str, Any] | None = None,
) -> None:
    """Create an array whose first dimension is the image: one shard an image, chunks 256x256."""
    sizes = list(zip(shape, dims, strict=True))[1:]
    chunk = [1, *(min(_CHUNK, n) if dim in ("y", "x") else n for n, dim in sizes)]
    shard = [1, *(-(-n // c) * c for (n, _), c in zip(sizes, chunk[1:], strict=True))]
    group.create_array(
        name,
        shape=tuple(shape),
        chunks=tuple(chunk),
        shards=tuple(shard),
        dtype=dtype,
        fill_value=fill,
        dimension_names=tuple(dims),
        compressors=[BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()],
        attributes=attributes or {},
    )


def add_coordinate(group: Group, dim: str, values: Sequence[str]) -> None:
    """Name the entries of a dimension."""
    with _quiet():
        array = group.create_array(
            dim,
            shape=(len(values),),
            dtype=str,
            dimension_names=(dim,),
            compressors=[ZstdCodec(), Crc32cCodec()],
        )
    array[:] = np.array(list(values), dtype=object)


def add_vector(group: Group, name: str, values: np.ndarray, dim: str) -> None:
    """A short array along one dimension, such as λ along the classes."""
    group.create_array(
        name,
        data=np.asarray(values),
        dimension_names=(dim,),
        compressors=[ZstdCodec(), Crc32cCodec()],
        config=_WRITE_ALL,
    )


@contextmanager
def new_store(path: Path, kind: str, run: dict[str, Any], part: Part = WHOLE) -> Iterator[Group]:
    """Give a group to fill; it is moved to `path`, marked complete, only if all went well.

    A part of a store has the arrays of the whole, and of some images their shards.
    """
    about: dict[str, Any] = {"kind": kind, "run": _plain(run)}
    if part != WHOLE:
        about = {"kind": f"{kind}, part", "part": [part.index, part.count], "run": about["run"]}
    with _full_disk(path), replacing(path) as partial:
        group = zarr.create_group(partial, zarr_format=3, attributes=about)
        yield group
        group.attrs["complete"] = True
        with _quiet():
            zarr.consolidate_metadata(partial)


@contextmanager
def _full_disk(path: Path) -> Iterator[None]:
    """A disk that runs full under a writer is the user's to mend, not a defect."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreError(
            f"the disk of {path} ran full while it was written. Nothing of it was kept: free "
            "some space there, or set `results` to a folder on a larger disk, and rerun"
        ) from error


def group_in_memory() -> tuple[Group, Callable[[], int]]:
    """A group that lives in memory, and a function that tells how many bytes it takes."""
    entries: dict[str, Buffer] = {}
    group = zarr.create_group(MemoryStore(entries), zarr_format=3)
    return group, lambda: sum(len(entry) for entry in entries.values())


def open_store(path: Path, kind: str, stage: str) -> Group:
    """Open a store for reading.

    Args:
        path: the Zarr folder.
        kind: what it must hold, ``predictions`` or ``labels``.
        stage: name of the stage that makes it, for the error message.

    Raises:
        StoreError: missing, of another kind, not marked complete, or with missing chunks.
    """
    remedy = f"Delete it and rerun `tpld {stage}`"
    try:
        group = zarr.open_group(path, mode="r")
        attributes = dict(group.attrs)
        arrays = [array for _, array in group.arrays()]
    except Exception as error:
        raise StoreError(f"{path} cannot be opened as a Zarr store ({error}). {remedy}") from None
    if attributes.get("kind") != kind:
        raise StoreError(
            f"{path} is a store of {attributes.get('kind')!r}, not of {kind}. {remedy}"
        )
    if attributes.get("complete") is not True:
        raise StoreError(f"{path} was not finished. {remedy}")
    for array in arrays:
        if array.nchunks_initialized != array.nchunks:
            raise StoreError(
                f"{path}: array '{array.basename}' lacks "
                f"{array.nchunks - array.nchunks_initialized} of {array.nchunks} chunks. {remedy}"
            )
    return group


def run_of(group: Group) -> dict[str, Any]:
    """The record of the stage that wrote a store."""
    run = group.attrs["run"]
    assert isinstance(run, dict)
    return dict(run)


def array_of(group: Group, name: str) -> zarr.Array:
    """The array of a name (a group may hold groups too; ours never do)."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array.with_config(_WRITE_ALL)


def read_array(group: Group, name: str, index: Any) -> np.ndarray:
    """Read a part of an array; damage becomes an error that names store and array.

    Raises:
        StoreError: a chunk does not match its checksum or cannot be decoded.
    """
    try:
        return np.asarray(array_of(group, name)[index])
    except Exception as error:
        raise StoreError(
            f"{group.store_path}: array '{name}' is damaged at {index} ({error}). "
            "Delete the store and rerun its stage"
        ) from None


def _plain(run: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(run, default=str))


@contextmanager
def _quiet() -> Iterator[None]:
    """Consolidated metadata and string arrays are extensions of Zarr 3; xarray reads both."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ZarrUserWarning)
        yield
