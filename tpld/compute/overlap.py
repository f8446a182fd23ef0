"""Reading, computing and writing of consecutive images at the same time, each in its own thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Read = TypeVar("Read")
Made = TypeVar("Made")
# Images in hand before and behind the computation: a slow one is bridged, memory stays bounded.
_DEPTH = 2


def overlap(
    count: int,
    read: Callable[[int], Read],
    compute: Callable[[int, Read], Made],
    write: Callable[[int, Made], Any],
    tick: Callable[[int], Any] = lambda done: None,
) -> None:
    """Run write(i, compute(i, read(i))) for i = 0 .. count - 1.

        read       0 1 2 3 .          one thread
        compute      0 1 2 3 .        the calling thread
        write          0 1 2 3 .      one thread

    Each function sees the images in order and one at a time, so the result is that of a plain loop.
    Multi-threaded numba kernels belong into one of the three alone (numba's plainest threading
    layer cannot run two of them at once).

    `tick` is told the number of images computed. The first error of any of the three is raised here
    after the other threads have come to rest, and so is a KeyboardInterrupt.
    """
    reading: deque[Future[Read]] = deque()
    writing: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        try:
            for i in range(min(_DEPTH, count)):
                reading.append(reader.submit(read, i))
            for i in range(count):
                source = reading.popleft().result()
                if i + _DEPTH < count:
                    reading.append(reader.submit(read, i + _DEPTH))
                made = compute(i, source)
                if len(writing) == _DEPTH:
                    writing.popleft().result()
                writing.append(writer.submit(write, i, made))
                tick(i + 1)
            for written in writing:
                written.result()
        finally:
            for pool in (reader, writer):
                pool.shutdown(wait=False, cancel_futures=True)
