"""Ids from colours: exact matches alone, and unknown colours by name and count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tpld.data.colors import ids_of_colors, unknown_colors

# Few levels, so that equal colours and colours that differ in one channel alone are frequent.
LEVEL = st.sampled_from([0, 1, 127, 128, 254, 255])
COLOR = st.tuples(LEVEL, LEVEL, LEVEL)


@st.composite
def cases(draw):
    colors = draw(st.lists(COLOR, min_size=1, max_size=40, unique=True))
    ids = draw(st.lists(st.integers(0, 2**40), min_size=len(colors), max_size=len(colors)))
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)), 3)
    rgb = draw(hnp.arrays(np.uint8, shape, elements=LEVEL))
    return rgb, np.array(colors, np.uint8), np.array(ids, np.int64)


@given(cases())
def test_against_a_dictionary(case):
    rgb, colors, ids = case
    known = {tuple(color): i for color, i in zip(colors.tolist(), ids.tolist(), strict=True)}
    found = ids_of_colors(rgb, colors, ids)
    assert found.dtype == np.int64 and found.shape == rgb.shape[:2]
    pixels = [tuple(pixel) for pixel in rgb.reshape(-1, 3).tolist()]
    assert found.ravel().tolist() == [known.get(pixel, -1) for pixel in pixels]
    strange = [pixel for pixel in pixels if pixel not in known]
    counts = unknown_colors(rgb, colors)
    assert counts == {pixel: strange.count(pixel) for pixel in set(strange)}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)


def test_images_that_are_views_of_others():
    """Turned, cropped and BGR arrays are not contiguous."""
    rng = np.random.default_rng(0)
    colors = rng.permutation(256)[:30].astype(np.uint8).reshape(10, 3)
    label = rng.integers(0, 10, (7, 9))
    ids = np.arange(10) + 5
    for rgb, wanted in (
        (colors[label][:, ::-1], label[:, ::-1]),
        (colors[label].transpose(1, 0, 2), label.T),
        (colors[label][..., ::-1][..., ::-1][2:, 3:], label[2:, 3:]),
    ):
        assert (ids_of_colors(rgb, colors, ids) == wanted + 5).all()
        assert unknown_colors(rgb, colors) == {}


@pytest.mark.parametrize(
    ("colors", "ids"), [([[1, 2, 3], [1, 2, 3]], [0, 1]), ([[1, 2, 3]], [0, 1]), ([[1, 2, 3]], [])]
)
def test_a_colour_has_one_id(colors, ids):
    with pytest.raises(ValueError, match="each colour has one id"):
        ids_of_colors(np.zeros((1, 1, 3), np.uint8), np.array(colors, np.uint8), np.array(ids))
