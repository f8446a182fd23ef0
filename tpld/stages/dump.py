"""Stage: predictions of a network on the target training images (METHOD 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tpld.compute.overlap import overlap
from tpld.compute.progress import progress
from tpld.compute.runtime import Runtime, resolve
from tpld.config import Config
from tpld.dag.settings import settings_of
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.models.inference import load_predictor, predict_views
from tpld.stores.parts import WHOLE, Part
from tpld.stores.predictions import measure_predictions, new_predictions
from tpld.stores.provenance import fingerprint, made_from, record
from tpld.stores.space import ensure_space


def dump(config: Config, model: Path, images: Path, out: Path, part: Part = WHOLE) -> None:
    """Predict the images of the cache `images` with the checkpoint `model` into the store `out`.

    Of a part of the images, `out` is a part of the store; see `tpld.stores.assemble`.

    Raises:
        StoreError: the disk is too small for it; nothing is written then.
    """
    runtime = resolve(config.compute)
    table, settings = class_table(config), config.dump
    cache = Cache(images, table)
    network = load_predictor(config, len(table.names), model, runtime)

    def logits_of(image: np.ndarray) -> np.ndarray:
        views = predict_views(network, image, settings.scale, settings.mirror, runtime)
        return views.cpu().numpy()

    sizes = [cache.size(i) for i in range(len(cache))]
    # One prediction of each image size tells the size of its logits.
    example = {size: logits_of(cache.image(sizes.index(size))) for size in sorted(set(sizes))}
    first, mine = sizes[0], part.of(len(cache))
    measured = measure_predictions(example[first], first, settings.dtype)
    ensure_space(out, measured, first[0] * first[1], sizes[mine.start : mine.stop])
    record_of = _record(config, model, images, runtime)
    with (
        new_predictions(
            out,
            cache.names,
            sizes,
            [example[size].shape[2:] for size in sizes],
            table.names,
            2 if settings.mirror else 1,
            settings.dtype,
            record_of,
            part,
        ) as writer,
        progress("predicting target images", len(mine)) as tick,
    ):
        overlap(
            len(mine),
            lambda k: np.array(cache.image(mine[k])),  # off the disk, in the reader's time
            lambda k, image: logits_of(image),
            lambda k, logits: writer.write(mine[k], logits),
            tick,
        )


def _record(config: Config, model: Path, images: Path, runtime: Runtime) -> dict[str, Any]:
    """The record of the store, with the fingerprints that later stages compare."""
    settings = settings_of(config, "dump")
    inputs = {"model": fingerprint(model), "images": fingerprint(images)}
    # A rounder precision gives other predictions, though no other stage has to run again.
    precision = runtime.describe()["precision"]
    lineage = made_from("dump", {**settings, "precision": precision}, inputs, __name__)
    return record("dump", settings, [model, images], made_from=lineage, **runtime.describe())
