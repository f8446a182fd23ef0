"""Figures of the class thresholds λ over the rounds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tpld.report.blocks import Plot, Text
from tpld.report.experiment import Experiment
from tpld.report.style import figure, plot, short_round


def threshold_plots(experiment: Experiment) -> list[Plot | Text]:
    """A heat map a method, and a line that explains them."""
    plots: list[Plot | Text] = []
    for method in experiment.adapting:
        table = threshold_table(experiment, method)
        if not table.empty:
            plots.append(_draw_heat(table, method, experiment.classes.names))
    note = Text("λ is the probability from which on a prediction of the class is trusted; a low λ "
                "belongs to a class of which the network is rarely sure. A dash: no pixel is "
                "predicted as this class.")  # fmt: skip
    return [*plots, note] if plots else []


def threshold_table(experiment: Experiment, method: str) -> pd.DataFrame:
    """Mean λ over seeds, a row a class and a column a round; NaN where nobody predicts a class."""
    columns: dict[str, pd.Series] = {}
    for name in experiment.layout.rounds(method):
        found = []
        for seed in experiment.seeds:
            table = experiment.round_table(method, seed, name, "thresholds.csv")
            if table is not None:
                by_class = table.set_index("class")
                found.append(by_class["threshold"].where(by_class["predicted"] > 0))
        if found:
            columns[name] = pd.concat(found, axis=1).mean(axis=1)
    return pd.DataFrame(columns)


def _draw_heat(table: pd.DataFrame, method: str, names: list[str]) -> Plot:
    values = table.reindex(names).to_numpy(float)
    with figure(5.2, 0.9 + 0.24 * len(names)) as drawing:
        axes = drawing.add_subplot()
        axes.set_facecolor("#eeeeee")
        mesh = axes.pcolormesh(values, cmap="cividis", vmin=0, vmax=1, edgecolors="white", lw=0.6)
        axes.set_xticks(np.arange(values.shape[1]) + 0.5, [short_round(str(c)) for c in table])
        axes.set_yticks(np.arange(len(names)) + 0.5, names)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.invert_yaxis()
        axes.set(title=f"λ of {method}", xlabel="round")
        for (y, x), value in np.ndenumerate(values):
            text = "–" if np.isnan(value) else f"{value:.2f}"
            color = "#222222" if np.isnan(value) or value > 0.5 else "white"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", size=7.5, color=color)
        drawing.colorbar(mesh, ax=axes, shrink=0.6, label="λ (probability)")
        return plot(
            drawing,
            f"Class thresholds of {method}",
            wide=False,
        )
