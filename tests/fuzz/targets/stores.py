"""Zarr stores."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import damage, damage_tree
from tests.fuzz.targets.common import Case


def stores(folder: Path) -> Case:
    """Zarr metadata with changed entries, and damaged chunks, read to the last pixel."""
    from tests.stores.conftest import Stores
    from tpld.stores.labels import Labels
    from tpld.stores.predictions import Predictions

    make = Stores()
    seeds = {"predictions": folder / "p", "labels": folder / "l"}
    make.predictions(seeds["predictions"], "uint16")
    make.labels(seeds["labels"])

    def read_all(kind: str, path: Path) -> list[Any]:
        if kind == "predictions":
            dump = Predictions(path)
            arrays = [
                array for i in range(len(dump)) for array in (dump.logits(i), *dump.predict(i))
            ]
            return [dump.names, dump.classes, *(array.tobytes() for array in arrays)]
        labels = Labels(path)
        layers = [(name, i) for i in range(len(labels)) for name in ("label", "origin", "score")]
        values = [labels.layer(name, i).tobytes() for name, i in layers]
        return [labels.names, labels.classes, labels.origins, *values]

    expected = {kind: read_all(kind, path) for kind, path in seeds.items()}

    def case(rng: random.Random) -> None:
        kind = rng.choice(list(seeds))
        path = folder / "store"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(seeds[kind], path)
        files = sorted(p for p in path.rglob("*") if p.is_file())
        metadata = [p for p in files if p.name == "zarr.json"]
        # The group's own metadata hold those of all arrays, and are what is read.
        file = rng.choice([path / "zarr.json"] * 4 + metadata + files)
        if file.name == "zarr.json" and rng.random() < 0.8:
            tree = damage_tree(json.loads(file.read_text()), rng)
            file.write_text(json.dumps(tree))
        elif rng.random() < 0.1:
            file.unlink()
        else:
            file.write_bytes(damage(file.read_bytes(), rng))
        assert read_all(kind, path) == expected[kind], "another result, and no error"

    return case
