"""The paper's tables: their figures as printed, their rows, and how to find ours for each.

`paper.csv` holds what is printed: benchmark, model, method, metric, value in percent. Nothing else
of the paper's tables is written down anywhere; means are computed from the classes where needed.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

Which = Literal["table1", "table2"]
TABLES: tuple[Which, ...] = get_args(Which)

PAPER_CSV = Path(__file__).with_name("paper.csv")
# Table 2 is about self-training methods with and without TPLD on one network.
_TABLE2_MODEL = "deeplabv2_resnet101"
_TABLE2_BASES = ("cbst", "crst_lrent", "crst_mrkld")


class Row(NamedTuple):
    """A system that the paper compares."""

    model: str
    method: str


@cache
def paper_figures(benchmark: str) -> dict[Row, dict[str, float]]:
    """What the paper prints of a benchmark, by row in its order: metric -> value in percent.

    Empty for a benchmark that is not the paper's.
    """
    found: dict[Row, dict[str, float]] = {}
    with PAPER_CSV.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["benchmark"] == benchmark:
                row = Row(line["model"], line["method"])
                found.setdefault(row, {})[line["metric"]] = float(line["value"])
    return found


def rows_of(which: Which, benchmark: str | None) -> list[Row]:
    """The rows of one table, for one benchmark; none where the paper has none.

    Table 1 has the rows that print an IoU of every class, Table 2 the self-training methods with
    and without TPLD on DeepLabv2-ResNet101.
    """
    figures = paper_figures(benchmark or "")
    if which == "table1":
        return [row for row, printed in figures.items() if len(printed) > 2]
    wanted = [base + suffix for base in _TABLE2_BASES for suffix in ("", "+tpld")]
    rows = [Row(_TABLE2_MODEL, method) for method in wanted]
    return [row for row in rows if row in figures]


def our_names(methods: list[str], model: str) -> dict[Row, str]:
    """Name in the configuration (``method`` or ``method@network``) of each row that it runs.

    Args:
        methods: of the configuration.
        model: the network of names without ``@network``.
    """
    parts = [(name, *name.partition("@")) for name in methods]
    return {Row(network or model, method): name for name, method, _, network in parts}


def base_of(row: Row) -> Row | None:
    """What a row's gain is measured against: its method without TPLD, else the source model."""
    if row.method == "source":
        return None
    base = row.method.removesuffix("+tpld")
    return Row(row.model, base if base != row.method else "source")
