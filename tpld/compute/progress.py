"""Progress of long work: a bar in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tpld.compute.launch import place

log = logging.getLogger("tpld")
_LINE_EVERY_SECONDS = 10.0


def setup_logging(log_file: Path | None) -> None:
    """Send messages to standard error and, where wanted, to a log file too.

    Of several processes of a training the first one speaks; the others warn and fail aloud.
    """
    rank, _ = place()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if log_file and rank == 0:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
    who = f"process {rank}: " if rank else ""
    style = logging.Formatter(f"%(asctime)s {who}%(message)s", datefmt="%H:%M:%S")
    for handler in handlers:
        handler.setFormatter(style)
    level = logging.WARNING if rank else logging.INFO
    logging.basicConfig(level=level, handlers=handlers, force=True)


class Ticker:
    """Reports how far a task is; call it with the number of finished units and a short note."""

    def __init__(self, title: str, total: int, start: int, bar: Progress | None) -> None:
        self.title, self.total, self.first = title, total, start
        self.began = self.spoke = time.monotonic()
        self.silent = place()[0] > 0
        self.bar = bar
        self.task = bar.add_task(title, total=total, completed=start, note="") if bar else None

    def __call__(self, done: int, note: str = "") -> None:
        """Set the progress to `done` units; cheap enough for every step."""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=done, note=note)
        now = time.monotonic()
        if not self.silent and (now - self.spoke >= _LINE_EVERY_SECONDS or done == self.total):
            self.spoke = now
            left = (now - self.began) / max(done - self.first, 1) * (self.total - done)
            line = f"{self.title}: {done}/{self.total} {note} {_clock(left)} left"
            # The bar already shows it in a terminal; the log file still wants the line.
            for handler in logging.getLogger().handlers:
                if self.bar is None or isinstance(handler, logging.FileHandler):
                    handler.handle(log.makeRecord("tpld", logging.INFO, "", 0, line, (), None))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


@contextmanager
def progress(title: str, total: int, start: int = 0) -> Iterator[Ticker]:
    """Show the progress of `total` units of work, of which `start` are done already."""
    console = Console(stderr=True)
    if not console.is_terminal or place()[0] > 0:
        yield Ticker(title, total, start, None)
        return
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console) as bar:
        yield Ticker(title, total, start, bar)
