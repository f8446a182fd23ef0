"""Reading a configuration, and saying clearly what is wrong with one."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from tpld.config.base import Section
from tpld.config.root import Config
from tpld.errors import ConfigError


def load_config(source: Path | str | dict[str, Any]) -> Config:
    """Read and check a configuration.

    Args:
        source: path of a YAML file, or the nested dictionary that Snakemake merged.

    Raises:
        ConfigError: the file is missing or no YAML mapping, a key is unknown (the nearest known
            key is named), or a value is out of bounds.
    """
    if isinstance(source, dict):
        tree, where = source, "configuration"
    else:
        tree, where = _read_yaml(Path(source)), str(source)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors()]
        raise ConfigError(f"{where}:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Give an existing file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds a {type(tree).__name__}; a mapping of keys is needed")
    return tree


def _explain(item: Any) -> str:
    """One line for one pydantic error: dotted key, what was seen, what is allowed."""
    path = [str(part) for part in item["loc"]]
    key = ".".join(path) or "configuration"
    if item["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return f"{key}: unknown key; {hint}Known here: {', '.join(known)}"
    seen = item.get("input")
    shown = "" if isinstance(seen, dict | list) else f" (is {seen!r})"
    return f"{key}: {item['msg'].removeprefix('Value error, ')}{shown}"


def _known_keys(path: list[str]) -> list[str]:
    """Field names of the section that a path of keys leads to."""
    node: Any = Config
    for part in path:
        if part.isdigit():
            continue
        annotation = node.model_fields[part].annotation if part in node.model_fields else None
        found = _section_in(annotation)
        if found is None:
            return []
        node = found
    return list(node.model_fields)


def _section_in(annotation: Any) -> type[Section] | None:
    """The section class inside an annotation such as ``FolderData | None`` or ``list[X]``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for inner in get_args(annotation):
        found = _section_in(inner)
        if found is not None:
            return found
    return None
