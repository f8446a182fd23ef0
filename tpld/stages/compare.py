"""Stage: the comparison table, and what the pseudo labels of each round are worth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from tpld.config import Config
from tpld.dag.layout import Layout
from tpld.dag.merged import write_config
from tpld.data.sources import class_table, has_truth
from tpld.evaluation.confusions import read_confusions
from tpld.evaluation.gap import with_gap_closed
from tpld.evaluation.labels import summarise_labels
from tpld.evaluation.metrics import summarise
from tpld.evaluation.render import pipe_table, rich_table
from tpld.stages.assess import read_label_counts
from tpld.stages.common import write_csv, write_text


def compare(config: Config, out: Path) -> None:
    """Write comparison.csv, .md, .tex and the configuration into `out`, and print the tables."""
    figures = collect_figures(config)
    write_csv(figures, out / "comparison.csv")
    labels = collect_labels(config)
    wide = spread_table(figures) if len(figures) else pd.DataFrame()
    write_text(out / "comparison.md", _markdown(config, wide, labels))
    latex = wide.to_latex(float_format="%.1f", escape=True) if len(wide) else "% no ground truth\n"
    write_text(out / "comparison.tex", latex)
    write_config(config, out / "config.yaml")
    _print(config, wide, labels)


def collect_figures(config: Config) -> pd.DataFrame:
    """Every figure in long form: method, seed, split, protocol, metric, value (percent)."""
    layout, names, rows = Layout(config), class_table(config).names, []
    for method in config.methods:
        for seed in config.seeds:
            for split in ("target_val", "source_val"):
                path = Path(layout.evaluation(method, seed, split))
                if not has_truth(config, split) or not path.exists():
                    continue
                for protocol, matrix in read_confusions(path, names).items():
                    for metric, value in summarise(
                        matrix, names, config.evaluation.subsets
                    ).items():
                        rows.append((method, seed, split, protocol, metric, value))
    columns = ["method", "seed", "split", "protocol", "metric", "value"]
    return with_gap_closed(pd.DataFrame(rows, columns=columns))


def collect_labels(config: Config) -> pd.DataFrame:
    """Density and accuracy (percent) of the pseudo labels: a row a method, seed and round."""
    layout, rows = Layout(config), []
    for method in config.methods:
        for seed in config.seeds:
            for name in layout.rounds(method):
                table = read_label_counts(Path(layout.round(method, seed, name, "labels.csv")))
                rows.append(
                    {"method": method, "seed": seed, "round": name, **summarise_labels(table)}
                )
    return pd.DataFrame(rows)


def spread_table(figures: pd.DataFrame) -> pd.DataFrame:
    """Target-validation figures, a row a protocol and method: mean over seeds (± where several)."""
    part = figures[figures["split"] == "target_val"]
    order = {key: part[key].drop_duplicates().tolist() for key in ("protocol", "method", "metric")}
    axes = {"index": ["protocol", "method"], "columns": "metric", "values": "value"}
    mean = part.pivot_table(**axes, aggfunc="mean", dropna=False)
    seeds = part["seed"].nunique()
    rows = pd.MultiIndex.from_product([order["protocol"], order["method"]])
    mean = mean.reindex(index=rows, columns=order["metric"])
    if seeds > 1:
        # Which spread: the sample standard deviation over the seeds.
        spread = part.pivot_table(**axes, aggfunc="std", dropna=False)
        mean.insert(1, "± over seeds", spread.reindex(rows)["mIoU"])
    mean.index.names = ["protocol", "method"]
    return mean


def _markdown(config: Config, wide: pd.DataFrame, labels: pd.DataFrame) -> str:
    lines = [f"# {config.experiment}", ""]
    if len(wide):
        lines += [
            f"IoU in percent on `target_val`, last checkpoint, {config.model.name}, "
            f"seeds {config.seeds}.",
            "",
            *pipe_table(wide.reset_index()),
            "",
        ]
    else:
        lines += ["No ground truth of `target_val` is configured: nothing to evaluate.", ""]
    if len(labels):
        lines += ["Pseudo labels of the target training images, in percent.", ""]
        lines += pipe_table(labels)
    return "\n".join(lines) + "\n"


def _print(config: Config, wide: pd.DataFrame, labels: pd.DataFrame) -> None:
    console = Console(stderr=True, width=None if Console(stderr=True).is_terminal else 160)
    if len(wide):
        for protocol, part in wide.groupby(level="protocol", sort=False):
            # Classes down, methods across: many classes still fit a terminal.
            turned = part.droplevel("protocol").T.rename_axis("IoU %").reset_index()
            console.print(rich_table(turned, f"{config.experiment}: target_val, {protocol}"))
    if len(labels):
        console.print(rich_table(labels, "Pseudo labels of target_train, %"))
