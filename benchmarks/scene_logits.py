"""Low-resolution logits of a plausible network, from the label maps of CamVid.

What speed and size depend on is in them: regions of real shape and size, soft borders, two views
that differ, mistakes in patches rather than in single pixels, classes of unequal difficulty.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

SIZE = (1024, 2048)
# Of a network with output stride 8 on the image scaled by 0.9.
LOW = (116, 231)
CLASSES = 19
# CamVid has 11: the right parts of its large regions stand for the others.
_HALVES = {1: 12, 3: 13, 4: 14, 5: 15, 8: 16, 2: 17, 0: 18}
# Factor on the logits; with 5, more than half of the pixels have a softmax above 0.9999.
SHARPNESS = {"calm": 1.0, "overconfident": 5.0}


def scene_logits(camvid: Path, i: int, network: str, low: tuple[int, int] = LOW) -> np.ndarray:
    """float32 (2, 19, h, w): image and mirror view, the latter as the network would give it."""
    rng, (h, w) = np.random.default_rng(i), low
    scene = _scene(camvid, i, low)[None] == np.arange(CLASSES)[:, None, None]
    scene = gaussian_filter(scene.astype(np.float32), (0, 0.8, 0.8))
    margin = rng.uniform(3, 9, (CLASSES, 1, 1))
    confusion = 0.8 * rng.standard_normal((CLASSES, CLASSES))
    wanted = margin * scene + np.einsum("kc,cyx->kyx", confusion, scene)
    views = [wanted + 0.5 * _noise(rng, 1, h, w) + _noise(rng, 5, h, w) for _ in range(2)]
    views[1] = views[1][:, :, ::-1]
    return (SHARPNESS[network] * np.stack(views)).astype(np.float32)


def _scene(camvid: Path, i: int, low: tuple[int, int]) -> np.ndarray:
    """Class ids (h, w) of the i-th target image: the middle two thirds of its height."""
    names = (camvid / "splits" / "target_train.txt").read_text().split()
    with Image.open(camvid / "labels" / f"{names[i % len(names)]}.png") as image:
        label = np.asarray(image)[60:300]
    rows, columns = (np.arange(n) * m // n for n, m in zip(low, label.shape, strict=True))
    label = label[rows][:, columns].copy()
    right = np.arange(low[1]) > 0.55 * low[1]
    for left_class, right_class in _HALVES.items():
        label[(label == left_class) & right] = right_class
    label[label == 11] = 7  # void
    return label


def _noise(rng: np.random.Generator, smooth: float, h: int, w: int) -> np.ndarray:
    noise = gaussian_filter(rng.standard_normal((CLASSES, h, w)), (0, smooth, smooth))
    return noise / noise.std()


def options_of(description: str | None, out: str | None = None) -> argparse.Namespace:
    """Command line that the benchmarks of the pipeline share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--camvid", type=Path, default=Path("../shared/camvid"))
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--out", type=Path, default=out and Path(out))
    return parser.parse_args()
