"""Pages that are written down from the code: configuration keys, commands, functions."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

PACKAGE = Path(__file__).parents[2]


def configuration_keys() -> str:
    """A table a section, in the order of the types; the options of single methods at the end."""
    from tpld.config import Config
    from tpld.methods import known_methods

    lines = ["## Top level", "", *_table(Config)]
    for name, field in Config.model_fields.items():
        section = _section(field.annotation)
        if section:
            lines += _section_lines(name, section, field)
    lines += ["## options", "", "Keys of single methods, below `options.<method>`.", ""]
    for name, recipe in known_methods().items():
        if recipe.Options.model_fields:
            lines += [f"### options.{name}", "", *_table(recipe.Options)]
    return "\n".join(lines)


def _section_lines(
    name: str, section: type[BaseModel], field: FieldInfo, depth: int = 2
) -> list[str]:
    about = field.description or inspect.getdoc(section) or ""
    lines = [f"{'#' * min(depth, 4)} {name}", "", about, "", *_table(section)]
    for inner, below in section.model_fields.items():
        deeper = _section(below.annotation)
        if deeper:
            lines += _section_lines(f"{name}.{inner}", deeper, below, depth + 1)
    return lines


def _table(section: type[BaseModel]) -> list[str]:
    """Keys that are values themselves; sections within are tables of their own."""
    rows = []
    for name, field in section.model_fields.items():
        if _section(field.annotation) and not _is_list(field.annotation):
            continue
        about = " ".join((field.description or "").split())
        rows.append(f"| `{name}` | {_kind(field)} | {_default(field)} | {_cell(about)} |")
    if not rows:
        return []
    return ["| key | values | default | meaning |", "|---|---|---|---|", *rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section class in an annotation such as ``FolderData | None`` or ``list[ClassEntry]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section(part) for part in get_args(annotation))
    return next((section for section in found if section), None)


def _kind(field: FieldInfo) -> str:
    """What a key takes, with its bounds."""
    text = _type(field.annotation)
    bounds = {
        "ge": "≥",
        "gt": ">",
        "le": "≤",
        "lt": "<",
        "min_length": "length ≥",
        "multiple_of": "×",
    }
    said = [
        f"{sign} {getattr(item, name)}"
        for item in field.metadata
        for name, sign in bounds.items()
        if getattr(item, name, None) is not None
    ]
    return _cell(", ".join([text, *said]))


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _type(parts[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(part) for part in parts)
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin is tuple:
        return "[" + ", ".join(_type(part) for part in parts) + "]"
    if origin is list:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return "mapping"
    names = {int: "integer", float: "number", str: "text", bool: "true, false", type(None): "none"}
    if annotation in names:
        return names[annotation]
    section = _section(annotation)
    return "{" + ", ".join(section.model_fields) + "}" if section else str(annotation)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*needed*"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "–"
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        return _cell("; ".join(f"`{item.model_dump(exclude_defaults=True)}`" for item in value))
    if isinstance(value, BaseModel):
        return "see there"
    shown = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"`{list(shown) if isinstance(shown, tuple) else shown}`"


def commands() -> str:
    """Every command with its help, arguments and options, as the command line has them."""
    import typer.main

    from tpld.cli import app

    group: Any = typer.main.get_command(app)
    panels: dict[str, list[str]] = {}
    for name, command in group.commands.items():
        lines = [f"### tpld {name}", "", inspect.cleandoc(command.help or ""), ""]
        rows = [_option(option) for option in command.params if option.name != "help"]
        if rows:
            lines += ["| option | meaning | default |", "|---|---|---|", *rows, ""]
        panels.setdefault(command.rich_help_panel, []).extend(lines)
    order = sorted(panels, key=lambda panel: panel != "Tools")
    return "\n".join("\n".join([f"## {panel}", "", *panels[panel]]) for panel in order)


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.param_type_name == "argument":
        names = option.metavar or str(option.name).upper()
    default = option.default
    shown = (
        "*needed*" if option.required else f"`{default}`" if default not in (None, False) else ""
    )
    return f"| `{names}` | {_cell(getattr(option, 'help', '') or '')} | {_cell(shown)} |"


def function(dotted: str) -> str:
    """A function with its signature and docstring, folded; read from its file, nothing is imported.

    Raises:
        LookupError: there is no such function.
    """
    module, _, name = dotted.rpartition(".")
    file = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            text = ast.get_docstring(node) or ""
            head = f"class {name}"
            if isinstance(node, ast.FunctionDef):
                returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                head = f"{name}({ast.unparse(node.args)}){returns}"
            body = "\n".join(f"    {line}" for line in [head, "", *text.splitlines()])
            shown = body.replace("\n    \n", "\n\n")
            fenced = "\n".join(["    ```text", *shown.splitlines(), "    ```"])
            return f'??? info "`{dotted}`"\n\n{fenced}\n'
    raise LookupError(f"{dotted}: no such function in {file}")
