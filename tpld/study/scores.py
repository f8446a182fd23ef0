"""The table of a study of networks: mIoU of each row against the row it is compared with."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from tpld.evaluation.gap import GAP_CLOSED

SOURCE_VAL = "source_val"


def compare_rows(
    figures: pd.DataFrame,
    rows: list[str],
    changes: Callable[[str], str],
    reference: Callable[[str], str],
) -> pd.DataFrame:
    """One line a row: mean and sample standard deviation over the seeds, in percent.

    Args:
        figures: method, seed, split, metric, value (percent) of one protocol.
        rows: in the order of the table.
        changes: what a row changes.
        reference: the row that it is compared with.

    Returns:
        row, changes, seeds; of target_val: mIoU, ± mIoU, against, Δ (mean over the seeds that both
        rows have of the difference), ± Δ (its standard deviation), gap closed, ± gap closed; and
        source_val, the mean mIoU there. NaN where unknown, and for the deviation of one seed.
    """
    of_source = figures["split"].eq("source_val") & figures["metric"].eq("mIoU")
    figures = figures.assign(metric=figures["metric"].mask(of_source, SOURCE_VAL))
    value = figures.pivot_table(index="seed", columns=["metric", "method"], values="value")
    lines = []
    for row in rows:
        mine, other = _of(value, "mIoU", row), _of(value, "mIoU", reference(row))
        delta, gap = (mine - other).dropna(), _of(value, GAP_CLOSED, row)
        against = reference(row) if len(delta) and reference(row) != row else ""
        lines.append(
            {
                "row": row,
                "changes": changes(row),
                "seeds": len(mine),
                "mIoU": mine.mean(),
                "± mIoU": mine.std(),
                "against": against,
                "Δ": delta.mean() if against else float("nan"),
                "± Δ": delta.std() if against else float("nan"),
                "gap closed": gap.mean(),
                "± gap closed": gap.std(),
                SOURCE_VAL: _of(value, SOURCE_VAL, row).mean(),
            }
        )
    return pd.DataFrame(lines)


def _of(value: pd.DataFrame, metric: str, row: str) -> pd.Series:
    """Values of a row by seed; none where it was not evaluated."""
    if (metric, row) not in value.columns:
        return pd.Series(dtype=float)
    return value[metric, row].dropna()
