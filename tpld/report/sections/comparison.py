"""Section: the figures of each method's last checkpoint, side by side."""

from __future__ import annotations

import pandas as pd

from tpld.evaluation.gap import GAP_CLOSED
from tpld.methods import parse_method
from tpld.report.blocks import Block, Cards, Cell, Section, Table, Text, number, percent
from tpld.report.experiment import Experiment

_TITLE = "Comparison of the methods"


def comparison_section(experiment: Experiment) -> Section:
    """One table a protocol: a row a figure, a column a method."""
    figures = experiment.figures
    if figures is None or not (figures["split"] == "target_val").any():
        return Section("comparison", _TITLE, missing=_why(experiment))
    target = figures[figures["split"] == "target_val"]
    blocks: list[Block] = [
        _protocol_table(experiment, figures, str(protocol))
        for protocol in target["protocol"].drop_duplicates()
    ]
    for name, members in experiment.config.evaluation.subsets.items():
        blocks.append(Text(f"{name}: mean IoU over {', '.join(members)}."))
    return Section("comparison", _TITLE, _caption(experiment), blocks)


def headline(experiment: Experiment) -> Cards:
    """mIoU of every method, by the first protocol; no cards without figures."""
    figures = experiment.figures
    if figures is None:
        return Cards()
    part = figures[(figures["split"] == "target_val") & (figures["metric"] == "mIoU")]
    if part.empty:
        return Cards()
    protocol = part["protocol"].iloc[0]
    part = part[part["protocol"] == protocol]
    methods = [m for m in experiment.methods if (part["method"] == m).any()]
    cells = _value_cells({m: part.loc[part["method"] == m, "value"] for m in methods})
    seeds = len(experiment.seeds)
    basis = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    title = f"mIoU on target_val in %, last checkpoint, protocol: {protocol}; {basis}"
    return Cards(title, list(zip(methods, cells, strict=True)))


def _why(experiment: Experiment) -> str:
    if not experiment.has_truth("target_val"):
        return "target_val has no ground truth, so nothing can be measured against it."
    return "comparison.csv is missing or holds no figure of target_val."


def _caption(experiment: Experiment) -> str:
    spread = (
        "Values are means ± sample standard deviation over the seeds."
        if len(experiment.seeds) > 1
        else "There is one seed, so the spread between runs is not known: small differences may "
        "be chance."
    )
    return (
        "Intersection over union (IoU) in percent on target_val; always the last checkpoint, "
        "never the best on validation data. The best value of a row is bold; small figures are "
        f"differences to the source model of the same network. {spread}{_oracle(experiment)}"
    )


def _oracle(experiment: Experiment) -> str:
    if not any(parse_method(method).kind == "oracle" for method in experiment.methods):
        return ""
    return (
        " The oracle is no competitor: it was trained on the target's own labels. The share of the "
        "gap is (method - source) / (oracle - source) of the mIoU."
    )


def _protocol_table(experiment: Experiment, figures: pd.DataFrame, protocol: str) -> Table:
    part = figures[figures["protocol"] == protocol]
    target = part[part["split"] == "target_val"]
    home = part[(part["split"] == "source_val") & (part["method"] == "source")]
    methods = [m for m in experiment.methods if (target["method"] == m).any()]
    header = [Cell("%"), *(number(method) for method in methods)]
    if len(home):
        header.append(number("source", note="on source_val", tone="quiet"))
    rows = []
    for metric in target["metric"].drop_duplicates():
        row = target[target["metric"] == metric]
        values = {m: row.loc[row["method"] == m, "value"] for m in methods}
        label = Cell(_label(str(metric), experiment), swatch=experiment.color(str(metric)))
        cells = [label, *_value_cells(values)]
        if len(home):
            cells.append(number(_spread(home.loc[home["metric"] == metric, "value"]), tone="quiet"))
        rows.append(cells)
    note = "The last column is no competitor: it shows what the source model reaches without "
    note = note + "a domain shift." if len(home) else ""
    return Table(header, rows, title=f"Protocol: {protocol}, last checkpoint", note=note)


def _label(metric: str, experiment: Experiment) -> str:
    if metric == "mIoU":
        return f"mIoU ({len(experiment.classes.names)} classes)"
    if metric == GAP_CLOSED:
        return "share of the gap to the oracle closed"
    return "pixel accuracy" if metric == "accuracy" else metric


def _value_cells(values: dict[str, pd.Series]) -> list[Cell]:
    means = {method: float(series.mean()) for method, series in values.items()}
    shown = {method: round(mean, 1) for method, mean in means.items() if mean == mean}
    rivals = {m: mean for m, mean in shown.items() if parse_method(m).kind != "oracle"}
    best = max(rivals.values(), default=0.0)
    contest = len(set(rivals.values())) > 1
    cells = []
    for method, series in values.items():
        row = parse_method(method)
        delta = means[method] - means.get(row.source_row, float("nan"))
        compared = row.adapts and delta == delta
        tone = "" if round(delta, 1) == 0 or not compared else ("up" if delta > 0 else "down")
        cells.append(
            number(
                _spread(series),
                note=f"{delta:+.1f}".replace("-", "−").replace("−0.0", "+0.0") if compared else "",
                strong=contest and rivals.get(method) == best,
                tone=tone,
            )
        )
    return cells


def _spread(series: pd.Series) -> str:
    text = percent(float(series.mean()))
    spread = float(series.std()) if series.notna().sum() > 1 else float("nan")
    return text if spread != spread else f"{text} ± {spread:.1f}"
