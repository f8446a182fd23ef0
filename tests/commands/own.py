"""Folders of one's own for the tests of `init`: small images and label files of every kind."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.conftest import save_png
from tpld.commands.init import refuse_taken, write
from tpld.commands.own.look import Answers, Found, look, settle
from tpld.config import Config, load_config
from tpld.data.decode import decode_label
from tpld.data.folders import folders_of
from tpld.data.sources import list_items
from tpld.data.splits import Split

SIZE = (32, 48)


def picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """Write an image, of noise that no other path has."""
    noise = np.random.default_rng(zlib.crc32(str(path).encode()))
    return save_png(path, noise.integers(0, 256, (*size, 3), np.uint8))


def stripes(values: Sequence[int], dtype: Any = np.uint8, width: int = 16) -> np.ndarray:
    """(32, width * n): a stripe for each value, from left to right."""
    return np.repeat(np.array(values, dtype), width)[None].repeat(SIZE[0], 0)


def domain(root: Path, labels: Sequence[np.ndarray] | None, images: int | None = None) -> Path:
    """A folder with ``images/x0.png``, ... and, unless they are None, ``labels/x0.png``, ..."""
    count = images if labels is None or images is not None else len(labels)
    for i in range(count or 0):
        size = labels[i].shape[:2] if labels is not None and i < len(labels) else SIZE
        picture(root / "images" / f"x{i}.png", size)
    for i, label in enumerate(labels or []):
        save_png(root / "labels" / f"x{i}.png", label)
    return root


def palette_png(path: Path, values: np.ndarray, colors: dict[int, tuple[int, int, int]]) -> None:
    """Write a palette file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(np.uint8), mode="P")
    palette = np.zeros((256, 3), np.uint8)
    for value, color in colors.items():
        palette[value] = color
    image.putpalette(palette.tobytes())
    image.save(path)


def answers(root: Path, **given: Any) -> Answers:
    """Answers for the folders source and target below a folder."""
    return Answers(root / "source", root / "target", out=root / "mine.yaml", **given)


def found_in(asked: Answers) -> Found:
    """All that `init` finds before it writes."""
    refuse_taken(asked)
    return settle(asked, look(asked))


def written(asked: Answers) -> Config:
    """The configuration that `init` writes."""
    write(asked, found_in(asked))
    return load_config(asked.out)


def decoded(config: Config, split: Split) -> dict[str, list[list[str]]]:
    """Names of the classes in the first row of each label file, as training would see them."""
    every = folders_of(config, split)
    rows = {}
    for item in list_items(config, split):
        table = every[item.domain].table
        names = dict(enumerate(table.names)) | {255: "-"}
        assert item.label is not None
        ids = decode_label(item.label, table)
        rows[item.name] = [names[int(i)] for i in ids[0]]
    return rows


def run(row: list[str]) -> list[str]:
    """A row without repetitions: what its stripes are."""
    return [name for place, name in enumerate(row) if place == 0 or row[place - 1] != name]
