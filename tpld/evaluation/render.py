"""Tables as Markdown and on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from rich.table import Table


def pipe_table(frame: pd.DataFrame) -> list[str]:
    """Lines of a Markdown table."""
    header = [_literal(str(column)) for column in frame.columns]
    body = [[_literal(cell(value)) for value in row] for row in frame.itertuples(index=False)]
    return ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *body]]


def _literal(text: str) -> str:
    """Text that Markdown shows as it is: a name may hold a bar, or look like HTML."""
    text = " ".join(text.split())
    for mark, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|")):
        text = text.replace(mark, shown)
    return text


def rich_table(frame: pd.DataFrame, title: str) -> Table:
    """A table for the terminal; its first column is left-aligned."""
    from rich.table import Table
    from rich.text import Text

    # Text, not strings: rich would read a class called [b] as markup.
    table = Table(title=Text(title), title_justify="left")
    for place, column in enumerate(frame.columns):
        table.add_column(Text(str(column)), justify="right" if place else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*[Text(cell(value)) for value in row])
    return table


def cell(value: object) -> str:
    """One decimal for numbers, a dash for what is not known."""
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.1f}"
    return str(value)
