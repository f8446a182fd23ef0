"""Where a result comes from: fingerprints of inputs, and the record of a run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import socket
import subprocess
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from tpld.stores.atomic import replacing
from tpld.stores.code import code_hash, digest

__all__ = ["code_hash", "digest", "fingerprint", "made_from", "record", "write_record"]

_PACKAGE = Path(__file__).parents[1]


def fingerprint(path: Path) -> str:
    """Hash of an artefact: of a file its bytes; of a store what it was made from (`made_from`).

    The same store made again, at another time or on another machine, keeps its fingerprint, and
    with it the resume points and records that name it. A store that does not say what it was made
    from goes by its metadata, and a cache of decoded images by its index, which has the checksums.
    """
    path = Path(path)
    if path.is_dir():
        stated = _stated(path / "zarr.json")
        if stated:
            return stated
        inner = [path / "zarr.json", path / "index.csv"]
        path = next((p for p in inner if p.exists()), path)
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()[:16]


def _stated(metadata: Path) -> str | None:
    """The fingerprint that a store carries."""
    try:
        tree = json.loads(metadata.read_text(encoding="utf-8"))
        stated = tree["attributes"]["run"]["made_from"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stated if isinstance(stated, str) else None


def made_from(
    stage: str, settings: dict[str, Any], inputs: dict[str, str], *modules: str
) -> dict[str, str]:
    """What a store is made from: fingerprints of its inputs by role, and one of all that together.

    Readers check the roles (`tpld.stores.lineage`): a store of another model, round or data set
    differs in one of them, whatever its shape.

    Args:
        stage: name of the stage.
        settings: of the stage.
        inputs: fingerprint by role, such as ``model`` or ``images``.
        *modules: whose code counts, with what they import.
    """
    whole = digest(stage, settings, inputs, *map(code_hash, modules))
    return {**inputs, "fingerprint": whole}


def write_record(
    path: Path, stage: str, settings: dict[str, Any], inputs: Iterable[Path], **facts: Any
) -> None:
    """Write ``run.json`` beside a result; see `record`."""
    with replacing(path) as partial:
        text = json.dumps(record(stage, settings, inputs, **facts), indent=2, default=str)
        partial.write_text(text + "\n", encoding="utf-8")


def record(
    stage: str, settings: dict[str, Any], inputs: Iterable[Path], **facts: Any
) -> dict[str, Any]:
    """Settings, input hashes, versions, commit, host and time of one stage."""
    return {
        "stage": stage,
        "settings": settings,
        "inputs": {str(path): fingerprint(path) for path in inputs},
        "versions": _versions(),
        "commit": _commit(),
        "host": socket.gethostname(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **facts,
    }


@cache
def _versions() -> dict[str, str]:
    names = ("tpld", "torch", "torchvision", "numpy", "numba", "zarr", "snakemake")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


@cache
def _commit() -> str:
    """Commit of the checkout that the package runs from, with a mark for local changes."""
    command = ["git", "-C", str(_PACKAGE), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
