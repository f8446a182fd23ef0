"""Section: what happens from round to round to mIoU (here), losses and thresholds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tpld.dag.layout import parse_round
from tpld.evaluation.metrics import iou
from tpld.evaluation.protocols import name_of
from tpld.methods import parse_method
from tpld.report.blocks import Block, Plot, Section, Text
from tpld.report.experiment import Experiment
from tpld.report.sections.losses import loss_plots
from tpld.report.sections.thresholds import threshold_plots
from tpld.report.style import FULL_WIDTH, GREY, figure, method_looks, plot

_TITLE = "From round to round"


def curves_section(experiment: Experiment) -> Section:
    """mIoU, training losses and class thresholds over the rounds."""
    blocks: list[Block] = []
    miou = _draw_miou(experiment)
    if miou:
        blocks.append(miou)
    elif experiment.adapting and not experiment.config.evaluation.every_round:
        why = "the networks of the rounds were not evaluated (evaluation.every_round is off)."
        blocks.append(Text(f"No mIoU over rounds: {why}"))
    blocks += [*loss_plots(experiment), *threshold_plots(experiment)]
    if not any(isinstance(block, Plot) for block in blocks):
        return Section("curves", _TITLE, missing="no histories or tables of rounds were found.")
    return Section(
        "curves",
        _TITLE,
        "Each round predicts the target images, sets a threshold λ for every class so that a "
        "growing portion of its pixels is trusted, makes pseudo labels and trains on them, "
        "starting from the round before. Rounds of phase 2 (P2) follow those of phase 1.",
        blocks,
    )


def miou_over_rounds(experiment: Experiment, method: str, seed: int) -> pd.Series:
    """mIoU in percent by number of rounds trained (last protocol); 0 is the source model."""
    layout = experiment.layout
    wanted = experiment.config.evaluation.protocols[-1].name
    paths = [layout.evaluation(parse_method(method).source_row, seed, "target_val")]
    paths += [layout.round(method, seed, r, "evaluation.csv") for r in layout.rounds(method)]
    values = {}
    for place, path in enumerate(paths):
        for protocol, matrix in experiment.confusions(path).items():
            if name_of(protocol) == wanted:
                values[place] = float(np.nanmean(iou(matrix)))
    return pd.Series(values, dtype=float)


def _draw_miou(experiment: Experiment) -> Plot | None:
    curves = {
        method: [miou_over_rounds(experiment, method, seed) for seed in experiment.seeds]
        for method in experiment.adapting
    }
    # Adversarial rows train in one go, and rows that have not run have no round either.
    curves = {m: many for m, many in curves.items() if any((s.index > 0).any() for s in many)}
    if not curves:
        return None
    looks = method_looks(experiment.methods)
    with figure(FULL_WIDTH, 3.4) as drawing:
        axes = drawing.add_subplot()
        for method, many in curves.items():
            color, marker = looks[method]
            mean = pd.concat(many, axis=1).mean(axis=1)
            for series in many if len(many) > 1 else []:
                axes.plot(series.index, series, color=color, lw=0.7, alpha=0.5)
            axes.plot(mean.index, mean, color=color, marker=marker, label=method)
            _mark_phase2(axes, experiment, method, color)
        start = [series.get(0) for series in next(iter(curves.values()))]
        known = [value for value in start if value is not None]
        if known:
            axes.axhline(float(np.mean(known)), color=GREY, ls=":", label="source model")
        axes.set_xticks(range(max(len(experiment.layout.rounds(m)) for m in curves) + 1))
        axes.set(xlabel="rounds trained (0: source model)", ylabel="mIoU, %")
        protocol = experiment.config.evaluation.protocols[-1].name
        axes.set_title(f"mIoU on target_val after each round (protocol {protocol})")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return plot(
            drawing,
            "mIoU after each round",
            f"Measured by the protocol {protocol} alone, so the last point equals its table; no "
            "round is selected by it."
            + (" Thin lines: seeds." if len(experiment.seeds) > 1 else ""),
        )


def _mark_phase2(axes: Axes, experiment: Experiment, method: str, color: str) -> None:
    rounds = experiment.layout.rounds(method)
    first = next((i for i, name in enumerate(rounds) if parse_round(name).phase2), None)
    if first is not None:
        axes.axvline(first, color=color, lw=0.9, ls="--")
        axes.annotate("phase 2", (first, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 2),
                      textcoords="offset points", size=8, color=color)  # fmt: skip
