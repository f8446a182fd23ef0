"""Artefacts appear whole or not at all: write beside the final place, then rename.

What can go wrong between the two is handled here once, for tables, checkpoints, stores and caches
alike: a kill, a full disk, and a second process that writes the same artefact.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tpld.compute.lifetime import alive
from tpld.errors import StoreError

_ORPHANS_SECONDS = 20.0


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path; on success it is renamed to `target`, on failure removed.

    Works for files and folders. A kill leaves only hidden files beside `target`
    (``.<name>.partial``), which no reader takes for the artefact and which the next writer removes.

    Raises:
        StoreError: the disk ran full, or another process is writing `target`.
    """
    target = Path(target)
    partial, old = (target.parent / f".{target.name}.{end}" for end in ("partial", "old"))
    with _full_disk(target), alone(target, f"writing {target}"):
        _remove(partial)
        try:
            yield partial
            _sync(partial)
            if target.is_dir():
                # A rename cannot replace a folder that is not empty, and to empty it takes time,
                # in which a kill would leave half of it under the name of the whole.
                _remove(old)
                target.replace(old)
            partial.replace(target)
        except BaseException:
            _remove(partial)
            raise
        _remove(old)


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Keep other processes out while the block works on `path`.

    The lock is the kernel's, on the file ``.<name>.lock``: it ends with the process, however that
    ends. Where the file system knows no locks, the block runs without one.

    Raises:
        StoreError: another process holds it; it is named.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.parent / f".{path.name}.lock"
    descriptor = _acquire(lock, doing)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(lock: Path, doing: str) -> int:
    """Descriptor of the lock file, locked."""
    deadline = time.monotonic() + _ORPHANS_SECONDS
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            if _is_dead(holder) and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise StoreError(
                f"{holder} is {doing} already. Wait for it or end it, then rerun; two runs on one "
                "results folder hinder each other"
            ) from None
        except OSError:
            return descriptor  # no locks here, as on some network file systems
        if _same_file(descriptor, lock):
            os.ftruncate(descriptor, 0)
            _note_holder(descriptor)
            return descriptor
        os.close(descriptor)  # its holder removed it between our two calls: a lock on nothing


def _is_dead(holder: str) -> bool:
    """Whether the holder was killed: loading processes of its keep its lock until they notice."""
    found = re.fullmatch(r"process (\d+) on (.*)", holder)
    return bool(found and found[2] == socket.gethostname() and not alive(int(found[1])))


def _note_holder(descriptor: int) -> None:
    """Say in the lock file who holds it; a disk too full even for that does no harm."""
    try:
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except OSError as error:
        if error.errno not in _FULL:
            raise


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def _full_disk(path: Path) -> Iterator[None]:
    """A disk that runs full under a writer is the user's to mend, not a defect."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StoreError(
            f"the disk of {path} ran full while it was written. Nothing of it was kept: free "
            "some space there, or set `results` to a folder on a larger disk, and rerun"
        ) from error


def _sync(path: Path) -> None:
    """Flush to disk, so that a power cut after the rename does not leave an empty file."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
