import math

import numpy as np
import pandas as pd
import pytest

from tpld.evaluation.confusions import confusions_to_table, read_confusions
from tpld.evaluation.labels import summarise_labels
from tpld.evaluation.metrics import confusion_matrix, iou, summarise
from tpld.stages.thresholds import COLUMNS, read_thresholds

TRUTH = np.array([[0, 0, 1, 255], [1, 1, 2, 255]], np.uint8)
SEEN = np.array([[0, 1, 1, 0], [1, 0, 1, 2]], np.uint8)
# truth 0: one right, one taken for 1; truth 1: two right, one taken for 0; truth 2: taken for 1
MATRIX = np.array([[1, 1, 0], [1, 2, 0], [0, 1, 0]])


def test_confusion_counts_truth_by_row_and_leaves_255_out():
    assert confusion_matrix(TRUTH, SEEN, 3).tolist() == MATRIX.tolist()
    assert confusion_matrix(TRUTH, SEEN, 3).dtype == np.int64


def test_confusion_without_a_valid_pixel():
    assert not confusion_matrix(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8), 3).any()


def test_confusion_of_many_classes_does_not_overflow_uint8():
    truth = np.full(5, 200, np.uint8)
    matrix = confusion_matrix(truth, np.full(5, 199, np.uint8), 254)
    assert matrix[200, 199] == 5
    assert matrix.sum() == 5


@pytest.mark.parametrize("size", [1, 7, 8, 333, 300_000])
@pytest.mark.parametrize("run", [1, 5, 64])
def test_confusion_equals_a_count_by_hand(size, run):
    """Runs of equal pixels, as in images, and none; sizes that fill words and parts, and do not."""
    rng = np.random.default_rng(size + run)
    truth, seen = (np.repeat(rng.integers(0, 20, size), run)[:size] for _ in range(2))
    truth[truth == 19], seen[seen == 19] = 255, 0
    valid = truth < 19
    wanted = np.bincount(19 * truth[valid] + seen[valid], minlength=361).reshape(19, 19)
    for kind in (np.uint8, np.int64):
        assert (confusion_matrix(truth.astype(kind), seen.astype(kind), 19) == wanted).all()


def test_confusion_refuses_what_it_cannot_count():
    with pytest.raises(ValueError, match="shapes differ"):
        confusion_matrix(TRUTH, SEEN[:1], 3)
    with pytest.raises(ValueError, match="1 pixels are predicted as classes beyond 1"):
        confusion_matrix(TRUTH.clip(max=1), SEEN, 2)


def test_iou_by_hand():
    # class 0: 1 of (2 true + 2 seen - 1); class 1: 2 of (3 + 4 - 2); class 2: 0 of (1 + 0 - 0)
    assert iou(MATRIX).tolist() == pytest.approx([100 / 3, 40, 0])


def test_a_class_that_occurs_nowhere_is_nan_and_does_not_pull_the_mean_down():
    matrix = np.zeros((4, 4), int)
    matrix[:3, :3] = MATRIX
    values = iou(matrix)
    assert math.isnan(values[3])
    figures = summarise(matrix, ["a", "b", "c", "d"], {"of d": ["d"], "c and d": ["c", "d"]})
    assert figures["mIoU"] == pytest.approx((100 / 3 + 40 + 0) / 3)
    assert math.isnan(figures["of d"])
    assert figures["c and d"] == 0


def test_a_class_that_is_only_predicted_counts_as_wrong():
    matrix = np.array([[4, 1], [0, 0]])
    assert iou(matrix).tolist() == [80, 0]


def test_summarise_by_hand():
    figures = summarise(MATRIX, ["road", "car", "sky"], {"R": ["sky", "car"], "one": ["road"]})
    assert list(figures.index) == ["mIoU", "R", "one", "accuracy", "road", "car", "sky"]
    assert figures["R"] == pytest.approx(20)
    assert figures["one"] == pytest.approx(100 / 3)
    assert figures["accuracy"] == pytest.approx(50)
    assert figures["car"] == pytest.approx(40)


def test_summarise_of_nothing():
    figures = summarise(np.zeros((2, 2), int), ["a", "b"], {})
    assert math.isnan(figures["mIoU"])
    assert figures["accuracy"] == 0


# --- pseudo labels ----------------------------------------------------------------------------

COUNTS = pd.DataFrame(
    [
        ("road", "confident", 40, 36),
        ("car", "confident", 10, 9),
        ("road", "voted_1", 20, 15),
        ("car", "voted_2", 5, 0),
        ("none", "none", 25, 0),
    ],
    columns=["class", "origin", "pixels", "correct"],
)


def test_density_and_accuracy_by_hand():
    assert summarise_labels(COUNTS) == pytest.approx(
        {
            "density": 75,
            "accuracy": 80,
            "confident density": 50,
            "confident accuracy": 90,
            "voted_1 density": 20,
            "voted_1 accuracy": 75,
            "voted_2 density": 5,
            "voted_2 accuracy": 0,
        }
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_ground_truth_there_is_density_and_no_accuracy(nothing):
    figures = summarise_labels(COUNTS.assign(correct=nothing))
    assert figures["density"] == 75
    assert figures["voted_1 density"] == 20
    assert all(math.isnan(v) for k, v in figures.items() if k.endswith("accuracy"))


def test_the_table_survives_its_file(tmp_path):
    COUNTS.to_csv(tmp_path / "labels.csv", index=False)
    table = pd.read_csv(tmp_path / "labels.csv", keep_default_na=False)
    assert summarise_labels(table) == summarise_labels(COUNTS)


def test_labels_of_nothing():
    figures = summarise_labels(COUNTS[COUNTS["origin"] == "none"])
    assert figures["density"] == 0
    assert math.isnan(figures["accuracy"])
    assert summarise_labels(COUNTS.iloc[:0])["density"] == 0


@pytest.mark.parametrize("names", [["None", "road"], ["1", "2"], ["01", "NA"], ["true", "false"]])
def test_class_names_that_look_like_something_else(tmp_path, names):
    matrix = np.arange(4).reshape(2, 2)
    confusions_to_table({"p": matrix}, names).to_csv(tmp_path / "c.csv", index=False)
    assert read_confusions(tmp_path / "c.csv", names)["p"].tolist() == matrix.tolist()
    table = pd.DataFrame({column: [-0.1, -0.2] for column in COLUMNS})
    table = table.assign(**{"class": names, "mined": False})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert list(read_thresholds(tmp_path / "t.csv", names)["class"]) == names
