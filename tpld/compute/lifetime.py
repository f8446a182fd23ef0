"""How a stage's process ends: on request, and with the Snakemake that started it.

A killed Snakemake (kill -9, a lost terminal, an out-of-memory kill) leaves its jobs running, and a
rerun would start them a second time beside themselves. So each job watches the process that the
variable ``TPLD_STARTED_BY`` names, and ends as if asked to (SIGTERM) once that is gone.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

VARIABLE = "TPLD_STARTED_BY"
_EVERY_SECONDS = 1.0
_PATIENCE_SECONDS = 120.0


def this_process() -> str:
    """What `VARIABLE` holds in the environment of jobs: host, process namespace, process id."""
    return f"{_place()}:{os.getpid()}"


def _place() -> str:
    """Where process ids mean the same: a host, and on Linux one namespace (container) of it."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115  (Path would resolve it)
    except OSError:
        space = ""
    return f"{socket.gethostname()}:{space}"


@contextmanager
def ending_well() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that half-written files are removed, and watch Snakemake."""
    before = signal.signal(signal.SIGTERM, _terminate)
    _watch(os.environ.get(VARIABLE, ""))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _watch(started_by: str) -> None:
    """Start the watching thread, if that process is of this host and runs now."""
    place, _, pid = started_by.rpartition(":")
    if place == _place() and pid.isdigit() and alive(int(pid)):
        threading.Thread(target=_end_with, args=(int(pid),), daemon=True).start()


def _end_with(pid: int) -> None:
    while alive(pid):
        time.sleep(_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE_SECONDS)  # a training saves its state first
    os._exit(128 + signal.SIGTERM)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and only not yet waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True  # no /proc on this system
    return state not in ("Z", "X")


def begin_in_pool() -> None:
    """Begin a process of a pool: it ends with its parent, and leaves signals to it.

    Without, it would wait for ever for work from a parent that was killed.
    """
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group of processes
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
