"""Imports run downwards only, and nothing lies loose: docs/architecture.md, kept true."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tpld"
# Each room may import those before it.
ROOMS = [
    "errors", "section", "core", "methods", "config", "compute", "stores", "data", "evaluation",
    "dag", "models", "training", "report", "study", "stages", "commands", "viewer", "cli",
    "__main__",
]  # fmt: skip
LONGEST_FUNCTION = 60


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(tree: ast.Module) -> set[str]:
    """Rooms that a module imports anywhere, functions and type checking included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "tpld":
            names |= {f"tpld.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("tpld.")}


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def test_imports_run_downwards_only():
    upwards = []
    for path in modules():
        mine = room_of(path)
        for other in imported(ast.parse(path.read_text(encoding="utf-8"))) - {mine}:
            if ROOMS.index(other) > ROOMS.index(mine):
                upwards.append(f"{path.relative_to(ROOT)} imports tpld.{other}")
    assert not upwards


def test_the_mathematics_imports_nothing_of_ours_but_errors():
    for path in sorted((PACKAGE / "core").glob("*.py")):
        assert imported(ast.parse(path.read_text(encoding="utf-8"))) <= {"core", "errors"}, path


def test_every_room_stands_in_the_page():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^\| `tpld/(\w+)/?`", page, re.MULTILINE))
    there = {room_of(path) for path in modules()} - {"__main__", "errors", "section"}
    assert shown >= there


def test_an_import_upwards_is_seen():
    tree = ast.parse("def f():\n    from tpld.stages import label\n    import tpld.cli.options")
    assert imported(tree) == {"stages", "cli"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_are_short(path):
    """But for lists of options, which the command line takes from signatures."""
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - (node.body[0] if room_of(path) == "cli" else node).lineno
        >= LONGEST_FUNCTION
    ]
    assert not long


def test_what_only_snakemake_can_run_is_short():
    assert len((ROOT / "workflow" / "rules" / "common.smk").read_text().splitlines()) <= 120
