"""`tpld check-data`: the first rule's check, by hand too."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from tpld.commands.show import Page
from tpld.config import Config, load_config, load_merged
from tpld.dag.feasible import check_split
from tpld.dag.origin import write_origin
from tpld.data.sources import city_root, list_items
from tpld.errors import ConfigError, DataError
from tpld.stages import check
from tpld.stages.check_networks import check_networks
from tpld.stores.atomic import replacing

_BASE = Path("config.yaml")


def check_data(layers: list[Path], config: Path | None, out: Path | None) -> Page:
    """Check every image and label file of a configuration.

    Args:
        layers: files as `snakemake --configfile` takes them, laid over ``config.yaml`` where this
            folder has one.
        config: one complete file instead.
        out: table to write; None: it is only shown.

    Raises:
        ConfigError: neither is given, or the configuration is wrong.
        DataError: see `tpld.stages.check`.
    """
    settings = _settings(layers, config)
    if settings.data.draws_city and not city_root(settings).is_dir():
        raise DataError(
            f"the procedural city of this configuration is not drawn yet ({city_root(settings)}). "
            "`snakemake` draws it, or give a configuration of your own images (`tpld init`)"
        )
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "check.csv")
        sizes = check.check_data(settings, table)
        check_split(settings, len(list_items(settings, "target_train")))
        check_networks(settings, sizes)
        if out:
            write_origin(settings, out.parent)
            with replacing(out) as partial:
                shutil.copyfile(table, partial)
        counts = pd.read_csv(table, keep_default_na=False, dtype={"class": str})
    return _page(settings, counts)


def _settings(layers: list[Path], config: Path | None) -> Config:
    if layers:
        base = [_BASE] if _BASE.is_file() else []
        return load_merged([*base, *layers])
    if config is None:
        raise ConfigError("no configuration is given. Example: tpld check-data mine.yaml")
    return load_config(config)


def _page(settings: Config, counts: pd.DataFrame) -> Page:
    """Images of each split, and the share of each class in it (empty without labels)."""
    facts: dict[str, Any] = {"experiment": settings.experiment}
    for split, part in counts.groupby("split", sort=False):
        facts[str(split)] = f"{part['images'].iloc[0]} images"
    total = counts.groupby("split")["pixels"].transform("sum")
    counts["share"] = (100 * counts["pixels"] / total.where(total > 0)).astype(float)
    wide = counts.pivot_table(index="class", columns="split", values="share", sort=False)
    return Page(
        "every image and label file is as it should be",
        facts,
        {"share of the labelled pixels, %": wide.reset_index()},
    )
