"""Reading a configuration, and saying clearly what is wrong with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tpld.config.explain import explain
from tpld.config.overlays import merge
from tpld.config.reading import read_yaml
from tpld.config.root import Config
from tpld.errors import ConfigError

_MOST_ENTRIES = 100_000


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
        tree, where = read_yaml(Path(source)), str(source)
    _check_size(tree, where)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        lines = [explain(item, Config) for item in error.errors()]
        raise ConfigError(f"{where}:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def load_merged(paths: Sequence[Path]) -> Config:
    """Read several files, each laid over those before it, as Snakemake's ``--configfile`` does.

    Raises:
        ConfigError: see `load_config`.
    """
    tree: dict[str, Any] = {}
    for path in paths:
        tree = merge(tree, read_yaml(path))
    try:
        return load_config(tree)
    except ConfigError as error:
        names = ", ".join(map(str, paths))
        raise ConfigError(str(error).replace("configuration:", f"{names}:", 1)) from None


def _check_size(tree: Any, where: str) -> None:
    """Refuse what would unfold without end: aliases (`*name`) can double a tree at every level."""
    left = _MOST_ENTRIES
    todo = [tree]
    while todo:
        node = todo.pop()
        inner = list(node.values()) if isinstance(node, dict) else node
        if not isinstance(inner, list):
            continue
        left -= len(inner)
        if left < 0:
            raise ConfigError(
                f"{where} unfolds to more than {_MOST_ENTRIES} entries. Does an alias (*) name "
                "what it is part of?"
            )
        todo += inner
