"""Maps like a network's, for the benchmarks: from CamVid's labels, else from a drawn street.

The eleven CamVid classes become nineteen by cutting the eight largest in a left and a right half;
labels become logits by smoothing them, with noise in blobs of the size that networks err in.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

CLASSES = 19
STRIDE = 8
_CAMVID = Path(__file__).resolve().parents[2] / "shared" / "camvid" / "labels"


def label_map(size: tuple[int, int], index: int = 0) -> np.ndarray:
    """uint8 (H, W), 0 to 18, and 255 for what CamVid leaves out."""
    files = sorted(_CAMVID.rglob("*.png"))
    if not files:
        return _street(size, index)
    with Image.open(files[index * 37 % len(files)]) as image:
        seen = np.array(image.resize(size[::-1], Image.Resampling.NEAREST))
    classes = np.where(seen < 11, seen, 255).astype(np.uint8)
    right = np.arange(size[1]) >= size[1] // 2
    return np.where((classes < 8) & right, classes + 11, classes).astype(np.uint8)


def low_logits(size: tuple[int, int], index: int = 0, sharpness: float = 9.0) -> np.ndarray:
    """float32 (2, K, H/8, W/8): image and mirror view of an 8-fold downsampled network."""
    low = (size[0] // STRIDE, size[1] // STRIDE)
    rng = np.random.default_rng(index)
    truth = label_map(low, index)
    planes = np.stack([gaussian_filter((truth == k).astype(np.float32), 1) for k in range(CLASSES)])
    blobs = rng.standard_normal((2, CLASSES, *low)).astype(np.float32)
    blobs = np.stack([[gaussian_filter(plane, 3) for plane in view] for view in blobs])
    views = sharpness * planes + 2.0 * blobs / blobs.std() + 0.3 * rng.standard_normal(blobs.shape)
    return np.stack([views[0], views[1, ..., ::-1]]).astype(np.float32)


def _street(size: tuple[int, int], index: int) -> np.ndarray:
    """Sky, houses, road and things on it, where CamVid is not at hand."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[: size[0], : size[1]] / np.array(size)[:, None, None]
    out = np.where(y < 0.35, 0, np.where(y < 0.6, 1, 2)).astype(np.uint8)
    for k in range(3, CLASSES):
        for _ in range(4):
            cy, cx, half_y, half_x = rng.random(4) * [1, 1, 0.08, 0.05]
            out[(abs(y - cy) < half_y) & (abs(x - cx) < half_x)] = k
    out[y > 0.97] = 255
    return out
