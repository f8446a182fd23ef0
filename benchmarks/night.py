"""Copies of driving images as a camera would see them at night: a strong, known domain shift.

    ./run python benchmarks/night.py ../shared/camvid/images results/camvid_night/images \\
        ../shared/camvid/splits/target_train.txt ../shared/camvid/splits/target_val.txt

In linear light: less of it, bluer, with the noise of a sensor that counts few photons and reads
them out; then back to sRGB in 8 bits. A file's noise comes from its name, so that the copies are
always the same. workflow/presets/camvid_day_night.yaml reads them.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

EXPOSURE = 0.35
"""Share of the light that is left."""
CAST = np.array([0.75, 0.9, 1.2])
"""Of red, green and blue."""
PHOTONS, READ_OUT = 1000.0, 0.003
"""Photons of a white pixel; standard deviation of the read-out, of which white is 1."""


def night(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The image (H, W, 3) at night."""
    rng = np.random.default_rng(seed)
    light = _linear(image / 255) * EXPOSURE * CAST
    seen = rng.poisson(light * PHOTONS) / PHOTONS + rng.normal(0, READ_OUT, image.shape)
    return np.rint(255 * _srgb(np.clip(seen, 0, 1))).astype(np.uint8)


def _linear(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _srgb(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)


def main(
    images: Annotated[Path, typer.Argument(help="Folder of the images.")],
    out: Annotated[Path, typer.Argument(help="Folder of the copies, PNG.")],
    lists: Annotated[list[Path], typer.Argument(help="Files with a name a line, no suffix.")],
    suffix: Annotated[str, typer.Option(help="Suffix of the images.")] = ".jpg",
) -> None:
    """Write a night copy of every listed image."""
    names = [name for path in lists for name in path.read_text().split()]
    for name in track(names, "images"):
        copy = out / f"{name}.png"
        copy.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(images / f"{name}{suffix}") as image:
            pixels = np.asarray(image.convert("RGB"))
        Image.fromarray(night(pixels, zlib.crc32(name.encode()))).save(copy)


if __name__ == "__main__":
    typer.run(main)
