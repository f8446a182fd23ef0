"""The target softmax dump (METHOD 2), stored as the network's own low-resolution logits.

softmax(upsample(logits)) on read gives the same probabilities as a dump of them at a sixtieth of
the size. Softmax does not change when one number is taken from all classes, so a logit is stored as
its distance below the largest of its pixel, in steps of 1/512:

    code[k] = round((max_j logits[j] - logits[k]) / step),      logits[k] = -step code[k]

A step is the same at every distance, so the error of log p, at most a step, does not grow with the
network's confidence as that of float16 does. An image with distances beyond 128 has a step of its
own, so that the largest fits: ``logit_step``.

``prediction`` and ``neg_log_confidence`` at label resolution are there for people; the latter is
-log p of the prediction, cut to three binary digits (towards 0, by less than 1/8 of itself).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tpld.core.mixture import log_probabilities, predict
from tpld.errors import StoreError
from tpld.stores import zarr_store as zs
from tpld.stores.parts import WHOLE, Part

VIEWS = ("image", "mirror")
_STEP = 1 / 512
_MISSING = 65535  # beyond the image, where it is smaller than the largest; xarray reads NaN
_KEPT_BITS = 3


def encode(logits: np.ndarray) -> tuple[np.ndarray, float]:
    """Fixed point of logits (V, K, h, w): uint16 distances below each pixel's largest, and a step.

    The step is 1/512, or that times the power of two with which the largest distance fits.
    """
    below = logits.max(axis=1, keepdims=True) - logits
    excess = float(below.max()) / _STEP / (_MISSING - 1)
    step = _STEP * 2.0 ** math.ceil(math.log2(excess)) if excess > 1 else _STEP
    return np.rint(below * np.float32(1 / step)).astype(np.uint16), step


def decode(code: np.ndarray, step: float) -> np.ndarray:
    """float32 (V, K, h, w), at most 0: what `encode` kept of the logits."""
    return code * np.float32(-step)


def coarse(log_p: np.ndarray) -> np.ndarray:
    """log p cut to three binary digits towards 0, float32; never below log_p."""
    dropped = np.uint32(23 - _KEPT_BITS)
    return (log_p.view(np.uint32) >> dropped << dropped).view(np.float32)


class PredictionWriter:
    """Writes one image after another; see `new_predictions`."""

    def __init__(
        self,
        group: zs.Group,
        sizes: Sequence[tuple[int, int]],
        logit_sizes: Sequence[tuple[int, int]],
    ) -> None:
        self._logits, self._step = zs.array_of(group, "logits"), zs.array_of(group, "logit_step")
        self._prediction = zs.array_of(group, "prediction")
        self._confidence = zs.array_of(group, "neg_log_confidence")
        self._sizes, self._logit_sizes = list(sizes), [tuple(size) for size in logit_sizes]

    def write(self, i: int, logits: np.ndarray) -> None:
        """Store the views of image i.

        Args:
            i: position in the image list.
            logits: float (V, K, h, w); the mirror view as the network gave it, not mirrored back.

        Raises:
            StoreError: a logit is not finite.
        """
        if not np.isfinite(logits).all():
            raise StoreError(
                f"the network gives logits that are not finite on image {i}. Its training "
                "diverged: lower the learning rate and rerun it"
            )
        h, w = self._logit_sizes[i]
        if logits.shape[2:] != (h, w):
            raise ValueError(f"logits of image {i} are {logits.shape[2:]}, declared was {(h, w)}")
        if self._logits.dtype == np.uint16:
            code, step = encode(logits)
            self._logits[i, :, :, :h, :w] = code
            if step != _STEP:
                self._step[i] = step
            logits = decode(code, step)  # readers must see the same decisions
        else:
            self._logits[i, :, :, :h, :w] = logits
        height, width = self._sizes[i]
        prediction, log_p = predict(logits, (height, width))
        self._prediction[i, :height, :width] = prediction
        self._confidence[i, :height, :width] = -coarse(log_p)


@contextmanager
def new_predictions(
    path: Path,
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    logit_sizes: Sequence[tuple[int, int]],
    classes: Sequence[str],
    views: int,
    dtype: str,
    run: dict[str, Any],
    part: Part = WHOLE,
) -> Iterator[PredictionWriter]:
    """Create a prediction store; it appears at `path` only when the block ends well.

    Args:
        path: the Zarr folder.
        names: image names.
        sizes: (height, width) of each image at label resolution.
        logit_sizes: (height, width) of each image's logits.
        classes: class names.
        views: 1, or 2 with the mirror image.
        dtype: of the logits: uint16, the fixed point of `encode`, or float32.
        run: record of the stage.
        part: the images that this store will hold; see `tpld.stores.assemble`.
    """
    with zs.new_store(path, "predictions", run, part) as group:
        zs.add_coordinate(group, "image", names)
        zs.add_coordinate(group, "class", classes)
        zs.add_coordinate(group, "view", VIEWS[:views])
        for name, column in zip(("height", "width"), np.array(sizes).T, strict=True):
            zs.add_vector(group, name, column.astype(np.int32), "image")
        for name, column in zip(
            ("logit_height", "logit_width"), np.array(logit_sizes).T, strict=True
        ):
            zs.add_vector(group, name, column.astype(np.int32), "image")
        yield _writer(group, sizes, logit_sizes, len(classes), views, dtype)


def measure_predictions(logits: np.ndarray, size: tuple[int, int], dtype: str) -> int:
    """Bytes that one image takes in a store: logits (V, K, h, w), size (H, W) of its labels."""
    views, classes, *low = logits.shape
    group, used = zs.group_in_memory()
    _writer(group, [size], [(low[0], low[1])], classes, views, dtype).write(0, logits)
    return used()


def _writer(
    group: zs.Group,
    sizes: Sequence[tuple[int, int]],
    logit_sizes: Sequence[tuple[int, int]],
    classes: int,
    views: int,
    dtype: str,
) -> PredictionWriter:
    """Add the arrays of the images to a group."""
    n, size, low = len(sizes), np.max(sizes, axis=0), np.max(logit_sizes, axis=0)
    dims, pixels = ("image", "view", "class", "logit_y", "logit_x"), ("image", "y", "x")
    fixed = {"_FillValue": _MISSING, "units": "-logit_step"}
    fill, notes = (_MISSING, fixed) if dtype == "uint16" else (np.nan, {})
    zs.add_vector(group, "logit_step", np.full(n, _STEP, np.float32), "image")
    zs.add_array(group, "logits", (n, views, classes, *low), dtype, fill, dims, notes)
    zs.add_array(group, "prediction", (n, *size), "uint8", 255, pixels)
    zs.add_array(group, "neg_log_confidence", (n, *size), "float32", np.nan, pixels)
    return PredictionWriter(group, sizes, logit_sizes)


class Predictions:
    """Reads probabilities; nobody else touches the raw arrays.

    Args:
        path: a store that `new_predictions` made.

    Raises:
        StoreError: see `open_store`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._group = zs.open_store(self.path, "predictions", "dump")
        self.names = [str(name) for name in zs.read_array(self._group, "image", slice(None))]
        self.classes = [str(name) for name in zs.read_array(self._group, "class", slice(None))]
        self.run = zs.run_of(self._group)
        columns = ("height", "width", "logit_height", "logit_width")
        table = [zs.read_array(self._group, name, slice(None)) for name in columns]
        self._sizes = np.stack(table, axis=1)
        self._step = zs.read_array(self._group, "logit_step", slice(None))
        self._check()

    def _check(self) -> None:
        """Names, sizes and arrays must fit each other."""
        n, kinds = len(self.names), len(self.classes)
        sizes = self._sizes
        if sizes.shape != (n, 4) or self._step.shape != (n,) or not n or (sizes < 1).any():
            raise StoreError(
                f"{self.path} is damaged: the lengths of its arrays differ. Delete it and rerun "
                "`tpld dump`"
            )
        height, width, *low = ((int(largest), int(largest)) for largest in sizes.max(axis=0))
        shapes = {
            "logits": [(n, n), (1, 2), (kinds, kinds), *low],
            "prediction": [(n, n), height, width],
        }
        for name, wanted in shapes.items():
            zs.expect_shape(self._group, self.path, "dump", name, wanted)
        if zs.array_of(self._group, "logits").dtype not in (np.uint16, np.float32):
            raise StoreError(
                f"{self.path} has logits of an unknown type. Delete it and rerun `tpld dump`"
            )

    def __len__(self) -> int:
        return len(self.names)

    def size(self, i: int) -> tuple[int, int]:
        """Height and width of image i at label resolution."""
        return int(self._sizes[i, 0]), int(self._sizes[i, 1])

    def logits(self, i: int) -> np.ndarray:
        """float32 (V, K, h, w) of image i."""
        h, w = self._sizes[i, 2:]
        stored = zs.read_array(self._group, "logits", np.s_[i, :, :, :h, :w])
        return decode(stored, self._step[i]) if stored.dtype == np.uint16 else stored

    def log_probabilities(self, i: int, window: tuple[slice, slice] | None = None) -> np.ndarray:
        """float32 (K, H, W): log p of image i, or of a window of it."""
        size = self.size(i)
        if window is None:
            return log_probabilities(self.logits(i), size)
        rows, columns = window[0].indices(size[0]), window[1].indices(size[1])
        return log_probabilities(
            self.logits(i), size, rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0]
        )

    def probabilities(self, i: int) -> np.ndarray:
        """float32 (K, H, W): p of image i."""
        return np.exp(self.log_probabilities(i))

    def predict(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (H, W) predicted class and float32 (H, W) log of its probability."""
        return predict(self.logits(i), self.size(i))

    def expect(self, names: Sequence[str], classes: Sequence[str]) -> None:
        """Refuse a store of other images or classes.

        Raises:
            StoreError: what differs is named.
        """
        for what, seen, wanted in (
            ("images", self.names, list(names)),
            ("classes", self.classes, list(classes)),
        ):
            if seen != wanted:
                raise StoreError(
                    f"{self.path} holds {len(seen)} {what}, not the {len(wanted)} of this run. "
                    "Rerun `tpld dump`"
                )
