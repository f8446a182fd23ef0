"""Decoded images of one split on disk, so that a training crop costs a memory copy.

A cache folder holds ``images.bin`` and/or ``labels.bin`` (uint8, images one after the other),
``domains.json`` with how files of each domain are read, and ``index.csv`` with one row an image:
name, height, width, offset in pixels, CRC-32 of its arrays, domain and its weight, source files.
The checksums make the index, by which a cache is known (`provenance.fingerprint`), change with its
pixels, and they are compared when an image is first used: a flipped bit is an error, not another
pixel. Images of different sizes are legal. Images beyond the disk bound have offset -1 and are
decoded at each use; one whose file has changed since is an error too.

Ground truth of the target is a cache of its own (no ``images.bin``): stages that train are never
given its path.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tpld.data.decode import decode_image, decode_label
from tpld.data.folders import Folders
from tpld.data.opened import unequal_sizes
from tpld.data.sources import IGNORE, ClassTable, Item
from tpld.errors import DataError, StoreError
from tpld.stores.atomic import replacing

Kind = Literal["images", "labels"]
_CHANNELS: dict[Kind, int] = {"images": 3, "labels": 1}
_SOURCES: dict[Kind, str] = {"images": "image", "labels": "label"}
_CHECKSUMS: dict[Kind, str] = {"images": "image_crc32", "labels": "label_crc32"}
_TEXTS = ("name", "image", "label", "domain")
Window = tuple[slice, slice]
FULL: Window = (slice(None), slice(None))


def write_cache(
    folder: Path,
    items: list[Item],
    kinds: tuple[Kind, ...],
    folders: Sequence[Folders],
    limit_gib: float,
    tick: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Decode `items` into a new cache; the folder appears only when it is whole.

    Returns:
        The index, one row an image.

    Raises:
        DataError: a file cannot be decoded, or image and label differ in size.
    """
    with replacing(folder) as partial:
        partial.mkdir(parents=True)
        rows, offset = [], 0
        files = {kind: (partial / f"{kind}.bin").open("wb") for kind in kinds}
        try:
            for done, (item, arrays) in enumerate(_decoded(items, kinds, folders), start=1):
                height, width = next(iter(arrays.values())).shape[:2]
                pixels = height * width
                keep = (offset + pixels) * sum(_CHANNELS[k] for k in kinds) <= limit_gib * 2**30
                if keep:
                    for kind, array in arrays.items():
                        files[kind].write(np.ascontiguousarray(array).data)
                sums = [_crc(arrays[kind]) if kind in arrays else 0 for kind in _CHANNELS]
                rows.append((item.name, height, width, offset if keep else -1, *sums))
                offset += pixels if keep else 0
                tick(done)
        finally:
            for file in files.values():
                file.close()
        columns = ["name", "height", "width", "offset", *_CHECKSUMS.values()]
        index = pd.DataFrame(rows, columns=columns)
        # A cache without labels must not lead to them either.
        index["domain"] = [folders[item.domain].domain for item in items]
        index["weight"] = [folders[item.domain].weight for item in items]
        for kind, column in _SOURCES.items():
            paths = [getattr(item, column) if kind in kinds else None for item in items]
            index[column] = [str(path or "") for path in paths]
        index.to_csv(partial / "index.csv", index=False)
        # Images beyond the bound are decoded later, by stages that know classes but no file ids.
        rules = {f.domain: {"exif": f.exif, "table": f.table.to_json()} for f in folders}
        (partial / "domains.json").write_text(json.dumps(rules), encoding="utf-8")
    return index


def _crc(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).data)


def _decoded(
    items: list[Item], kinds: tuple[Kind, ...], folders: Sequence[Folders]
) -> Iterable[tuple[Item, dict[Kind, np.ndarray]]]:
    """Decode in threads (PIL releases the interpreter lock), in order, a few images ahead."""

    labelled = any(item.label for item in items)

    def decode(item: Item) -> dict[Kind, np.ndarray]:
        arrays: dict[Kind, np.ndarray] = {}
        resize, turn = folders[item.domain].resize, folders[item.domain].exif
        if "images" in kinds:
            arrays["images"] = decode_image(item.image, resize, turn)
        if "labels" in kinds and item.label is not None:
            table = folders[item.domain].table
            arrays["labels"] = decode_label(item.label, table, resize, turn)
        elif "labels" in kinds:
            if not labelled:
                raise DataError(f"{item.name}: no label folder is configured for this split")
            # Its domain has no labels, another one has: nothing is known of this image.
            image = arrays["images"] if arrays else decode_image(item.image, resize, turn)
            arrays["labels"] = np.full(image.shape[:2], IGNORE, np.uint8)
        if len({array.shape[:2] for array in arrays.values()}) > 1 and item.label is not None:
            pair = arrays["images"].shape[:2], arrays["labels"].shape[:2]
            raise unequal_sizes(item.image, pair[0], item.label, pair[1], turn)
        return arrays

    ahead = 2 * (os.cpu_count() or 1)
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), ahead):
            chunk = items[start : start + ahead]
            yield from zip(chunk, pool.map(decode, chunk), strict=True)


class Group(NamedTuple):
    """The images of one domain: their numbers, int64 (n,), and how often the domain is drawn."""

    images: np.ndarray
    weight: float


def _groups(index: pd.DataFrame) -> tuple[list[str], list[Group]]:
    """The domain of each image, and the images of each domain; one where none is written down."""
    if "domain" not in index:  # decoded by an earlier version
        return [""] * len(index), [Group(np.arange(len(index)), 1.0)]
    names = [str(name) for name in index["domain"]]
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        found.setdefault(name, []).append(i)
    weights = index["weight"].to_numpy(np.float64)
    return names, [Group(np.array(i, np.int64), float(weights[i[0]])) for i in found.values()]


class Cache:
    """Random access to a decoded split.

    Args:
        folder: a folder that `write_cache` made.
        table: class table of the experiment; labels that did not fit into the disk bound are
            decoded with the one that the cache was written with, which has its files' ids.

    Raises:
        StoreError: the folder is no complete cache.
    """

    def __init__(self, folder: Path, table: ClassTable) -> None:
        self.folder, self.table = Path(folder), table
        try:
            written = self.folder / "domains.json"
            rules = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
            self._tables = {k: ClassTable.from_json(v["table"]) for k, v in rules.items()}
            self.table = next(iter(self._tables.values()), table)
            self._turned = {k: bool(v["exif"]) for k, v in rules.items()}
            self.index = pd.read_csv(
                self.folder / "index.csv",
                keep_default_na=False,
                dtype=dict.fromkeys(_TEXTS, str),  # 0001 is a name, not a number
            )
            self._rows = self.index[["height", "width", "offset"]].to_numpy(np.int64)
            self._sums = self.index[[*_CHECKSUMS.values()]].to_numpy(np.int64)
            self._domain, self.groups = _groups(self.index)
            self.domains = list(dict.fromkeys(self._domain))
            self._sources = {kind: self.index[name].tolist() for kind, name in _SOURCES.items()}
            self.names: list[str] = [str(name) for name in self.index["name"]]
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            OverflowError,
        ) as error:
            raise StoreError(
                f"{folder} is no cache of decoded images ({error}). Rerun `tpld prepare`"
            ) from None
        self._maps: dict[Kind, np.ndarray] = {
            kind: np.memmap(path, np.uint8, "r")
            for kind in _CHANNELS
            if (path := self.folder / f"{kind}.bin").exists() and path.stat().st_size
        }
        self._seen = np.zeros((len(self.names), len(_CHANNELS)), bool)
        self._check_sizes()

    def _check_sizes(self) -> None:
        height, width, offset = self._rows.T
        pixels, kept = height * width, offset >= 0
        ends = np.cumsum(np.where(kept, pixels, 0))
        if (
            not len(self.names)
            or len(set(self.names)) != len(self.names)
            or (self._rows[:, :2] < 1).any()
            or (offset[kept] != (ends - pixels)[kept]).any()
        ):
            raise StoreError(
                f"{self.folder / 'index.csv'} is damaged. Delete {self.folder} and rerun"
            )
        for kind, data in self._maps.items():
            if data.size != ends[-1] * _CHANNELS[kind]:
                raise StoreError(
                    f"{self.folder / f'{kind}.bin'} has {data.size} bytes, the index asks for "
                    f"{ends[-1] * _CHANNELS[kind]}. Delete {self.folder} and rerun"
                )

    def __len__(self) -> int:
        return len(self.names)

    def size(self, i: int) -> tuple[int, int]:
        """Height and width of image i in pixels."""
        return int(self._rows[i, 0]), int(self._rows[i, 1])

    @property
    def labelled_groups(self) -> list[Group]:
        """The groups of domains with labels; all where the cache was written without labels."""
        labels = self._sources["labels"]
        found = [group for group in self.groups if labels[int(group.images[0])]]
        return found or self.groups

    def domain(self, i: int) -> str:
        """Name of the domain of image i, one of `domains`."""
        return self._domain[i]

    def image(self, i: int, window: Window = FULL) -> np.ndarray:
        """uint8 (h, w, 3): a window of image i, read-only."""
        return self._read("images", i)[window]

    def label(self, i: int, window: Window = FULL) -> np.ndarray:
        """uint8 (h, w): a window of the labels of image i (training ids, 255 = ignore)."""
        return self._read("labels", i)[window]

    def _read(self, kind: Kind, i: int) -> np.ndarray:
        height, width, offset = (int(value) for value in self._rows[i])
        source = self._sources[kind][i]
        if offset < 0 and source:
            domain = self.domain(i)
            table, turn = self._tables.get(domain, self.table), self._turned.get(domain, True)
            if kind == "images":
                array = decode_image(Path(source), (height, width), turn)
            else:
                array = decode_label(Path(source), table, (height, width), turn)
            if _crc(array) != self._sum(kind, i):
                raise DataError(
                    f"{source} has changed since it was checked and decoded. Rerun: the plan sees "
                    f"it and decodes again (by hand: delete {self.folder})"
                )
            return array
        if offset < 0 and kind == "labels" and (self.folder / "labels.bin").exists():
            return np.full((height, width), IGNORE, np.uint8)  # of a domain without labels
        if kind not in self._maps:
            raise StoreError(f"{self.folder} holds no {kind}: this split has none here")
        channels = _CHANNELS[kind]
        flat = self._maps[kind][offset * channels : (offset + height * width) * channels]
        self._check(kind, i, flat)
        shape = (height, width, 3) if kind == "images" else (height, width)
        return flat.reshape(shape)

    def _sum(self, kind: Kind, i: int) -> int:
        return int(self._sums[i, list(_CHANNELS).index(kind)])

    def _check(self, kind: Kind, i: int, flat: np.ndarray) -> None:
        """Compare the checksum, the first time that this process uses the image."""
        seen = self._seen[i]
        place = list(_CHANNELS).index(kind)
        if seen[place]:
            return
        if zlib.crc32(flat.data) != self._sum(kind, i):
            raise StoreError(
                f"{self.folder / f'{kind}.bin'}: the pixels of '{self.names[i]}' do not match "
                f"their checksum; the disk or a copy damaged them. Delete {self.folder} and rerun"
            )
        seen[place] = True
