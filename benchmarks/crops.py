"""A random 256x256 training sample: from the decoded-image cache, and by decoding PNG files.

    python benchmarks/crops.py --camvid ../shared/camvid

Images are CamVid frames enlarged to 1024x2048 with pixel noise, so that the PNGs are as hard to
decode as photographs. Files and cache are in the page cache.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scene_logits import SIZE, options_of

from tpld.config import load_config
from tpld.data.cache import Cache, write_cache
from tpld.data.decode import decode_image, decode_label
from tpld.data.sources import class_table, folders_of, list_items

CROP = 256


def draw(camvid: Path, folder: Path, count: int) -> None:
    """Write PNGs of images and labels."""
    names = (camvid / "splits" / "target_train.txt").read_text().split()
    rng = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
    for i in range(count):
        with Image.open(camvid / "images" / f"{names[i]}.jpg") as image:
            large = np.asarray(image.resize(SIZE[::-1], Image.Resampling.BICUBIC), np.float32)
        noisy = np.clip(large + 2 * rng.standard_normal(large.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / "images" / f"{i}.png")
        with Image.open(camvid / "labels" / f"{names[i]}.png") as label:
            wide = label.resize(SIZE[::-1], Image.Resampling.NEAREST)
        wide.save(folder / "labels" / f"{i}.png")


def milliseconds(sample: Callable[[int, tuple[slice, slice]], object], repeats: int) -> float:
    """Median time of a sample at random places of random images."""
    rng, times = np.random.default_rng(1), []
    for _ in range(repeats):
        y, x = (int(rng.integers(0, n - CROP + 1)) for n in SIZE)
        i = int(rng.integers(0, 1 << 30))
        start = time.perf_counter()
        sample(i, (slice(y, y + CROP), slice(x, x + CROP)))
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def main() -> None:
    """Print both times and their ratio."""
    options = options_of(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(options.camvid, folder, options.images)
        domain = {"images": str(folder / "images"), "labels": str(folder / "labels")}
        domain["values"] = {k: f"c{k}" for k in range(12)}
        config = load_config({"data": {"source": domain, "target": domain}})
        items, table = list_items(config, "source_train"), class_table(config)
        domains = folders_of(config, "source_train")
        write_cache(folder / "cache", items, ("images", "labels"), domains, 64)
        cache, n = Cache(folder / "cache", table), options.images

        def decoded(i: int, window: tuple[slice, slice]) -> object:
            label = items[i % n].label
            assert label is not None
            image = decode_image(items[i % n].image)[window].copy()
            return image, decode_label(label, table)[window].copy()

        def cached(i: int, window: tuple[slice, slice]) -> object:
            return cache.image(i % n, window).copy(), cache.label(i % n, window).copy()

        slow, fast = milliseconds(decoded, 15), milliseconds(cached, 500)
        size = sum(p.stat().st_size for p in (folder / "cache").glob("*.bin")) / n / 1e6
    print(f"image and label, {CROP}x{CROP} of {SIZE[0]}x{SIZE[1]}")
    print(f"PNG decode {slow:.1f} ms, cache {fast:.3f} ms, ratio {slow / fast:.0f}")
    print(f"cache {size:.1f} MB an image")


if __name__ == "__main__":
    main()
