"""What many small images cost: memory, files and time of the stages between images and labels.

    python benchmarks/many_images.py --images 10000

The network is a stand-in (a class number times the brightness), for it is the number of images that
is tried here and not their content. Every other line is the pipeline's own.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tpld.config import load_config
from tpld.stages import check, confidence, dump, label, prepare, split, thresholds

SIZE = (32, 48)


class Brightness(torch.nn.Module):
    """Three classes at stride 8."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        low = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
        return torch.cat([k * low for k in range(3)], 1)


def draw(folder: Path, count: int) -> dict:
    """Images and labels of both domains; the source has four."""
    rng = np.random.default_rng(0)
    tree: dict = {"classes": [{"name": f"c{i}", "id": i, "color": [i] * 3} for i in range(3)]}
    for domain, number in (("source", 4), ("target", count)):
        for kind in ("images", "labels"):
            (folder / domain / kind).mkdir(parents=True)
        tree[domain] = {kind: str(folder / domain / kind) for kind in ("images", "labels")}
        for i in range(number):
            coarse = rng.integers(0, 3, (4, 6), np.uint8)
            classes = np.kron(coarse, np.ones((8, 8), np.uint8))
            Image.fromarray(classes).save(folder / domain / "labels" / f"{i:06d}.png")
            noisy = classes * 90 + rng.integers(0, 60, SIZE, np.uint8)
            Image.fromarray(noisy).convert("RGB").save(folder / domain / "images" / f"{i:06d}.png")
    return tree


def files_in(folder: Path) -> int:
    """Files and folders below it: what a file system counts as inodes."""
    return sum(1 for _ in folder.rglob("*"))


def main() -> None:
    """Draw, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    count = parser.parse_args().images
    work = Path(tempfile.mkdtemp())
    try:
        run(work, count)
    finally:
        shutil.rmtree(work)


def run(work: Path, count: int) -> None:
    """The stages in order, each with its cost."""
    config = load_config(
        {
            "results": str(work / "results"),
            "data": {"kind": "folder", "folder": draw(work / "data", count)},
            "model": {"weights": "random"},
            "source_training": {"batch_norm": "train"},
            "compute": {"device": "cpu", "precision": "float32", "threads": 1},
            "voting": {"window": 7, "iterations": 1},
            "dump": {"scale": 1.0},
        }
    )
    dump.load_trained = lambda *_: Brightness()  # pyright: ignore[reportAttributeAccessIssue]
    out = work / "out"
    out.mkdir()
    (out / "m").write_bytes(b"stand-in")
    stages: dict[str, Callable[[], None]] = {
        "check-data": lambda: check.check_data(config, out / "check.csv"),
        "prepare": lambda: prepare.prepare(config, "target_train", ("images",), out / "cache"),
        "dump": lambda: dump.dump(config, out / "m", out / "cache", out / "p.zarr"),
        "thresholds": lambda: thresholds.estimate_thresholds(
            config, out / "p.zarr", 0.3, out / "t.csv"
        ),
        "label": lambda: label.label(
            config, "cbst+tpld", out / "p.zarr", out / "t.csv", out / "l.zarr"
        ),
        "score": lambda: confidence.score_images(
            config, out / "p.zarr", out / "t.csv", out / "c.csv"
        ),
        "split": lambda: split.split(config, out / "c.csv", 0, out / "s.csv"),
    }
    print(f"{count} images of {SIZE[0]}x{SIZE[1]}; memory is the peak of the process so far")
    before = files_in(out)
    for name, stage in stages.items():
        began = time.process_time()
        stage()
        seconds = time.process_time() - began
        now = files_in(out)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name:12} {seconds:8.1f} s CPU  {1000 * seconds / count:6.2f} ms an image  "
            f"{memory:6.0f} MiB  {(now - before) / count:6.2f} files an image",
            flush=True,
        )
        before = now


if __name__ == "__main__":
    main()
