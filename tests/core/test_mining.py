import numpy as np
import pytest

from tpld.core.mining import crop_origin

LABEL = np.full((60, 100), 255, np.uint8)
LABEL[30, 50] = 3
LABEL[0, 0] = 4


def origins(n=200, label=LABEL, classes=(3,), crop=(20, 30), image=(60, 100), **keys):
    rng = np.random.default_rng(0)
    return {crop_origin(label, classes, crop, image, rng, **keys) for _ in range(n)}


def test_centred_on_the_rare_pixel():
    assert origins(probability=1.0) == {(20, 35)}


def test_shifted_to_stay_inside():
    assert origins(probability=1.0, classes=[4]) == {(0, 0)}


def test_each_present_class_gets_its_turn_whatever_its_size():
    label = LABEL.copy()
    label[50:, 60:] = 4  # 400 pixels of class 4 against one of class 3, and none of class 9
    rng = np.random.default_rng(0)
    hits = [
        crop_origin(label, [3, 4, 9], (20, 30), (60, 100), rng, 1.0) == (20, 35) for _ in range(400)
    ]
    assert 0.4 < np.mean(hits) < 0.6


def test_probability():
    rng = np.random.default_rng(1)
    mined = [crop_origin(LABEL, [3], (20, 30), (60, 100), rng) == (20, 35) for _ in range(1000)]
    assert 0.76 < np.mean(mined) < 0.84


@pytest.mark.parametrize(
    "keys", [{"label": None}, {"classes": []}, {"classes": [9]}, {"probability": 0.0}]
)
def test_uniform_otherwise(keys):
    found = origins(n=3000, **keys)
    ys, xs = {y for y, _ in found}, {x for _, x in found}
    assert ys == set(range(41)) and xs == set(range(71))


def test_small_image_starts_at_zero():
    assert origins(crop=(80, 120)) == {(0, 0)}
    assert {y for y, _ in origins(crop=(80, 30), probability=0.0)} == {0}
    assert origins(crop=(60, 100), probability=1.0) == {(0, 0)}


def test_label_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"label has shape \(60, 100\), the image \(50, 100\)"):
        origins(image=(50, 100), probability=1.0)
