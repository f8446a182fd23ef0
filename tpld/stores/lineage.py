"""Whether an artefact was made from the others that a stage is given: no mix of rounds or models.

Image names, class names and shapes are the same in every round, so they tell nothing. Each store
records the fingerprints of what it was made from (`tpld.stores.provenance.made_from`), each table
of a dump the fingerprint of that dump (column ``dump``), and the stages compare them before they
work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from tpld.errors import StoreError

DUMP = "dump"
"""Column of tables that are computed from a dump: its fingerprint."""


class Store(Protocol):
    """A reader of a store."""

    path: Path
    run: dict[str, Any]


def inputs_of(store: Store) -> dict[str, str]:
    """Fingerprints by role; empty where the store does not say."""
    stated = store.run.get("made_from")
    return dict(stated) if isinstance(stated, dict) else {}


def expect_made_from(store: Store, remedy: str, **expected: str) -> None:
    """Refuse a store that was made from something else.

    Args:
        store: an open store.
        remedy: the stage to rerun.
        **expected: fingerprint by role.

    Raises:
        StoreError: the role that differs is named.
    """
    seen = inputs_of(store)
    for role, wanted in expected.items():
        if seen.get(role) != wanted:
            raise StoreError(
                f"{store.path} was made from other {role} ({seen.get(role, 'unknown')}) than this "
                f"stage is given ({wanted}): it belongs to another model, round or data set. "
                f"Delete it and rerun `tpld {remedy}`"
            )


def expect_dump(table: pd.DataFrame, path: Path, dump: str, remedy: str) -> None:
    """Refuse a table that was computed from another dump.

    Args:
        table: with the column ``dump``.
        path: where the table comes from.
        dump: fingerprint of the dump at hand.
        remedy: the stage to rerun.

    Raises:
        StoreError: it was, or does not say.
    """
    seen = set(table[DUMP].astype(str)) if DUMP in table else set()
    if len(table) and seen != {dump}:
        raise StoreError(
            f"{path} was computed from other predictions ({', '.join(sorted(seen)) or 'unknown'}) "
            f"than this stage is given ({dump}): it belongs to another model, round or data set. "
            f"Rerun `tpld {remedy}`"
        )
