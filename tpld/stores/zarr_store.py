"""What both stores share: a Zarr 3 group that appears whole, names itself, and opens in xarray.

Arrays have named dimensions and coordinate arrays (``image`` and ``class`` names); label-resolution
arrays are padded to the largest image, whose own ``height`` and ``width`` are arrays too. One shard
holds one image, so that one writer owns it; crc32c makes a flipped bit an error instead of a label.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
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
from tpld.stores.atomic import replacing
from tpld.stores.parts import WHOLE, Part

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
    with replacing(path) as partial:
        group = zarr.create_group(partial, zarr_format=3, attributes=about)
        yield group
        group.attrs["complete"] = True
        with _quiet():
            zarr.consolidate_metadata(partial)
        _seal(partial / "zarr.json")


def _seal(metadata: Path) -> None:
    """Add a checksum to the metadata: chunks have theirs, but types, shapes and names have not."""
    tree = json.loads(metadata.read_text(encoding="utf-8"))
    tree["attributes"]["checksum"] = _checksum(tree)
    metadata.write_text(json.dumps(tree, indent=2), encoding="utf-8")


def _checksum(tree: dict[str, Any]) -> str:
    """SHA-256 of metadata, but for the checksum in them."""
    attributes = {key: v for key, v in tree["attributes"].items() if key != "checksum"}
    text = json.dumps({**tree, "attributes": attributes}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


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
        StoreError: missing, of another kind, not marked complete, with damaged metadata, or with
            missing chunks.
    """
    remedy = f"Delete it and rerun `tpld {stage}`"
    if not (Path(path) / "zarr.json").is_file() and Path(path).suffix != ".zarr":
        # Somebody gave another folder: no advice to delete that.
        raise StoreError(
            f"{path} is no Zarr store. Give a {kind}.zarr, such as that of a round below "
            "results/<experiment>/<method>/seed<s>"
        )
    try:
        tree = json.loads((Path(path) / "zarr.json").read_text(encoding="utf-8"))
        whole = tree["attributes"].get("checksum") == _checksum(tree)
        group = zarr.open_group(path, mode="r")
        attributes = dict(group.attrs)
        lacking = {name: _shards(path, array) for name, array in group.arrays()} if whole else {}
    except Exception as error:
        raise StoreError(f"{path} cannot be opened as a Zarr store ({error}). {remedy}") from None
    if attributes.get("kind") != kind:
        raise StoreError(
            f"{path} is a store of {attributes.get('kind')!r}, not of {kind}. {remedy}"
        )
    if attributes.get("complete") is not True:
        raise StoreError(f"{path} was not finished. {remedy}")
    if not whole:
        raise StoreError(f"{path} has metadata that do not match their checksum. {remedy}")
    for name, (wanted, there) in lacking.items():
        if there != wanted:
            raise StoreError(
                f"{path}: array '{name}' lacks {wanted - there} of {wanted} chunks. {remedy}"
            )
    return group


def _shards(path: Path, array: zarr.Array) -> tuple[int, int]:
    """Files that an array must have by its shape, and files that it has.

    Counted here, by listing the folder: zarr asks for every possible chunk by name, which takes
    long for many images and for ever for a damaged shape.
    """
    step = array.shards or array.chunks
    wanted = math.prod(-(-n // size) for n, size in zip(array.shape, step, strict=True))
    below = Path(path) / array.basename / "c"
    return wanted, sum(len(files) for _, _, files in os.walk(below))


def expect_shape(
    group: Group, path: Path, stage: str, name: str, wanted: Sequence[tuple[int, int]]
) -> None:
    """Refuse an array whose shape does not fit the names and sizes of its store.

    Args:
        group: an open store.
        path: of it.
        stage: that makes it.
        name: of the array.
        wanted: smallest and largest length of each dimension.

    Raises:
        StoreError: the array is missing, or of another shape.
    """
    array = group.get(name)
    shape = tuple(array.shape) if isinstance(array, zarr.Array) else ()
    if len(shape) != len(wanted) or not all(
        low <= n <= high for n, (low, high) in zip(shape, wanted, strict=True)
    ):
        raise StoreError(
            f"{path}: array '{name}' has the shape {shape}, which does not fit the store's names "
            f"and sizes. Delete it and rerun `tpld {stage}`"
        )


def run_of(group: Group) -> dict[str, Any]:
    """The record of the stage that wrote a store; empty if there is none."""
    run = group.attrs.get("run")
    return dict(run) if isinstance(run, dict) else {}


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
