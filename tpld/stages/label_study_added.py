"""Of a study of labels: what voting adds to one row's first labels, counted and shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.compute.progress import progress
from tpld.config import Config
from tpld.core.labels import IGNORE, ORIGIN_CONFIDENT
from tpld.dag.layout import Layout
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.study.added import AddedPixels
from tpld.study.figures import Example, draw_added

_FIRST = "round0"


class FirstLabels:
    """The pseudo labels of a row's first round.

    Args:
        config: of the study.
        row: a self-training row.
        seed: its seed.
        truth: ground truth of the target's training images.
    """

    def __init__(self, config: Config, row: str, seed: int, truth: Cache) -> None:
        layout = Layout(config)
        self.dump = Predictions(Path(layout.predictions(row, seed, _FIRST)))
        self.labels = Labels(Path(layout.round(row, seed, _FIRST, "labels.zarr")))
        self.counts = Path(layout.round(row, seed, _FIRST, "labels.csv"))
        self._title = f"{config.experiment}, {row}, seed {seed}: what is added to the first labels"
        self._images = Path(layout.data("target_train")), class_table(config)
        self._truth, self._place = truth, {name: i for i, name in enumerate(truth.names)}

    def added(self, factor: float) -> pd.DataFrame:
        """Groups of added pixels (`tpld.study.added`), beside thresholds lowered by `factor`."""
        pixels = AddedPixels(self.labels.log_threshold.astype(np.float32), factor)
        with progress("what voting adds", len(self.labels)) as tick:
            for i, name in enumerate(self.labels.names):
                label, origin = self.labels.layer("label", i), self.labels.layer("origin", i)
                truth = self._truth.label(self._place[name])
                pixels.add(self.dump.log_probabilities(i), label, origin, truth)
                tick(i + 1)
        return pixels.table()

    def draw(self, factor: float, out: Path) -> None:
        """A picture of two images: voting adds to the one as in the median, to the other worst."""
        accuracy = []
        for i, name in enumerate(self.labels.names):
            label, truth = self.labels.layer("label", i), self._truth.label(self._place[name])
            added = (self.labels.layer("origin", i) > ORIGIN_CONFIDENT) & (truth != IGNORE)
            accuracy.append((label == truth)[added].mean() if added.any() else np.nan)
        # Images without added pixels go last; where all are without, one of them shows that.
        order = [int(i) for i in np.argsort(accuracy)[: max(1, np.isfinite(accuracy).sum())]]
        chosen = dict.fromkeys([order[len(order) // 2], order[0]])
        draw_added([self._example(i, factor) for i in chosen], self._title, out)

    def _example(self, i: int, factor: float) -> Example:
        name, origin = self.labels.names[i], self.labels.layer("origin", i)
        log_r = self.dump.log_probabilities(i) - self.labels.log_threshold[:, None, None]
        images = Cache(*self._images)
        return Example(
            name=name,
            image=images.image(images.names.index(name)),
            voted=origin > ORIGIN_CONFIDENT,
            label=self.labels.layer("label", i),
            lowered=(log_r.max(0) >= np.log(factor)) & (origin != ORIGIN_CONFIDENT),
            best=log_r.argmax(0).astype(np.uint8),
            truth=self._truth.label(self._place[name]),
        )
