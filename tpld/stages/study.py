"""Stage: mIoU of every row against the row that it is compared with, as a table and a picture."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tpld.config import Config
from tpld.dag.changes import changes_of, reference_of
from tpld.errors import ConfigError
from tpld.evaluation.gap import GAP_CLOSED
from tpld.evaluation.render import pipe_table, rich_table
from tpld.stages.common import write_csv, write_text
from tpld.stages.compare import collect_figures
from tpld.study.figures import draw_scores
from tpld.study.scores import compare_rows


def study(config: Config, out: Path) -> None:
    """Write scores.csv, .md, .svg and seeds.csv into the folder `out`, and print the table.

    By the first protocol, on target_val, the last checkpoint of each row. Rows that have not run
    stay empty.

    Raises:
        ConfigError: nothing is evaluated yet.
    """
    figures = collect_figures(config)
    if figures.empty:
        raise ConfigError("no row is evaluated: a study needs ground truth of target_val")
    protocol = figures["protocol"].iloc[0]
    part = figures[figures["protocol"].eq(protocol) & figures["metric"].isin(["mIoU", GAP_CLOSED])]
    table = compare_rows(part, config.methods, lambda row: changes_of(config, row), reference_of)
    title = f"{config.experiment}: mIoU on target_val, {protocol}, seeds {config.seeds}"
    write_csv(part, out / "seeds.csv")
    write_csv(table, out / "scores.csv")
    write_text(out / "scores.md", "\n".join([f"# {title}", "", *pipe_table(table), ""]))
    seeds = part[part["metric"].eq("mIoU") & part["split"].eq("target_val")]
    draw_scores(table, seeds, title, out / "scores.svg")
    Console(stderr=True, width=160).print(rich_table(table, title))
