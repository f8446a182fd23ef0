"""Labelling of Cityscapes train (2975 images 1024x2048, 19 classes, mirror), projected.

    python benchmarks/pipeline.py --camvid ../shared/camvid --images 12

Runs `tpld thresholds` and `tpld label` (3 iterations, window 57) on a store of a few
images of real size, and multiplies what an image more costs. Also times the parts one by one.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import pandas as pd
from scene_logits import CLASSES, SIZE, options_of, scene_logits
from store import seconds

from tpld.config import Voting
from tpld.core.mixture import candidates_from_logits, predict
from tpld.core.voting import vote
from tpld.stages.label import label_image
from tpld.stages.thresholds import read_thresholds
from tpld.stores.labels import new_labels
from tpld.stores.predictions import Predictions, new_predictions

IMAGES = 2975
NAMES = [f"class {k}" for k in range(CLASSES)]


def make_store(camvid: Path, count: int, path: Path) -> Path:
    """A store of `count` images of a calm network."""
    images = [scene_logits(camvid, i, "calm") for i in range(count)]
    low = [logits.shape[2:] for logits in images]
    names = [f"image {i}" for i in range(count)]
    with new_predictions(path, names, [SIZE] * count, low, NAMES, 2, "uint16", {}) as writer:
        for i, logits in enumerate(images):
            writer.write(i, logits)
    return path


def run(*command: str) -> tuple[float, float, float]:
    """Wall seconds of a command, its seconds of computing on all cores, and its peak GB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", "from tpld.cli import main; main()", *command]
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    busy = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - start, busy, usage.ru_maxrss * 1024 / 1e9


def parts(store: Predictions, table: Path, folder: Path) -> dict[str, float]:
    """Seconds an image of each part of labelling, one after the other."""
    bars = read_thresholds(table, store.classes)["log_threshold"].to_numpy(np.float32)
    n, logits, settings = len(store), store.logits(0), Voting()
    found = candidates_from_logits(logits, SIZE, bars)
    confident = np.where(found.first_excess >= 0, found.first, np.uint8(255))
    result = label_image(logits, SIZE, bars, settings)
    layers = {"label": result.label, "origin": result.origin, "score": result.excess + 1}

    def voting(_: int) -> object:
        return vote(confident, found, found.first_excess, num_classes=CLASSES)

    origins = {0: "none"}
    with new_labels(
        folder / "parts.zarr", store.names, [SIZE] * n, store.classes, bars, origins, {}
    ) as writer:
        write = seconds(lambda i: writer.write(i, **layers), n)
    return {
        "read": seconds(store.logits, n),
        "two candidates": seconds(lambda _: candidates_from_logits(logits, SIZE, bars), n),
        "3 voting iterations": seconds(voting, n),
        "write": write,
        "predict (thresholds, twice)": seconds(lambda _: predict(logits, SIZE), n),
    }


def main() -> None:
    """Print the parts and the projection."""
    options = options_of(__doc__)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "config.yaml").write_text("experiment: benchmark\n")
        runs: dict[str, list[tuple[float, float, float]]] = {}
        # The first run compiles, the second tells the start-up time.
        for count in (1, 1, options.images):
            store = make_store(options.camvid, count, folder / f"{count}.zarr")
            table, out = folder / f"{count}.csv", folder / f"labels_{count}.zarr"
            where = ("--config", str(folder / "config.yaml"), "--predictions", str(store))
            ranking = ("thresholds", *where, "--portion", "0.2", "--out", str(table))
            labelling = ("label", *where, "--thresholds", str(table), "--method", "crst_mrkld+tpld")
            for name, command in (
                ("tpld thresholds", ranking),
                ("tpld label", (*labelling, "--out", str(out))),
            ):
                runs.setdefault(name, []).append(run(*command))
        each = parts(Predictions(store), table, folder)
    print(f"\n{numba.get_num_threads()} threads, layer {numba.threading_layer()}")
    print(pd.Series(each, name="seconds an image").round(4).to_string())
    for stage, (_, one, many) in runs.items():
        wall, busy = ((many[j] - one[j]) / (options.images - 1) for j in (0, 1))
        print(
            f"{stage}: {wall:.3f} s an image ({busy:.3f} s of computing), "
            f"{IMAGES} images {(one[0] + wall * IMAGES) / 60:.1f} min "
            f"({busy * IMAGES / 2 / 60:.1f} min if two idle cores shared it evenly), "
            f"peak {many[2]:.2f} GB, start-up and first image {one[0]:.1f} s"
        )


if __name__ == "__main__":
    main()
