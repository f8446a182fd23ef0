"""What `snakemake` says in a terminal while it works: a line when a job starts, one when it ends.

    06:12:33 training the source model: deeplabv2_resnet18, seed 0
    06:14:50 [7 of 31] done in 2:17: training the source model: deeplabv2_resnet18, seed 0

Snakemake's own words for the same are five lines a job. They stay in a dry run, in the log file
below ``.snakemake/log``, and for all that is neither start nor end of a job.
"""

from __future__ import annotations

import logging
import time
from typing import Any, TextIO

_DROPPED = (
    "Select jobs to execute",
    "Execute ",
    "Building DAG of jobs",
    "Using shell:",
    "Provided cores:",
    "Provided resources:",
    "Rules claiming more threads",
    "Assuming unrestricted shared filesystem",
    "Removing temporary output",
    "Conda environments: ignored",
)
"""Beginnings of what tells nothing about the work."""
_UNSAID = ("workflow_started", "job_started", "resources_info")
"""Events that tell nothing about it either."""


class OneLine(logging.Filter):
    """Says starts and ends of jobs itself, drops noise, and lets everything else through.

    Args:
        stream: of the handler that it belongs to.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self.running: dict[int, tuple[str, float]] = {}
        self.ended: list[int] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """False where the record is dropped, or said here."""
        event = str(getattr(record, "event", None) or "")
        if event in _UNSAID:
            return False
        said = getattr(self, f"_{event}", None)
        if said is not None:
            return said(record)
        text = str(record.msg or "")
        return record.levelno > logging.INFO or not text.startswith(_DROPPED)

    def _job_info(self, record: Any) -> bool:
        if record.rule_msg:  # `all` and its like have none, for they do nothing
            self.running[record.jobid] = (record.rule_msg, time.monotonic())
            self._say(record.rule_msg)
        return False

    def _job_finished(self, record: Any) -> bool:
        self.ended.append(record.job_id)
        return False

    def _progress(self, record: Any) -> bool:
        for job in self.ended:
            if job not in self.running:
                continue
            message, began = self.running.pop(job)
            minutes, seconds = divmod(round(time.monotonic() - began), 60)
            done = f"[{record.done} of {record.total}] done in {minutes}:{seconds:02d}"
            self._say(f"{done}: {message}")
        self.ended.clear()
        return False

    def _run_info(self, record: Any) -> bool:
        jobs = (record.stats or {}).get("total", 0)
        if jobs:
            self._say(f"{jobs} jobs to do")
        return False

    def _say(self, text: str) -> None:
        self.stream.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        self.stream.flush()


def one_line_a_job() -> None:
    """Let Snakemake's terminal handler speak so; another handler (a logger plugin) stays."""
    from snakemake.logging import ColorizingTextHandler, logger

    for handler in logger.handlers:
        if isinstance(handler, ColorizingTextHandler) and not any(
            isinstance(known, OneLine) for known in handler.filters
        ):
            handler.addFilter(OneLine(handler.stream))
