"""Sorting, filtering and paging of the images of a round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tpld.viewer.scan import FIGURES, Scan

SORTS = ("name", "confidence", *FIGURES, "class")


@dataclass(frozen=True)
class Query:
    """What part of the list is wanted.

    Attributes:
        sort: one of `SORTS`; ``class`` sorts by the share of `class_id` among the labels, or
            among the predictions where there are no labels.
        descending: largest first.
        text: part of the name, in any case.
        class_id: only images that have this class; None: all.
        subset: ``easy`` or ``hard``; empty: all.
        low: only images whose figure of `sort` is at least this.
        high: and at most this.
        offset: first image of the page.
        limit: images of the page.
    """

    sort: str = "name"
    descending: bool = False
    text: str = ""
    class_id: int | None = None
    subset: str = ""
    low: float | None = None
    high: float | None = None
    offset: int = 0
    limit: int = 100


def listing(scan: Scan, query: Query) -> dict[str, Any]:
    """One page of the list, with its figures; images not scanned yet have none and come last."""
    names = scan.round.names
    figures = _figures(scan, query.class_id)
    wanted = np.array([query.text.lower() in name.lower() for name in names], bool)
    if query.class_id is not None:
        wanted &= figures["class"] > 0
    if query.subset:
        easy = np.array([scan.round.easy.get(name, False) for name in names], bool)
        wanted &= easy if query.subset == "easy" else ~easy
    if query.sort != "name":
        value = figures[query.sort]
        if query.low is not None:
            wanted &= value >= query.low
        if query.high is not None:
            wanted &= value <= query.high
    order = _order(names, None if query.sort == "name" else figures[query.sort], query.descending)
    chosen = [int(i) for i in order if wanted[i]]
    page = chosen[query.offset : query.offset + query.limit]
    return {
        "total": len(chosen),
        "offset": query.offset,
        "images": [_entry(scan, figures, i) for i in page],
    }


def position(scan: Scan, query: Query, image: str) -> int | None:
    """Place of an image in the filtered list; None if it is not in it."""
    everything = Query(**{**query.__dict__, "offset": 0, "limit": len(scan.round.names)})
    names = [entry["name"] for entry in listing(scan, everything)["images"]]
    return names.index(image) if image in names else None


def _figures(scan: Scan, class_id: int | None) -> dict[str, np.ndarray]:
    """Figures of every image, (N,) each; NaN where unknown."""
    found = {"confidence": np.array([scan.confidence(i) for i in range(len(scan.pixels))])}
    for place, name in enumerate(FIGURES):
        found[name] = scan.figures[:, place]
    if class_id is not None:
        counts = scan.labelled if scan.labelled.any() else scan.predicted
        found["class"] = counts[:, class_id] / np.maximum(scan.pixels, 1)
    else:
        found["class"] = np.zeros(len(scan.pixels))
    return found


def _order(names: list[str], value: np.ndarray | None, descending: bool) -> list[int]:
    """Indices in order; ties go by name, and what has no figure comes last either way."""
    by_name = sorted(range(len(names)), key=names.__getitem__)
    if value is None:
        return by_name[::-1] if descending else by_name
    key = -value if descending else value
    return sorted(by_name, key=lambda i: np.inf if np.isnan(key[i]) else key[i])


def _entry(scan: Scan, figures: dict[str, np.ndarray], i: int) -> dict[str, Any]:
    name = scan.round.names[i]
    height, width = scan.round.predictions.size(i)
    entry: dict[str, Any] = {"name": name, "height": height, "width": width}
    for key, values in figures.items():
        entry[key] = None if np.isnan(values[i]) else round(float(values[i]), 5)
    entry["easy"] = scan.round.easy.get(name)
    return entry
