"""Names of the four splits."""

from __future__ import annotations

from typing import Literal, get_args

Split = Literal["source_train", "source_val", "target_train", "target_val"]
SPLITS: tuple[Split, ...] = get_args(Split)
