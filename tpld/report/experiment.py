"""Reads the artefacts of an experiment; what does not exist (yet) is None, never an error."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tpld.config import Config
from tpld.dag.layout import Layout
from tpld.data.cache import Cache
from tpld.data.sources import class_table, has_truth
from tpld.data.splits import Split
from tpld.errors import StoreError
from tpld.evaluation.confusions import read_confusions
from tpld.methods import parse_method


class Experiment:
    """Everything the report reads.

    Args:
        config: the configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layout = Layout(config)
        self.root = Path(self.layout.root)
        self.classes = class_table(config)
        self.methods: list[str] = list(config.methods)
        self.adapting = [m for m in self.methods if parse_method(m).adapts]
        self.densifying = [m for m in self.methods if parse_method(m).tpld]
        self.seeds: list[int] = list(config.seeds)

    @cached_property
    def figures(self) -> pd.DataFrame | None:
        """The comparison in long form; None if it is missing or empty."""
        table = read_table(self.root / "comparison.csv")
        if table is None or table.empty:
            return None
        return table.assign(value=pd.to_numeric(table["value"], errors="coerce"))

    def round_table(self, method: str, seed: int, name: str, part: str) -> pd.DataFrame | None:
        """A CSV of a round, such as ``thresholds.csv``."""
        return read_table(Path(self.layout.round(method, seed, name, part)))

    def confusions(self, path: str) -> dict[str, np.ndarray]:
        """Confusion matrix of each protocol; empty without the file."""
        return read_confusions(Path(path), self.classes.names) if Path(path).exists() else {}

    def cache(self, part: str) -> Cache | None:
        """A decoded split."""
        folder = Path(self.layout.data(part))
        return Cache(folder, self.classes) if (folder / "index.csv").exists() else None

    def truth(self) -> Cache | None:
        """Ground truth of the target training images, where there is any."""
        return self.cache("target_train_truth") if self.has_truth("target_train") else None

    def has_truth(self, split: Split) -> bool:
        """Whether a split comes with ground truth."""
        return has_truth(self.config, split)

    def records(self) -> list[tuple[str, dict[str, Any]]]:
        """Folder (below the experiment) and content of every run.json, in order of time."""
        paths = self.files("run.json")
        found = [(p.parent.relative_to(self.root).as_posix(), _read_record(p)) for p in paths]
        return sorted(found, key=lambda entry: str(entry[1].get("finished", "")))

    def files(self, name: str) -> list[Path]:
        """Files below the experiment that match a name; stores, of many files, are not entered."""
        found = []
        for folder, inner, names in os.walk(self.root):
            inner[:] = [n for n in inner if not n.endswith(".zarr")]
            found += [Path(folder, n) for n in names if fnmatch(n, name)]
        return sorted(found)

    def color(self, name: str) -> str:
        """CSS colour of a class; empty for anything else."""
        if name not in self.classes.names:
            return ""
        return css_color(self.classes.colors[self.classes.names.index(name)])


def _read_record(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} is no record of a run ({error}). Delete it and rerun its stage"
        ) from None
    return found if isinstance(found, dict) else {}


def read_table(path: Path) -> pd.DataFrame | None:
    """A CSV whose names stay as they are (a class may be called ``nan``); None without it."""
    if not path.exists():
        return None
    try:
        return pd.read_csv(path, keep_default_na=False, dtype={"image": str, "class": str})
    except (OSError, ValueError, OverflowError) as error:
        raise StoreError(
            f"{path} cannot be read as a table ({error}). Delete it and rerun Snakemake"
        ) from None


def css_color(color: np.ndarray) -> str:
    """RGB triple -> ``#rrggbb``."""
    return "#" + "".join(f"{int(value):02x}" for value in color)
