"""How much of the gap between source model and oracle a row closes: pure functions."""

from __future__ import annotations

import pandas as pd

from tpld.methods import parse_method

GAP_CLOSED = "gap closed"


def with_gap_closed(figures: pd.DataFrame) -> pd.DataFrame:
    """Add (mIoU - source) / (oracle - source) in percent, of the same seed, network and protocol.

    Args:
        figures: method, seed, split, protocol, metric, value (percent), a row a figure.

    Returns:
        The same with rows of the metric `GAP_CLOSED`, where there are an oracle and a source row;
        not where the oracle is no better than the source model, for then there is no gap.
    """
    miou = figures[(figures["metric"] == "mIoU") & (figures["split"] == "target_val")]
    places = zip(miou["method"], miou["seed"], miou["protocol"], strict=True)
    known = dict(zip(places, miou["value"], strict=True))
    rows = []
    for (method, seed, protocol), value in known.items():
        row = parse_method(method)
        low = known.get((row.source_row, seed, protocol))
        high = known.get((row.source_row.replace("source", "oracle", 1), seed, protocol))
        if low is not None and high is not None and high > low:
            share = 100 * (value - low) / (high - low)
            rows.append((method, seed, "target_val", protocol, GAP_CLOSED, share))
    if not rows:
        return figures
    return pd.concat([figures, pd.DataFrame(rows, columns=figures.columns)], ignore_index=True)
