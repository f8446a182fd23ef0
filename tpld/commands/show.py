"""Output of the commands for people: tables in a terminal, plain text in a pipe, JSON on demand."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass
class Page:
    """What a command has to say.

    Attributes:
        title: one line.
        facts: name and value, in order; values are text, numbers, lists or dictionaries of these.
        tables: title and table, in order.
    """

    title: str
    facts: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def show(page: Page, as_json: bool) -> None:
    """Print a page to standard output, in the form that suits where it goes."""
    console = Console(highlight=False)
    if as_json:
        sys.stdout.write(json.dumps(as_tree(page), indent=2, ensure_ascii=False) + "\n")
    elif console.is_terminal:
        _to_terminal(page, console)
    else:
        sys.stdout.write("\n".join(_plain(page)) + "\n")


def as_tree(page: Page) -> dict[str, Any]:
    """The page for programs: facts by name, tables as lists of rows; unknown numbers are null."""
    tables = {
        name: [_clean(row) for row in table.to_dict("records")]
        for name, table in page.tables.items()
    }
    return {"title": page.title, **_clean(page.facts), **tables}


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    item = getattr(value, "item", None)  # a number of numpy
    return _clean(item()) if item else str(value)


def _plain(page: Page) -> Iterator[str]:
    """Lines: a title, ``name: value``, and tables whose columns are separated by tabs."""
    yield f"# {page.title}"
    for name, value in page.facts.items():
        yield f"{name}: {_text(value)}"
    for name, table in page.tables.items():
        yield f"\n## {name}"
        yield "\t".join(map(str, table.columns))
        for row in table.itertuples(index=False):
            yield "\t".join(_number(value) for value in row)


def _number(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner) for inner in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _to_terminal(page: Page, console: Console) -> None:
    console.print(page.title, style="bold", markup=False)
    width = max((len(name) for name in page.facts), default=0)
    for name, value in page.facts.items():
        console.print(f"  {name:<{width}}  {_text(value)}", markup=False)
    for name, frame in page.tables.items():
        table = Table(title=Text(name), title_justify="left")
        columns = [_column(frame[column]) for column in frame.columns]
        for column, (_, is_number) in zip(frame.columns, columns, strict=True):
            table.add_column(Text(str(column)), justify="right" if is_number else "left")
        for row in zip(*(cells for cells, _ in columns), strict=True):
            table.add_row(*map(Text, row))
        console.print()
        console.print(table)


def _column(values: pd.Series) -> tuple[list[str], bool]:
    """Cells of a column, numbers with the same decimals; and whether they are numbers."""
    is_number = pd.api.types.is_numeric_dtype(values)
    if not pd.api.types.is_float_dtype(values):
        return [str(value) for value in values], is_number
    digits = 2 if values.abs().max() >= 1 else 4
    return ["–" if math.isnan(value) else f"{value:.{digits}f}" for value in values], True
