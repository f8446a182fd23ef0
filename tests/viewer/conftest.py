"""An experiment of three methods and seven small images, made by the stages without a network."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tpld.config import Config, load_config
from tpld.data.cache import write_cache
from tpld.data.sources import folders_of, list_items
from tpld.stages.confidence import score_images
from tpld.stages.full_labels import label_easy
from tpld.stages.label import label
from tpld.stages.split import split
from tpld.stages.thresholds import estimate_thresholds
from tpld.stores.predictions import new_predictions

CLASSES = ["road", "<b>&sky", "car", "tree"]
COLORS = [[128, 64, 128], [70, 130, 180], [0, 0, 142], [107, 142, 35]]
NAMES = [f"night/<i>{n}</i>" if n == 2 else f"night/{n:03d}" for n in range(7)]
HEIGHT, WIDTH = 40, 64
METHODS = ["crst_mrkld", "crst_lrent+tpld", "crst_mrkld+tpld"]
VOTING = {"window": 9, "iterations": 3, "alpha": 0.7}


class Experiment:
    """Where it is, and its configuration."""

    def __init__(self, root: Path) -> None:
        self.root = root / "results" / "looks"
        self.config = _config(root)

    def part(self, *parts: str) -> Path:
        """A path below the experiment."""
        return self.root.joinpath(*parts)


def _config(root: Path) -> Config:
    classes = [
        {"name": name, "id": i, "color": color}
        for i, (name, color) in enumerate(zip(CLASSES, COLORS, strict=True))
    ]
    domain = {"images": str(root / "images"), "labels": str(root / "labels")}
    return load_config(
        {
            "experiment": "looks",
            "results": str(root / "results"),
            "methods": METHODS,
            "data": {
                "kind": "folder",
                "folder": {"source": domain, "target": domain, "classes": classes},
            },
            "model": {"name": "deeplabv2_resnet18"},
            "thresholds": {"every": 1},
            "voting": VOTING,
        }
    )


def _logits(seed: int) -> np.ndarray:
    """float32 (2, K, 5, 8): smooth, so that voting has regions to fill."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.2, (2, len(CLASSES), 5, 8))
    return (logits + rng.normal(0, 1, (1, len(CLASSES), 1, 1))).astype(np.float32)


def _write_predictions(path: Path, seed: int) -> None:
    n = len(NAMES)
    with new_predictions(
        path, NAMES, [(HEIGHT, WIDTH)] * n, [(5, 8)] * n, CLASSES, 2, "uint16", {"seed": seed}
    ) as writer:
        for i in range(n):
            writer.write(i, _logits(100 * seed + i))


def _write_data(config: Config, root: Path) -> None:
    rng = np.random.default_rng(0)
    for i, name in enumerate(NAMES):
        for kind in ("images", "labels"):
            (root / kind / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{name}.png")
        truth = np.kron(rng.integers(0, 4, (5, 8)), np.ones((8, 8), int)).astype(np.uint8)
        truth[0] = 255 if i % 2 else truth[0]
        Image.fromarray(truth).save(root / "labels" / f"{name}.png")
    domains, folder = folders_of(config, "target_train"), root / "results" / "looks" / "data"
    items = list_items(config, "target_train")
    write_cache(folder / "target_train", items, ("images",), domains, 1)
    write_cache(folder / "target_train_truth", items, ("labels",), domains, 1)


def _write_rounds(experiment: Experiment) -> None:
    config = experiment.config
    dump = experiment.part("source", "deeplabv2_resnet18", "seed0", "predictions.zarr")
    _write_predictions(dump, 0)
    for method in METHODS:
        folder = experiment.part(method, "seed0")
        rounds = ["round0"] if method != METHODS[-1] else ["round0", "round1", "phase2_round0"]
        for number, name in enumerate(rounds):
            predictions = folder / name / "predictions.zarr" if number else dump
            if number:
                _write_predictions(predictions, number)
            thresholds = folder / name / "thresholds.csv"
            estimate_thresholds(config, predictions, 0.2 + 0.1 * number, thresholds)
            out = folder / name / "labels.zarr"
            if name == "phase2_round0":
                scores, easy = folder / name / "confidence.csv", folder / name / "split.csv"
                score_images(config, predictions, thresholds, scores)
                split(config, scores, 0, easy)
                label_easy(config, predictions, thresholds, easy, out)
            else:
                label(config, method, predictions, thresholds, out)


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    root = tmp_path_factory.mktemp("viewer")
    made = Experiment(root)
    _write_data(made.config, root)
    _write_rounds(made)
    kept = root / "results" / "state" / "config" / "kept.yaml"
    kept.parent.mkdir(parents=True)
    kept.write_text(yaml.safe_dump(made.config.model_dump(mode="json")))
    return made
