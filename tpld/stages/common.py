"""What stages share: where resume points live and how histories are written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from tpld.config import Config
from tpld.provenance import code_hash, digest, fingerprint
from tpld.stores.atomic import replacing


def state_file(
    config: Config,
    stage: str,
    settings: dict[str, Any],
    seed: int,
    inputs: Iterable[Path],
    *modules: str,
) -> Path:
    """Resume point of a training stage, named by everything that its result depends on.

    A changed parameter, input, precision or line of code (of `modules` and what they
    import) thus never resumes from a state that is not its own.
    """
    files = [fingerprint(path) for path in inputs]
    key = digest(stage, seed, settings, files, config.compute.precision, *map(code_hash, modules))
    return Path(config.results) / "state" / f"{stage}-{key}.pt"


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table; it appears whole or not at all."""
    with replacing(path) as partial:
        frame.to_csv(partial, index=False, float_format="%.9g")


def write_history(history: pd.DataFrame, out: Path) -> None:
    """Write the losses of a training stage."""
    write_csv(history, out / "history.csv")
