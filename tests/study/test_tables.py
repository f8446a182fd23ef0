import pandas as pd
import pytest

from tpld.config import load_config
from tpld.dag.changes import changes_of, reference_of
from tpld.evaluation.gap import GAP_CLOSED
from tpld.study import added
from tpld.study.controls import COLUMNS, CONTROLS
from tpld.study.labels import compare_labels, describe_added, mean_over_seeds
from tpld.study.scores import compare_rows


def test_changes_in_words():
    variants = {"a": {"voting": {"window": 7}, "loss": {"beta": 1, "stop_gradient": False}}}
    config = load_config({"methods": ["cbst", "cbst+tpld~a"], "variants": variants})
    assert (
        changes_of(config, "cbst+tpld~a") == "voting.window 7, loss.beta 1, loss.stop_gradient off"
    )
    assert changes_of(config, "cbst") == ""


@pytest.mark.parametrize(
    ("row", "reference"),
    [
        ("cbst+tpld@n~a", "cbst+tpld@n"),
        ("cbst+tpld@n", "cbst@n"),
        ("cbst@n", "source@n"),
        ("advent", "source"),
    ],
)
def test_what_a_row_is_compared_with(row, reference):
    assert reference_of(row) == reference


def figures(**values: list[float]) -> pd.DataFrame:
    on = "target_val"
    rows = [(m, s, on, "mIoU", v) for m, many in values.items() for s, v in enumerate(many)]
    rows += [("cbst", 0, on, GAP_CLOSED, 40.0), ("cbst", 1, on, GAP_CLOSED, 60.0)]
    rows += [("cbst", 0, "source_val", "mIoU", 50.0), ("cbst", 1, "source_val", "mIoU", 52.0)]
    return pd.DataFrame(rows, columns=["method", "seed", "split", "metric", "value"])


def test_scores_are_compared_seed_by_seed():
    known = figures(source=[20, 30], cbst=[24, 32, 99])  # seed 2 has no source row
    table = compare_rows(known, ["source", "cbst", "advent"], lambda row: "", reference_of)
    lines = table.set_index("row")
    assert lines.loc["cbst", "mIoU"] == pytest.approx(155 / 3)
    assert lines.loc["cbst", "seeds"] == 3
    assert (lines.loc["cbst", "Δ"], lines.loc["cbst", "± Δ"]) == pytest.approx((3, 2**0.5))
    assert (lines.loc["cbst", "gap closed"], lines.loc["cbst", "source_val"]) == (50, 51)
    assert lines.loc["source", "against"] == "" and pd.isna(lines.loc["source", "Δ"])
    assert lines.loc["advent", "seeds"] == 0 and pd.isna(lines.loc["advent", "mIoU"])


def test_what_voting_adds_is_described_a_line_a_row():
    """A row that adds nothing is left out; a group that nobody has is empty."""
    shares = {added.VOTED: 100.0, added.SAME: 90.0, added.RIGHT: 80.0, added.WRONG: 20.0}
    frame = pd.DataFrame(
        [("r", "", s, g, share, 60.0 + s, 10.0) for s in (0, 2) for g, share in shares.items()]
        + [("base", "", 0, added.VOTED, None, None, None)],
        columns=["row", "changes", "seed", *added.COLUMNS],
    )
    table = describe_added(frame)
    assert table["row"].tolist() == ["r"]
    line = table.iloc[0]
    assert (line["accuracy"], line["of class argmax r"]) == (61, 90)
    assert line["near a boundary: of the wrong"] == 10
    assert pd.isna(line[f"right: {added.OTHER}"])


def test_labels_are_compared_at_their_own_density():
    points = [(0.2, 1.0, 20.0, 90.0), (0.4, 1.0, 40.0, 80.0)]
    curves = pd.DataFrame(
        [("n", s, c, *p) for s in (0, 1) for c in CONTROLS for p in points],
        columns=["network", "seed", *COLUMNS],
    )
    labels = pd.DataFrame(
        [("r", "", "n", s, 30.0, a) for s, a in ((0, 86.0), (1, 82.0))],
        columns=["row", "changes", "network", "seed", "density", "accuracy"],
    )
    table = compare_labels(labels, curves)
    for control in CONTROLS:
        assert table[f"at {control}"].tolist() == [85, 85]
        assert table[f"over {control}"].tolist() == [1, -3]
    means = mean_over_seeds(table, ["row", "changes"])
    assert means["accuracy"].tolist() == [84] and "seed" not in means
