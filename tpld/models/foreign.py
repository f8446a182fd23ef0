"""Files of weights from elsewhere: their tensors, by dotted names, or what else they are.

Checkpoints keep their weights below `model`, `state_dict`, `teacher` and the like, beside
optimisers and settings. All of it is flattened here to dotted names (``teacher.conv1.weight``), and
`tpld.models.fit` finds the part that a network can use. No object of a pickle is ever made.
"""

from __future__ import annotations

import argparse
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from tpld.errors import ConfigError, nearest

_DEEPEST = 8
_KINDS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Run `git lfs pull`"),
    (b"\x89PNG", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"GIF8", "a GIF image", ""),
    (b"%PDF", "a PDF document", ""),
    (b"\x89HDF", "an HDF5 file, as Keras writes them", ""),
    (b"\x93NUMPY", "an array of numpy", ""),
    (b"\x1f\x8b", "a gzip archive", "Unpack it, and give the file of weights in it"),
    (b"BZh", "a bzip2 archive", "Unpack it, and give the file of weights in it"),
    (b"\xfd7zXZ", "an xz archive", "Unpack it, and give the file of weights in it"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it, and give the file of weights in it"),
)
_PAGE = re.compile(rb"\s*(<!doctype html|<html|<\?xml)", re.IGNORECASE)
_GLOBAL = re.compile(r"Unsupported global: GLOBAL (\S+)")
_GIVE = "Give a checkpoint of PyTorch (.pth) or a .safetensors file"
_AGAIN = "Download or copy it again"
# What trainers keep beside weights, and what making it can do no harm.
_HARMLESS: list[Any] = [
    argparse.Namespace,
    PosixPath,
    np.dtype,
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),  # type: ignore[attr-defined]
    *(type(np.dtype(kind)) for kind in ("?", "i4", "i8", "f4", "f8")),
]


def read_tensors(path: Path, *, shapes_alone: bool = False) -> dict[str, Tensor]:
    """Every tensor of a file by its dotted name, in the file's order.

    Args:
        path: a safetensors file, or one of `torch.save` (by content, whatever it is called).
        shapes_alone: read names and shapes; the tensors are on the device ``meta``.

    Raises:
        ConfigError: there is no such file, it is something else, it is damaged, it needs classes
            that only unsafe unpickling would make, or it holds no tensor.
    """
    where = f"model.weights: {path}"
    if not path.exists():
        there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = nearest(path.name, there).strip()
        raise ConfigError(f"{where} does not exist. {hint or 'Correct the path'}")
    try:
        head = _head(path)
        tree = _tensors(path, head, shapes_alone)
    except OSError as error:
        raise ConfigError(
            f"{where} cannot be read as weights ({error.strerror or error})"
        ) from None
    found = flattened(tree)
    if not found:
        raise ConfigError(f"{where} holds no tensors, but {_contents(tree)}. {_GIVE}")
    return found


def flattened(tree: Any) -> dict[str, Tensor]:
    """Tensors of nested mappings and lists by their dotted names."""
    return dict(_flat(tree, "", ()))


def _head(path: Path) -> bytes:
    """The first bytes of a file; ConfigError for what is plainly something else."""
    where = f"model.weights: {path} cannot be read as weights"
    if path.is_dir():
        raise ConfigError(f"{where}: it is a folder. Give the file in it")
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise ConfigError(f"{where}: it is empty. {_AGAIN}")
    if _PAGE.match(head):
        raise ConfigError(
            f"{where}: it is a web page, as a log-in or an error of the server gives. {_AGAIN}"
        )
    for begin, what, remedy in _KINDS:
        if head.startswith(begin):
            raise ConfigError(f"{where}: it is {what}. {remedy or _GIVE}")
    return head


def _tensors(path: Path, head: bytes, shapes_alone: bool) -> Any:
    """What a file holds, tensors in it; ConfigError for what cannot be read."""
    where = f"model.weights: {path} cannot be read as weights"
    if head[8:9] == b"{" or path.suffix == ".safetensors":
        try:
            return _shapes(path) if shapes_alone else load_file(path)
        # The library raises these and, on odd headers, others of Python's own.
        except (ValueError, TypeError, OverflowError, safetensors.SafetensorError) as error:
            raise ConfigError(
                f"{where}: it is no whole safetensors file ({error}). {_AGAIN}"
            ) from None
    if head.startswith(b"PK\x03\x04"):
        _check_zip(path, where)
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, "meta" if shapes_alone else "cpu", weights_only=True)
    except Exception as error:  # the pickle's reader raises whatever a damaged file brings about
        raise ConfigError(f"{where}: {_why(path, error)}") from None


def _shapes(path: Path) -> dict[str, Tensor]:
    with safetensors.safe_open(path, framework="pt") as file:
        slices = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    return {name: torch.empty(shape, device="meta") for name, shape in slices.items()}


def _check_zip(path: Path, where: str) -> None:
    """What `torch.save` writes is a zip archive of a kind of its own."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.split("/", 1)[-1] for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        raise ConfigError(f"{where}: its end is missing, or it is damaged. {_AGAIN}") from None
    if "constants.pkl" in names:
        raise ConfigError(
            f"{where}: it is a TorchScript archive, a program. {_converted('torch.jit.load')}"
        )
    if "data.pkl" not in names:
        raise ConfigError(
            f"{where}: it is a zip archive. Unpack it, and give the file of weights in it"
        )


def _why(path: Path, error: Exception) -> str:
    """What is wrong with a pickle; torch's own advice is to load it unsafely."""
    wanted = _GLOBAL.search(str(error))
    if wanted is None:
        return f"it is damaged, or no file of weights ({type(error).__name__}). {_GIVE}"
    try:
        needs = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # of a file from before PyTorch 1.6
        needs = [wanted[1]]
    more = f" and {len(needs) - 4} more" if len(needs) > 4 else ""
    return (
        f"beside tensors it holds objects of Python ({', '.join(needs[:4])}{more}), and a file can "
        f"run any program when those are made. {_converted('the code that wrote it')}"
    )


def _converted(by: str) -> str:
    return (
        f"Where you trust it, open it with {by} and write its tensors alone "
        "(safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')); then give that "
        "file"
    )


def _flat(tree: Any, name: str, above: tuple[int, ...]) -> Iterator[tuple[str, Tensor]]:
    """Tensors below a node; a pickle may hold itself, which is not followed."""
    if isinstance(tree, Tensor):
        yield name or "0", tree
    elif isinstance(tree, Mapping | list | tuple):
        if id(tree) in above or len(above) >= _DEEPEST:
            return
        pairs = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
        for key, value in pairs:
            yield from _flat(value, f"{name}.{key}" if name else str(key), (*above, id(tree)))


def _contents(tree: Any) -> str:
    if isinstance(tree, Mapping):
        keys = [str(key) for key in tree]
        more = f" and {len(keys) - 8} more" if len(keys) > 8 else ""
        return f"the entries {', '.join(keys[:8])}{more}" if keys else "nothing"
    return f"a value of type {type(tree).__name__}"
