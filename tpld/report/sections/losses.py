"""Figures of the training losses of every stage that trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from tpld.dag.layout import parse_round
from tpld.methods import parse_method
from tpld.report.blocks import Plot
from tpld.report.experiment import Experiment, read_table
from tpld.report.style import FULL_WIDTH, GREY, figure, method_looks, plot

_POINTS = 400
_PARTS = {
    "easy": "Phase 2, easy images: cross-entropy",
    "adversarial": "Phase 2, hard images: adversarial",
    "discriminator": "Phase 2: discriminator",
}


def loss_plots(experiment: Experiment) -> list[Plot]:
    """Losses of each stage that trains; what was not trained is left out."""
    found = (_draw_losses(experiment), _draw_phase2(experiment), _draw_adversarial(experiment))
    return [p for p in found if p]


def _histories(experiment: Experiment, method: str, phase2: bool) -> list[list[pd.DataFrame]]:
    """Loss histories of the rounds of a phase, a list a seed."""
    names = [r for r in experiment.layout.rounds(method) if parse_round(r).phase2 == phase2]
    return [
        [
            table
            for name in names
            if (table := experiment.round_table(method, seed, name, "history.csv")) is not None
        ]
        for seed in experiment.seeds
    ]


def _draw_losses(experiment: Experiment) -> Plot | None:
    """Loss of the source training and of phase 1."""
    source = [_source_history(experiment, seed) for seed in experiment.seeds]
    phase1 = {m: _histories(experiment, m, phase2=False) for m in experiment.adapting}
    phase1 = {m: many for m, many in phase1.items() if any(many)}
    if not any(source) and not phase1:
        return None
    looks = method_looks(experiment.methods)
    with figure(FULL_WIDTH, 2.9) as drawing:
        panels = drawing.subplots(1, 1 + bool(phase1), squeeze=False)[0]
        for tables in source:
            _draw_curve(panels[0], tables, "loss", looks["source"][0], "source model", steps=True)
        panels[0].set(title="Training of the source model", xlabel="step", ylabel="cross-entropy")
        for method, many in phase1.items():
            for tables in many:
                _draw_curve(panels[-1], tables, "loss", looks[method][0], method)
        if phase1:
            panels[-1].set(title="Phase 1: self-training", ylabel="loss")
            _round_ticks(panels[-1], max(len(t) for many in phase1.values() for t in many))
            _legend(panels[-1])
        return plot(
            drawing,
            "Training losses",
            "Pale: recorded losses, a mean of equal parts where there "
            f"are more than {_POINTS}; strong: running mean over 4 % of a training.",
        )


def _source_history(experiment: Experiment, seed: int) -> list[pd.DataFrame]:
    table = read_table(Path(experiment.layout.source(seed, "history.csv")))
    return [] if table is None else [table]


def _draw_phase2(experiment: Experiment) -> Plot | None:
    found = {m: _histories(experiment, m, phase2=True) for m in experiment.densifying}
    found = {m: many for m, many in found.items() if any(many)}
    if not found:
        return None
    looks = method_looks(experiment.methods)
    with figure(FULL_WIDTH, 2.7) as drawing:
        for axes, (part, title) in zip(drawing.subplots(1, 3), _PARTS.items(), strict=True):
            for method, many in found.items():
                for tables in many:
                    _draw_curve(axes, tables, part, looks[method][0], method)
            if part != "easy":
                axes.axhline(np.log(2), color=GREY, ls="--", lw=1, label="ln 2: undecided")
            axes.set(title=title, ylabel="loss" if part == "easy" else "")
            _round_ticks(axes, max(len(t) for many in found.values() for t in many), "P2 r")
            axes.title.set_fontsize(9)
            _legend(axes)
        return plot(
            drawing,
            "Losses of phase 2",
            "The discriminator tells easy from hard images by their self-information maps; the "
            "network learns to make hard ones pass as easy. At ln 2 = 0.693 the discriminator "
            "is undecided.",
        )


def _draw_adversarial(experiment: Experiment) -> Plot | None:
    """Losses of the rows that align domains: cross-entropy, what aligns, and the discriminators."""
    found: dict[str, list[pd.DataFrame]] = {}
    for method in (m for m in experiment.adapting if parse_method(m).kind == "adversarial"):
        paths = [experiment.layout.method(method, s, "history.csv") for s in experiment.seeds]
        tables = [read_table(Path(path)) for path in paths]
        found[method] = [table for table in tables if table is not None]
    found = {method: tables for method, tables in found.items() if tables}
    if not found:
        return None
    with figure(FULL_WIDTH, 3.1) as drawing:
        panels = drawing.subplots(1, 3)
        for method, tables in found.items():
            color, _ = method_looks(experiment.methods)[method]
            for table in tables:
                _draw_curve(panels[0], [table], "source", color, method, steps=True)
                _draw_aligning(panels[1], table, color, method)
                _draw_curve(panels[2], [table], "discriminator", color, method, steps=True)
        titles = ("Source: cross-entropy", "Target: what aligns it", "Discriminators")
        for axes, title in zip(panels, titles, strict=True):
            axes.set(title=title, xlabel="step")
            _legend(axes)
        panels[0].set_ylabel("loss")
        panels[1].set_yscale("log")
        # The usual words of a logarithmic axis are formulae, which this style does not parse.
        panels[1].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panels[1].yaxis.set_minor_formatter(NullFormatter())
        return plot(
            drawing,
            "Losses of the adversarial methods",
            "The middle one is as it is added to the cross-entropy, with its weight, on a "
            "logarithmic scale: how well target predictions pass as source ones (adversarial), how "
            "alike two classifiers are (discrepancy), or how unsure the network is (entropy). The "
            "discriminators' losses are added up; each is undecided at ln 2 = 0.693, and a sum "
            "that falls to 0 means that the domains are told apart.",
        )


def _draw_aligning(axes: Axes, table: pd.DataFrame, color: str, method: str) -> None:
    """Every loss of the network besides its cross-entropy, a dash pattern each."""
    columns = [c for c in table.columns if c not in ("step", "source", "discriminator")]
    for place, column in enumerate(columns):
        before = len(axes.lines)
        _draw_curve(axes, [table], column, color, f"{method}: {column}", steps=True)
        for line in axes.lines[before:]:
            line.set_linestyle(("-", "--", ":")[place % 3])


def _round_ticks(axes: Axes, rounds: int, prefix: str = "r") -> None:
    """Name each round at its middle, with a line at each border."""
    axes.set_xticks([r + 0.5 for r in range(rounds)], [f"{prefix}{r}" for r in range(rounds)])
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(-0.02, rounds + 0.02)
    axes.set_xlabel("round, from its first to its last step")
    for border in range(1, rounds):
        axes.axvline(border, color="#cccccc", lw=0.8)


def _draw_curve(
    axes: Axes,
    tables: Sequence[pd.DataFrame],
    column: str,
    color: str,
    label: str,
    steps: bool = False,
) -> None:
    """A loss over rounds (a unit each) or steps: thinned raw values, and their running mean."""
    for place, table in enumerate(tables):
        if column not in table or table.empty:
            continue
        raw = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
        at = (
            table["step"].to_numpy(float)
            if steps
            else place + (np.arange(len(raw)) + 0.5) / len(raw)
        )
        at, raw = thin(at), thin(raw)
        smooth = pd.Series(raw).rolling(max(1, len(raw) // 25), center=True, min_periods=1).mean()
        axes.plot(at, raw, color=color, alpha=0.25, lw=0.8)
        axes.plot(at, smooth, color=color, lw=1.6, label="_" if place else label)


def thin(values: np.ndarray, points: int = _POINTS) -> np.ndarray:
    """At most `points` values: means of equal parts, so that a page stays small."""
    if len(values) <= points:
        return values
    return np.array([part.mean() for part in np.array_split(values, points)])


def _legend(axes: Axes) -> None:
    """A legend that names each method once, however many seeds there are."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes.legend(list(once.values()), list(once))
