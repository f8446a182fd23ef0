"""Section: which classes are taken for which."""

from __future__ import annotations

import numpy as np

from tpld.report.blocks import Block, Plot, Section
from tpld.report.experiment import Experiment
from tpld.report.style import figure, plot

_TITLE = "Confusion matrices"


def confusion_section(experiment: Experiment) -> Section:
    """A row-normalised matrix for each method's last checkpoint."""
    blocks: list[Block] = []
    seen = ""
    for method in experiment.methods:
        protocol, total = _summed(experiment, method)
        if total is not None:
            seen = protocol
            blocks.append(_draw(method, protocol, total, experiment.classes.names))
    if not blocks:
        return Section("confusion", _TITLE, missing="there is no evaluation on target_val.")
    return Section(
        "confusion",
        _TITLE,
        "Rows are the true classes of target_val, columns what the last checkpoint predicts; each "
        "row sums to 100 %, so the diagonal is the share of a class that is found. A dark column "
        f"is a class that swallows others. Protocol: {seen}; all seeds together.",
        blocks,
    )


def _summed(experiment: Experiment, method: str) -> tuple[str, np.ndarray | None]:
    """The first protocol's matrix, summed over seeds."""
    protocol, total = "", None
    for seed in experiment.seeds:
        path = experiment.layout.evaluation(method, seed, "target_val")
        first = next(iter(experiment.confusions(path).items()), None)
        if first is not None:
            protocol, matrix = first
            total = matrix if total is None else total + matrix
    return protocol, total


def _draw(method: str, protocol: str, matrix: np.ndarray, names: list[str]) -> Plot:
    truth = matrix.sum(axis=1, keepdims=True)
    share = np.where(truth > 0, 100 * matrix / np.maximum(truth, 1), np.nan)
    with figure(5.6, 5.2) as drawing:
        axes = drawing.add_subplot()
        axes.set_facecolor("#eeeeee")
        mesh = axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=100, edgecolors="white", lw=0.4)
        places = np.arange(len(names)) + 0.5
        axes.set_xticks(places, names, rotation=90)
        axes.set_yticks(places, names)
        axes.tick_params(length=0, labelsize=8)
        axes.grid(visible=False)
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        axes.set(title=method, xlabel="predicted class", ylabel="true class")
        size = 6.5 if len(names) <= 14 else 5
        for y, x in np.argwhere(share >= 0.5):
            color = "white" if share[y, x] > 55 else "#222222"
            text = f"{share[y, x]:.0f}"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", size=size, color=color)
        drawing.colorbar(mesh, ax=axes, shrink=0.5, label="share of the true class, %")
        return plot(drawing, f"Confusion matrix of {method}, {protocol}", wide=False)
