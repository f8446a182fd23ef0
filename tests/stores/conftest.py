from pathlib import Path

import numpy as np
import pytest

from tpld.stores.labels import new_labels
from tpld.stores.predictions import new_predictions

NAMES = ["b/first", "a", "third"]
SIZES = [(20, 30), (12, 40), (20, 40)]
LOGIT_SIZES = [(3, 4), (2, 5), (3, 5)]
CLASSES = ["road", "car", "sky", "rider"]


class Stores:
    """Makes small stores of three images of different sizes."""

    names, sizes, classes = NAMES, SIZES, CLASSES

    def logits(self, i: int, views: int = 2) -> np.ndarray:
        rng = np.random.default_rng(i)
        shape = (views, len(CLASSES), *LOGIT_SIZES[i])
        return (4 * rng.standard_normal(shape)).astype(np.float32)

    def predictions(
        self,
        path: Path,
        dtype: str = "float32",
        views: int = 2,
        change: dict[int, np.ndarray | None] | None = None,
    ) -> Path:
        """Write a store; `change` replaces the logits of images, `{2: None}` leaves one out."""
        change = change or {}
        with new_predictions(
            path, NAMES, SIZES, LOGIT_SIZES, CLASSES, views, dtype, {"stage": "dump", "n": 1}
        ) as writer:
            for i in range(len(NAMES)):
                logits = change.get(i, self.logits(i, views))
                if logits is not None:
                    writer.write(i, logits)
        return path

    def layers(self, i: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(10 + i)
        label = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), SIZES[i])
        origin = np.where(label == 255, 0, rng.integers(1, 4, SIZES[i])).astype(np.uint8)
        return {"label": label, "origin": origin, "score": rng.random(SIZES[i]).astype(np.float32)}

    def labels(self, path: Path, weighted: bool = False) -> Path:
        origins = {0: "none", 1: "confident", 2: "voted_1", 3: "voted_2"}
        bars = np.log([0.9, 0.5, 0.25, 1.0])
        with new_labels(
            path, NAMES, SIZES, CLASSES, bars, origins, {"stage": "label"}, weighted
        ) as writer:
            for i in range(len(NAMES)):
                layers = self.layers(i)
                if weighted:
                    layers["weight"] = np.full(SIZES[i], 0.5, np.float32)
                writer.write(i, **layers)
        return path


@pytest.fixture()
def stores() -> Stores:
    return Stores()
