from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tpld.compute.runtime import Runtime, resolve
from tpld.config import Compute
from tpld.stores.labels import Labels, new_labels
from tpld.stores.predictions import Predictions, new_predictions

CLASSES = ["road", "car", "sky"]


class Tiny(nn.Module):
    """Three classes at stride 4: what training asks of a network, in 400 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.head = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image):
        return self.head(self.backbone(image))


@pytest.fixture()
def make_network():
    def make(seed: int = 0) -> Tiny:
        torch.manual_seed(seed)
        return Tiny()

    return make


@pytest.fixture()
def runtime() -> Runtime:
    """float32, one thread: what makes a run the same bit for bit."""
    threads = torch.get_num_threads()
    yield resolve(Compute(device="cpu", precision="float32", threads=1, workers=0))
    torch.set_num_threads(threads)


@pytest.fixture()
def make_labels(tmp_path: Path):
    def make(names: list[str], labels: list[np.ndarray], origin: int = 1) -> Labels:
        path = tmp_path / "labels.zarr"
        sizes = [label.shape for label in labels]
        origins = {0: "none", 1: "confident", 2: "voted_1"}
        with new_labels(path, names, sizes, CLASSES, np.log([0.9, 0.8, 0.7]), origins, {}) as out:
            for i, label in enumerate(labels):
                out.write(i, label=label, origin=label * 0 + origin, score=label * 0.0 + 1)
        return Labels(path)

    return make


@pytest.fixture()
def make_predictions(tmp_path: Path):
    def make(names: list[str], size: tuple[int, int]) -> Predictions:
        path, low = tmp_path / "predictions.zarr", (size[0] // 8, size[1] // 8)
        n = len(names)
        with new_predictions(path, names, [size] * n, [low] * n, CLASSES, 1, "float32", {}) as out:
            for i in range(n):
                rng = np.random.default_rng(i)
                out.write(i, (3 * rng.standard_normal((1, 3, *low))).astype(np.float32))
        return Predictions(path)

    return make


def same(one: dict, other: dict) -> bool:
    """Whether two batches are equal in every bit."""
    return one.keys() == other.keys() and all(
        torch.equal(one[key], other[key]) if torch.is_tensor(one[key]) else one[key] == other[key]
        for key in one
    )


@pytest.fixture()
def same_batch():
    return same
