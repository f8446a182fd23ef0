"""Confusion matrices as a table on disk; every figure of an evaluation derives from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tpld.errors import StoreError


def confusions_to_table(totals: dict[str, np.ndarray], names: list[str]) -> pd.DataFrame:
    """int64 (K, K) of each protocol -> columns protocol, truth, predicted, pixels."""
    index = pd.MultiIndex.from_product([names, names], names=["truth", "predicted"])
    frames = [
        pd.DataFrame({"protocol": name, "pixels": matrix.ravel()}, index=index)
        for name, matrix in totals.items()
    ]
    return pd.concat(frames).reset_index()[["protocol", "truth", "predicted", "pixels"]]


def read_confusions(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Confusion matrix (K, K) of each protocol in a table of the stage `evaluate`.

    Raises:
        StoreError: it is no such table, or of other classes.
    """
    try:
        return _confusions(path, names)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise StoreError(
            f"{path} is no table of confusions of these classes ({error}). Delete it and rerun "
            "`tpld evaluate`"
        ) from None


def _confusions(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    names_as_text = {"truth": str, "predicted": str}  # a class may be called 1, or None
    table = pd.read_csv(path, keep_default_na=False, dtype=names_as_text)
    return {
        str(protocol): part.pivot_table(
            index="truth", columns="predicted", values="pixels", sort=False
        )
        .loc[names, names]
        .to_numpy(np.int64)
        for protocol, part in table.groupby("protocol", sort=False)
    }
