"""Data preparation: the procedural city, and the decoded-image cache of each split."""

from __future__ import annotations

import os
from pathlib import Path

from tpld.compute.progress import progress
from tpld.config import Config
from tpld.data.cache import Kind, write_cache
from tpld.data.sources import city_counts, folders_of, list_items
from tpld.data.splits import Split


def make_city(config: Config, out: Path) -> None:
    """Write the procedural city below `out` (see `tpld.data.city.draw`)."""
    from tpld.data.city.draw import write_city

    city, counts = config.data.city, city_counts(config)
    with progress("drawing the city", sum(counts.values())) as tick:
        write_city(
            out,
            seed=city.seed,
            counts=counts,
            height=city.height,
            width=city.width,
            progress=tick,
            workers=config.compute.threads or len(os.sched_getaffinity(0)),
        )


def prepare(config: Config, split: Split, kinds: tuple[Kind, ...], out: Path) -> None:
    """Decode one split into the cache `out`: its images, its ground truth, or both.

    The target's training images are prepared without labels, and their ground truth into a folder
    of its own, which no training stage is given.
    """
    items, folders = list_items(config, split), folders_of(config, split)
    with progress(f"decoding {split}", len(items)) as tick:
        write_cache(
            out,
            items,
            kinds,
            folders,
            config.data.cache_gib,
            tick,
        )
