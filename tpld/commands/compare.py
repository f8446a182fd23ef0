"""`tpld compare`: two experiments, or two rows, side by side: figures by class, and keys."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tpld.commands.show import Page
from tpld.config import load_config
from tpld.errors import ConfigError

_INDEX = ["split", "protocol", "method", "metric"]


class Run(NamedTuple):
    """What one side of the comparison holds.

    Attributes:
        name: as it is shown.
        figures: columns split, protocol, method, metric, seed, value (percent).
        settings: of stages that have records, stage (and row) -> dotted key -> value.
        config: the experiment's whole configuration; empty where an older tpld wrote it.
        cost: seconds of training, in total.
    """

    name: str
    figures: pd.DataFrame
    settings: dict[str, dict[str, Any]]
    config: dict[str, Any]
    cost: float


def compare(first: Path, second: Path, every: bool = False) -> Page:
    """Figures of two runs with their differences (second minus first), and where their keys differ.

    Two experiments are compared by the rows that both have; two rows (folders
    ``results/<experiment>/<method>``, or one seed of one) with each other, whatever their methods.

    Args:
        first: folder of an experiment, of a row, or of a seed of one.
        second: the same.
        every: all protocols and splits; False: the headline, the first protocol on the target.

    Raises:
        ConfigError: a folder is none of these, they are of different kinds, or have nothing to
            compare.
    """
    sides = [_read(first), _read(second)]
    rows = [len(side.figures["method"].unique()) == 0 for side in sides]
    if any(rows):
        empty = [str(path) for path, none in zip((first, second), rows, strict=True) if none]
        raise ConfigError(f"{', '.join(empty)}: nothing was evaluated there (no ground truth?)")
    one_row = [_kind(path) != "experiment" for path in (first, second)]
    if one_row[0] != one_row[1]:
        raise ConfigError(
            f"{first} and {second} are not of a kind: give two experiments, or two rows of one or "
            "two experiments (results/<experiment>/<method>)"
        )
    tables = _differences(sides, one_row[0], every)
    keys = _settings(sides)
    facts = {"first": sides[0].name, "second": sides[1].name}
    facts |= {"training, s": [round(side.cost) for side in sides]}
    facts |= {"differing keys": len(keys)}
    if len(keys):
        tables["configuration keys that differ"] = keys
    return Page(f"{sides[0].name} and {sides[1].name}", facts, tables)


def _kind(path: Path) -> str:
    if (path / "comparison.csv").is_file():
        return "experiment"
    return "seed" if path.name.startswith("seed") and path.name[4:].isdigit() else "row"


def _read(path: Path) -> Run:
    """Figures come from the experiment's comparison.csv, settings from records and config.yaml."""
    path = Path(os.path.normpath(path))
    kind = _kind(path)
    root = {"experiment": path, "row": path.parent, "seed": path.parent.parent}[kind]
    file = root / "comparison.csv"
    if not file.is_file():
        raise ConfigError(
            f"{path} is no finished experiment, nor a row of one (no {file}). Give "
            "results/<experiment>, results/<experiment>/<method>, or a seed below it"
        )
    figures = pd.read_csv(file, keep_default_na=False, dtype={"metric": str, "method": str})
    figures["value"] = pd.to_numeric(figures["value"], errors="coerce")
    folder = root
    if kind != "experiment":
        folder = path
        row = path.name if kind == "row" else path.parent.name
        figures = figures[figures["method"] == row]
        if kind == "seed":
            figures = figures[figures["seed"] == int(path.name[4:])]
        if figures.empty and not path.is_dir():
            raise ConfigError(
                f"{path} does not exist. Rows of {root}: "
                f"{', '.join(p.name for p in sorted(root.iterdir()) if (p / 'seed0').is_dir())}"
            )
    records = _records(folder)
    if kind != "experiment":  # what it starts from is its own, too
        records |= {f"source/{n}": r for n, r in _records(root / "source").items()}
    cost = sum(float(record.get("seconds", 0)) for record in records.values())
    settings: dict[str, dict[str, Any]] = {}
    for name, record in sorted(records.items()):
        if "settings" in record:
            settings.setdefault(_stage_of(name, record, kind), record["settings"])
    return Run(str(path), figures, settings, _config(root), cost)


def _config(root: Path) -> dict[str, Any]:
    file = root / "config.yaml"
    if not file.is_file():
        return {}
    return load_config(file).model_dump(mode="json", exclude={"experiment", "results"})


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    """Records of the stages below a folder: of models beside them, of stores inside."""
    found: dict[str, dict[str, Any]] = {}
    for where, inner, names in os.walk(folder):
        place = Path(where)
        if "run.json" in names:
            text = (place / "run.json").read_text(encoding="utf-8")
            found[(place / "run.json").relative_to(folder).as_posix()] = json.loads(text)
        if place.suffix == ".zarr":
            inner.clear()
            if "zarr.json" in names:
                head = json.loads((place / "zarr.json").read_text(encoding="utf-8"))
                run = head.get("attributes", {}).get("run")
                if run:
                    found[place.relative_to(folder).as_posix()] = run
    return found


def _stage_of(name: str, record: dict[str, Any], kind: str) -> str:
    """Stage, and in an experiment the row that it belongs to (its settings may be its own)."""
    row = name.split("/")[0]
    stage = str(record["stage"])
    return stage if kind != "experiment" or row in ("source", name) else f"{row}: {stage}"


def _differences(sides: list[Run], one_row: bool, every: bool) -> dict[str, pd.DataFrame]:
    """A table for each split and protocol, and in experiments for each row that both have."""
    groups = [key for key in _INDEX[:-1] if key != "method" or not one_row]
    parts = []
    for place, side in enumerate(sides, start=1):
        grouped = side.figures.groupby([*groups, "metric"], sort=False)["value"]
        parts.append(grouped.agg(["mean", "count"]).add_suffix(f"_{place}"))
    joined = parts[0].join(parts[1], how="inner")
    if joined.empty:
        raise ConfigError(
            f"{sides[0].name} and {sides[1].name} have no figure in common: "
            f"{_has(sides[0])} against {_has(sides[1])}"
        )
    if not every:
        joined = joined[joined.index.get_level_values("split") == "target_val"]
        protocol = joined.index.get_level_values("protocol")
        joined = joined[protocol == protocol[0]] if len(joined) else joined
    tables = {}
    for group, part in joined.groupby(level=groups, sort=False):
        names = group if isinstance(group, tuple) else (group,)
        # In the order of the file: means first, then classes.
        table = pd.DataFrame(
            {
                "metric": part.index.get_level_values("metric"),
                "first": part["mean_1"].to_numpy(),
                "second": part["mean_2"].to_numpy(),
                "difference": (part["mean_2"] - part["mean_1"]).to_numpy(),
            }
        )
        seeds = f"{part['count_1'].max()} and {part['count_2'].max()} seeds"
        title = ", ".join(str(name) for name in names)
        tables[f"{title} ({seeds}, percent)"] = table
    return tables


def _has(side: Run) -> str:
    methods = ", ".join(side.figures["method"].unique())
    return f"{methods} ({'; '.join(side.figures['protocol'].unique())})"


def _settings(sides: list[Run]) -> pd.DataFrame:
    """Keys whose values differ: of the configuration, then of stages that both sides have.

    A key of a stage is left out where the configuration already says so.
    """
    trees = [("configuration", sides[0].config, sides[1].config)] * all(s.config for s in sides)
    for stage in (s for s in sides[0].settings if s in sides[1].settings):
        trees.append((stage, sides[0].settings[stage], sides[1].settings[stage]))
    rows: list[tuple[str, ...]] = []
    said: set[str] = set()
    for where, *both in trees:
        left, right = (_flat(tree) for tree in both)
        for key in [key for key in left | right if left.get(key) != right.get(key)]:
            if key not in said:
                rows.append((where, key, *(_value(tree.get(key)) for tree in (left, right))))
        if where == "configuration":
            said = {row[1] for row in rows}
    return pd.DataFrame(rows, columns=["where", "key", "first", "second"])


def _flat(tree: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found


def _value(value: Any) -> str:
    return "–" if value is None else json.dumps(value, ensure_ascii=False)
