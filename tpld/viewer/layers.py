"""One layer of one image as a PNG (or the photo as a JPEG), transparent where it has nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from tpld.core.labels import IGNORE
from tpld.report.colors import (
    CONFIDENCE_MAP,
    RIGHT,
    SURE,
    UNKNOWN,
    UNSURE,
    WRONG,
    color_of_origin,
    rgb,
)

_SCORE_TOP = 1.5  # normalised scores above it look the same
_CLEAR = 255  # palette entry without colour


def photo(image: np.ndarray, width: int | None = None) -> bytes:
    """uint8 (H, W, 3) as a JPEG, shrunk to a width in pixels if it is wider."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    if width and picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    return _encoded(picture, "JPEG", quality=80 if width else 92, subsampling=0)


def class_map(label: np.ndarray, colors: np.ndarray, only: Sequence[int] = ()) -> bytes:
    """uint8 (H, W) in class colours (K, 3); `only` some classes, if any are named."""
    shown = label.copy()
    shown[label >= len(colors)] = _CLEAR
    if only:
        shown[~np.isin(label, list(only))] = _CLEAR
    return _indexed(shown, colors)


def origin_map(origin: np.ndarray, meanings: dict[int, str]) -> bytes:
    """uint8 (H, W), where each label comes from."""
    values = [value for value, meaning in meanings.items() if meaning != "none"]
    shown = np.full(origin.shape, _CLEAR, np.uint8)
    for place, value in enumerate(values):
        shown[origin == value] = place
    colors = [rgb(color_of_origin(meanings[value])) for value in values]
    return _indexed(shown, np.array(colors, np.uint8).reshape(-1, 3))


def confidence_map(log_p: np.ndarray) -> bytes:
    """float (H, W), log of the predicted class's probability; bright is sure, dark is not."""
    loss = np.clip(-log_p, SURE, UNSURE)
    place = 1 - np.log(loss / SURE) / np.log(UNSURE / SURE)
    return _indexed((place * 254).astype(np.uint8), _confidence_colors())


def score_map(excess: np.ndarray) -> bytes:
    """float (H, W), r - 1 of a class: orange to white under the bar, violet from it on."""
    under = 126 * (np.clip(excess, -1, 0) + 1)
    over = 127 + 127 * np.clip(excess / (_SCORE_TOP - 1), 0, 1)
    return _indexed(np.where(excess < 0, under, over).astype(np.uint8), _score_colors())


def error_map(given: np.ndarray, truth: np.ndarray) -> bytes:
    """Where labels (H, W) agree with the ground truth; grey where that has nothing to say."""
    shown = np.where(given == truth, 0, 1).astype(np.uint8)
    shown[truth == IGNORE] = 2
    shown[given == IGNORE] = _CLEAR
    return _indexed(shown, np.array([RIGHT, WRONG, UNKNOWN], np.uint8))


def scale(layer: str) -> bytes:
    """The colours of a scale from its lowest to its highest value, a pixel high."""
    colors = _confidence_colors() if layer == "confidence" else _score_colors()
    return _encoded(Image.fromarray(colors[None]), "PNG")


@cache
def _confidence_colors() -> np.ndarray:
    """uint8 (255, 3)."""
    from matplotlib import colormaps

    return (colormaps[CONFIDENCE_MAP](np.linspace(0, 1, 255))[:, :3] * 255).astype(np.uint8)


@cache
def _score_colors() -> np.ndarray:
    """uint8 (255, 3): a step in the middle, where r = 1, so that the bar shows as an edge."""
    from matplotlib import colormaps

    places = np.concatenate([np.linspace(0, 0.5, 127), np.linspace(0.75, 1, 128)])
    return (colormaps["PuOr"](places)[:, :3] * 255).astype(np.uint8)


def _indexed(shown: np.ndarray, colors: np.ndarray) -> bytes:
    """Palette picture whose entry 255 is clear."""
    picture = Image.fromarray(np.ascontiguousarray(shown))
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colors)] = colors
    picture.putpalette(palette.tobytes())
    alpha = bytes([255] * 255 + [0])
    return _encoded(picture, "PNG", transparency=alpha, compress_level=3)


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
