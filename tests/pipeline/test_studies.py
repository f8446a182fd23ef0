"""Variants of rows and the studies that compare them, on the finished tiny experiment."""

import pandas as pd
import pytest
from PIL import Image

pytestmark = pytest.mark.pipeline

TPLD = "crst_mrkld+tpld"
OVERLAY = {
    "study": "mine",
    "methods": ["source", "crst_mrkld", TPLD, f"{TPLD}~easy", f"{TPLD}~alpha"],
    "variants": {
        "easy": {"phase2": {"easy_portion": 0.5, "source_crops": 1}},
        "alpha": {"voting": {"alpha": 0.9}},
    },
}
PHASE2 = ("dump", "score", "split", "train_phase2")


def test_a_variant_runs_what_its_keys_change_and_what_follows(finished):
    jobs = finished.planned(OVERLAY)
    easy, alpha = f"{TPLD}~easy", f"{TPLD}~alpha"
    assert {f"{rule} {easy} phase2_round0" for rule in PHASE2} <= jobs
    assert not {job for job in jobs if f"{easy} round" in job}
    assert {f"label {alpha} round0", f"train_round {alpha} round1"} <= jobs
    new = {job for job in jobs if job.split()[1:2] not in ([easy], [alpha])}
    assert new == {
        "evaluate target_val " + easy,
        "evaluate target_val " + alpha,
        "compare",
        "report",
    }


def test_a_study_compares_rows_with_those_that_they_differ_from(finished):
    folder = finished.result("studies", "mine")
    rows = [row for row in OVERLAY["methods"] if not row.endswith("alpha")]
    finished.snakemake(overlay={**OVERLAY, "methods": rows}, targets=["study"])
    scores = pd.read_csv(folder / "scores.csv").set_index("row")
    assert scores["against"].fillna("").to_dict() == {
        "source": "", "crst_mrkld": "source", TPLD: "crst_mrkld", f"{TPLD}~easy": TPLD
    }  # fmt: skip
    assert scores.loc[f"{TPLD}~easy", "changes"] == "phase2.easy_portion 0.5, phase2.source_crops 1"
    values = pd.read_csv(folder / "seeds.csv").query("split == 'target_val' and metric == 'mIoU'")
    seeds = values.set_index("method")["value"]
    for row, other in scores["against"].dropna().items():
        assert scores.loc[row, "Δ"] == pytest.approx(seeds[row] - seeds[other], abs=1e-6)
    assert pd.isna(scores.loc["source", "Δ"])
    assert (folder / "scores.svg").read_text().count("easy_portion") > 0
    assert "| crst_mrkld+tpld~easy |" in (folder / "scores.md").read_text()


def test_a_study_of_labels_trains_nothing_and_has_its_controls(finished):
    folder = finished.result("studies", "mine")
    output = finished.snakemake(overlay=OVERLAY, targets=["label_study"])
    assert "train-" not in output and "retraining" not in output
    table = pd.read_csv(folder / "labels.csv").set_index("row")
    curves = pd.read_csv(folder / "curves.csv")
    # The base's own labels lie on both curves; a larger alpha votes for more pixels.
    assert table.loc["crst_mrkld", ["over larger portion", "over lowered thresholds"]].tolist() == (
        pytest.approx([0, 0], abs=1e-6)
    )
    assert table.loc[f"{TPLD}~alpha", "density"] > table.loc[TPLD, "density"]
    assert table.loc[f"{TPLD}~easy", "density"] == table.loc[TPLD, "density"]
    assert curves.groupby("control")["density"].max().tolist() == pytest.approx([100, 100])
    assert "alpha 0.9" in (folder / "labels.svg").read_text()
    added = pd.read_csv(folder / "added.csv").pivot_table("share", "row", "group")
    assert added.loc[TPLD, ["right", "wrong"]].sum() == pytest.approx(100)
    assert "## What voting adds" in (folder / "labels.md").read_text()
    with Image.open(folder / "added.jpg") as picture:
        assert picture.format == "JPEG"


def test_a_study_of_labels_without_a_row_that_labels(finished):
    overlay = {"study": "mine", "methods": ["source", "minent"], "seeds": [0]}
    output = finished.snakemake("--dry-run", overlay=overlay, targets=["label_study"], check=False)
    assert "needs a self-training row in `methods`" in output


def test_a_study_of_the_split_judges_easy_images(finished):
    folder = finished.result("studies", "mine")
    rows = [row for row in OVERLAY["methods"] if not row.endswith("alpha")]
    finished.snakemake(overlay={**OVERLAY, "methods": rows}, targets=["split_study"])
    images = pd.read_csv(folder / "split.csv")
    split = pd.read_csv(finished.result(TPLD, "seed0", "phase2_round0", "split.csv"))
    mine = images[images["row"] == TPLD].set_index("image")
    assert mine["easy"].to_dict() == split.set_index("image")["easy"].to_dict()
    assert images["accuracy"].between(0, 100).all()
    classes = pd.read_csv(folder / "split_classes.csv")
    assert (classes["right"] <= classes["predicted"]).all()
    assert "on easy images" in (folder / "split.md").read_text()
    assert "</svg>" in (folder / "split.svg").read_text()
