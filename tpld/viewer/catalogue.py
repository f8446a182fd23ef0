"""Which methods, seeds and rounds a results folder holds: read from the folders themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tpld.config import Config, load_config
from tpld.dag.layout import parse_round
from tpld.data.cache import Cache
from tpld.data.sources import ClassTable, class_table
from tpld.data.table import spread_colors
from tpld.errors import ConfigError, StoreError, TpldError

_ROUND = re.compile(r"(phase2_)?round\d+")
_SEED = re.compile(r"seed(\d+)")
SOURCE_ROUND = "source"
"""The dump of the source model, which has no labels of its own."""


@dataclass(frozen=True)
class RoundPlace:
    """Where the stores of one round are.

    Attributes:
        method: the row of the table.
        seed: of the run.
        name: ``round0``, ``phase2_round0``, ..., or ``source`` for the source model's dump.
        predictions: the dump, if it is there.
        labels: the pseudo labels, if they are there.
        folder: of thresholds.csv and split.csv.
    """

    method: str
    seed: int
    name: str
    predictions: Path | None
    labels: Path | None
    folder: Path

    @property
    def phase2(self) -> bool:
        """Whether this is a round of phase 2."""
        return self.name != SOURCE_ROUND and parse_round(self.name).phase2


class Catalogue:
    """The contents of one experiment.

    Args:
        folder: ``results/<experiment>``.
        config: a configuration file; None: the newest that Snakemake kept in ``results/state``.

    Raises:
        StoreError: the folder is missing, or holds no store.
        ConfigError: `config` cannot be read.
    """

    def __init__(self, folder: Path, config: Path | None = None) -> None:
        self.root = Path(folder).absolute()
        self.config = load_config(config) if config else _kept_config(self.root)
        self.places = _places(self.root, self.config)
        if not self.places:
            raise StoreError(_nothing(Path(folder)))

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self.root.name

    def place(self, method: str, seed: int, name: str) -> RoundPlace:
        """The round of these names.

        Raises:
            StoreError: there is none; what there is, is named.
        """
        for place in self.places:
            if (place.method, place.seed, place.name) == (method, seed, name):
                return place
        known = [f"{p.method} seed{p.seed} {p.name}" for p in self.places]
        raise StoreError(
            f"{self.root} holds no {method} seed{seed} {name}. There is: {', '.join(known)}"
        )

    @cached_property
    def table(self) -> ClassTable | None:
        """Names and colours of the classes, if the configuration was found."""
        try:
            return class_table(self.config) if self.config else None
        except TpldError:
            return None

    def palette(self, classes: list[str]) -> np.ndarray:
        """uint8 (K, 3): the colours of the configuration, or distinct ones where it is unknown."""
        if self.table and self.table.names == classes:
            return self.table.colors
        return np.array(spread_colors(len(classes)), np.uint8)

    def cache(self, part: str, classes: list[str]) -> Cache | None:
        """A decoded split, ``target_train`` or ``target_train_truth``; None without it."""
        folder = self.root / "data" / part
        if not (folder / "index.csv").exists():
            return None
        values = [[i] for i in range(len(classes))]
        table = self.table or ClassTable(classes, values, self.palette(classes), [])
        return Cache(folder, table)


def _kept_config(root: Path) -> Config | None:
    """The newest merged configuration of this experiment; None if none can be read any more."""
    kept = (root.parent / "state" / "config").glob("*.yaml")
    for path in sorted(kept, key=lambda p: p.stat().st_mtime, reverse=True):
        try:
            config = load_config(path)
        except ConfigError:
            continue  # of another version of the package
        if config.experiment == root.name:
            return config
    return None


def _places(root: Path, config: Config | None) -> list[RoundPlace]:
    found: list[RoundPlace] = []
    for method in _folders(root):
        for folder in _folders(method):
            seed = _SEED.fullmatch(folder.name)
            if seed and method.name not in ("data", "source"):
                found += _rounds(root, method.name, int(seed[1]), folder, config)
    for network in _folders(root / "source"):
        for folder in _folders(network):
            seed, dump = _SEED.fullmatch(folder.name), folder / "predictions.zarr"
            if seed and dump.is_dir():
                name = (
                    "source"
                    if _network(root, None, config) == network.name
                    else (f"source@{network.name}")
                )
                found.append(RoundPlace(name, int(seed[1]), SOURCE_ROUND, dump, None, folder))
    order = {name: i for i, name in enumerate(config.methods)} if config else {}
    return sorted(
        found, key=lambda p: (order.get(p.method, len(order)), p.method, p.seed, _turn(p))
    )


def _rounds(
    root: Path, method: str, seed: int, folder: Path, config: Config | None
) -> list[RoundPlace]:
    """The rounds of a method and seed that have a store."""
    found = []
    for inner in _folders(folder):
        if not _ROUND.fullmatch(inner.name):
            continue
        dump, labels = inner / "predictions.zarr", inner / "labels.zarr"
        if inner.name == "round0":  # predicted by the source model, which its methods share
            named = method.partition("@")[2].partition("~")[0]  # of row@network~variant
            network = _network(root, named or None, config)
            dump = root / "source" / network / f"seed{seed}" / "predictions.zarr"
        place = RoundPlace(
            method,
            seed,
            inner.name,
            dump if dump.is_dir() else None,
            labels if labels.is_dir() else None,
            inner,
        )
        if place.predictions or place.labels:
            found.append(place)
    return found


def _network(root: Path, network: str | None, config: Config | None) -> str:
    """Folder of a row's source model, as `Layout.network` names it."""
    if network:
        return network
    if config:
        return config.model.folder_name
    known = [f.name for f in _folders(root / "source") if any(f.glob("seed*/predictions.zarr"))]
    return known[0] if len(known) == 1 else "-"


def _turn(place: RoundPlace) -> tuple[bool, int]:
    return (False, 0) if place.name == SOURCE_ROUND else parse_round(place.name)


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _nothing(folder: Path) -> str:
    """What to say of a folder without stores: perhaps one beside or below it was meant."""
    if not folder.is_dir():
        beside = [p for p in _folders(folder.absolute().parent) if _places(p, None)]
        hint = f" There: {', '.join(p.name for p in beside)}" if beside else ""
        return f"{folder} does not exist. Give the folder of an experiment, results/<name>.{hint}"
    below = [p for p in _folders(folder) if _places(p, None)]
    if below:
        return (
            f"{folder} holds experiments and is none itself. Give one of them: "
            f"{', '.join(str(folder / p.name) for p in below)}"
        )
    return (
        f"{folder} holds no labels.zarr and no predictions.zarr, so there is nothing to look at. "
        "Run `snakemake` for this experiment first, or give another folder below results/"
    )
