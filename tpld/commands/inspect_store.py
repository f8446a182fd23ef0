"""`tpld inspect`: what a store or a checkpoint holds, from which run, and whether it is whole."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors

from tpld.commands.show import Page
from tpld.compute.progress import progress
from tpld.core.labels import IGNORE
from tpld.data.cache import Cache
from tpld.data.sources import ClassTable
from tpld.errors import StoreError, TpldError
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.stores.space import readable
from tpld.stores.zarr_store import Group, array_of, open_store, read_array

_SHOWN = 20
Damage = list[str]


def inspect(path: Path, check: bool = True) -> tuple[Page, Damage]:
    """Describe what lies at `path`.

    Args:
        path: a predictions or labels store, a folder of decoded images, or a checkpoint.
        check: read every shard, and compare every checksum; False: only what the metadata say.

    Returns:
        The page to show, and a sentence for each damaged part.

    Raises:
        StoreError: it is none of these, or not even its metadata can be read.
    """
    if path.suffix == ".safetensors":
        return _checkpoint(path, check)
    if (path / "index.csv").is_file():
        return _decoded(path, check)
    if not (path / "zarr.json").is_file():
        raise StoreError(
            f"{path} is no store, checkpoint or folder of decoded images. Give a predictions.zarr, "
            "labels.zarr, model.safetensors or data/<split> below results/<experiment>"
        )
    metadata = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    if metadata.get("attributes", {}).get("kind") == "labels":
        return _labels(path, check)
    return _predictions(path, check)


def _labels(path: Path, check: bool) -> tuple[Page, Damage]:
    store = Labels(path)
    group = open_store(path, "labels", "label")
    layers = [name for name in ("label", "origin", "score", "weight") if name in group]
    facts = _facts(path, "pseudo labels", store, layers)
    counts = np.zeros((256, 256), np.int64)
    damage: Damage = []
    for found in _each(store, group, layers if check else layers[:2], damage):
        pairs = found["label"].astype(np.int64) * 256 + found["origin"]
        counts += np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
    pixels = max(int(counts.sum()), 1)
    facts["density %"] = 100 * float(counts[:IGNORE].sum()) / pixels
    rows = []
    for k, name in enumerate([*store.classes, "(unlabelled)"]):
        row = counts[k if k < len(store.classes) else IGNORE]
        entry: dict[str, Any] = {"class": name, "pixels": int(row.sum())}
        entry["share %"] = 100 * row.sum() / pixels
        known = k < len(store.classes)
        entry["λ"] = float(np.exp(store.log_threshold[k])) if known else float("nan")
        for value, origin in store.origins.items():
            if value:
                entry[f"{origin} %"] = 100 * row[value] / pixels if known else float("nan")
        rows.append(entry)
    return _page(facts, {"classes": pd.DataFrame(rows)}, check, damage), damage


def _predictions(path: Path, check: bool) -> tuple[Page, Damage]:
    store = Predictions(path)
    group = open_store(path, "predictions", "dump")
    layers = ["prediction", "neg_log_confidence", "logits"]
    facts = _facts(path, "predictions", store, layers)
    facts["views"] = read_array(group, "view", slice(None)).tolist()
    facts["logits stored as"] = str(array_of(group, "logits").dtype)
    counts, losses = np.zeros(256, np.int64), np.zeros(256)
    damage: Damage = []
    for found in _each(store, group, layers if check else layers[:2], damage):
        flat = found["prediction"].ravel()
        counts += np.bincount(flat, minlength=256)
        confidence = np.exp(-found["neg_log_confidence"].ravel())
        losses += np.bincount(flat, confidence, minlength=256)
    pixels, known = max(int(counts.sum()), 1), len(store.classes)
    table = pd.DataFrame({"class": store.classes, "pixels": counts[:known]})
    table["share %"] = 100 * counts[:known] / pixels
    table["mean p (coarse)"] = losses[:known] / np.maximum(counts[:known], 1)
    table.loc[counts[:known] == 0, "mean p (coarse)"] = float("nan")
    beside = path.parent / "thresholds.csv"
    if beside.is_file():
        bars = pd.read_csv(beside, keep_default_na=False, dtype={"class": str})
        table["λ"] = bars.set_index("class")["threshold"].reindex(store.classes).to_numpy()
        facts["λ from"] = str(beside)
    return _page(facts, {"classes": table}, check, damage), damage


def _each(
    store: Labels | Predictions, group: Group, layers: list[str], damage: Damage
) -> Iterator[dict[str, np.ndarray]]:
    """The first two layers of every image, after all of them were read; damaged ones are left out.

    A shard is read whole, also what lies beyond an image that is smaller than the largest.
    """
    with progress(f"reading {store.path.name}", len(store)) as tick:
        for i, name in enumerate(store.names):
            height, width = store.size(i)
            found: dict[str, np.ndarray] = {}
            for layer in layers:
                try:
                    found[layer] = read_array(group, layer, i)[..., :height, :width]
                except StoreError as error:
                    damage.append(f"image '{name}': {error}")
            tick(i + 1)
            if set(layers[:2]) <= set(found):
                yield found


def _facts(
    path: Path, what: str, store: Labels | Predictions, layers: Iterable[str]
) -> dict[str, Any]:
    """What all stores have: images, sizes, and the run that wrote them."""
    sizes = sorted({store.size(i) for i in range(len(store))})
    run = store.run
    return {
        "path": str(path),
        "holds": what,
        "images": len(store),
        "sizes": [f"{h}x{w}" for h, w in sizes[:5]] + (["..."] if len(sizes) > 5 else []),
        "layers": list(layers),
        "disk": readable(sum(f.stat().st_size for f in path.rglob("*") if f.is_file())),
        **_of_run(run),
    }


def _of_run(run: dict[str, Any]) -> dict[str, Any]:
    """The record of the stage, as far as it is worth a line."""
    kept = ("stage", "finished", "commit", "host", "device", "settings", "inputs")
    return {name: run[name] for name in kept if run.get(name)}


def _checkpoint(path: Path, check: bool) -> tuple[Page, Damage]:
    """A checkpoint: its network, classes and record.

    Damage is a wrong checksum, and values that are not finite.
    """
    from tpld.models.weights import has_right_checksum

    damage: Damage = []
    rows, parameters = [], 0
    try:
        with safetensors.safe_open(path, framework="np") as file:
            said = json.loads((file.metadata() or {}).get("tpld", "{}"))
            for name in file.keys():  # noqa: SIM118  (no dictionary)
                part = file.get_slice(name)
                parameters += int(np.prod(part.get_shape(), dtype=np.int64))
                rows.append((name.split(".")[0], int(np.prod(part.get_shape(), dtype=np.int64))))
                if check and not np.isfinite(file.get_tensor(name)).all():
                    damage.append(f"'{name}' holds values that are not finite")
        if check and not has_right_checksum(path):
            damage.append("its checksum is wrong or missing: a bit has flipped, or it is foreign")
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise StoreError(f"{path} is no whole checkpoint ({error}). Rerun its stage") from None
    said.pop("sha256", None)
    classes = said.pop("classes", [])
    facts = {"path": str(path), "holds": "a network", **said}
    facts |= {"parameters": parameters, "disk": readable(path.stat().st_size)}
    record = path.parent / "run.json"
    if record.is_file():
        facts |= _of_run(json.loads(record.read_text(encoding="utf-8")))
    parts = pd.DataFrame(rows, columns=["part", "values"]).groupby("part", sort=False).sum()
    tables = {"parts": parts.reset_index()}
    if classes:
        tables["classes"] = pd.DataFrame(
            {key: [str(entry[key]) for entry in classes] for key in ("name", "id", "color")}
        )
    return _page(facts, tables, check, damage), damage


def _decoded(path: Path, check: bool) -> tuple[Page, Damage]:
    """Decoded images, compared with their checksums."""
    cache = Cache(path, ClassTable([], [], np.zeros((0, 3), np.uint8), []))
    kinds: list[tuple[str, Callable[[int], np.ndarray]]] = []
    if (path / "images.bin").exists():
        kinds.append(("images", cache.image))
    if (path / "labels.bin").exists():
        kinds.append(("labels", cache.label))
    # Without this column the reader compares by itself, a checksum for each array.
    whole = cache.index.get("crc32")
    damage: Damage = []
    counts = np.zeros(256, np.int64)
    with progress(f"reading {path.name}", len(cache)) as tick:
        for i, name in enumerate(cache.names):
            crc = 0
            try:
                for kind, read in kinds if check else []:
                    array = read(i)
                    crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
                    if kind == "labels":
                        counts += np.bincount(array.ravel(), minlength=256)
                if check and whole is not None and crc != int(whole[i]):
                    damage.append(f"image '{name}': its pixels are not those that were decoded")
            except TpldError as error:
                damage.append(f"image '{name}': {error}")
            tick(i + 1)
    sizes = sorted({cache.size(i) for i in range(len(cache))})
    facts = {
        "path": str(path),
        "holds": "decoded " + " and ".join(kind for kind, _ in kinds),
        "images": len(cache),
        **_domains(cache),
        "sizes": [f"{h}x{w}" for h, w in sizes[:5]] + (["..."] if len(sizes) > 5 else []),
        "decoded at each use": int((cache.index["offset"] < 0).sum()),
        "disk": readable(sum(f.stat().st_size for f in path.iterdir())),
    }
    tables = {}
    if counts.any():
        share = 100 * counts[: len(cache.table.names)] / counts.sum()
        tables["classes"] = pd.DataFrame({"class": cache.table.names, "share %": share})
    return _page(facts, tables, check, damage), damage


def _domains(cache: Cache) -> dict[str, list[str]]:
    """How many images there are of each domain, where there are several."""
    if len(cache.domains) == 1:
        return {}
    counts = Counter(cache.domain(i) for i in range(len(cache)))
    return {"domains": [f"{name}: {count}" for name, count in counts.items()]}


def _page(
    facts: dict[str, Any], tables: dict[str, pd.DataFrame], check: bool, damage: Damage
) -> Page:
    if not check:
        facts["integrity"] = "not checked (--quick)"
    elif damage:
        more = [f"... and {len(damage) - _SHOWN} more"] if len(damage) > _SHOWN else []
        facts["integrity"] = f"{len(damage)} damaged parts"
        facts["damage"] = damage[:_SHOWN] + more
    else:
        facts["integrity"] = "every shard read, every checksum right"
    return Page(f"{facts['holds']}: {facts['path']}", facts, tables)
