"""Figures of one image and of one pixel, as the page shows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tpld.core.labels import IGNORE
from tpld.core.reason import Reason, explain_pixel
from tpld.viewer.rounds import Keys, Labelled, Round

_TOP = 5


def origins_of(opened: Round, iterations: int) -> dict[int, str]:
    """Meaning of each value of ``origin``: those of the store, and of iterations beyond its own."""
    stored = opened.labels.origins if opened.labels else {0: "none"}
    if opened.place.phase2 or not opened.labels:
        return stored
    return stored | {1 + i: f"voted_{i}" for i in range(1, iterations + 1)}


def image_figures(
    opened: Round,
    found: Labelled,
    prediction: np.ndarray,
    truth: np.ndarray | None,
    meanings: dict[int, str],
) -> dict[str, Any]:
    """Density and accuracy of one image's labels: in all, by origin and by class.

    Shares are of the valid pixels, those with ground truth, or of all where there is none.
    """
    valid = np.ones(found.label.shape, bool) if truth is None else truth != IGNORE
    total = max(int(valid.sum()), 1)
    label, origin, guess = found.label[valid], found.origin[valid], prediction[valid]
    right = None if truth is None else label == truth[valid]

    def part(where: np.ndarray) -> dict[str, Any]:
        number = int(where.sum())
        accuracy = None if right is None or not number else float(right[where].mean())
        return {"density": number / total, "accuracy": accuracy}

    thresholds = np.exp(found.log_threshold.astype(np.float64))
    rows = []
    for k, name in enumerate(opened.classes):
        predicted = guess == k
        rows.append({
            "class": name,
            "id": k,
            "threshold": float(thresholds[k]),
            "predicted": float(predicted.sum() / total),
            "truth": None if truth is None else float((truth[valid] == k).sum() / total),
            **part(label == k),
        })  # fmt: skip
    known = [value for value, meaning in meanings.items() if meaning != "none"]
    return {
        **part(label != IGNORE),
        "prediction_accuracy": None if truth is None else float((guess == truth[valid]).mean()),
        "origins": [{"origin": meanings[v], **part(origin == v)} for v in known],
        "classes": rows,
    }


def pixel_figures(
    opened: Round,
    image: str,
    keys: Keys,
    found: Labelled,
    truth: np.ndarray | None,
    y: int,
    x: int,
) -> dict[str, Any]:
    """Everything about one pixel; see `explain_pixel`.

    Raises:
        ValueError: the pixel is outside the image.
    """
    reason = _reason(opened, image, keys, found, y, x)
    prediction, log_p = opened.predict(image)
    settings = opened.voting_with(keys)
    true = None if truth is None or truth[y, x] == IGNORE else opened.classes[int(truth[y, x])]
    return {
        **asdict(reason),
        "sentence": _hard(opened, image) or reason.sentence,
        "prediction": opened.classes[int(prediction[y, x])],
        "p": float(np.exp(log_p[y, x])),
        "truth": true,
        "window": settings.window if reason.votes else None,
    }


def _reason(opened: Round, image: str, keys: Keys, found: Labelled, y: int, x: int) -> Reason:
    height, width = found.label.shape
    if not (0 <= y < height and 0 <= x < width):
        raise ValueError(f"pixel (x, y) = ({x}, {y}) is outside the {width}x{height} pixels")
    place = (slice(y, y + 1), slice(x, x + 1))
    log_p = opened.predictions.log_probabilities(opened.index(image), place)[:, 0, 0]
    settings = opened.voting_with(keys)
    votes = not opened.place.phase2 and opened.labels is not None
    return explain_pixel(
        y, x,
        log_p=log_p,
        log_threshold=found.log_threshold,
        label=found.label,
        origin=found.origin,
        excess=found.excess,
        classes=opened.classes,
        window=settings.window,
        iterations=settings.iterations if votes else 0,
        alpha=settings.alpha,
        pool=settings.pool,
        fresh=settings.fresh,
        rank_by=settings.rank_by,
        gamma=opened.gamma,
        full_label=opened.full_label,
        top=_TOP,
    )  # fmt: skip


def _hard(opened: Round, image: str) -> str:
    """Why an image of this round has no label at all; empty where it may have some."""
    if opened.labels is None:
        return "No label: these are the source model's predictions, from which round 0 is labelled."
    if opened.easy and not opened.easy.get(image, False):
        return "None: a hard image, which phase 2 aligns with the easy ones and does not label."
    return ""
