import pytest

from tpld.core.schedule import polynomial_decay, portion_of_round, source_share_of_round


def test_portions_of_the_paper():
    assert [portion_of_round(r) for r in range(9)] == [
        0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.5, 0.5,
    ]  # fmt: skip


def test_source_share_grows_to_its_maximum():
    assert [source_share_of_round(r) for r in (0, 1, 2, 12, 13)] == [
        0.03,
        0.0325,
        0.035,
        0.06,
        0.06,
    ]


def test_polynomial_decay():
    assert polynomial_decay(0, 100) == 1
    assert polynomial_decay(50, 100) == pytest.approx(0.5**0.9)
    assert polynomial_decay(100, 100) == polynomial_decay(101, 100) == 0


def test_negative_rounds_and_steps_are_refused():
    with pytest.raises(ValueError, match="rounds count from 0"):
        portion_of_round(-1)
    with pytest.raises(ValueError, match="step -1 of 10"):
        polynomial_decay(-1, 10)
