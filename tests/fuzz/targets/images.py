"""Image and label files."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.mutate import damage, damage_png
from tests.fuzz.targets.common import Case, class_table_of_four


def images(folder: Path) -> Case:
    """PNG, JPEG and other image files, as image and as label."""
    from tpld.data.decode import decode_image, decode_label
    from tpld.data.remarks import Remark

    rng = np.random.default_rng(0)
    grey = rng.integers(0, 4, (24, 32), np.uint8)
    colour = rng.integers(0, 256, (24, 32, 3), np.uint8)
    palette = Image.fromarray(grey).convert("P")
    kinds: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (Image.fromarray(colour), "PNG", {}),
        (Image.fromarray(grey), "PNG", {}),
        (palette, "PNG", {"transparency": 1}),
        (Image.fromarray(grey.astype(np.uint16) * 90), "PNG", {}),
        (Image.fromarray(colour).convert("RGBA"), "PNG", {}),
        (Image.fromarray(grey > 1), "PNG", {}),
        (Image.fromarray(colour), "JPEG", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
        (Image.fromarray(colour), "JPEG", {"progressive": True}),
        (Image.fromarray(grey), "JPEG", {}),
        (Image.fromarray(grey), "TIFF", {"compression": "tiff_lzw"}),
        (Image.fromarray(grey), "GIF", {}),
        (Image.fromarray(grey), "BMP", {}),
        (Image.fromarray(colour), "WEBP", {}),
        (Image.fromarray(grey), "PPM", {}),
        (Image.fromarray(colour), "EPS", {}),
    ]
    turned = Image.Exif()
    turned[274] = 6
    several = {"save_all": True, "append_images": [Image.fromarray(255 - grey)]}
    kinds += [
        (Image.fromarray(colour), "PNG", {"exif": turned}),
        (Image.fromarray(grey), "TIFF", {"exif": turned}),
        (Image.fromarray(grey.astype(np.uint16) * 20_000), "TIFF", several),
        (Image.fromarray(colour).convert("CMYK"), "TIFF", {"exif": turned}),
        (Image.fromarray(grey), "GIF", several),
    ]
    seeds = []
    for image, name, options in kinds:
        file = io.BytesIO()
        image.save(file, name, **options)
        seeds.append((name, file.getvalue()))
    table = class_table_of_four()

    def case(rng: random.Random) -> None:
        name, data = rng.choice(seeds)
        if name == "PNG" and rng.random() < 0.5:
            data = damage_png(data, rng)
        elif rng.random() < 0.97:
            data = damage(data, rng)
        path = folder / f"image{rng.choice(('.png', '.jpg'))}"
        path.write_bytes(data)
        if rng.random() < 0.5:
            remarks = rng.choice((None, list[Remark]()))
            array = decode_image(path, rng.choice((None, (7, 9))), rng.random() < 0.8, remarks)
            assert array.dtype == np.uint8 and array.shape[2:] == (3,)
        else:
            label = decode_label(path, table, rng.choice((None, (7, 9))))
            assert label.dtype == np.uint8 and np.isin(label, (0, 1, 2, 3, 255)).all()

    return case


def labels_of_16_bit(folder: Path) -> Case:
    """16-bit PNGs, which another library reads."""
    from dataclasses import replace

    from tests.data.test_datasets import save_16_bit
    from tpld.data.decode import decode_label

    array = np.random.default_rng(0).integers(0, 4, (12, 16, 3)).astype(np.uint16)
    seed = save_16_bit(folder / "seed.png", array).read_bytes()
    table = replace(class_table_of_four(), reader="first_of_16_bit")

    def case(rng: random.Random) -> None:
        path = folder / "label.png"
        path.write_bytes((damage_png if rng.random() < 0.6 else damage)(seed, rng))
        label = decode_label(path, table)
        assert np.isin(label, (0, 1, 2, 3, 255)).all()

    return case
