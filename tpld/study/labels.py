"""The table of a study of labels: what voting adds, beside labels as dense without it."""

from __future__ import annotations

import pandas as pd

from tpld.study import added
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


def describe_added(frame: pd.DataFrame) -> pd.DataFrame:
    """What voting adds, one line a row: means over the seeds, in percent.

    Args:
        frame: row, changes, seed, and `tpld.study.added.COLUMNS`.

    Returns:
        row, changes; of all that voting adds the accuracy and the share of class argmax r; accuracy
        of what lowered thresholds add as well, of the rest, and of what they add instead; share of
        the right and of the wrong that lies near a boundary. Rows that add nothing are left out.
    """
    known = frame[frame["group"] == added.VOTED].dropna(subset=["accuracy"])["row"].unique()
    wide = frame[frame["row"].isin(known)].pivot_table(
        ["share", "accuracy", "near"], ["row", "changes"], "group", sort=False
    )
    columns = {
        "accuracy": ("accuracy", added.VOTED),
        "of class argmax r": ("share", added.SAME),
        f"right: {added.SAME}": ("accuracy", added.SAME),
        f"right: {added.OTHER}": ("accuracy", added.OTHER),
        f"right: {added.BOTH}": ("accuracy", added.BOTH),
        f"right: {added.VOTING_ALONE}": ("accuracy", added.VOTING_ALONE),
        f"right: {added.LOWERED_ALONE}": ("accuracy", added.LOWERED_ALONE),
        "near a boundary: of the right": ("near", added.RIGHT),
        "near a boundary: of the wrong": ("near", added.WRONG),
    }
    # A group that is empty in every row has no column.
    filled = {name: wide.get(key, float("nan")) for name, key in columns.items()}
    return pd.DataFrame(filled, index=wide.index).reset_index()
