"""What a variant changes, in words short enough for a table or an axis: pure functions."""

from __future__ import annotations

from typing import Any

from tpld.config import Config
from tpld.methods import parse_method


def changes_of(config: Config, method: str) -> str:
    """Changed keys of a row and their values, ``voting.window 7, loss.beta 1``; empty: none."""
    variant = parse_method(method).variant
    if variant is None:
        return ""
    return ", ".join(f"{key} {_short(value)}" for key, value in _leaves(config.variants[variant]))


def reference_of(method: str) -> str:
    """The row that a row is compared with: a variant's parent; TPLD's base; else source only."""
    row = parse_method(method)
    if row.variant:
        return row.parent
    if row.tpld:
        return row.name.replace("+tpld", "", 1)
    return row.source_row


def _leaves(tree: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        name = f"{above}.{key}" if above else key
        found += _leaves(value, name) if isinstance(value, dict) else [(name, value)]
    return found


def _short(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
