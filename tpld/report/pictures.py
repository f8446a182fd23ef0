"""Images and label maps as small pictures that the page carries itself."""

from __future__ import annotations

import io

import numpy as np
from matplotlib import cm, colormaps, colors
from PIL import Image

from tpld.data.sources import IGNORE
from tpld.report.blocks import Plot
from tpld.report.colors import CONFIDENCE_MAP, RIGHT, SURE, UNKNOWN, UNSURE, WRONG
from tpld.report.style import data_uri, figure, plot

WIDTH = 480
INFORMATION_TOP = 0.8
"""Self-information above this looks the same; two classes of equal p have 1 / log2 K."""


def photo(image: np.ndarray, width: int = WIDTH) -> str:
    """uint8 (H, W, 3) as a JPEG of at most `width` pixels."""
    return _jpeg(_shrink(image, width))


def label_map(label: np.ndarray, palette: np.ndarray, width: int = WIDTH) -> str:
    """uint8 (H, W) in class colours, white where there is no label, as a PNG."""
    small = _sample(label, width)
    shown = palette.copy()
    shown[IGNORE] = 255
    picture = Image.fromarray(small, mode="P")
    picture.putpalette(shown.tobytes())
    return _png(picture)


def confidence_map(log_p: np.ndarray, width: int = WIDTH) -> str:
    """float (H, W), log of the predicted class's probability: bright is sure, dark is not."""
    loss = np.clip(-_sample(log_p, width), SURE, UNSURE)
    place = 1 - np.log(loss / SURE) / np.log(UNSURE / SURE)
    rgb = (colormaps[CONFIDENCE_MAP](place)[..., :3] * 255).astype(np.uint8)
    return _jpeg(Image.fromarray(rgb))


def information_map(information: np.ndarray, width: int = WIDTH) -> str:
    """float (H, W), self-information from 0 (dark) to `INFORMATION_TOP` and more (bright)."""
    place = np.clip(_sample(information, width) / INFORMATION_TOP, 0, 1)
    rgb = (colormaps[CONFIDENCE_MAP](place)[..., :3] * 255).astype(np.uint8)
    return _jpeg(Image.fromarray(rgb))


def information_scale() -> Plot:
    """The colour scale of `information_map`."""
    scale = cm.ScalarMappable(colors.Normalize(0, INFORMATION_TOP), CONFIDENCE_MAP)
    with figure(5, 0.75) as drawing:
        bar = drawing.colorbar(scale, cax=drawing.add_subplot(), orientation="horizontal")
        bar.ax.grid(visible=False)
        bar.set_label("self-information, a share of its largest value")
        return plot(drawing, "Colour scale of the self-information maps", wide=False)


def added_canvas(
    image: np.ndarray,
    added: np.ndarray,
    label: np.ndarray,
    truth: np.ndarray | None,
    width: int = WIDTH,
) -> np.ndarray:
    """Added pixels in colour over the grey image, uint8 (h, w, 3).

    Args:
        image: uint8 (H, W, 3).
        added: bool (H, W), the pixels that were labelled.
        label: uint8 (H, W), pseudo labels.
        truth: uint8 (H, W) or None; with it, colour tells right from wrong.
        width: bound of the picture's width in pixels.
    """
    grey = np.asarray(_shrink(image, width).convert("L"), np.float32)
    grey *= min(4.0, 255 / max(float(np.percentile(grey, 98)), 1.0))  # night scenes show too
    canvas = np.repeat((60 + 0.45 * np.minimum(grey, 255))[..., None], 3, axis=2)
    on, given = _sample(added, width), _sample(label, width)
    true = None if truth is None else _sample(truth, width)
    color = np.empty(canvas.shape, np.float32)
    color[:] = RIGHT
    if true is not None:
        color[true != given] = WRONG
        color[true == IGNORE] = UNKNOWN
    canvas[on] = 0.15 * canvas[on] + 0.85 * color[on]
    return canvas.astype(np.uint8)


def _size(shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """Height and width after shrinking; small images keep theirs."""
    full_height, full_width = shape[:2]
    new = min(width, full_width)
    return max(1, round(full_height * new / full_width)), new


def _shrink(image: np.ndarray, width: int) -> Image.Image:
    height, new = _size(image.shape, width)
    return Image.fromarray(image).resize((new, height), Image.Resampling.LANCZOS)


def _sample(layer: np.ndarray, width: int) -> np.ndarray:
    """Every n-th pixel: classes cannot be averaged."""
    height, new = _size(layer.shape, width)
    rows = ((np.arange(height) + 0.5) * layer.shape[0] / height).astype(int)
    columns = ((np.arange(new) + 0.5) * layer.shape[1] / new).astype(int)
    return np.ascontiguousarray(layer[rows[:, None], columns])


def _jpeg(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=86, subsampling=0, optimize=True)
    return data_uri(buffer.getvalue(), "image/jpeg")


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")
