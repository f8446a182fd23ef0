"""What is fuzzed: each target damages one kind of input and reads it as the pipeline does.

A case ends well with a result or with a `TpldError`; a target may check the result. Anything else,
such as another exception or a hang, is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz.targets.broken import broken_on_purpose
from tests.fuzz.targets.checkpoints import checkpoints
from tests.fuzz.targets.common import Case
from tests.fuzz.targets.configurations import configurations
from tests.fuzz.targets.images import images, labels_of_16_bit
from tests.fuzz.targets.split_lists import split_lists
from tests.fuzz.targets.stores import stores
from tests.fuzz.targets.tables import tables

SHARES = {
    "configurations": 0.06,
    "images": 0.30,
    "labels_of_16_bit": 0.12,
    "split_lists": 0.20,
    "checkpoints": 0.10,
    "stores": 0.07,
    "tables": 0.15,
}
"""Of the cases of a run: what is read from strangers, and read fast, has more."""

TARGETS: dict[str, Callable[[Path], Case]] = {
    "configurations": configurations,
    "images": images,
    "labels_of_16_bit": labels_of_16_bit,
    "split_lists": split_lists,
    "checkpoints": checkpoints,
    "stores": stores,
    "tables": tables,
    "broken_on_purpose": broken_on_purpose,
}
