"""`tpld explain`: why a pixel has its pseudo label, or has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from tpld.commands.show import Page
from tpld.config.labels import Voting
from tpld.core.reason import Reason, explain_pixel
from tpld.errors import ConfigError, StoreError, nearest
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions
from tpld.stores.provenance import fingerprint


def explain(
    path: Path, image: str, x: int, y: int, predictions: Path | None = None
) -> tuple[Page, Reason]:
    """Replay the rules for one pixel of a label store.

    Args:
        path: a labels store, of phase 1 or 2.
        image: name of the image, a part of it that no other has, or its number from 0.
        x: column of the pixel, from 0 at the left.
        y: row of the pixel, from 0 at the top.
        predictions: the dump that the labels were made of; None: where the record says.

    Raises:
        StoreError: no label store, or its dump is not there any more or is another one.
        ConfigError: no such image or pixel.
    """
    store = Labels(path)
    i = find_image(store.names, image)
    height, width = store.size(i)
    if not (0 <= x < width and 0 <= y < height):
        raise ConfigError(
            f"pixel x={x}, y={y} is outside '{store.names[i]}', which is {width} wide and "
            f"{height} high"
        )
    dump = _dump_of(store, predictions)
    dump.expect(dump.names, store.classes)
    if store.names[i] not in dump.names:
        raise StoreError(f"{dump.path} holds no image '{store.names[i]}'. Give the right one")
    at_pixel = (slice(y, y + 1), slice(x, x + 1))
    settings = store.run["settings"]
    reason = explain_pixel(
        y,
        x,
        # Labels of phase 2 are of the easy images alone, the dump of all.
        log_p=dump.log_probabilities(dump.names.index(store.names[i]), at_pixel)[:, 0, 0],
        log_threshold=store.log_threshold,
        label=store.layer("label", i),
        origin=store.layer("origin", i),
        excess=store.layer("score", i).astype("float32") - 1,
        classes=store.classes,
        **_keys(settings),
    )
    return _page(store, i, reason), reason


def find_image(names: list[str], wanted: str) -> int:
    """Place of an image by its name, a part of it that is unique, or its number.

    Raises:
        ConfigError: none, or more than one; the nearest names are given.
    """
    if wanted in names:
        return names.index(wanted)
    parts = [i for i, name in enumerate(names) if wanted in name]
    if len(parts) == 1:
        return parts[0]
    if wanted.isdigit() and int(wanted) < len(names):
        return int(wanted)
    if parts:
        shown = ", ".join(names[i] for i in parts[:5])
        raise ConfigError(f"'{wanted}' is part of {len(parts)} image names: {shown}. Give more")
    hint = nearest(wanted, names)
    raise ConfigError(
        f"no image '{wanted}'{'; ' if hint else '. '}{hint}There are {len(names)}, from "
        f"'{names[0]}' to '{names[-1]}'"
    )


def _dump_of(store: Labels, given: Path | None) -> Predictions:
    """The predictions that labels were made of; their path is relative to where that was."""
    if given is not None:
        return Predictions(given)
    recorded = {Path(p): mark for p, mark in store.run["inputs"].items() if p.endswith(".zarr")}
    for relative, mark in recorded.items():
        for base in (Path(), *store.path.absolute().parents):
            if (base / relative).is_dir():
                if fingerprint(base / relative) != mark:
                    raise StoreError(
                        f"{base / relative} has changed since the labels were made of it: rerun "
                        "`tpld label`, or give the right one as --predictions"
                    )
                return Predictions(base / relative)
    raise StoreError(
        f"the predictions that {store.path} was made of ({', '.join(map(str, recorded))}) are not "
        "there any more. Give them as --predictions"
    )


def _keys(settings: dict[str, Any]) -> dict[str, Any]:
    """The keys that the labels were made with, as the function names them."""
    if "phase2.gamma" in settings:
        full = settings["phase2.full_label"]
        return {"gamma": settings["phase2.gamma"], "full_label": full}
    if "voting" not in settings:
        return {"iterations": 0}
    return Voting.model_validate(settings["voting"]).model_dump()


def _page(store: Labels, i: int, reason: Reason) -> Page:
    facts = {
        "image": store.names[i],
        "pixel": f"x={reason.x}, y={reason.y}",
        "label": reason.label_name or "none",
        "origin": store.origins.get(reason.origin, str(reason.origin)),
        "why": reason.sentence,
    }
    scores = pd.DataFrame(
        [(score.name, score.p, score.threshold, score.r) for score in reason.scores],
        columns=["class", "p", "λ", "r = p/λ"],
    )
    tables = {"best classes": scores}
    if reason.votes:
        votes = pd.DataFrame([dataclasses.asdict(vote) for vote in reason.votes])
        votes = votes.drop(columns="class_id").rename(columns={"name": "class"})
        tables["votes"] = votes[["iteration", "class", *votes.columns.drop(["iteration", "class"])]]
    return Page(reason.sentence, facts, tables)
