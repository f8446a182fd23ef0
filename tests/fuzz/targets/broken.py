"""A target that does all that a fuzzer must notice."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

from tests.fuzz.targets.common import Case, Trap


def broken_on_purpose(folder: Path) -> Case:
    """What a fuzzer must notice; for its own test."""
    from tpld.errors import DataError

    def case(rng: random.Random) -> None:
        kind = rng.randrange(5)
        if kind == 0:
            raise ZeroDivisionError("no message for users")
        if kind == 1:
            os.abort()
        if kind == 2:
            raise DataError("no")
        if kind == 3:
            pickle.loads(pickle.dumps(Trap(folder)))
            (folder / "PWNED").unlink()

    return case
