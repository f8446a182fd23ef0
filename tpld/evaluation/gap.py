"""How much of the gap between source model and oracle a row closes: pure functions."""

from __future__ import annotations

import pandas as pd

from tpld.methods import parse_method

GAP_CLOSED = "gap closed"


def with_gap_closed(figures: pd.DataFrame) -> pd.DataFrame:
    """Add (mIoU - source) / (oracle - source) in percent, the sources being of the same seed.

    The gap below the line is the mean over the seeds that have both models: where gaps are small,
    that of a single seed may be next to nothing, and its share any number.

    Args:
        figures: method, seed, split, protocol, metric, value (percent), a row a figure.

    Returns:
        The same with rows of the metric `GAP_CLOSED`, where there are an oracle and a source row
        of the network and protocol; not where the oracles are no better in the mean than the
        source models, for then there is no gap.
    """
    miou = figures[(figures["metric"] == "mIoU") & (figures["split"] == "target_val")]
    places = zip(miou["method"], miou["seed"], miou["protocol"], strict=True)
    known = dict(zip(places, miou["value"], strict=True))
    rows = []
    for (method, seed, protocol), value in known.items():
        source = parse_method(method).source_row
        gap, low = _mean_gap(known, source, protocol), known.get((source, seed, protocol))
        if low is not None and gap > 0:
            share = 100 * (value - low) / gap
            rows.append((method, seed, "target_val", protocol, GAP_CLOSED, share))
    if not rows:
        return figures
    return pd.concat([figures, pd.DataFrame(rows, columns=figures.columns)], ignore_index=True)


def _mean_gap(known: dict[tuple[str, int, str], float], source: str, protocol: str) -> float:
    """Oracle over source model in the mean of the seeds that have both; nan if none has."""
    oracle = source.replace("source", "oracle", 1)
    gaps = [
        high - known[(source, seed, of)]
        for (row, seed, of), high in known.items()
        if row == oracle and of == protocol and (source, seed, of) in known
    ]
    return sum(gaps) / len(gaps) if gaps else float("nan")
