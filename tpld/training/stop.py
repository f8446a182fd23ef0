"""Stopping a training between two steps, so that a polite request to end loses none of them.

Batch systems and people ask first (SIGTERM, Ctrl-C) and kill later. A step in hand is finished, its
state saved, and then the process ends as the signal would have ended it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self._signal: int | None = None

    @property
    def wanted(self) -> bool:
        """A signal has come."""
        return self._signal is not None

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; the second one of a kind ends the process at once."""
        self._signal = number
        signal.signal(number, signal.SIG_DFL)

    def now(self) -> None:
        """Raise what the signal stands for; SIGTERM, where only another process has heard one.

        Raises:
            KeyboardInterrupt: after SIGINT.
            SystemExit: after SIGTERM, with the status that shells give it.
        """
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + (self._signal or signal.SIGTERM))


@contextmanager
def stop_between_steps() -> Iterator[Stop]:
    """Collect SIGTERM and SIGINT in the block instead of ending there and then."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python handles signals in the main thread alone
        return
    before = {number: signal.signal(number, stop.ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
