"""Density and accuracy of pseudo labels, in total and by origin (METHOD 12): pure functions."""

from __future__ import annotations

import pandas as pd


def summarise_labels(counts: pd.DataFrame) -> dict[str, float]:
    """Figures of one round from its pixel counts.

    Args:
        counts: columns class, origin, pixels, correct (see `tpld.stages.assess`).

    Returns:
        Percentages: ``density`` (labelled share of the pixels) and ``accuracy`` (share of the
        labelled ones that is right, NaN without ground truth), then both for each origin.
    """
    pixels = pd.to_numeric(counts["pixels"])
    correct = pd.to_numeric(counts["correct"], errors="coerce")
    labelled = counts["origin"] != "none"
    total = max(int(pixels.sum()), 1)
    figures = {
        "density": 100 * pixels[labelled].sum() / total,
        "accuracy": _ratio(correct[labelled], pixels[labelled]),
    }
    for origin in sorted(set(counts.loc[labelled, "origin"])):
        part = counts["origin"] == origin
        figures[f"{origin} density"] = 100 * pixels[part].sum() / total
        figures[f"{origin} accuracy"] = _ratio(correct[part], pixels[part])
    return figures


def _ratio(correct: pd.Series, pixels: pd.Series) -> float:
    if correct.isna().any() or not pixels.sum():
        return float("nan")
    return 100 * correct.sum() / pixels.sum()
