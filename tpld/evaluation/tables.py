"""Our figures beside the paper's, and the paper's beside their own classes: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from tpld.evaluation.paper import Row, base_of

# A printed mean may be off by its own rounding, and by that of the classes it is the mean of.
ROUNDING = 0.05 + 0.05
Printed = Mapping[Row, Mapping[str, float]]
_NOTHING = pd.Series(dtype=float)


def recompute(
    printed: Mapping[str, float], classes: list[str], subsets: dict[str, list[str]]
) -> dict[str, float]:
    """Means in percent of a row's printed classes; empty where a class is not printed.

    Args:
        printed: metric -> value of one row of the paper.
        classes: all classes of the benchmark, whose mean is mIoU.
        subsets: members of the other means.
    """
    means = {"mIoU": classes, **subsets}
    if any(name not in printed for name in classes):
        return {}
    return {
        metric: math.fsum(printed[name] for name in members) / len(members)
        for metric, members in means.items()
    }


def disagreements(
    paper: Printed, rows: list[Row], classes: list[str], subsets: dict[str, list[str]]
) -> pd.DataFrame:
    """Printed means that rounding does not explain, one line each.

    Columns: model, method, metric, printed, from_classes (percent).
    """
    found = [
        (*row, metric, paper[row][metric], value)
        for row in rows
        for metric, value in recompute(paper[row], classes, subsets).items()
        if metric in paper[row] and abs(paper[row][metric] - value) > ROUNDING + 1e-9
    ]
    return pd.DataFrame(found, columns=["model", "method", "metric", "printed", "from_classes"])


def beside_the_paper(
    figures: pd.DataFrame,
    paper: Printed,
    names: Mapping[Row, str],
    rows: list[Row],
    classes: list[str],
    subsets: dict[str, list[str]],
) -> pd.DataFrame:
    """One line a protocol, row of the paper and metric.

    Args:
        figures: ours in long form (method, seed, protocol, metric, value) on the target.
        paper: what the paper prints of the benchmark.
        names: our method name of every row that is run, also of bases outside the table.
        rows: rows of the table, in order.
        classes: classes of the benchmark in order.
        subsets: members of the means besides mIoU.

    Returns:
        Columns model, method, row (our name), protocol, metric; ours (mean over seeds), spread
        (sample standard deviation), seeds; paper (as printed), paper_from_classes; difference
        (ours minus the paper's); gain and paper_gain over `base_of` the row. NaN where unknown.
    """
    protocols = figures["protocol"].drop_duplicates().tolist() or [""]
    ours = {key: part["value"] for key, part in figures.groupby(["protocol", "method", "metric"])}
    lines = []
    for protocol in protocols:
        for row in rows:
            base = base_of(row)
            name, base_name = names.get(row, ""), names.get(base, "") if base else ""
            printed_base = paper.get(base, {}) if base else {}
            means = recompute(paper[row], classes, subsets)
            for metric in ["mIoU", *subsets, *classes]:
                values = ours.get((protocol, name, metric), _NOTHING)
                mean = float(values.mean())
                printed = paper[row].get(metric, math.nan)
                line = {
                    "model": row.model,
                    "method": row.method,
                    "row": name,
                    "protocol": protocol,
                    "metric": metric,
                    "ours": mean,
                    "spread": float(values.std()),
                    "seeds": int(values.notna().sum()),
                    "paper": printed,
                    "paper_from_classes": means.get(metric, math.nan),
                    "difference": mean - printed,
                    "gain": mean - float(ours.get((protocol, base_name, metric), _NOTHING).mean()),
                    "paper_gain": printed - printed_base.get(metric, math.nan),
                }
                lines.append(line)
    return pd.DataFrame(lines)


def wide_table(lines: pd.DataFrame, protocol: str, headline: list[str]) -> pd.DataFrame:
    """For people: two lines a row, ours and the paper's; the `headline` metrics lead the classes.

    Args:
        lines: of `beside_the_paper`.
        protocol: whose figures.
        headline: metrics that come first, with their difference to the paper and gain.
    """
    part = lines[lines["protocol"] == protocol]
    rows = []
    for (model, method), group in part.groupby(["model", "method"], sort=False):
        by = group.set_index("metric")
        for whose, column, gain in (("ours", "ours", "gain"), ("paper", "paper", "paper_gain")):
            line: dict[str, object] = {"network": model, "method": method, "whose": whose}
            for metric in headline:
                line[metric] = by.loc[metric, column]
                line[f"Δ {metric}"] = by.loc[metric, "difference"] if whose == "ours" else math.nan
                line[f"gain in {metric}"] = by.loc[metric, gain]
            line["± mIoU"] = by.loc["mIoU", "spread"] if whose == "ours" else math.nan
            line["seeds"] = str(by.loc["mIoU", "seeds"]) if whose == "ours" else "–"
            classes = [metric for metric in by.index if metric not in headline]
            rows.append(line | {metric: by.loc[metric, column] for metric in classes})
    return pd.DataFrame(rows)
