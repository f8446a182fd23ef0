"""Configuration files."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, get_args

import yaml

from tests.fuzz.mutate import damage, damage_tree, from_schema
from tests.fuzz.targets.common import ROOT, Case
from tpld.config import Config, load_config


def configurations(folder: Path) -> Case:
    """YAML trees with changed entries, values made from the schema, and damaged text."""
    files = [ROOT / "config.yaml", *sorted((ROOT / "workflow" / "presets").rglob("*.yaml"))]
    trees = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    schema = Config.model_json_schema()
    base = trees[0]
    tags = [
        f'!!python/object/apply:os.system ["touch {folder / "PWNED"}"]',
        "&a [*a, *a]",
        "[" * 3000,
        "2001-99-99",
        "&a {b: &b [1, 2], c: *b, d: *a}",
        "0x" + "f" * 9000,
        "9" * 6000,
        "!!binary aGVsbG8",
        "? [1]\n: 2",
    ]

    def case(rng: random.Random) -> None:
        path, kind = folder / "c.yaml", rng.randrange(4)
        if kind == 0:
            data = damage(rng.choice(files).read_bytes(), rng)
        elif kind == 1:
            data = f"{rng.choice(list(base))}: {rng.choice(tags)}\n".encode()
        elif kind == 2:
            name = rng.choice(list(schema["properties"]))
            value = from_schema(schema["properties"][name], rng, schema)
            data = _dump({**base, name: value})
        else:
            data = _dump(damage_tree(rng.choice(trees), rng))
        path.write_bytes(data)
        _use(load_config(path))

    return case


def _dump(tree: Any) -> bytes:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the one in C is ten times as fast
    text = yaml.dump(tree, Dumper=dumper, allow_unicode=True)
    return text.encode("utf-8", "surrogatepass")


def _use(config: Config) -> None:
    """What every run asks of a configuration that was accepted; paths stay below the results."""
    from tpld.dag.layout import Layout
    from tpld.dag.settings import Stage, settings_of
    from tpld.data.sources import class_table, folders_of, list_files
    from tpld.data.splits import SPLITS
    from tpld.errors import DataError

    layout = Layout(config)
    results = os.path.normpath(f"{config.results}/{config.experiment}")
    for method in config.methods:
        for path in (layout.method(method, 0), layout.source_of(method, 0)):
            assert os.path.normpath(path).startswith(results), f"{path} lies outside {results}"
    for stage in get_args(Stage):
        settings_of(config, stage)
    class_table(config)
    for split in SPLITS:
        if folders_of(config, split) is not None:
            try:
                list_files(config, split)
            except DataError:
                continue
