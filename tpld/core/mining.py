"""Where to crop a target image: rare-class patch mining (METHOD 7)."""

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike

from tpld.core import checks


def crop_origin(
    label: ArrayLike | None,
    classes: Collection[int],
    crop_hw: tuple[int, int],
    image_hw: tuple[int, int],
    rng: np.random.Generator,
    probability: float = 0.8,
) -> tuple[int, int]:
    """Upper left corner (y0, x0) of a training crop, in pixels. METHOD 7 [C].

    With `probability`, if the pseudo label holds mined classes: pick one of those present, then
    one of its pixels, both uniformly, and centre the crop there, shifted to stay inside. Else, and
    for label None or no mined classes, a uniformly random crop.

    label: (H, W) uint8, 255 = none, of size image_hw; classes: ids of the mined classes
    (`thresholds.mined_classes`). An axis on which the image is smaller than the crop starts at 0,
    and the caller pads. Raises ValueError where label and image_hw differ.
    """
    checks.share("probability", probability)
    # Drawn in any case: the random stream does not depend on what the labels hold.
    mine = rng.random() < probability
    if label is not None and mine and len(classes):
        label = np.asarray(label)
        if label.shape != tuple(image_hw):
            raise ValueError(f"label has shape {label.shape}, the image {tuple(image_hw)}")
        pixel = _rare_pixel(label, classes, rng)
        if pixel is not None:
            y0, x0 = (_centred(*axis) for axis in zip(pixel, crop_hw, image_hw, strict=True))
            return y0, x0
    y0, x0 = (_uniform(*axis, rng) for axis in zip(crop_hw, image_hw, strict=True))
    return y0, x0


def _rare_pixel(label, classes, rng) -> tuple[int, int] | None:
    """(y, x) of a pixel of one of the classes present, or None."""
    counts = np.bincount(label.ravel(), minlength=256)
    present = [c for c in sorted({int(c) for c in classes}) if counts[c] > 0]
    if not present:
        return None
    pixels = np.flatnonzero(label == present[int(rng.integers(len(present)))])
    y, x = divmod(int(pixels[int(rng.integers(len(pixels)))]), label.shape[1])
    return y, x


def _centred(pixel: int, crop: int, size: int) -> int:
    """Start of a crop that has `pixel` at its centre, or as near as the image allows."""
    return max(0, min(pixel - crop // 2, size - crop))


def _uniform(crop: int, size: int, rng: np.random.Generator) -> int:
    return int(rng.integers(size - crop + 1)) if size > crop else 0
