"""Thumbnails: size, exact class colours, and the colours of right and wrong."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tpld.report import colors, pictures

PALETTE = np.zeros((256, 3), np.uint8)
PALETTE[:2] = [(128, 64, 128), (0, 0, 230)]


def decode(uri: str) -> np.ndarray:
    content = uri.split("base64,")[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def test_pictures_shrink_to_the_bound_and_keep_their_shape():
    picture = decode(pictures.photo(np.zeros((1024, 2048, 3), np.uint8)))
    assert picture.shape == (240, 480, 3)
    small = decode(pictures.photo(np.zeros((64, 128, 3), np.uint8)))
    assert small.shape == (64, 128, 3)


def test_label_maps_show_exact_colours_and_white_gaps():
    label = np.repeat(np.array([0, 1, 255], np.uint8), 300)[None].repeat(300, axis=0)
    picture = decode(pictures.label_map(label, PALETTE))
    assert picture.shape == (160, 480, 3)
    assert picture[80, [20, 240, 460]].tolist() == [[128, 64, 128], [0, 0, 230], [255] * 3]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3


def test_added_labels_are_coloured_by_right_wrong_and_unknown():
    image = np.full((48, 64, 3), 100, np.uint8)
    added = np.ones((48, 64), bool)
    added[:, 48:] = False
    label = np.zeros((48, 64), np.uint8)
    truth = np.zeros((48, 64), np.uint8)
    truth[:, 16:32], truth[:, 32:48] = 1, 255
    picture = pictures.added_canvas(image, added, label, truth).astype(int)
    seen = picture[24, [8, 24, 40, 56]]
    base = seen[3].mean()
    assert seen[3] == pytest.approx([60 + 0.45 * 255] * 3, abs=4)
    for color, wanted in zip(seen[:3], (colors.RIGHT, colors.WRONG, colors.UNKNOWN), strict=True):
        assert color == pytest.approx(0.15 * base + 0.85 * np.array(wanted), abs=4)
    blind = pictures.added_canvas(image, added, label, None).astype(int)
    assert blind[24, 24] == pytest.approx(blind[24, 8], abs=4)


def test_confidence_is_bright_where_sure():
    log_p = np.log(np.repeat([0.99999, 0.99, 0.2], 20))[None].repeat(20, axis=0)
    light = decode(pictures.confidence_map(log_p)).astype(int).sum(axis=2)[10, [10, 30, 50]]
    assert light[0] > light[1] > light[2]
