"""Reading YAML without the surprises that a configuration must not have.

YAML lets a key stand twice in a mapping and PyYAML keeps the last one; YAML 1.1 reads 010 as eight
and 1:30 as ninety. All are refused here, with their lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tpld.errors import ConfigError

_SPECIAL = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping of a YAML (or, by its suffix, JSON) file; that of an empty file is empty.

    Raises:
        ConfigError: the file cannot be read, is no YAML or no mapping, gives a key twice, or holds
            a number that YAML 1.1 reads as another one than it seems.
    """
    try:
        tree = _parse(path.read_text(encoding="utf-8"), path.suffix == ".json")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Give an existing file") from None
    except _Ambiguous as error:
        raise ConfigError(f"{path}, {error}") from None
    # YAML's reader turns texts into numbers and dates, which raise errors of their own.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ConfigError(f"{path} is no valid YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply. Lists and mappings end sooner") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds a {type(tree).__name__}; a mapping of keys is needed")
    return tree


def check_files(paths: Iterable[Path | str]) -> None:
    """Refuse what `read_yaml` refuses in files that somebody else has read (Snakemake).

    Raises:
        ConfigError: see `read_yaml`.
    """
    for path in paths:
        read_yaml(Path(path))


def _parse(text: str, is_json: bool) -> Any:
    if is_json:
        return json.loads(text, object_pairs_hook=_unique)
    return yaml.load(text, _Loader)  # a SafeLoader


class _Ambiguous(Exception):
    """What the file says is valid YAML, and most likely not what was meant."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses keys given twice, and numbers that mean others in YAML 1.1."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """The node of a mapping, its keys checked before `<<` brings in others."""
        node = super().compose_mapping_node(anchor)
        lines: dict[Hashable, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag in _SPECIAL:
                continue
            name = self.construct_object(key)
            if name in lines:
                raise _Ambiguous(
                    f"lines {lines[name]} and {line}: the key '{key.value}' is given twice. "
                    "Keep one, or join what stands below them"
                )
            lines[name] = line
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number that everybody reads alike."""
        _refuse_odd(node)
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """A number that everybody reads alike."""
        _refuse_odd(node)
        return super().construct_yaml_float(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def _refuse_odd(node: yaml.ScalarNode) -> None:
    base = "8" if _OCTAL.fullmatch(node.value) else "60" if ":" in node.value else ""
    if base:
        raise _Ambiguous(
            f"line {node.start_mark.line + 1}: YAML reads {node.value} as a number of base {base}. "
            f"Write it without leading zeros or colons, or as text: '{node.value}'"
        )


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; its reader tells no lines."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Ambiguous(f"the key '{key}' is given twice in one object. Keep one")
        found[key] = value
    return found
