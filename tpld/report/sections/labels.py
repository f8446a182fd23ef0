"""Section: how dense and how right the pseudo labels are, by where they come from."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from tpld.evaluation.labels import summarise_labels
from tpld.report.blocks import Block, Cell, Plot, Section, Table, number, percent
from tpld.report.experiment import Experiment
from tpld.report.sections.label_classes import class_plot
from tpld.report.style import FULL_WIDTH, GREY, ORIGINS, figure, plot, short_round

_LEAST = 0.1  # percent of the pixels; the accuracy of fewer says nothing
_TITLE = "Pseudo labels: density and accuracy"
_MARKERS = {"confident": "s", "voted_1": "^", "voted_2": "v", "voted_3": "P", "full": "D"}


def labels_section(experiment: Experiment) -> Section:
    """Stacked densities, accuracies and their table for each method."""
    blocks: list[Block] = []
    judged = False
    for method in experiment.adapting:
        table = label_table(experiment, method)
        if table.empty:
            continue
        judged |= bool(table["accuracy"].notna().any())
        blocks += [_draw(table, method), _figures_table(table, method)]
        by_class = class_plot(experiment, method)
        blocks += [by_class] if by_class else []
    if not blocks:
        why = "there is no method that makes pseudo labels, or none has made any yet."
        return Section("labels", _TITLE, missing=why)
    return Section("labels", _TITLE, _caption(judged), blocks)


def _caption(judged: bool) -> str:
    text = (
        "Density is the share of the pixels that carry a pseudo label, of those with ground truth "
        "if there is any. Confident labels are those of the base method, "
        "voted ones what neighbours added in iteration 1, 2, 3 of phase 1; "
        "phase 2 labels every pixel of the easy images, and its bars count these images alone."
    )
    if judged:
        return (
            f"{text} Accuracy is the share of the labels that agree with the ground truth "
            "(drawn from a density of 0.1 % on)."
        )
    return f"{text} Without ground truth of target_train there is no accuracy."


def label_table(experiment: Experiment, method: str) -> pd.DataFrame:
    """Percentages of `summarise_labels`, mean over seeds, a row a round."""
    rows: dict[str, pd.Series] = {}
    for name in experiment.layout.rounds(method):
        tables = [experiment.round_table(method, s, name, "labels.csv") for s in experiment.seeds]
        found = [pd.Series(summarise_labels(t)) for t in tables if t is not None]
        if found:
            rows[name] = pd.concat(found, axis=1).mean(axis=1)
    return pd.DataFrame(rows).T


def _origins(table: pd.DataFrame) -> list[str]:
    """Origins that occur, known ones first."""
    suffix = " density"
    found = [c.removesuffix(suffix) for c in table.columns if c.endswith(suffix)]
    return [o for o in ORIGINS if o in found] + [o for o in found if o not in ORIGINS]


def _draw(table: pd.DataFrame, method: str) -> Plot:
    judged = bool(table["accuracy"].notna().any())
    with figure(FULL_WIDTH if judged else FULL_WIDTH * 0.7, 3.0) as drawing:
        panels = drawing.subplots(1, 1 + judged, squeeze=False)[0]
        _draw_density(panels[0], table)
        panels[0].set_title(f"{method}: density by origin")
        if judged:
            _draw_accuracy(panels[1], table)
            panels[1].set_title(f"{method}: accuracy by origin")
        for axes in panels:
            axes.set_xticks(range(len(table)), [short_round(str(name)) for name in table.index])
            axes.set_xlim(-0.6, max(len(table), 4) - 0.4)
            axes.set_xlabel("round")
        drawing.legend(*_keys(panels), loc="outside right upper")
        return plot(drawing, f"Density and accuracy of the pseudo labels of {method}")


def _keys(panels: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    """Handles and names of both panels, each name once."""
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    return list(found.values()), list(found)


def _draw_density(axes: Axes, table: pd.DataFrame) -> None:
    places, bottom = range(len(table)), pd.Series(0.0, index=table.index)
    for origin in _origins(table):
        height = table[f"{origin} density"].fillna(0)
        color, hatch = ORIGINS.get(origin, (GREY, ""))
        axes.bar(places, height, 0.7, bottom=bottom, color=color, hatch=hatch, edgecolor="white",
                 label=origin.replace("_", " "))  # fmt: skip
        bottom = bottom + height
    for place, total in zip(places, bottom, strict=True):
        axes.text(place, total + 1, f"{total:.0f}", ha="center", va="bottom", size=8)
    axes.grid(visible=False, axis="x")
    axes.set(ylabel="labelled pixels, %", ylim=(0, 108))


def _draw_accuracy(axes: Axes, table: pd.DataFrame) -> None:
    places = range(len(table))
    for origin in _origins(table):
        color, _ = ORIGINS.get(origin, (GREY, ""))
        right = table[f"{origin} accuracy"].where(table[f"{origin} density"] >= _LEAST)
        if right.isna().all():
            continue
        axes.plot(places, right, color=color, label=origin.replace("_", " "),
                  marker=_MARKERS.get(origin, "o"), lw=1.4)  # fmt: skip
    axes.plot(places, table["accuracy"], color="black", marker="o", lw=1, ls="--",
              label="all labels")  # fmt: skip
    low, high = axes.get_ylim()
    limits = (max(0, low - 4), min(101, high + 4))
    axes.set(ylabel="right labels, %", ylim=limits)


def _figures_table(table: pd.DataFrame, method: str) -> Table:
    judged = bool(table["accuracy"].notna().any())
    names = ["all labels", *_origins(table)]
    rows = []
    for name, row in table.iterrows():
        cells = [Cell(str(name))]
        for origin in names:
            prefix = "" if origin == "all labels" else f"{origin} "
            density, right = row[f"{prefix}density"], row[f"{prefix}accuracy"]
            text = percent(density)
            if judged and right == right:
                text += f" · {percent(right)}"
            cells.append(number(text))
        rows.append(cells)
    header = [Cell("Round"), *(number(n.replace("_", " ")) for n in names)]
    what = "density · accuracy, %" if judged else "density, %"
    return Table(header, rows, title=f"{method}: {what}")
