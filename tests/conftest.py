"""Tiny data sets in folders: PNGs of a few pixels, whose colours say what their labels are."""

import os
from copy import deepcopy
from pathlib import Path
from typing import Any

# Several processes share the cores here, so waiting threads must not spin (tpld/cli/__init__.py).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
from PIL import Image

from tpld.config import Config, load_config
from tpld.data.cache import Cache, write_cache
from tpld.data.sources import class_table, folders_of, list_items

CLASSES = [
    {"name": "road", "color": [128, 64, 128]},
    {"name": "car", "color": [0, 0, 142]},
    {"name": "sky", "color": [70, 130, 180]},
]
VALUES = {7: "road", 26: "car", 23: "sky"}
IDS = np.array([7, 26, 23], np.uint8)
# Grey value of the images at a pixel of each training id: the label can be read off the image.
GREY = np.array([40, 130, 220], np.uint8)


def save_png(path: Path, array: np.ndarray) -> Path:
    """Write an array as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def blocks(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 (height, width): training ids 0 to 2 in blocks of 8x8 pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (-(-height // 8), -(-width // 8)), np.uint8)
    return np.kron(coarse, np.ones((8, 8), np.uint8))[:height, :width]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slurm's test first, for it mostly waits and makes the run that the pipeline's tests share."""
    items.sort(key=lambda item: bool(item.get_closest_marker("pipeline")))
    items.sort(key=lambda item: not item.get_closest_marker("slurm"))


class Folders:
    """Two domains below a folder, and the configuration that names them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tree: dict[str, Any] = {
            "experiment": "tiny",
            "results": str(root / "results"),
            "data": {
                "source": self._domain("source"),
                "target": self._domain("target"),
                "classes": deepcopy(CLASSES),  # tests change them
            },
            "model": {
                "name": "deeplabv2_resnet18",
                "output_stride": 32,
                "aspp_dilations": [1, 2],
                "weights": "random",
            },
            "compute": {"device": "cpu", "precision": "float32", "threads": 1, "workers": 0},
            "source_training": {"batch_norm": "train"},
        }

    def _domain(self, domain: str) -> dict[str, Any]:
        for kind in ("images", "labels"):
            (self.root / domain / kind).mkdir(parents=True)
        folder = self.root / domain
        return {
            "images": str(folder / "images"),
            "labels": str(folder / "labels"),
            "values": dict(VALUES),
            "ignored": [0],
        }

    @property
    def folder(self) -> dict[str, Any]:
        """The section data."""
        return self.tree["data"]

    def add(self, domain: str, name: str, label: np.ndarray) -> None:
        """Write an image and its label file; `label` holds training ids, 255 becomes id 0."""
        grey = np.append(GREY, np.zeros(253, np.uint8))[label]
        ids = np.append(IDS, np.zeros(253, np.uint8))[label]
        save_png(self.root / domain / "images" / f"{name}.png", np.stack([grey] * 3, axis=-1))
        save_png(self.root / domain / "labels" / f"{name}.png", ids)

    def split(self, domain: str, part: str, *names: str) -> Path:
        """Write a split list and name it in the configuration."""
        path = self.root / f"{domain}_{part}.txt"
        path.write_text("\n".join(names) + "\n", encoding="utf-8")
        self.folder[domain][part] = str(path)
        return path

    def config(self, **sections: Any) -> Config:
        """The configuration, with some sections replaced."""
        return load_config({**self.tree, **sections})

    def cache(self, split: Any, kinds: tuple[Any, ...] = ("images", "labels")) -> Cache:
        """The decoded cache of a split."""
        config, out = self.config(), self.root / f"cache_{split}_{'_'.join(kinds)}"
        write_cache(out, list_items(config, split), kinds, folders_of(config, split), 1)
        return Cache(out, class_table(config))


@pytest.fixture()
def empty_folders(tmp_path: Path) -> Folders:
    """Two domains without files."""
    return Folders(tmp_path)


@pytest.fixture()
def folders(tmp_path: Path) -> Folders:
    """Four source and three target images of 32x48 pixels."""
    made = Folders(tmp_path)
    for place, name in enumerate(("s0", "s1", "s2", "s3")):
        made.add("source", name, blocks(32, 48, place))
    for place, name in enumerate(("t0", "t1", "t2")):
        made.add("target", name, blocks(32, 48, 10 + place))
    return made
