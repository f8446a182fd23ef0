"""Groups of added pixels, by hand."""

import numpy as np
import pytest

from tpld.study import added
from tpld.study.added import AddedPixels, near_boundary

BARS = np.log(np.array([0.8, 0.5], np.float32))


def log_p(*of_class_0: float) -> np.ndarray:
    """One row of pixels of two classes."""
    p = np.array(of_class_0, np.float32)[None]
    return np.log(np.stack([p, 1 - p]))


def test_added_pixels_fall_into_their_groups():
    """λ is 0.8 and 0.5, lowered by 0.75 to 0.6 and 0.375; the first pixel is confident.

    p[0]      0.90  0.70   0.55  0.65   0.52   0.64
    argmax r  0     0      1     0      1      0     of r = .. 0.875 | .69, .9 | .81 | .65, .96 | .8
    lowered         yes    yes   yes    yes    yes
    voted           0      0     none   1      0
    truth     0     0      1     0      255    1
    """
    counts = AddedPixels(BARS, 0.75)
    label = np.array([[0, 0, 0, 255, 1, 0]], np.uint8)
    origin = np.array([[1, 2, 3, 0, 2, 2]], np.uint8)
    truth = np.array([[0, 0, 1, 0, 255, 1]], np.uint8)
    counts.add(log_p(0.9, 0.7, 0.55, 0.65, 0.52, 0.64), label, origin, truth)
    table = counts.table().set_index("group")
    third = pytest.approx(100 / 3)
    assert table.loc[added.VOTED, "share"] == 100
    assert table.loc[added.VOTED, "accuracy"] == third
    assert tuple(table.loc[added.SAME, ["share", "accuracy"]]) == pytest.approx((200 / 3, 50))
    assert tuple(table.loc[added.OTHER, ["share", "accuracy"]]) == pytest.approx((100 / 3, 0))
    assert tuple(table.loc[added.BOTH, ["share", "accuracy"]]) == pytest.approx((100, 100 / 3))
    assert table.loc[added.VOTING_ALONE, "share"] == 0
    assert np.isnan(table.loc[added.VOTING_ALONE, "accuracy"])
    assert tuple(table.loc[added.LOWERED_ALONE, ["share", "accuracy"]]) == (third, 100)
    assert (table.loc[added.RIGHT, "share"], table.loc[added.WRONG, "share"]) == pytest.approx(
        (100 / 3, 200 / 3)
    )


def test_a_higher_factor_leaves_more_to_voting_alone():
    counts = AddedPixels(BARS, 0.95)
    counts.add(
        log_p(0.7, 0.51),
        np.array([[0, 1]], np.uint8),
        np.array([[2, 2]], np.uint8),
        np.array([[0, 1]], np.uint8),
    )
    table = counts.table().set_index("group")
    assert table.loc[added.BOTH, "share"] == table.loc[added.VOTING_ALONE, "share"] == 50


def test_near_a_boundary_is_within_three_pixels_of_another_class():
    truth = np.zeros((9, 20), np.uint8)
    truth[:, 10:] = 4
    near = near_boundary(truth)
    assert near[:, 7:13].all()
    assert not near[:, :7].any()
    assert not near[:, 13:].any()
    assert not near_boundary(np.full((9, 20), 3, np.uint8)).any()
