"""The table of a study of labels: what voting adds, beside labels as dense without it."""

from __future__ import annotations

import pandas as pd

from tpld.study.controls import CONTROLS, accuracy_at


def compare_labels(labels: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """One line a row and seed of the study, in percent.

    Args:
        labels: row, changes, network, seed, and what `summarise_labels` says of its labels.
        curves: network, seed, and `tpld.study.controls.COLUMNS`.

    Returns:
        `labels` and for each control the accuracy at the same density (``at larger portion``) and
        what the row's accuracy is above it (``over larger portion``).
    """
    by = dict(list(curves.groupby(["network", "seed", "control"], sort=False)))
    rows = []
    for line in labels.to_dict("records"):
        for control in CONTROLS:
            curve = by[(line["network"], line["seed"], control)]
            other = accuracy_at(curve, float(line["density"]))
            line |= {f"at {control}": other, f"over {control}": float(line["accuracy"]) - other}
        rows.append(line)
    return pd.DataFrame(rows)


def mean_over_seeds(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Mean of every figure over the seeds, a line for each of `keys`, in their order."""
    figures = [c for c in frame.columns if c not in {*keys, "seed", "network"}]
    return frame.groupby(keys, sort=False, dropna=False)[figures].mean().reset_index()
