"""Every error that a user can cause or mend, as one tree.

A message says what was seen, where, and what to do. The command line prints it without a
traceback and exits with status 1; anything outside this tree is a defect of ours and shows one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TpldError(Exception):
    """Base of all errors that carry a remedy for the user."""


class ConfigError(TpldError):
    """A configuration value is missing, unknown or out of bounds."""


class DataError(TpldError):
    """An image, a label file or a split list cannot be used as it is."""


class StoreError(TpldError):
    """A store or checkpoint is incomplete, damaged, or belongs to another run."""


class TrainingError(TpldError):
    """Training cannot go on (for example a loss that is not finite)."""


class DeviceError(TpldError):
    """The wanted device or precision is not available on this machine."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'? ``, or nothing where no known word is near."""
    words = list(known)
    longer = [other for other in words if word and other.startswith(word)]
    near = longer or difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'? " if near else ""
