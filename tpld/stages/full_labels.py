"""Stage: full pseudo labels of the easy images, for people to look at (METHOD 9).

Training computes the same labels for its crops from the predictions; storing K planes would cost
gigabytes. This store keeps the winning class, its weight in the loss, and where it came from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.config import Config
from tpld.core.full_labels import full_label
from tpld.core.labels import ORIGIN_CONFIDENT, ORIGIN_FULL
from tpld.core.mixture import candidates_from_logits
from tpld.core.selection import Candidates
from tpld.dag.settings import settings_of
from tpld.errors import StoreError, TrainingError
from tpld.stages.common import read_csv
from tpld.stages.thresholds import read_thresholds
from tpld.stores.labels import measure_labels, new_labels
from tpld.stores.lineage import DUMP, expect_dump
from tpld.stores.parts import WHOLE, Part
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint, record
from tpld.stores.space import ensure_space


def label_easy(
    config: Config,
    predictions: Path,
    thresholds: Path,
    split: Path,
    out: Path,
    part: Part = WHOLE,
) -> None:
    """Write the full labels of the easy images of `split` to the store `out`.

    Of a part of the images, `out` is a part of the store; see `tpld.stores.assemble`.
    """
    store = Predictions(predictions)
    dump = fingerprint(predictions)
    bars = read_thresholds(thresholds, store.classes, dump)
    log_threshold = bars["log_threshold"].to_numpy(np.float32)
    easy, _ = easy_and_hard(split, store.names, dump)
    if not easy:
        raise TrainingError(f"{split} has no easy images. Change phase2.easy_portion")
    inputs = [predictions, thresholds, split]
    run = record("label_easy", settings_of(config, "label_easy"), inputs)

    def layers_of(place: int, logits: np.ndarray) -> dict[str, np.ndarray]:
        best = candidates_from_logits(logits, store.size(easy[place]), log_threshold)
        return full_image(best, config.phase2.gamma, config.phase2.full_label)

    sizes, mine = [store.size(i) for i in easy], part.of(len(easy))
    if mine:
        measured = measure_labels(**layers_of(0, store.logits(easy[0])))
        ensure_space(out, measured, sizes[0][0] * sizes[0][1], sizes[mine.start : mine.stop])
    with (
        new_labels(
            out,
            [store.names[i] for i in easy],
            sizes,
            store.classes,
            log_threshold,
            {0: "none", ORIGIN_CONFIDENT: "confident", ORIGIN_FULL: "full"},
            run,
            weighted=True,
            part=part,
        ) as writer,
        progress("labelling easy images", len(mine)) as tick,
    ):
        overlap(
            len(mine),
            lambda k: store.logits(easy[mine[k]]),
            lambda k, logits: layers_of(mine[k], logits),
            lambda k, layers: writer.write(mine[k], **layers),
            tick,
        )


def full_image(
    best: Candidates, gamma: float, reading: Literal["soft", "hard", "argmax", "sparse"]
) -> dict[str, np.ndarray]:
    """Layers of the full label of an easy image, each (H, W): label, origin, score and weight.

    Args:
        best: the two best classes of every pixel.
        gamma: γ of METHOD 9.
        reading: as in `full_label`.
    """
    # The weight depends on the largest r alone, so two classes stand for all.
    two = np.stack([best.first_excess, best.second_excess])
    _, weight = full_label(two, gamma, reading)
    origin = np.where(best.first_excess >= 0, ORIGIN_CONFIDENT, ORIGIN_FULL).astype(np.uint8)
    score = best.first_excess + 1
    return {"label": best.first, "origin": origin, "score": score, "weight": weight}


def easy_and_hard(
    split: Path, names: list[str], dump: str | None = None
) -> tuple[list[int], list[int]]:
    """Indices of the easy and of the hard images of a split table, in the order of `names`.

    Args:
        split: the table.
        names: image names.
        dump: fingerprint of the dump that it must rest on; None: any.

    Raises:
        StoreError: it is missing, no such table, of other images, or of another dump.
    """
    remedy = "Rerun `tpld split`"
    table = read_csv(split, "table of easy and hard images", remedy, {"image": str, DUMP: str})
    if not {"image", "easy"} <= set(table.columns) or table["easy"].dtype != bool:
        raise StoreError(f"{split} is no table of easy and hard images. {remedy}")
    if sorted(table["image"]) != sorted(names):
        raise StoreError(
            f"{split} splits {len(table)} images, not the {len(names)} of this run. {remedy}"
        )
    if dump is not None:
        expect_dump(table, split, dump, "score` and `tpld split")
    easy_names = set(table.loc[table["easy"], "image"])
    easy = [i for i, name in enumerate(names) if name in easy_names]
    return easy, [i for i, name in enumerate(names) if name not in easy_names]
