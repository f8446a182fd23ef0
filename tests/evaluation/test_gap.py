import numpy as np
import pandas as pd
import pytest

from tpld.evaluation.gap import GAP_CLOSED, with_gap_closed

COLUMNS = ["method", "seed", "split", "protocol", "metric", "value"]


def table(values: dict[str, float], seed: int = 0) -> pd.DataFrame:
    rows = [(m, seed, "target_val", "single", "mIoU", v) for m, v in values.items()]
    rows.append(("source", seed, "source_val", "single", "mIoU", 60.0))
    return pd.DataFrame(rows, columns=COLUMNS)


def closed(figures: pd.DataFrame) -> dict[tuple[str, int], float]:
    part = with_gap_closed(figures)
    part = part[part["metric"] == GAP_CLOSED]
    return dict(zip(zip(part["method"], part["seed"], strict=True), part["value"], strict=True))


def test_by_hand():
    values = {"source": 20.0, "cbst": 26.0, "cbst+tpld": 35.0, "advent": 18.0, "oracle": 40.0}
    assert closed(table(values)) == pytest.approx(
        {("source", 0): 0, ("cbst", 0): 30, ("cbst+tpld", 0): 75, ("advent", 0): -10,
         ("oracle", 0): 100}
    )  # fmt: skip


def test_each_seed_and_network_has_its_own_gap():
    one = table({"source": 20.0, "cbst": 30.0, "oracle": 40.0})
    other = table({"source": 10.0, "cbst": 30.0, "oracle": 30.0}, seed=1)
    network = table({"source@n": 30.0, "cbst@n": 30.5, "oracle@n": 31.0})
    found = closed(pd.concat([one, other, network]))
    assert found[("cbst", 0)] == pytest.approx(50) and found[("cbst", 1)] == pytest.approx(100)
    assert found[("cbst@n", 0)] == pytest.approx(50)


@pytest.mark.parametrize("oracle", [None, 20.0, 15.0, np.nan])
def test_without_a_gap_there_is_no_share_of_it(oracle):
    values = {"source": 20.0, "cbst": 26.0} | ({} if oracle is None else {"oracle": oracle})
    figures = table(values)
    assert with_gap_closed(figures).equals(figures)
