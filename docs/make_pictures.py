"""Compose the README's picture from a finished experiment (median image by what voting added).

python docs/make_pictures.py --config results/state/config/HASH.yaml --out docs/images/voting.jpg
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tpld.config import load_config
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.layout import Layout
from tpld.method.labels import IGNORE, ORIGIN_CONFIDENT, ORIGIN_VOTED_FIRST
from tpld.stores.labels import Labels
from tpld.stores.predictions import Predictions

CAPTION = 26


def tile(pixels: np.ndarray, caption: str, width: int) -> Image.Image:
    """A picture with its caption below."""
    image = Image.fromarray(pixels)
    image = image.resize(
        (width, round(width * image.height / image.width)), Image.Resampling.LANCZOS
    )
    framed = Image.new("RGB", (width, image.height + CAPTION), "white")
    framed.paste(image)
    font = ImageFont.load_default(size=15)
    ImageDraw.Draw(framed).text((2, image.height + 4), caption, fill="black", font=font)
    return framed


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--round", default="round0")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    config = load_config(options.config)
    layout, table = Layout(config), class_table(config)
    method, seed = config.methods[-1], config.seeds[0]
    labels = Labels(Path(layout.round(method, seed, options.round, "labels.zarr")))
    predictions = Predictions(Path(layout.predictions(method, seed, options.round)))
    images = Cache(Path(layout.data("target_train")), table)
    truth = Cache(Path(layout.data("target_train_truth")), table)
    added = [(labels.layer("origin", i) >= ORIGIN_VOTED_FIRST).mean() for i in range(len(labels))]
    i = int(np.argsort(added)[len(added) // 2])
    palette = table.palette
    palette[IGNORE] = 255  # unlabelled is white paper
    label, origin = labels.layer("label", i), labels.layer("origin", i)
    confident = np.where(origin == ORIGIN_CONFIDENT, label, IGNORE)
    pictures = [
        (images.image(i), "target image"),
        (palette[predictions.predict(i)[0]], "prediction"),
        (palette[confident], f"confident pseudo labels ({(confident != IGNORE).mean():.0%})"),
        (palette[label], f"after voting ({(label != IGNORE).mean():.0%})"),
        (palette[np.where(origin >= ORIGIN_VOTED_FIRST, label, IGNORE)], "what voting added"),
        (palette[truth.label(i)], "ground truth (never trained on)"),
    ]
    tiles = [tile(np.asarray(pixels), caption, 420) for pixels, caption in pictures]
    width, height = tiles[0].size
    sheet = Image.new("RGB", (3 * width + 20, 2 * height + 6), "white")
    for place, picture in enumerate(tiles):
        sheet.paste(picture, ((place % 3) * (width + 10), (place // 3) * (height + 6)))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.out, quality=88)


if __name__ == "__main__":
    main()
