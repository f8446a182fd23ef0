import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpld.core.confidence import confident_counts, image_confidence
from tpld.core.split import split_by_confidence


def test_counts_by_hand():
    prediction = np.array([[0, 0, 1], [1, 1, 3]], np.uint8)
    excess = np.array([[0.1, -0.1, 0.0], [0.2, -1, -1]], np.float32)
    predicted, confident = confident_counts(prediction, excess, 4)
    assert predicted.tolist() == [2, 3, 0, 1]
    assert confident.tolist() == [1, 2, 0, 0]


def test_confidence_by_hand():
    predicted, confident, lam = [2, 3, 0, 1], [1, 2, 0, 0], [0.5, 0.8, 1.0, 0.9]
    terms = [1 / 2 / 0.5, 2 / 3 / 0.8]
    assert image_confidence(predicted, confident, lam) == pytest.approx(sum(terms) / 2)
    by_predicted = image_confidence(predicted, confident, lam, divide_by="predicted")
    assert by_predicted == pytest.approx(sum(terms) / 3)
    plain = image_confidence(predicted, confident, lam, weight_by_threshold=False)
    assert plain == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert image_confidence([5, 0], [0, 0], [0.5, 0.5]) == 0
    assert image_confidence([0, 0], [0, 0], [0.5, 0.5], divide_by="predicted") == 0


@given(st.integers(2, 64), st.integers(0, 99), st.integers(1, 9), st.integers(1, 9))
def test_counts_equal_masks(num_classes, seed, height, width):
    rng = np.random.default_rng(seed)
    prediction = rng.integers(num_classes, size=(height, width)).astype(np.uint8)
    excess = rng.choice(np.array([-0.5, -0.0, 0.0, 1e-30, -1e-30], np.float32), (height, width))
    predicted, confident = confident_counts(prediction, excess, num_classes)
    for k in range(num_classes):
        assert predicted[k] == (prediction == k).sum()
        assert confident[k] == ((prediction == k) & (excess >= 0)).sum()


def test_confidence_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="is this log λ"):
        image_confidence([1], [1], [-0.1])
    with pytest.raises(ValueError, match="swapped"):
        image_confidence([1], [2], [0.5])
    with pytest.raises(ValueError, match="divide_by is 'all'"):
        image_confidence([1], [1], [0.5], divide_by="all")  # pyright: ignore
    with pytest.raises(ValueError, match="class ids from 0 to 1"):
        confident_counts(np.full((1, 1), 2, np.uint8), np.zeros((1, 1)), 2)


def test_split_takes_the_best_and_breaks_ties_by_name():
    names = ["d", "c", "b", "a"]
    assert split_by_confidence(names, [0.1, 0.9, 0.5, 0.5], 0.5) == ["c", "a"]
    assert split_by_confidence(names, [0.1, 0.9, 0.5, 0.5], 0.75) == ["c", "a", "b"]
    assert split_by_confidence(names, [1, 1, 1, 1], 1.0) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("images", "portion", "easy"),
    [(10, 0.3, 3), (100, 0.29, 29), (10, 0.39, 3), (10, 0.01, 1), (10, 0, 0), (10, 0.99, 9),
     (2, 0.3, 1), (1, 0.3, 0), (1, 1, 1), (0, 0.3, 0), (2975, 0.3, 892)],
)  # fmt: skip
def test_number_of_easy_images(images, portion, easy):
    names = [f"{i:04}" for i in range(images)]
    assert len(split_by_confidence(names, [0.5] * images, portion)) == easy


def test_split_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="2 names but 1"):
        split_by_confidence(["a", "b"], [1])
    with pytest.raises(ValueError, match="not unique: a"):
        split_by_confidence(["a", "a"], [1, 2])
    with pytest.raises(ValueError, match="the first is b"):
        split_by_confidence(["a", "b"], [1, float("nan")])
