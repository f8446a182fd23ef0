"""Keeping freed memory for the next step. Does not load torch.

glibc hands large blocks back to the system as soon as they are free, and asks for them anew: each
training step then waits for pages that it had a moment ago. Told to keep them, a process grows to
the same peak and stays there until it ends. What that is worth: `benchmarks/parts.py`.
"""

from __future__ import annotations

import ctypes
import os

# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Let the allocator keep what is freed; whether it was told to.

    It is not where the user has set it by variables (MALLOC_...), nor where it is not glibc's.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows has no such library
        return False
    return bool(tell(_TRIM_THRESHOLD, _NEVER)) and bool(tell(_MMAP_MAX, 0))
