"""Saying clearly what is wrong with a configuration."""

from __future__ import annotations

from typing import Any, get_args

from tpld.errors import nearest
from tpld.section import Section

_LONGEST = 200


def explain(item: Any, root: type[Section], above: str = "") -> str:
    """One line for one pydantic error: dotted key, what was seen, what is allowed.

    Args:
        item: an entry of ``ValidationError.errors()``.
        root: the section that was validated.
        above: dotted key that it lies below.
    """
    path = [str(part) for part in item["loc"]]
    key = ".".join([above, *path] if above else path) or "configuration"
    if item["type"] == "extra_forbidden":
        known = _known_keys(root, path[:-1])
        return f"{key}: unknown key; {nearest(path[-1], known)}Known here: {', '.join(known)}"
    seen = item.get("input")
    shown = "" if isinstance(seen, dict | list) else f" (is {_short(seen)})"
    # A name such as 7 or 2024-05-01, which YAML reads as a number or a date.
    quotes = ". Put it in quotes" if item["type"] == "string_type" and shown else ""
    return f"{key}: {item['msg'].removeprefix('Value error, ')}{shown}{quotes}"


def _short(seen: Any) -> str:
    try:
        text = repr(seen)
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _known_keys(root: type[Section], path: list[str]) -> list[str]:
    """Field names of the section that a path of keys leads to."""
    node: Any = root
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
