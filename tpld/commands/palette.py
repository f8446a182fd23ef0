"""Class colours of a store, and label maps as PNG files."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tpld.config import Config, load_config
from tpld.data.datasets import CLASSES
from tpld.data.sources import IGNORE, ClassTable, class_table
from tpld.data.table import spread_colors
from tpld.errors import ConfigError
from tpld.stages.common import write_csv
from tpld.stores.atomic import replacing

log = logging.getLogger("tpld")


def colors_of(classes: list[str], store: Path, config: Config | None = None) -> np.ndarray:
    """uint8 (K, 3): the colour of each class of a store.

    From the configuration, else from the experiment that the store lies in, else Cityscapes'
    colours of classes that are called so, and colours apart from each other for the rest.
    """
    table = class_table(config) if config else _table_above(store)
    known = dict(zip(table.names, table.colors, strict=True)) if table else {}
    if all(name in known for name in classes):
        return np.array([known[name] for name in classes], np.uint8)
    log.info("no experiment around %s tells its colours: made up where names do not", store)
    made = spread_colors(len(classes))
    return np.array(
        [CLASSES.get(name, color) for name, color in zip(classes, made, strict=True)], np.uint8
    )


def _table_above(store: Path) -> ClassTable | None:
    """The class table of the experiment around a store: of its configuration, else its data."""
    for folder in store.absolute().parents:
        try:  # decoded images keep the colours that they were decoded with
            return class_table(load_config(folder / "config.yaml"))
        except ConfigError:
            pass
        file = folder / "data" / "source_train" / "domains.json"
        if file.is_file():
            first = next(iter(json.loads(file.read_text(encoding="utf-8")).values()))
            return ClassTable.from_json(first["table"])
    return None


def write_index(values: np.ndarray, colors: np.ndarray, path: Path) -> None:
    """Write uint8 (H, W) as a palette PNG: programs read the values, viewers show the colours.

    `colors` is uint8 (n, 3), of the values 0 to n - 1; all others are black.
    """
    save(index_picture(values, colors), path)


def index_picture(values: np.ndarray, colors: np.ndarray) -> Image.Image:
    """A palette picture of uint8 (H, W); see `write_index`."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colors)] = colors
    picture = Image.fromarray(values, mode="P")
    picture.putpalette(palette.tobytes())
    return picture


def write_color(values: np.ndarray, colors: np.ndarray, path: Path) -> None:
    """Write uint8 (H, W) as an RGB PNG in class colours; what is no class is black."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colors)] = colors
    save(Image.fromarray(palette[values]), path)


def save(picture: Image.Image, path: Path) -> None:
    """Save a picture; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        kind = "JPEG" if path.suffix == ".jpg" else "PNG"
        picture.save(partial, kind, **({"quality": 92} if kind == "JPEG" else {}))


def write_legend(names: list[str], values: list[int], colors: np.ndarray, path: Path) -> None:
    """Write what the values of the masks mean: columns value, name, red, green, blue."""
    rows = [
        (value, name, *map(int, color))
        for value, name, color in zip(values, names, colors, strict=True)
    ]
    if IGNORE not in values:
        rows.append((IGNORE, "unlabelled", 0, 0, 0))
    write_csv(pd.DataFrame(rows, columns=["value", "name", "red", "green", "blue"]), path)
