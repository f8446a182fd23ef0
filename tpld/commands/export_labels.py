"""`tpld export-labels`: pseudo labels as PNG files for annotation tools and other frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from tpld.commands.of_domain import images_of
from tpld.commands.palette import colors_of, write_color, write_index, write_legend
from tpld.commands.show import Page
from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.config import Config
from tpld.data.sources import IGNORE
from tpld.errors import ConfigError
from tpld.stores.labels import Labels

Format = Literal["index", "color"]
# What the Cityscapes readers of other frameworks look for, after the name of the image.
SUFFIXES: dict[Format, str] = {
    "index": "_gtFine_labelTrainIds.png",
    "color": "_gtFine_color.png",
}


def export_labels(
    path: Path,
    out: Path,
    form: Format = "index",
    suffix: str | None = None,
    min_score: float = 0.0,
    config: Config | None = None,
    domain: str | None = None,
) -> Page:
    """Write a PNG for each image of a label store, and ``classes.csv``, which says what it holds.

    Args:
        path: a labels store.
        out: folder to write into; sub-folders in image names are kept.
        form: ``index``: the class, 255 where unlabelled (a palette file, colours included);
            ``color``: RGB, black where unlabelled.
        suffix: what follows the image's name; None: Cityscapes' of that form.
        min_score: leave out labels whose `score` in the store is below.
        config: where colours and domains come from; None: the experiment around the store.
        domain: of several domains of the target one, whose name then stands before no image's.

    Raises:
        StoreError: no whole label store.
        ConfigError: a suffix that is not one of a PNG, or no such domain.
    """
    suffix = SUFFIXES[form] if suffix is None else suffix
    if not suffix.endswith(".png"):
        raise ConfigError(f"--suffix is '{suffix}'; the files are PNGs, so it must end in .png")
    store = Labels(path)
    places, names = images_of(store, domain, config)
    colors = colors_of(store.classes, path, config)
    write = write_index if form == "index" else write_color
    counts = np.zeros(256, np.int64)

    def count(_: int, label: np.ndarray) -> np.ndarray:
        counts[:] += np.bincount(label.ravel(), minlength=256)
        return label

    with progress("exporting labels", len(names)) as tick:
        overlap(
            len(names),
            lambda i: kept(store, places[i], min_score),
            count,
            lambda i, label: write(label, colors, out / f"{names[i]}{suffix}"),
            tick,
        )
    write_legend(store.classes, list(range(len(store.classes))), colors, out / "classes.csv")
    return _page(store, out, suffix, form, counts, len(names))


def kept(store: Labels, i: int, min_score: float) -> np.ndarray:
    """uint8 (H, W): labels of image i, 255 also where their score is below `min_score`."""
    label = store.layer("label", i)
    if min_score > 0:
        label = np.where(store.layer("score", i) >= min_score, label, np.uint8(IGNORE))
    return label


def shares(store: Labels, counts: np.ndarray) -> tuple[float, pd.DataFrame]:
    """Of int64 (256,) pixels of each value: per cent that have a label, and those of each class."""
    total = max(int(counts.sum()), 1)
    table = {"class": store.classes, "share %": 100 * counts[: len(store.classes)] / total}
    return 100 * float(counts[:IGNORE].sum()) / total, pd.DataFrame(table)


def _page(
    store: Labels, out: Path, suffix: str, form: Format, counts: np.ndarray, images: int
) -> Page:
    """What was written: the files, what their values mean, and the share of each class."""
    last = len(store.classes) - 1
    values = {
        "index": f"0 to {last} as in classes.csv, {IGNORE} where unlabelled",
        "color": "colours as in classes.csv, black where unlabelled",
    }
    labelled, table = shares(store, counts)
    facts = {"files": f"{out}/<image>{suffix}", "values": values[form], "labelled %": labelled}
    return Page(f"{images} label files below {out}", facts, {"classes": table})
