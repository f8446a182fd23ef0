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


def test_the_gap_is_the_mean_over_seeds_and_each_network_has_its_own():
    one = table({"source": 20.0, "cbst": 30.0, "oracle": 40.0})
    other = table({"source": 30.0, "cbst": 33.0, "oracle": 30.0}, seed=1)  # no gap of its own
    without = table({"source": 10.0, "cbst": 15.0}, seed=2)  # no oracle
    network = table({"source@n": 30.0, "cbst@n": 30.5, "oracle@n": 31.0})
    found = closed(pd.concat([one, other, without, network]))
    assert [found[("cbst", seed)] for seed in range(3)] == pytest.approx([100, 30, 50])
    assert found[("oracle", 0)] == pytest.approx(200) and found[("oracle", 1)] == 0
    assert found[("cbst@n", 0)] == pytest.approx(50)


@pytest.mark.parametrize("oracle", [None, 20.0, 15.0, np.nan])
def test_without_a_gap_there_is_no_share_of_it(oracle):
    values = {"source": 20.0, "cbst": 26.0} | ({} if oracle is None else {"oracle": oracle})
    figures = table(values)
    assert with_gap_closed(figures).equals(figures)
