"""What stages share: where resume points live and how histories are written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from tpld.config import Config
from tpld.errors import StoreError
from tpld.stores.atomic import replacing
from tpld.stores.provenance import code_hash, digest, fingerprint


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


def write_text(path: Path, text: str) -> None:
    """Write a text; it appears whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_csv(path: Path, what: str, remedy: str, dtype: dict[str, Any]) -> pd.DataFrame:
    """Read a table of a stage; texts stay as they are (a class may be called ``nan``).

    Args:
        path: the table.
        what: it is, for the error message.
        remedy: what to do about a damaged one.
        dtype: of the columns that must not be guessed.

    Raises:
        StoreError: it is missing or no table.
    """
    try:
        return pd.read_csv(path, keep_default_na=False, dtype=dtype)
    # ParserError and UnicodeDecodeError are ValueErrors; an endless quote overflows pandas' parser.
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        raise StoreError(f"{path} is no {what} ({error}). {remedy}") from None


def write_history(history: pd.DataFrame, out: Path) -> None:
    """Write the losses of a training stage."""
    write_csv(history, out / "history.csv")
