"""Names are text wherever they are shown, whatever they look like."""

import io

import pandas as pd
import pytest
from rich.console import Console

from tpld.evaluation.render import pipe_table, rich_table

NAMES = ["<script>alert(1)</script>", "a|b", "[red]x[/red]", "[/]", "&amp;", "two\nlines"]


@pytest.mark.parametrize("name", NAMES)
def test_on_the_terminal(name):
    console = Console(file=io.StringIO(), width=200)
    frame = pd.DataFrame({"class": [name], f"IoU {name}": [1.0]})
    console.print(rich_table(frame, f"experiment {name}"))
    shown = console.file.getvalue()
    for line in name.splitlines():
        assert shown.count(line) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_in_markdown(name):
    lines = pipe_table(pd.DataFrame({name: [name], "n": [1.0]}))
    assert len(lines) == 3
    for line in lines:
        assert line.replace("\\|", "").count("|") == 3
        assert "<" not in line and "\n" not in line
