"""Hashes of the package's own code: an edited `voting.py` reruns labelling, and nothing else."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import pkgutil
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]
# Modules whose edits cannot change a result: checks, messages, bookkeeping.
_INERT = {
    "tpld.config",
    "tpld.dag.settings",
    "tpld.dag.layout",
    "tpld.section",
    "tpld.errors",
    "tpld.compute.progress",
    "tpld.stores.provenance",
    "tpld.stores.code",
    "tpld.cli",
    "tpld.stores.atomic",
    "tpld.stores.lineage",
    "tpld.compute.lifetime",
    "tpld.training.stop",
}
# To take a module apart takes longer than to read it, and every job asks for the code of its stage.
# So what was found is kept beside Python's own compiled files, by the text that it was found in.
_KEPT = _PACKAGE / "__pycache__" / f"code.{sys.implementation.cache_tag}.json"


def digest(*parts: Any) -> str:
    """Short stable hash of JSON-serialisable values."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_hash(module: str) -> str:
    """Hash of a module and of every `tpld` module that it imports, directly or not.

    Comments, docstrings and layout do not count, nor do modules that cannot change a result.
    Snakemake sees package code only through this.
    """
    parts = {name: _facts(name)["code"] for name in sorted(_closure(module))}
    _keep()
    return digest(parts)


def _closure(module: str) -> set[str]:
    found: set[str] = set()
    unseen = [module]
    while unseen:
        name = unseen.pop()
        if name in found or name in _INERT or name.startswith(("tpld.config.", "tpld.cli.")):
            continue
        found.add(name)
        unseen += [other for other in _facts(name)["imports"] if _is_module(other)]
    return found


@cache  # stages share most of their modules, and a large plan asks for every stage
def _facts(module: str) -> dict[str, Any]:
    """Of a module: names below `tpld` that it imports anywhere, and the hash of its code."""
    text = _text(module)
    key = hashlib.sha256(text.encode()).hexdigest()
    known = _known()
    if key not in known:
        known[key] = _found[key] = _take_apart(text)
    return known[key]


def _text(module: str) -> str:
    place = _file_of(module)
    if place is None:  # not in this folder, as a method of somebody's own may be
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(module)
        place = Path(spec.origin)
    return place.read_text(encoding="utf-8")


def _take_apart(text: str) -> dict[str, Any]:
    tree = ast.parse(text)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            node.body = [part for part in node.body if not _is_docstring(part)] or [ast.Pass()]
    code = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return {"imports": sorted(n for n in names if n.startswith("tpld.")), "code": code}


def _is_docstring(statement: ast.stmt) -> bool:
    """A text that stands alone, in a module, class or function, or below an attribute."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_module(name: str) -> bool:
    return _file_of(name) is not None


@cache
def _file_of(module: str) -> Path | None:
    """Found by its name, for to ask Python would import what is above it."""
    base = _PACKAGE.parent.joinpath(*module.split("."))
    places = (base.with_name(f"{base.name}.py"), base / "__init__.py")
    return next((place for place in places if place.exists()), None)


@cache
def _known() -> dict[str, dict[str, Any]]:
    """What was found before, by the hash of the text; a damaged file is none."""
    try:
        found = json.loads(_KEPT.read_text(encoding="utf-8"))
        return {
            k: {"imports": list(v["imports"]), "code": str(v["code"])} for k, v in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


_found: dict[str, dict[str, Any]] = {}
"""What this process had to find itself, and has not written down yet."""


def keep_all() -> None:
    """Take every module of the package apart ahead of time, as compiling does with kernels."""
    for module in pkgutil.walk_packages([str(_PACKAGE)], "tpld."):
        _facts(module.name)
    _keep(asked=True)


def _keep(asked: bool = False) -> None:
    """Write it down where Python writes its compiled files, if it may or was asked to."""
    if not _found or (sys.dont_write_bytecode and not asked):
        return
    partial = _KEPT.with_name(f".{_KEPT.name}.{os.getpid()}.partial")
    with suppress(OSError):
        partial.write_text(json.dumps(_known()), encoding="utf-8")
        partial.replace(_KEPT)
    _found.clear()
