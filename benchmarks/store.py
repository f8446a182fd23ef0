"""Size, accuracy and speed of the prediction store at 1024x2048, 19 classes, with mirror view.

    python benchmarks/store.py --camvid ../shared/camvid

Flips are pixels whose pseudo label (METHOD 3 and 4) differs from that of float32 logits, as a share
of the selected ones; thresholds are estimated anew from what each encoding keeps. "float32 p" is
the selection of a dump of float32 probabilities, whose confidences tie near 1.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from scene_logits import CLASSES, SIZE, options_of, scene_logits

from tpld.core.mixture import candidates_from_logits, log_probabilities, predict
from tpld.core.selection import excess_from_probabilities, select
from tpld.core.thresholds import ConfidenceRanks, log_thresholds, thresholds
from tpld.stores.predictions import Predictions, decode, encode, new_predictions

FLOAT32_DUMP_MB = CLASSES * SIZE[0] * SIZE[1] * 4 / 1e6
PORTIONS = (0.2, 0.5)
ENCODINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float16 logits": lambda logits: logits.astype(np.float16).astype(np.float32),
    "uint16, steps of 1/512 (ours)": lambda logits: decode(*encode(logits)),
}


def seconds(work: Callable[[int], object], count: int) -> float:
    """Median time of work(i) over the images, twice each; the first call compiles."""
    work(0)
    times = []
    for i in [*range(count)] * 2:
        start = time.perf_counter()
        work(i)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def labels_of(images: list[np.ndarray], portion: float) -> list[np.ndarray]:
    """Confident labels of all images from their logits."""
    ranks = ConfidenceRanks(CLASSES, portion)
    for step in (ranks.count, ranks.refine):
        for logits in images:
            step(*predict(logits, SIZE))
    bars, labels = log_thresholds(ranks.result().value), []
    for logits in images:
        found = candidates_from_logits(logits, SIZE, bars)
        labels.append(np.where(found.first_excess >= 0, found.first, np.uint8(255)))
    return labels


def labels_of_p(images: list[np.ndarray], portion: float) -> list[np.ndarray]:
    """The same from float32 probabilities."""
    ranks = ConfidenceRanks(CLASSES, portion)
    for step in (ranks.count, ranks.refine):
        for logits in images:
            prediction, log_p = predict(logits, SIZE)
            step(prediction, np.exp(log_p))
    bars = thresholds(ranks.result().value)
    probabilities = (np.exp(log_probabilities(logits, SIZE)) for logits in images)
    return [select(excess_from_probabilities(p, bars)) for p in probabilities]


def flips(images: list[np.ndarray]) -> dict[str, float]:
    """Per cent of the selected pixels, by encoding and portion."""
    found = {}
    for portion in PORTIONS:
        expected = labels_of(images, portion)
        selected = sum(np.count_nonzero(label != 255) for label in expected)
        seen = {
            name: labels_of([code(logits) for logits in images], portion)
            for name, code in ENCODINGS.items()
        }
        seen["float32 p"] = labels_of_p(images, portion)
        for name, labels in seen.items():
            wrong = sum(np.count_nonzero(a != b) for a, b in zip(labels, expected, strict=True))
            found[f"flips %, {name}, portion {portion}"] = 100 * wrong / selected
    return found


def measure(images: list[np.ndarray], folder: Path) -> dict[str, float]:
    """Sizes and rates of a store of these images."""
    n, path, classes = len(images), folder / "p.zarr", [f"c{k}" for k in range(CLASSES)]
    names, low = [f"i{i}" for i in range(n)], [logits.shape[2:] for logits in images]
    with new_predictions(path, names, [SIZE] * n, low, classes, 2, "uint16", {}) as writer:
        write = seconds(lambda i: writer.write(i, images[i]), n)
    store, group = Predictions(path), zarr.open_group(path, mode="r")
    layers = ("logits", "prediction", "neg_log_confidence")
    sizes = {layer: group[layer].nbytes_stored() / n / 1e6 for layer in layers}
    total = sum(sizes.values())
    read = seconds(store.logits, n)
    result = {f"{layer}, MB an image": size for layer, size in sizes.items()}
    result |= {"all, MB an image": total, "times smaller than float32": FLOAT32_DUMP_MB / total}
    for name, time_taken in (
        ("encode and write", write),
        ("read logits", read),
        ("read and predict", seconds(store.predict, n)),
        ("read all log p", seconds(store.log_probabilities, n)),
    ):
        result[f"{name}, images/s"] = 1 / time_taken
        result[f"{name}, MB/s of float32"] = FLOAT32_DUMP_MB / time_taken
    return result


def main() -> None:
    """Measure both networks; print the table and write it."""
    options, columns = options_of(__doc__, "docs/results/performance_store.csv"), {}
    for network in ("calm", "overconfident"):
        images = [scene_logits(options.camvid, i, network) for i in range(options.images)]
        sure = np.mean([np.mean(predict(x, SIZE)[1] > np.log(0.9999)) for x in images])
        with tempfile.TemporaryDirectory() as folder:
            sizes = measure(images, Path(folder))
        columns[network] = {"% of pixels above 0.9999": 100 * sure, **sizes, **flips(images)}
    table = pd.DataFrame(columns).rename_axis("quantity")
    print(table.round(4).to_string())
    table.to_csv(options.out, float_format="%.4g")


if __name__ == "__main__":
    main()
