"""Pseudo labels of the target training images: label, origin, score (METHOD 4, 5 and 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tpld.errors import StoreError
from tpld.stores import zarr_store as zs
from tpld.stores.parts import WHOLE, Part

_PIXELS = ("image", "y", "x")


class LabelWriter:
    """Writes one image after another; see `new_labels`."""

    def __init__(self, group: zs.Group) -> None:
        self._group = group

    def write(self, i: int, **layers: np.ndarray) -> None:
        """Store the layers of image i, each (H, W): label, origin, score, and weight if made."""
        for name, values in layers.items():
            height, width = values.shape
            array = zs.array_of(self._group, name)
            array[i, :height, :width] = values.astype(array.dtype)


@contextmanager
def new_labels(
    path: Path,
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    classes: Sequence[str],
    log_threshold: np.ndarray,
    origins: dict[int, str],
    run: dict[str, Any],
    weighted: bool = False,
    part: Part = WHOLE,
) -> Iterator[LabelWriter]:
    """Create a label store; it appears at `path` only when the block ends well.

    Args:
        path: the Zarr folder.
        names: image names.
        sizes: (height, width) of each image.
        classes: class names.
        log_threshold: float (K,), log λ that the labels were made with.
        origins: meaning of each value of ``origin``.
        run: record of the stage.
        weighted: add a layer of loss weights (full labels).
        part: the images that this store will hold; see `tpld.stores.assemble`.
    """
    with zs.new_store(path, "labels", run, part) as group:
        zs.add_coordinate(group, "image", names)
        zs.add_coordinate(group, "class", classes)
        for name, column in zip(("height", "width"), np.array(sizes).T, strict=True):
            zs.add_vector(group, name, column.astype(np.int32), "image")
        zs.add_vector(group, "log_threshold", np.asarray(log_threshold, np.float64), "class")
        yield _writer(group, sizes, origins, weighted)


def measure_labels(**layers: np.ndarray) -> int:
    """Bytes that the layers of one image take in a store; see `LabelWriter.write`."""
    group, used = zs.group_in_memory()
    _writer(group, [layers["label"].shape], {}, "weight" in layers).write(0, **layers)
    return used()


def _writer(
    group: zs.Group, sizes: Sequence[tuple[int, ...]], origins: dict[int, str], weighted: bool
) -> LabelWriter:
    """Add the layers to a group."""
    shape = (len(sizes), *np.max(sizes, axis=0))
    flags = {"flag_values": list(origins), "flag_meanings": " ".join(origins.values())}
    zs.add_array(group, "label", shape, "uint8", 255, _PIXELS)
    zs.add_array(group, "origin", shape, "uint8", 0, _PIXELS, flags)
    for name in ("score", "weight") if weighted else ("score",):
        zs.add_array(group, name, shape, "float16", float("nan"), _PIXELS)
    return LabelWriter(group)


class Labels:
    """Reads pseudo labels.

    Args:
        path: a store that `new_labels` made.

    Raises:
        StoreError: see `open_store`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._group = zs.open_store(self.path, "labels", "label")
        self.names = [str(name) for name in zs.read_array(self._group, "image", slice(None))]
        self.classes = [str(name) for name in zs.read_array(self._group, "class", slice(None))]
        self.run = zs.run_of(self._group)
        self.log_threshold = zs.read_array(self._group, "log_threshold", slice(None))
        columns = [zs.read_array(self._group, c, slice(None)) for c in ("height", "width")]
        self._check(columns)
        self._sizes = np.stack(columns, axis=1)
        self.origins = self._meanings()

    def _check(self, sizes: list[np.ndarray]) -> None:
        """Names, sizes and arrays must fit each other."""
        remedy = "Delete it and rerun `tpld label`"
        n = len(self.names)
        lengths = {len(column) if column.ndim == 1 else -1 for column in sizes}
        if lengths != {n} or self.log_threshold.shape != (len(self.classes),):
            raise StoreError(f"{self.path} is damaged: the lengths of its arrays differ. {remedy}")
        largest = [int(column.max()) if n else 0 for column in sizes]
        for name in ("label", "origin", "score"):
            wanted = [(n, n), *((size, size) for size in largest)]
            zs.expect_shape(self._group, self.path, "label", name, wanted)

    def _meanings(self) -> dict[int, str]:
        """What each value of ``origin`` stands for."""
        flags: dict[str, Any] = dict(zs.array_of(self._group, "origin").attrs)
        try:
            meanings = str(flags["flag_meanings"]).split()
            return {int(v): m for v, m in zip(flags["flag_values"], meanings, strict=True)}
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{self.path} does not say what its origins mean ({error}). Delete it and rerun "
                f"`tpld label`"
            ) from None

    def __len__(self) -> int:
        return len(self.names)

    def size(self, i: int) -> tuple[int, int]:
        """Height and width of image i."""
        return int(self._sizes[i, 0]), int(self._sizes[i, 1])

    def layer(self, name: str, i: int, window: tuple[slice, slice] | None = None) -> np.ndarray:
        """(H, W) of a layer of image i (label, origin, score, weight), or a window of it."""
        height, width = self.size(i)
        rows, columns = window or (slice(None), slice(None))
        # In terms of this image: the array is padded to the largest one.
        rows, columns = slice(*rows.indices(height)), slice(*columns.indices(width))
        return zs.read_array(self._group, name, np.s_[i, rows, columns])
