"""Section: the easy and the hard images of phase 2 (the paper's Figure 3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from tpld.dag.layout import parse_round
from tpld.data.cache import Cache
from tpld.report import pictures
from tpld.report.blocks import Block, Gallery, Plot, Section, Tile
from tpld.report.colors import BLUE, VERMILION
from tpld.report.experiment import Experiment
from tpld.report.sections.voting import class_legend
from tpld.report.style import FULL_WIDTH, figure, plot, short_round
from tpld.stores.predictions import Predictions

_TITLE = "Easy and hard images of phase 2"
_SHOWN = 4
_WIDTH = 320


def split_section(experiment: Experiment) -> Section:
    """Histogram of confidence with the cut, and the images at both ends, for each round."""
    blocks: list[Block] = []
    for method in experiment.densifying:
        tables = _tables(experiment, method)
        if tables:
            blocks += [_draw(tables, method), class_legend(experiment, gaps=False)]
            blocks += [g for name in tables for g in _galleries(experiment, method, name, tables)]
    weight = ", weighted by 1/λ" if experiment.config.phase2.weight_by_threshold else ""
    if not blocks:
        return Section("split", _TITLE, missing="there is no round of phase 2.")
    return Section(
        "split",
        _TITLE,
        "The confidence of an image averages, over its classes, the share of pixels that reach "
        f"their class threshold λ{weight}. The best portion is easy and trains with full "
        "labels; the others are hard and are aligned with them by a discriminator "
        f"(seed {experiment.seeds[0]}; the number under a picture is its confidence).",
        blocks,
    )


def _tables(experiment: Experiment, method: str) -> dict[str, pd.DataFrame]:
    """split.csv of each phase-2 round of the first seed."""
    names = [r for r in experiment.layout.rounds(method) if parse_round(r).phase2]
    found = {n: experiment.round_table(method, experiment.seeds[0], n, "split.csv") for n in names}
    return {name: table for name, table in found.items() if table is not None}


def _draw(tables: dict[str, pd.DataFrame], method: str) -> Plot:
    everything = pd.concat(tables.values())["confidence"]
    width = max(float(everything.max() - everything.min()), 1e-3) / 24
    with figure(min(FULL_WIDTH, 1.2 + 3.6 * len(tables)), 2.8) as drawing:
        panels = drawing.subplots(1, len(tables), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (name, table) in zip(panels, tables.items(), strict=True):
            easy = table["easy"].astype(str) == "True"
            values = [table.loc[~easy, "confidence"], table.loc[easy, "confidence"]]
            words = [f"hard ({len(values[0])})", f"easy ({len(values[1])})"]
            cut = _cut(values[0], values[1])
            bins = _bins(table["confidence"], cut, width)
            axes.hist(values, bins, stacked=True, color=[VERMILION, BLUE], label=words,
                      hatch=["///", ""], edgecolor="white", linewidth=0.5)  # fmt: skip
            axes.axvline(cut, color="black", ls="--", lw=1.2, label=f"cut at {cut:.3f}")
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set(title=f"{method}, {short_round(name)}", xlabel="confidence of the image")
            axes.legend(loc="upper left")
            axes.margins(y=0.3)
        panels[0].set_ylabel("number of images")
        return plot(drawing, f"Confidence of the target images, {method}")


def _cut(hard: pd.Series, easy: pd.Series) -> float:
    """Midway between the least confident easy and the most confident hard image."""
    ends = [float(part) for part in (easy.min(), hard.max()) if part == part]
    return sum(ends) / max(len(ends), 1)


def _bins(confidence: pd.Series, cut: float, width: float) -> list[float]:
    """Borders of equal bins, one of which is the cut, so that no bar mixes easy and hard."""
    first = int(np.floor((float(confidence.min()) - cut) / width)) - 1
    last = int(np.ceil((float(confidence.max()) - cut) / width)) + 1
    return [cut + place * width for place in range(first, last + 1)]


def _galleries(
    experiment: Experiment, method: str, name: str, tables: dict[str, pd.DataFrame]
) -> list[Gallery]:
    """The most confident easy images and the least confident hard ones."""
    images = experiment.cache("target_train")
    if images is None:
        return []
    path = Path(experiment.layout.predictions(method, experiment.seeds[0], name))
    store = Predictions(path) if path.exists() else None
    table = tables[name].sort_values("confidence", ascending=False, kind="stable")
    easy = table["easy"].astype(str) == "True"
    ends = {
        "the most confident easy images": table[easy].head(_SHOWN),
        "the least confident hard images": table[~easy].tail(_SHOWN).iloc[::-1],
    }
    return [
        Gallery(
            _tiles(part, images, store, experiment.classes.palette),
            f"{method}, {short_round(name)}: {title}",
            columns=_SHOWN,
        )
        for title, part in ends.items()
        if len(part)
    ]


def _tiles(
    part: pd.DataFrame, images: Cache, store: Predictions | None, palette: np.ndarray
) -> list[Tile]:
    """Images with their confidence, each above its prediction."""
    tiles = []
    for name, score in zip(part["image"], part["confidence"], strict=True):
        image = images.image(images.names.index(name))
        below = ""
        if store:
            prediction, _ = store.predict(store.names.index(name))
            below = pictures.label_map(prediction, palette, _WIDTH)
        tiles.append(Tile(pictures.photo(image, _WIDTH), f"{score:.3f} · {name}", below=below))
    return tiles
