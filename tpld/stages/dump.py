"""Stage: predictions of a network on the target training images (METHOD 2)."""

from __future__ import annotations

from pathlib import Path

from tpld.config import Config
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.models.inference import predict_views
from tpld.models.weights import load_trained
from tpld.progress import progress
from tpld.provenance import record
from tpld.runtime import resolve
from tpld.settings import settings_of
from tpld.stores.predictions import new_predictions


def dump(config: Config, model: Path, images: Path, out: Path) -> None:
    """Predict the images of the cache `images` with the checkpoint `model` into the store `out`."""
    runtime = resolve(config.compute)
    table, settings = class_table(config), config.dump
    cache = Cache(images, table)
    network = load_trained(config, len(table.names), model, runtime).eval()

    def logits_of(i: int):
        views = predict_views(network, cache.image(i), settings.scale, settings.mirror, runtime)
        return views.cpu().numpy()

    sizes = [cache.size(i) for i in range(len(cache))]
    # One prediction of each image size tells the size of its logits.
    example = {size: logits_of(sizes.index(size)).shape[2:] for size in set(sizes)}
    record_of = record("dump", settings_of(config, "dump"), [model, images], **runtime.describe())
    with (
        new_predictions(
            out,
            cache.names,
            sizes,
            [example[size] for size in sizes],
            table.names,
            2 if settings.mirror else 1,
            settings.dtype,
            record_of,
        ) as writer,
        progress("predicting target images", len(cache)) as tick,
    ):
        for i in range(len(cache)):
            writer.write(i, logits_of(i))
            tick(i + 1)
