"""Sections -> one HTML text that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tpld.report.blocks import Cards, Section

_FOLDER = Path(__file__).parent


def render(
    title: str, lead: Sequence[str], cards: Cards, sections: Sequence[Section], footer: str
) -> str:
    """The whole page; every text is escaped, the style sheet is carried inside."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html.j2").render(
        title=title, lead=lead, cards=cards, sections=sections, footer=footer, style=style
    )
