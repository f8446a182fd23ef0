"""What a page is made of: sections hold blocks, and the template knows how each kind looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what it says.
        note: small print behind the text, such as a difference.
        strong: the best value of its row.
        swatch: CSS colour of a class, shown as a small square before the text.
        align: ``left`` or ``right``.
        tone: ``up``, ``down``, ``quiet`` or empty: colour of the note, or a pale cell.
    """

    text: str
    note: str = ""
    strong: bool = False
    swatch: str = ""
    align: str = "left"
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table with one line of header, or none."""

    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    kind: str = "table"


@dataclass(frozen=True)
class Plot:
    """A figure; `wide` ones fill the page, others share a line."""

    source: str
    alt: str
    note: str = ""
    wide: bool = True
    kind: str = "plot"


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery; `crisp` ones (label maps) are never smoothed.

    `below` is the label map that belongs under it, if any.
    """

    source: str
    label: str
    crisp: bool = False
    below: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side, `columns` of them in a line."""

    tiles: Sequence[Tile]
    title: str = ""
    note: str = ""
    columns: int = 4
    kind: str = "gallery"


@dataclass(frozen=True)
class Legend:
    """Colour keys: pairs of CSS colour and name."""

    entries: Sequence[tuple[str, str]]
    kind: str = "legend"


@dataclass(frozen=True)
class Text:
    """A paragraph; with a `summary` it is preformatted text that unfolds."""

    text: str
    summary: str = ""
    kind: str = "text"


@dataclass(frozen=True)
class Fold:
    """A table that unfolds under its summary."""

    summary: str
    table: Table
    kind: str = "fold"


Block = Table | Plot | Gallery | Legend | Text | Fold


@dataclass(frozen=True)
class Section:
    """A chapter of the page.

    Attributes:
        anchor: id for links.
        title: heading.
        caption: one to three sentences that say what one sees.
        blocks: the content; empty where `missing` says why there is none.
        missing: reason for leaving the section out.
    """

    anchor: str
    title: str
    caption: str = ""
    blocks: Sequence[Block] = field(default_factory=list)
    missing: str = ""


@dataclass(frozen=True)
class Cards:
    """The figures that come first: pairs of name and value."""

    title: str = ""
    entries: Sequence[tuple[str, Cell]] = ()


def number(text: str, **more: Any) -> Cell:
    """A right-aligned cell."""
    return Cell(text, align="right", **more)


def percent(value: float) -> str:
    """One decimal, or a dash where there is no value."""
    return "–" if value != value else f"{value:.1f}"
