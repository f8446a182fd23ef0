"""Configurations of before: `data.kind` with a section a kind, as domains."""

from __future__ import annotations

from typing import Any

_HOW = "Write data.source and data.target instead (docs/configuration.md)"
_PRESENT = (
    "Write data.source.train for data.folder.source.train or data.datasets.source.train, and so "
    "on; for folder.classes `values: {0: road}` in each domain, and `ignored` for "
    "folder.ignored_ids; leave out `kind`: a domain has its own, and without domains it is the city"
)
_OLD = {"kind", "folder", "datasets"}


def of_before(tree: Any) -> Any:
    """The section `data` with domains, where it is written in the form of before.

    That form had one kind for both domains: ``city``, ``folder`` with one label table, or
    ``datasets``. What is wrong in it otherwise is left to the checks of the present form.

    Raises:
        ValueError: both forms are mixed, or the kind or its section is missing.
    """
    if not isinstance(tree, dict) or not _OLD & set(tree):
        return tree
    rest = {key: value for key, value in tree.items() if key not in _OLD}
    mixed = [key for key in ("source", "target", "classes") if rest.get(key) is not None]
    if mixed:
        raise ValueError(_mixed(mixed, tree))
    if "kind" not in tree:  # what it would mean was left to another file
        raise ValueError(
            f"{', '.join(_keys(tree))} is of a form of before, whose data.kind is missing, perhaps "
            f"because the file that it is laid over has the present form. {_PRESENT}"
        )
    kind = tree["kind"]
    if kind not in ("city", "folder", "datasets"):
        raise ValueError(f"kind is {kind!r}; it was one of city, folder and datasets. {_HOW}")
    if kind == "city":  # which is what is left out now
        return rest
    section = tree.get(kind)
    if not isinstance(section, dict):
        raise ValueError(f"kind is '{kind}', but data.{kind} is missing")
    return rest | (_of_folder(section) if kind == "folder" else _sides(section))


def _mixed(present: list[str], tree: dict[str, Any]) -> str:
    """What to say where keys of both forms stand, of which none may be dropped without a word."""
    return (
        f"{', '.join(present)} and, of a form of before, {', '.join(_keys(tree))} are both given, "
        f"perhaps in two files that are laid over each other. {_PRESENT}"
    )


def _keys(tree: dict[str, Any]) -> list[str]:
    """The keys of the form of before that are given, down to those of a domain."""
    found = ["kind"] if "kind" in tree else []
    for kind in ("folder", "datasets"):
        section = tree.get(kind, {})
        for key, value in section.items() if isinstance(section, dict) else ():
            inner = list(value) if isinstance(value, dict) else []
            found += [f"{kind}.{key}.{name}" for name in inner] or [f"{kind}.{key}"]
    return found or sorted(_OLD & set(tree))


def _sides(section: dict[str, Any]) -> dict[str, Any]:
    missing = [side for side in ("source", "target") if side not in section]
    if missing:
        raise ValueError(f"{missing[0]} is missing. {_HOW}")
    strange = sorted(set(section) - {"source", "target"})
    if strange:
        raise ValueError(f"{', '.join(strange)}: unknown key of the older form. {_HOW}")
    return section


def _of_folder(section: dict[str, Any]) -> dict[str, Any]:
    """Two folders of one label table: each domain gets it, the classes get the names."""
    entries, ignored = section.get("classes"), section.get("ignored_ids", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise ValueError("folder.classes is missing or no list of {id, name, color}")
    ids = [entry.get("id") for entry in entries]
    twice = sorted({str(i) for i in ids if ids.count(i) > 1})
    if twice:
        raise ValueError(f"class id given twice: {', '.join(twice)}")
    if 255 in ids:
        raise ValueError("ids [255] are both a class and ignored (255 always is)")
    values = {entry.get("id"): entry.get("name") for entry in entries}
    sides = _sides({k: v for k, v in section.items() if k not in ("classes", "ignored_ids")})
    classes = [{k: v for k, v in entry.items() if k != "id"} for entry in entries]
    return {"classes": classes} | {
        side: _table_of(domain, values, ignored) for side, domain in sides.items()
    }


def _table_of(domain: Any, values: dict[Any, Any], ignored: Any) -> Any:
    if not isinstance(domain, dict):
        return domain
    # That form read .png where no suffix was given.
    return {"image_suffix": ".png"} | domain | {
        "kind": "folder", "values": values, "ignored": ignored,
    }  # fmt: skip
