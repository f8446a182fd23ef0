"""Tables as Markdown and on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from rich.table import Table


def pipe_table(frame: pd.DataFrame) -> list[str]:
    """Lines of a Markdown table."""
    header = [str(column) for column in frame.columns]
    body = [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    return ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *body]]


def rich_table(frame: pd.DataFrame, title: str) -> Table:
    """A table for the terminal; its first column is left-aligned."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for place, column in enumerate(frame.columns):
        table.add_column(str(column), justify="right" if place else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*[cell(value) for value in row])
    return table


def cell(value: object) -> str:
    """One decimal for numbers, a dash for what is not known."""
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.1f}"
    return str(value)
