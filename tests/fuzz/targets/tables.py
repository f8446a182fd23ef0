"""CSV tables and the index of a cache."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tests.fuzz.mutate import damage
from tests.fuzz.targets.common import CPU, Case, class_table_of_four, folders_of_four
from tpld.config import load_config


def tables(folder: Path) -> Case:
    """CSV tables and records of stages, cell by cell and byte by byte."""
    from tpld.data.cache import Cache, write_cache
    from tpld.data.sources import Item
    from tpld.evaluation.confusions import confusions_to_table, read_confusions
    from tpld.stages.assess import read_label_counts
    from tpld.stages.full_labels import easy_and_hard
    from tpld.stages.split import split
    from tpld.stages.thresholds import COLUMNS, read_thresholds

    names = list("abcd")
    bars = pd.DataFrame({c: [-0.5] * 4 for c in COLUMNS}).assign(
        **{"class": names, "mined": [True, False, False, True], "dump": "0123456789abcdef"}
    )
    scores = pd.DataFrame({"image": names, "confidence": [0.1, 0.2, 0.3, 0.4], "dump": "0e12"})
    easy = scores.assign(easy=[True, False, True, False])
    counts = pd.DataFrame(
        {"class": names, "origin": "confident", "pixels": 9, "correct": [1, 2, 3, 4]}
    )
    confusions = confusions_to_table({"p": np.arange(16).reshape(4, 4)}, names)
    items = []
    for name in names:
        Image.new("RGB", (8, 6), (9, 9, 9)).save(folder / f"{name}.png")
        items.append(Item(name, folder / f"{name}.png", None))
    write_cache(folder / "cache", items, ("images",), folders_of_four(folder), 150 / 2**30)
    index = (folder / "cache" / "index.csv").read_bytes()
    config = load_config({**CPU})

    def use_cache(path: Path) -> None:
        shutil.copy(path, folder / "cache" / "index.csv")
        cache = Cache(folder / "cache", class_table_of_four())
        for i in range(len(cache)):
            assert cache.image(i).shape == (*cache.size(i), 3)

    readers: list[tuple[bytes, Callable[[Path], Any]]] = [
        (_csv(bars), lambda p: read_thresholds(p, names, "0123456789abcdef")),
        (_csv(scores), lambda p: split(config, p, 0, folder / "split.csv")),
        (_csv(easy), lambda p: easy_and_hard(p, names, "0e12")),
        (_csv(confusions), lambda p: read_confusions(p, names)),
        (_csv(counts), read_label_counts),
        (index, use_cache),
    ]

    def case(rng: random.Random) -> None:
        data, read = rng.choice(readers)
        path = folder / "table.csv"
        path.write_bytes(_cell(data, rng) if rng.random() < 0.5 else damage(data, rng))
        read(path)

    return case


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


_CELLS = (
    "", "nan", "inf", "-inf", "-1", "0", "1e400", "9" * 30, "1.5", "x", '"', "a,b", "True", "../..",
    "\x00",
)  # fmt: skip


def _cell(data: bytes, rng: random.Random) -> bytes:
    rows = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(_CELLS)
    if rng.random() < 0.2:
        rows.append(list(rng.choice(rows)))
    return "\n".join(",".join(row) for row in rows).encode() + b"\n"
