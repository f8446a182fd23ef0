"""Figure: how dense and how right the pseudo labels of each class are, by round and origin."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tpld.report.blocks import Plot
from tpld.report.experiment import Experiment
from tpld.report.style import FULL_WIDTH, ORIGINS, figure, plot, short_round

_LEAST = 0.01  # percent of all pixels; the accuracy of fewer says nothing


def class_plot(experiment: Experiment, method: str) -> Plot | None:
    """Two maps, a row a class and a column a round and origin; None without labels."""
    density, accuracy = class_tables(experiment, method)
    if density.empty:
        return None
    judged = bool(accuracy.notna().to_numpy().any())
    rows, columns = density.shape
    width = FULL_WIDTH if judged or columns > 8 else 0.6 * FULL_WIDTH
    with figure(width, 1.5 + 0.23 * rows) as drawing:
        panels = drawing.subplots(1, 1 + judged, squeeze=False, sharey=True)[0]
        _draw_map(panels[0], density, f"{method}: labels by class", "% of all pixels", "Blues")
        if judged:
            title = f"{method}: accuracy by class"
            _draw_map(panels[1], accuracy, title, "% of the labels", "cividis", top=100)
        return plot(
            drawing,
            f"Pseudo labels of {method} by class, round and origin",
            "Left: labels of a class as a share of all pixels (of phase 2: of the easy images'). "
            "Right: the share of them that the ground truth confirms; a dark row is a class that "
            "the network is taught wrongly. A dash: no such label."
            if judged
            else "Labels of a class as a share of all pixels (of phase 2: of the easy images').",
        )


def class_tables(experiment: Experiment, method: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Density and accuracy in percent; a row a class, a column (round, origin), seeds together."""
    density: dict[tuple[str, str], pd.Series] = {}
    accuracy: dict[tuple[str, str], pd.Series] = {}
    for name in experiment.layout.rounds(method):
        tables = [experiment.round_table(method, s, name, "labels.csv") for s in experiment.seeds]
        known = [table for table in tables if table is not None]
        if not known:
            continue
        counts = pd.concat(known)
        counts = counts.assign(
            pixels=pd.to_numeric(counts["pixels"]),
            correct=pd.to_numeric(counts["correct"], errors="coerce"),
        )
        total = max(int(counts["pixels"].sum()), 1)
        for origin in [o for o in ORIGINS if (counts["origin"] == o).any()]:
            part = counts[counts["origin"] == origin].groupby("class")[["pixels", "correct"]]
            sums = part.sum(min_count=1).reindex(experiment.classes.names)
            density[name, origin] = 100 * sums["pixels"] / total
            right = 100 * sums["correct"] / sums["pixels"]
            accuracy[name, origin] = right.where(density[name, origin] >= _LEAST)
    return pd.DataFrame(density), pd.DataFrame(accuracy)


def _draw_map(
    axes: Axes, table: pd.DataFrame, title: str, unit: str, colors: str, top: float | None = None
) -> None:
    values = table.to_numpy(float)
    high = top or max(float(np.nanmax(values, initial=0)), 1e-9)
    axes.set_facecolor("#eeeeee")
    mesh = axes.pcolormesh(values, cmap=colors, vmin=0, vmax=high, edgecolors="white", lw=0.5)
    words = [f"{short_round(r)} {o.replace('_', ' ')}" for r, o in table.columns]
    axes.set_xticks(np.arange(len(words)) + 0.5, words, rotation=90, size=7.5)
    axes.set_yticks(np.arange(len(table)) + 0.5, [str(name) for name in table.index])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_ylim(len(table), 0)
    axes.set_title(title)
    if values.shape[1] <= 16:
        dark_is_high = colors == "Blues"
        for (y, x), value in np.ndenumerate(values):
            text = "–" if np.isnan(value) else f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
            light = not np.isnan(value) and (value > 0.55 * high) == dark_is_high
            color = "white" if light else "#222222"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", size=6.5, color=color)
    axes.figure.colorbar(mesh, ax=axes, shrink=0.6, label=unit)
