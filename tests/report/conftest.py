"""A small experiment, written with the real writers; what is in it is known pixel by pixel."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tpld.config import Config, load_config
from tpld.dag.layout import Layout, parse_round
from tpld.data.cache import Kind, write_cache
from tpld.data.sources import folders_of, has_truth, list_items
from tpld.data.splits import Split
from tpld.evaluation.confusions import confusions_to_table
from tpld.report.networks import Predicted, from_logits
from tpld.report.sections import examples, hard
from tpld.stages.report import report
from tpld.stores.labels import new_labels
from tpld.stores.predictions import new_predictions

CLASSES = ["road", "<b>&", "$x$", "last"]
COLORS = [[128, 64, 128], [70, 70, 70], [0, 0, 230], [107, 142, 35]]
HEIGHT, WIDTH = 24, 40
NAMES = [f"target<{i}>" for i in range(5)]
ADDED = slice(8, 16)
"""Rows that voting labels; those above are confident, those below stay without a label."""
SCORED = "scored at 24x40, 4 classes"
FULL, PLAIN = f"crst: scales 0.9, 1 + mirror, {SCORED}", f"single: scale 1, {SCORED}"
METHODS = ["source", "crst_mrkld", "crst_mrkld+tpld"]
MIOU = {"source": 40.0, "crst_mrkld": 50.0, "crst_mrkld+tpld": 46.0}


def make_config(root: Path, truth: bool, methods: list[str], seeds: list[int]) -> Config:
    """A configuration of four classes, one of which is markup; folders are below `root`."""
    domain = {"images": str(root / "images"), "train": str(root / "train.txt")}
    target = {**domain, "val": str(root / "val.txt"), "labels": str(root / "labels")}
    classes = [
        {"name": name, "id": i, "color": color}
        for i, (name, color) in enumerate(zip(CLASSES, COLORS, strict=True))
    ]
    folders = {
        "source": {**target, "train": str(root / "source.txt")},
        "target": target if truth else {k: v for k, v in target.items() if k != "labels"},
        "classes": classes,
    }
    return load_config(
        {
            "experiment": "fake",
            "results": str(root / "results"),
            "methods": methods,
            "seeds": seeds,
            "data": {"kind": "folder", "folder": folders},
            "self_training": {"rounds": 2, "base_rounds": 1},
            "phase2": {"rounds": 1},
            "evaluation": {"every_round": True},
        }
    )


def truth_of(i: int) -> np.ndarray:
    """Ground truth: class 0 everywhere; in image i the last i columns of five are class 1."""
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[:, WIDTH - i * WIDTH // 5 :] = 1
    return truth


def write_experiment(config: Config, root: Path) -> None:
    """All artefacts of a finished run."""
    _write_data(config, root)
    layout = Layout(config)
    for seed in config.seeds:
        _write_predictions(Path(layout.source(seed, "predictions.zarr")))
        _csv(layout.source(seed, "history.csv"), step=range(50), loss=np.linspace(2, 1, 50))
        _write_run(Path(layout.source(seed, "run.json")), "train_source", seed)
        for method in config.methods:
            _write_evaluation(config, layout.evaluation(method, seed, "target_val"))
            for name in layout.rounds(method):
                _write_round(config, method, seed, name)
    _write_comparison(config)
    _write_benchmark(layout.method("source", 0, "logs/evaluate_target_val.tsv"), 30)


def _write_data(config: Config, root: Path) -> None:
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    names = [*NAMES, "source", "val"]
    for i, name in enumerate(names):
        pixels = np.full((HEIGHT, WIDTH, 3), 40 * (i % 5) + 30, np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{name}.png")
        Image.fromarray(truth_of(i % 5)).save(root / "labels" / f"{name}.png")
    (root / "train.txt").write_text("\n".join(NAMES))
    (root / "source.txt").write_text("source")
    (root / "val.txt").write_text("val")
    layout = Layout(config)
    judged: tuple[Kind, ...] = (
        ("images", "labels") if has_truth(config, "target_val") else ("images",)
    )
    splits: dict[Split, tuple[Kind, ...]] = {"target_train": ("images",), "target_val": judged}
    for split, kinds in splits.items():
        items = list_items(config, split)
        write_cache(Path(layout.data(split)), items, kinds, folders_of(config, split), 1)
    if has_truth(config, "target_train"):
        folder = Path(layout.data("target_train_truth"))
        domains = folders_of(config, "target_train")
        write_cache(folder, list_items(config, "target_train"), ("labels",), domains, 1)


def _write_predictions(path: Path) -> None:
    n, rng = len(NAMES), np.random.default_rng(0)
    sizes, low = [(HEIGHT, WIDTH)] * n, [(3, 5)] * n
    with new_predictions(path, NAMES, sizes, low, CLASSES, 2, "uint16", {}) as writer:
        for i in range(n):
            writer.write(i, rng.normal(0, 3, (2, len(CLASSES), 3, 5)).astype(np.float32))


def _write_round(config: Config, method: str, seed: int, name: str) -> None:
    folder = Path(Layout(config).round(method, seed, name))
    phase2 = parse_round(name).phase2
    if name != "round0":
        _write_predictions(folder / "predictions.zarr")
    _csv(
        folder / "thresholds.csv",
        **{"class": CLASSES},
        portion=0.2,
        predicted=[10, 10, 10, 0],
        threshold=[0.9, 0.5, 0.4, 1.0],
    )
    losses = ("easy", "adversarial", "discriminator") if phase2 else ("loss",)
    _csv(folder / "history.csv", step=range(30), **{k: np.linspace(1, 0.5, 30) for k in losses})
    truth = has_truth(config, "target_train")
    _csv(
        folder / "labels.csv",
        **{"class": ["road", "road", "none"]},
        origin=["confident", "full" if phase2 else "voted_1", "none"],
        pixels=[100, 50, 50],
        correct=[90, 20, 0] if truth else ["", "", ""],
    )
    _write_labels(folder / "labels.zarr")
    if truth:
        _write_evaluation(config, folder / "evaluation.csv")
    if phase2:
        scores = np.linspace(0.9, 0.1, len(NAMES))
        easy = [True, True, False, False, False]
        _csv(folder / "split.csv", image=NAMES, confidence=scores, easy=easy)
    _write_run(folder / "run.json", "train_round", seed)
    _write_benchmark(folder / "logs" / "train_round.tsv", 90)


def _write_labels(path: Path) -> None:
    """Class 0 on the upper two thirds; the lower half of them was voted."""
    origins = {0: "none", 1: "confident", 2: "voted_1"}
    sizes = [(HEIGHT, WIDTH)] * len(NAMES)
    with new_labels(path, NAMES, sizes, CLASSES, np.full(4, -0.1), origins, {}) as writer:
        for i in range(len(NAMES)):
            label = np.full((HEIGHT, WIDTH), 255, np.uint8)
            label[: ADDED.stop] = 0
            origin = np.zeros((HEIGHT, WIDTH), np.uint8)
            origin[: ADDED.start], origin[ADDED] = 1, 2
            writer.write(i, label=label, origin=origin, score=np.ones((HEIGHT, WIDTH)))


def _write_evaluation(config: Config, path: str | Path) -> None:
    if has_truth(config, "target_val"):
        matrix = np.diag([90, 50, 20, 0]) + 5
        matrix[3] = 0  # a class without ground truth
        table = confusions_to_table({FULL: matrix, PLAIN: matrix}, CLASSES)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)


def _write_comparison(config: Config) -> None:
    rows = []
    for method in config.methods if has_truth(config, "target_val") else []:
        for place, seed in enumerate(config.seeds):
            for protocol in (FULL, PLAIN):
                key = (method, seed, "target_val", protocol)
                rows += [(*key, "mIoU", MIOU[method] + 2 * place), (*key, "accuracy", 80.0)]
                rows += [(*key, name, 30.0) for name in CLASSES[:3]]
                rows += [(*key, "last", "")]
                if method == "source":
                    rows.append(("source", seed, "source_val", protocol, "mIoU", 71.3))
    columns = ["method", "seed", "split", "protocol", "metric", "value"]
    path = Path(Layout(config).root) / "comparison.csv"
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def _write_run(path: Path, stage: str, seed: int) -> None:
    record = {
        "stage": stage,
        "seed": seed,
        "versions": {"torch": "2.0<1>"},
        "commit": "abc123",
        "finished": "2026-01-01T00:00:00+0000",
        "seconds": 12.0,
        "device": "cpu",
        "precision": "float32",
        "host": "vm",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def _write_benchmark(path: str | Path, seconds: float) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t1024.0\n")


def _csv(path: str | Path, **columns: object) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=False)


@pytest.fixture(scope="session", autouse=True)
def networks() -> Iterator[None]:
    """Instead of checkpoints: each method of the small experiment sees the same random logits."""

    def predict(_: object, method: str, images: list[np.ndarray]) -> list[Predicted]:
        rng = np.random.default_rng(len(method))
        logits = [rng.normal(0, 3, (2, len(CLASSES), 3, 5)).astype(np.float32) for _ in images]
        return [from_logits(one, (HEIGHT, WIDTH)) for one in logits]

    with pytest.MonkeyPatch.context() as patch:
        for module in (examples, hard):
            patch.setattr(module, "predict_images", predict)
        yield


class Page:
    """A configuration and the page that the stage wrote for it."""

    def __init__(self, root: Path, truth: bool, methods: list[str], seeds: list[int]) -> None:
        self.config = make_config(root, truth, methods, seeds)
        write_experiment(self.config, root)
        self.path = Path(self.config.results) / "fake" / "report.html"
        report(self.config, self.path)
        self.text = self.path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(tmp_path_factory.mktemp("full"), True, METHODS, [0, 1])


@pytest.fixture(scope="session")
def without_truth(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(tmp_path_factory.mktemp("blind"), False, METHODS, [0])


@pytest.fixture(scope="session")
def source_alone(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(tmp_path_factory.mktemp("source"), True, ["source"], [0])
