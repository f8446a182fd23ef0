"""What is fuzzed: each target damages one kind of input and reads it as the pipeline does.

A case ends well with a result or with a `TpldError`; a target may check the result. Anything else,
such as another exception or a hang, is a finding.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from tests.fuzz.mutate import damage, damage_png, damage_tree, from_schema
from tpld.config import Config, load_config

ROOT = Path(__file__).parents[2]
Case = Callable[[random.Random], None]
CLASSES = [{"name": name, "id": i, "color": [i, i, i]} for i, name in enumerate("abcd")]


class Trap:
    """Unpickled by a careless reader, it makes a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.system, (f"touch {self.folder / 'PWNED'}",)


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
    from tpld.data.sources import class_table, folders_of, list_files
    from tpld.data.splits import SPLITS
    from tpld.errors import DataError
    from tpld.layout import Layout
    from tpld.settings import Stage, settings_of

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


def images(folder: Path) -> Case:
    """PNG, JPEG and other image files, as image and as label."""
    from tpld.data.decode import decode_image, decode_label

    rng = np.random.default_rng(0)
    grey = rng.integers(0, 4, (24, 32), np.uint8)
    colour = rng.integers(0, 256, (24, 32, 3), np.uint8)
    palette = Image.fromarray(grey).convert("P")
    kinds: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (Image.fromarray(colour), "PNG", {}),
        (Image.fromarray(grey), "PNG", {}),
        (palette, "PNG", {"transparency": 1}),
        (Image.fromarray(grey.astype(np.uint16) * 90), "PNG", {}),
        (Image.fromarray(colour).convert("RGBA"), "PNG", {}),
        (Image.fromarray(grey > 1), "PNG", {}),
        (Image.fromarray(colour), "JPEG", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
        (Image.fromarray(colour), "JPEG", {"progressive": True}),
        (Image.fromarray(grey), "JPEG", {}),
        (Image.fromarray(grey), "TIFF", {"compression": "tiff_lzw"}),
        (Image.fromarray(grey), "GIF", {}),
        (Image.fromarray(grey), "BMP", {}),
        (Image.fromarray(colour), "WEBP", {}),
        (Image.fromarray(grey), "PPM", {}),
        (Image.fromarray(colour), "EPS", {}),
    ]
    seeds = []
    for image, name, options in kinds:
        file = io.BytesIO()
        image.save(file, name, **options)
        seeds.append((name, file.getvalue()))
    table = _table()

    def case(rng: random.Random) -> None:
        name, data = rng.choice(seeds)
        if name == "PNG" and rng.random() < 0.5:
            data = damage_png(data, rng)
        elif rng.random() < 0.97:
            data = damage(data, rng)
        path = folder / f"image{rng.choice(('.png', '.jpg'))}"
        path.write_bytes(data)
        if rng.random() < 0.5:
            array = decode_image(path, rng.choice((None, (7, 9))))
            assert array.dtype == np.uint8 and array.shape[2:] == (3,)
        else:
            label = decode_label(path, table, rng.choice((None, (7, 9))))
            assert label.dtype == np.uint8 and np.isin(label, (0, 1, 2, 3, 255)).all()

    return case


def labels_of_16_bit(folder: Path) -> Case:
    """16-bit PNGs, which another library reads."""
    from dataclasses import replace

    from tests.data.test_datasets import save_16_bit
    from tpld.data.decode import decode_label

    array = np.random.default_rng(0).integers(0, 4, (12, 16, 3)).astype(np.uint16)
    seed = save_16_bit(folder / "seed.png", array).read_bytes()
    table = replace(_table(), reader="first_of_16_bit")

    def case(rng: random.Random) -> None:
        path = folder / "label.png"
        path.write_bytes((damage_png if rng.random() < 0.6 else damage)(seed, rng))
        label = decode_label(path, table)
        assert np.isin(label, (0, 1, 2, 3, 255)).all()

    return case


def _table():
    from tpld.data.folders import ClassTable

    ids = list(range(4))
    return ClassTable(list("abcd"), ids, np.zeros((4, 3), np.uint8), [9])


def split_lists(folder: Path) -> Case:
    """Names that lead out of the folder, links, odd characters, damaged text."""
    from tpld.data.sources import list_files

    root = folder / "images"
    (root / "inner").mkdir(parents=True)
    names = ["a", "b", "inner/c", "é", "with space"]
    for name in names:
        (root / f"{name}.png").write_bytes(b"x")
    secret = folder / "secret.png"
    secret.write_bytes(b"s")
    (folder / "outside").mkdir()
    (folder / "outside" / "d.png").write_bytes(b"s")
    (root / "link.png").symlink_to(secret)
    (root / "up").symlink_to(folder)
    (root / "circle").symlink_to(root / "circle")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "good.png").symlink_to(root / "a.png")
    odd = [
        "link", "up/secret", "../secret", "inner/../../secret", "./a", "inner//c", "a/", "", " ",
        "loop", "circle/a", str(secret.with_suffix("")), "good", "a\x00b", "x" * 5000, "..", ".",
        "/", "~", "*", "up/images/a", "inner/./c", "a\tb", "\ufeffa", "CON", "a;touch PWNED", "A",
        "$(touch PWNED)", "up/outside/d",
    ]  # fmt: skip
    tree = {
        "source_training": {"batch_norm": "train"},
        "data": {
            "kind": "folder",
            "folder": {
                "classes": CLASSES,
                "source": {"images": str(root), "train": str(folder / "list.txt")},
                "target": {"images": str(root)},
            },
        },
    }
    config = load_config(tree)
    inside = f"{os.path.realpath(root)}{os.sep}"

    def case(rng: random.Random) -> None:
        chosen = rng.sample(names, 2) + rng.choices(odd, k=rng.choice((0, 1, 1, 2)))
        rng.shuffle(chosen)
        text = rng.choice(("\n", "\r\n", "\r")).join(chosen).encode()
        (folder / "list.txt").write_bytes(damage(text, rng) if rng.random() < 0.4 else text)
        found = list_files(config, "source_train")
        for path in found.images:
            assert os.path.realpath(path).startswith(inside), f"{path} leads out of {root}"

    return case


def checkpoints(folder: Path) -> Case:
    """Our checkpoints, foreign weights, pickles with a trap, and resume points."""
    import torch
    from safetensors.torch import save
    from torch import nn

    from tpld.models.weights import _foreign_state, load_model, save_model
    from tpld.runtime import resolve
    from tpld.training.loop import Task, _restore, _save

    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    runtime = resolve(load_config({**_CPU}).compute)
    state = folder / "state.pt"
    task = Task("x", 9, None, None, {"n": network}, {"o": optimizer}, 1, state)  # pyright: ignore
    optimizer.step(lambda: network(torch.randn(4, 3)).sum().backward())
    save_model(network, folder / "ours.safetensors", {"stage": "fuzz"})
    _save(task, 3, runtime.processes)
    weights = network.state_dict()
    plain = io.BytesIO()
    torch.save({"state_dict": weights}, plain)
    old = io.BytesIO()
    torch.save(weights, old, _use_new_zipfile_serialization=False)
    ours, resume = (folder / "ours.safetensors").read_bytes(), state.read_bytes()
    trap = pickle.dumps({"state_dict": weights, "trap": Trap(folder)})
    trapped = io.BytesIO()
    torch.save({"state_dict": weights, "trap": Trap(folder)}, trapped)
    foreign = [plain.getvalue(), old.getvalue(), save(weights), ours, resume]
    reference = {name: value.clone() for name, value in weights.items()}

    def case(rng: random.Random) -> None:
        kind = rng.randrange(4)
        if kind == 0:
            path = folder / "m.safetensors"
            path.write_bytes(_header(ours, rng) if rng.random() < 0.5 else damage(ours, rng))
            load_model(network, path)
            loaded = network.state_dict()
            assert all(torch.equal(loaded[name], reference[name]) for name in reference)
        elif kind == 1:
            state.write_bytes(damage(resume, rng))
            _restore(task, runtime)
        else:
            data = rng.choice([trap, trapped.getvalue()] if kind == 2 else foreign)
            path = folder / f"w{rng.choice(('.pt', '.pth', '.safetensors', '.bin'))}"
            path.write_bytes(damage(data, rng) if rng.random() < 0.8 else data)
            if kind == 2 and rng.random() < 0.5:
                shutil.copy(path, state)
                _restore(task, runtime)
            else:
                _foreign_state(path)

    return case


_CPU = {"source_training": {"batch_norm": "train"}, "compute": {"device": "cpu", "threads": 1}}


def _header(data: bytes, rng: random.Random) -> bytes:
    """A safetensors file whose JSON header is another, and well-formed."""
    length = int.from_bytes(data[:8], "little")
    tree = damage_tree(json.loads(data[8 : 8 + length]), rng)
    header = json.dumps(tree).encode("utf-8", "replace")
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


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


def tables(folder: Path) -> Case:
    """CSV tables and records of stages, cell by cell and byte by byte."""
    from tpld.data.cache import Cache, write_cache
    from tpld.data.sources import Item
    from tpld.evaluation.confusions import confusions_to_table, read_confusions
    from tpld.stages.assess import read_label_counts
    from tpld.stages.full_labels import easy_and_hard
    from tpld.stages.split import split
    from tpld.stages.thresholds import COLUMNS, read_thresholds

    names = list("abcd")
    bars = pd.DataFrame({c: [-0.5] * 4 for c in COLUMNS}).assign(
        **{"class": names, "mined": [True, False, False, True], "dump": "0123456789abcdef"}
    )
    scores = pd.DataFrame({"image": names, "confidence": [0.1, 0.2, 0.3, 0.4], "dump": "0e12"})
    easy = scores.assign(easy=[True, False, True, False])
    counts = pd.DataFrame(
        {"class": names, "origin": "confident", "pixels": 9, "correct": [1, 2, 3, 4]}
    )
    confusions = confusions_to_table({"p": np.arange(16).reshape(4, 4)}, names)
    items = []
    for name in names:
        Image.new("RGB", (8, 6), (9, 9, 9)).save(folder / f"{name}.png")
        items.append(Item(name, folder / f"{name}.png", None))
    write_cache(folder / "cache", items, ("images",), _table(), None, 150 / 2**30)
    index = (folder / "cache" / "index.csv").read_bytes()
    config = load_config({**_CPU})

    def use_cache(path: Path) -> None:
        shutil.copy(path, folder / "cache" / "index.csv")
        cache = Cache(folder / "cache", _table())
        for i in range(len(cache)):
            assert cache.image(i).shape == (*cache.size(i), 3)

    readers: list[tuple[bytes, Callable[[Path], Any]]] = [
        (_csv(bars), lambda p: read_thresholds(p, names, "0123456789abcdef")),
        (_csv(scores), lambda p: split(config, p, 0, folder / "split.csv")),
        (_csv(easy), lambda p: easy_and_hard(p, names, "0e12")),
        (_csv(confusions), lambda p: read_confusions(p, names)),
        (_csv(counts), read_label_counts),
        (index, use_cache),
    ]

    def case(rng: random.Random) -> None:
        data, read = rng.choice(readers)
        path = folder / "table.csv"
        path.write_bytes(_cell(data, rng) if rng.random() < 0.5 else damage(data, rng))
        read(path)

    return case


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


_CELLS = (
    "", "nan", "inf", "-inf", "-1", "0", "1e400", "9" * 30, "1.5", "x", '"', "a,b", "True", "../..",
    "\x00",
)  # fmt: skip


def _cell(data: bytes, rng: random.Random) -> bytes:
    rows = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(_CELLS)
    if rng.random() < 0.2:
        rows.append(list(rng.choice(rows)))
    return "\n".join(",".join(row) for row in rows).encode() + b"\n"


def broken_on_purpose(folder: Path) -> Case:
    """What a fuzzer must notice; for its own test."""
    from tpld.errors import DataError

    def case(rng: random.Random) -> None:
        kind = rng.randrange(5)
        if kind == 0:
            1 / 0  # noqa: B018
        if kind == 1:
            os.abort()
        if kind == 2:
            raise DataError("no")
        if kind == 3:
            pickle.loads(pickle.dumps(Trap(folder)))
            (folder / "PWNED").unlink()

    return case


SHARES = {
    "configurations": 0.06,
    "images": 0.30,
    "labels_of_16_bit": 0.12,
    "split_lists": 0.20,
    "checkpoints": 0.10,
    "stores": 0.07,
    "tables": 0.15,
}
"""Of the cases of a run: what is read from strangers, and read fast, has more."""

TARGETS: dict[str, Callable[[Path], Case]] = {
    "configurations": configurations,
    "images": images,
    "labels_of_16_bit": labels_of_16_bit,
    "split_lists": split_lists,
    "checkpoints": checkpoints,
    "stores": stores,
    "tables": tables,
    "broken_on_purpose": broken_on_purpose,
}
