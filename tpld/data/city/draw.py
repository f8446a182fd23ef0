"""The embedded data set: street scenes of a procedural city, in a clear and in a dusky domain.

`render_scene` makes one labelled image from a seed, `write_city` a whole data set. Nothing is
downloaded, and the labels are exact in both domains, so what adaptation gains can be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial as bind
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from tpld.compute.lifetime import begin_in_pool
from tpld.data.city.canvas import Camera, Canvas
from tpld.data.city.shade import shade
from tpld.data.city.street import furnish, plan_street
from tpld.data.city.style import CITY_CLASSES, IGNORE, SOURCE, TARGET, Style
from tpld.stores.atomic import replacing

__all__ = ["CITY_CLASSES", "IGNORE", "SPLITS", "render_scene", "scene_seeds", "write_city"]

Domain = Literal["source", "target"]
SPLITS = ("source_train", "source_val", "target_train", "target_val")
MIN_SIZE, MAX_SIZE = 64, 4096
# Each split owns a block of scene seeds, so splits never share a scene and a larger count adds
# scenes without changing those that exist.
BLOCK = 100_000
_STYLES: dict[str, tuple[int, Style]] = {"source": (1, SOURCE), "target": (2, TARGET)}


def render_scene(
    seed: int, domain: Domain, height: int = 256, width: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """One street scene and its label.

    Args:
        seed: number of the scene, >= 0; the same arguments give the same bytes.
        domain: "source" (clear day) or "target" (dusk, haze, a higher and wider camera).
        height: image height in pixels, 64 to 4096.
        width: image width in pixels, 64 to 4096, and from 1 to 4 times the height.

    Returns:
        RGB image (height, width, 3) uint8, and label (height, width) uint8 with ids in the order
        of `CITY_CLASSES`; 255 on the ego car's bonnet.

    Raises:
        ValueError: for a negative seed, an unknown domain or a size out of bounds.
    """
    _check_size(height, width)
    _check_seed(seed)
    if domain not in _STYLES:
        raise ValueError(f"city domain is {domain!r}; use one of {', '.join(_STYLES)}")
    code, style = _STYLES[domain]
    rng = np.random.default_rng(np.random.SeedSequence([seed, code]))
    camera = Camera(
        width=width,
        height=height,
        focal=float(rng.uniform(*style.focal)) * width,
        horizon=float(rng.uniform(*style.horizon)) * height,
        centre=(0.5 + float(rng.uniform(-style.sway, style.sway))) * width,
        eye=float(rng.uniform(*style.eye)),
    )
    canvas = Canvas(camera)
    street = plan_street(rng)
    facades = furnish(canvas, street, style, rng)
    return shade(canvas, facades, street, style, rng)


def scene_seeds(seed: int, counts: dict[str, int]) -> dict[str, range]:
    """Scene seeds of each split; no seed is in two splits.

    Args:
        seed: seed of the data set, >= 0.
        counts: number of images for each of `SPLITS`; 0 of a domain that nobody reads.

    Raises:
        ValueError: for missing or unknown splits, or a count outside 0..100000.
    """
    _check_seed(seed)
    if set(counts) != set(SPLITS):
        raise ValueError(f"city counts name {sorted(counts)}; give exactly {', '.join(SPLITS)}")
    for split, count in counts.items():
        if not 0 <= count <= BLOCK:
            raise ValueError(f"city count of {split} is {count}; give 0 to {BLOCK} images")
    first = {split: (seed * len(SPLITS) + i) * BLOCK for i, split in enumerate(SPLITS)}
    return {split: range(first[split], first[split] + counts[split]) for split in SPLITS}


def write_city(
    root: Path,
    *,
    seed: int,
    counts: dict[str, int],
    height: int,
    width: int,
    progress: Callable[[int], None] | None = None,
    workers: int = 1,
) -> None:
    """Write both domains of the city under `root`.

    For each domain: `images/<stem>.png` (RGB), `labels/<stem>.png` (8-bit indices with the
    palette of `CITY_CLASSES`), `train.txt` and `val.txt` (one stem a line). `root` appears only
    when it is whole.

    Args:
        root: folder to make; it must not exist, or be empty.
        seed: seed of the data set, >= 0.
        counts: number of images for each of `SPLITS`.
        height: image height in pixels.
        width: image width in pixels.
        progress: called with the number of finished images after each image.
        workers: processes that draw; any number gives the same files.

    Raises:
        ValueError: for a bad seed, count or size.
        FileExistsError: if `root` holds files already.
    """
    _check_size(height, width)
    splits = scene_seeds(seed, counts)
    root = Path(root)
    _check_free(root)
    with replacing(root) as partial:
        scenes = [_list_split(partial, split, seeds) for split, seeds in splits.items()]
        todo = [scene for listed in scenes for scene in listed]
        for done, _ in enumerate(_map(bind(_write_scene, size=(height, width)), todo, workers), 1):
            if progress is not None:
                progress(done)


Scene = tuple[Path, str, int]  # folder of the domain, stem of the file, seed of the scene


def _list_split(folder: Path, split: str, seeds: range) -> list[Scene]:
    """Make the folders and the list of a split; returns its scenes."""
    domain, part = split.split("_")
    for kind in ("images", "labels"):
        (folder / domain / kind).mkdir(parents=True, exist_ok=True)
    stems = [f"{split}_{i:05d}" for i in range(len(seeds))]
    (folder / domain / f"{part}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    return [(folder / domain, stem, seed) for stem, seed in zip(stems, seeds, strict=True)]


def _map(draw: Callable[[Scene], None], scenes: list[Scene], workers: int) -> Iterable[None]:
    """Draw the scenes in order of `scenes`, in this process or in several."""
    if workers == 1:
        yield from map(draw, scenes)
        return
    with ProcessPoolExecutor(workers, initializer=begin_in_pool) as pool:
        yield from pool.map(draw, scenes, chunksize=4)


def _write_scene(scene: Scene, size: tuple[int, int]) -> None:
    """Write image and label of one scene."""
    folder, stem, seed = scene
    image, label = render_scene(seed, "source" if folder.name == "source" else "target", *size)
    _save(folder / "images" / f"{stem}.png", Image.fromarray(image))
    indexed = Image.fromarray(label)
    indexed.putpalette(_palette())
    _save(folder / "labels" / f"{stem}.png", indexed)


def _save(path: Path, image: Image.Image) -> None:
    """Save a PNG; level 1 is three times as fast as the default and little larger."""
    image.save(path, compress_level=1)


def _palette() -> list[int]:
    """Palette of 256 RGB triples: the class colours, black for everything else."""
    flat = [value for _, colour in CITY_CLASSES for value in colour]
    return flat + [0] * (768 - len(flat))


def _check_free(root: Path) -> None:
    """Raise a FileExistsError if there is something at `root` that would be overwritten."""
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f"{root} is not an empty folder; remove it or choose another")


def _check_seed(seed: int) -> None:
    """Raise a ValueError for a negative seed."""
    if seed < 0:
        raise ValueError(f"city seed is {seed}; give 0 or a positive whole number")


def _check_size(height: int, width: int) -> None:
    """Raise a ValueError for a size that cannot show a street."""
    for name, value in (("height", height), ("width", width)):
        if not MIN_SIZE <= value <= MAX_SIZE:
            raise ValueError(f"city {name} is {value} pixels; choose {MIN_SIZE} to {MAX_SIZE}")
    if not height <= width <= 4 * height:
        raise ValueError(
            f"city size is {height}x{width} (height x width); choose a width from {height} to "
            f"{4 * height}, that is 1 to 4 times the height"
        )
