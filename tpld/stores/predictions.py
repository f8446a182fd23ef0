"""The target softmax dump (METHOD 2), stored as the network's own low-resolution logits.

softmax(upsample(logits)) on read gives the same probabilities as a dump of them at a sixtieth of
the size. ``prediction`` and ``neg_log_confidence`` at label resolution are there for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tpld.errors import StoreError
from tpld.method.mixture import log_probabilities, predict
from tpld.stores import zarr_store as zs

VIEWS = ("image", "mirror")


class PredictionWriter:
    """Writes one image after another; see `new_predictions`."""

    def __init__(
        self,
        group: zs.Group,
        sizes: Sequence[tuple[int, int]],
        logit_sizes: Sequence[tuple[int, int]],
    ) -> None:
        self._logits = zs.array_of(group, "logits")
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
        stored = logits.astype(self._logits.dtype)
        if not np.isfinite(stored).all():
            raise StoreError(
                f"logits of image {i} reach {np.abs(logits).max():.0f}, beyond float16. Set "
                "dump.dtype: float32"
            )
        self._logits[i, :, :, :h, :w] = stored
        height, width = self._sizes[i]
        # From what is stored, not from what was given: readers must see the same decisions.
        prediction, log_p = predict(stored.astype(np.float32), (height, width))
        self._prediction[i, :height, :width] = prediction
        self._confidence[i, :height, :width] = (-log_p).astype(np.float16)


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
) -> Iterator[PredictionWriter]:
    """Create a prediction store; it appears at `path` only when the block ends well.

    Args:
        path: the Zarr folder.
        names: image names.
        sizes: (height, width) of each image at label resolution.
        logit_sizes: (height, width) of each image's logits.
        classes: class names.
        views: 1, or 2 with the mirror image.
        dtype: of the logits, float16 or float32.
        run: record of the stage.
    """
    (height, width), (h, w) = np.max(sizes, axis=0), np.max(logit_sizes, axis=0)
    n, k = len(names), len(classes)
    with zs.new_store(path, "predictions", run) as group:
        zs.add_coordinate(group, "image", names)
        zs.add_coordinate(group, "class", classes)
        zs.add_coordinate(group, "view", VIEWS[:views])
        for name, column in zip(("height", "width"), np.array(sizes).T, strict=True):
            zs.add_vector(group, name, column.astype(np.int32), "image")
        for name, column in zip(
            ("logit_height", "logit_width"), np.array(logit_sizes).T, strict=True
        ):
            zs.add_vector(group, name, column.astype(np.int32), "image")
        dims = ("image", "view", "class", "logit_y", "logit_x")
        zs.add_array(group, "logits", (n, views, k, h, w), dtype, float("nan"), dims)
        pixels = ("image", "y", "x")
        zs.add_array(group, "prediction", (n, height, width), "uint8", 255, pixels)
        zs.add_array(
            group, "neg_log_confidence", (n, height, width), "float16", float("nan"), pixels
        )
        yield PredictionWriter(group, sizes, logit_sizes)


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

    def __len__(self) -> int:
        return len(self.names)

    def size(self, i: int) -> tuple[int, int]:
        """Height and width of image i at label resolution."""
        return int(self._sizes[i, 0]), int(self._sizes[i, 1])

    def logits(self, i: int) -> np.ndarray:
        """float32 (V, K, h, w) of image i."""
        h, w = self._sizes[i, 2:]
        return zs.read_array(self._group, "logits", np.s_[i, :, :, :h, :w]).astype(np.float32)

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
