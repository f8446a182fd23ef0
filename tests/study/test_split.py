"""Easy and hard images, by hand."""

import numpy as np
import pandas as pd
import pytest

from tpld.study.split import SplitCounts, describe_classes, describe_split

BARS = np.log(np.array([0.8, 0.4], np.float32))


def counted() -> SplitCounts:
    """Two easy images and a hard one, of two classes; λ is 0.8 and 0.4.

    p[0] 0.7 is class 0 by p, class 0 by r (0.875 > 0.75); 0.6 is 0 by p, 1 by r (0.75 < 1).
    """
    counts = SplitCounts(["a", "b"], BARS)
    for name, confidence, easy, p, truth in (
        ("x", 0.9, True, (0.7, 0.6, 0.1), (0, 0, 255)),
        ("y", 0.8, True, (0.7, 0.6, 0.1), (0, 1, 0)),
        ("z", 0.2, False, (0.1, 0.7, 0.7), (1, 1, 1)),
    ):
        of_a = np.array([p], np.float32)
        log_p = np.log(np.stack([of_a, 1 - of_a]))
        counts.add(name, confidence, easy, log_p, np.array([truth], np.uint8))
    return counts


def test_each_image_has_its_accuracy_by_p_and_by_r():
    table = counted().images().set_index("image")
    assert table["accuracy"].tolist() == pytest.approx([100, 100 / 3, 100 / 3])
    assert table["accuracy of argmax r"].tolist() == pytest.approx([50, 200 / 3, 100 / 3])
    assert table["easy"].tolist() == [True, True, False]


def test_classes_are_counted_on_each_side():
    table = counted().classes().set_index(["class", "easy"])
    assert table.loc[("a", True)].tolist() == [4, 4, 3]
    assert table.loc[("b", True)].tolist() == [1, 1, 0]
    assert table.loc[("b", False)].tolist() == [3, 1, 1]
    described = describe_classes(counted().classes()).set_index("class")
    assert described.loc["a", "on easy images"] == 100
    assert described.loc["b", "on easy images"] == 25
    assert described.loc["a", "easy: precision"] == 75
    assert np.isnan(described.loc["a", "hard: recall"])


def test_the_summary_is_a_mean_over_seeds():
    first = counted().images().assign(row="r", changes="", seed=0)
    second = first.assign(seed=1, confidence=[0.2, 0.8, 0.9])
    line = describe_split(pd.concat([first, second])).iloc[0]
    assert line["easy: accuracy"] == pytest.approx(200 / 3)
    assert line["hard: accuracy of argmax r"] == pytest.approx(100 / 3)
    # Ranks of accuracy are 3, 1.5, 1.5: against 3, 2, 1 and 1, 2, 3 they cancel.
    assert line["rank correlation"] == pytest.approx(0)


def test_a_side_without_images_is_empty():
    images = counted().images().assign(row="r", changes="", seed=0)
    line = describe_split(images[images["easy"]]).iloc[0]
    assert np.isnan(line["hard: accuracy"])
