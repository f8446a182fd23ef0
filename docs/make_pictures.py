"""Compose the documentation's pictures from a finished experiment.

python docs/make_pictures.py --config results/city/config.yaml --out docs/images

- voting.jpg: the target training image to which voting added the median amount.
- predicted.jpg: the middle image of target_val, with the predictions of the source model and of the
  last method's last network over it.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tpld.commands.predict import Wanted, predict
from tpld.config import Config, load_config
from tpld.core.labels import IGNORE, ORIGIN_CONFIDENT, ORIGIN_VOTED_FIRST
from tpld.dag.layout import Layout
from tpld.data.cache import Cache
from tpld.data.decode import decode_image
from tpld.data.sources import class_table, list_items
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


def sheet(tiles: list[Image.Image], columns: int) -> Image.Image:
    """Tiles of one size in rows."""
    width, height = tiles[0].size
    rows = -(-len(tiles) // columns)
    whole = Image.new("RGB", (columns * (width + 10) - 10, rows * (height + 6) - 6), "white")
    for place, picture in enumerate(tiles):
        whole.paste(picture, ((place % columns) * (width + 10), (place // columns) * (height + 6)))
    return whole


def voting(config: Config, round_name: str) -> Image.Image:
    """Image, prediction, labels before and after voting, what it added, ground truth."""
    layout, table = Layout(config), class_table(config)
    method, seed = config.methods[-1], config.seeds[0]
    labels = Labels(Path(layout.round(method, seed, round_name, "labels.zarr")))
    predictions = Predictions(Path(layout.predictions(method, seed, round_name)))
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
    return sheet([tile(np.asarray(pixels), text, 420) for pixels, text in pictures], 3)


def predicted(config: Config) -> Image.Image:
    """An image, and what `tpld predict` of the first and of the last network lays over it."""
    layout, seed = Layout(config), config.seeds[0]
    items = list_items(config, "target_val")
    photo = items[len(items) // 2].image
    pictures = [(decode_image(photo), "target image")]
    with tempfile.TemporaryDirectory() as folder:
        for what, method in (("source model", config.methods[0]), ("adapted", config.methods[-1])):
            model, out = Path(layout.final_model(method, seed)), Path(folder, what)
            predict(model, [photo], out, Wanted(), config.compute, config)
            pictures.append((decode_image(out / "overlays" / f"{photo.stem}.jpg"), what))
    return sheet([tile(pixels, text, 420) for pixels, text in pictures], 3)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--round", default="round0")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    config = load_config(options.config)
    options.out.mkdir(parents=True, exist_ok=True)
    voting(config, options.round).save(options.out / "voting.jpg", quality=88)
    predicted(config).save(options.out / "predicted.jpg", quality=88)


if __name__ == "__main__":
    main()
