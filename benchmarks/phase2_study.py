"""What costs, or gains, in phase 2: its first round again and again with one key changed.

Reads a finished experiment (the last phase-1 network, and dump, thresholds and split of the first
phase-2 round) and its ground truth; trains that round alone, a minute a variant on a small network.

    python benchmarks/phase2_study.py --config CONFIG.yaml --seed 0 --out docs/results/phase2.csv

First it says whether the easy images are the ones whose predictions are right.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tpld.config import Config, load_config
from tpld.data.cache import Cache
from tpld.data.sources import class_table
from tpld.evaluation.confusions import read_confusions
from tpld.evaluation.metrics import summarise
from tpld.layout import Layout
from tpld.stages.evaluate import evaluate
from tpld.stages.full_labels import easy_and_hard
from tpld.stages.thresholds import read_thresholds
from tpld.stages.train_phase2 import train_phase2
from tpld.stores.predictions import Predictions

ROUND = "phase2_round0"
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "as configured": {},
    "no adversarial loss": {"phase2": {"adversarial_weight": 0.0}},
    "full_label hard": {"phase2": {"full_label": "hard"}},
    "full_label argmax": {"phase2": {"full_label": "argmax"}},
    "confident labels alone": {"phase2": {"full_label": "sparse"}},
    "gamma 4": {"phase2": {"gamma": 4.0}},
    "no bootstrapping": {"loss": {"beta": 1.0}},
    "BatchNorm frozen": {"self_training": {"batch_norm": "frozen"}},
    "BatchNorm trained": {"self_training": {"batch_norm": "train"}},
    "learning rate / 5": {"phase2": {"learning_rate": 0.2}},
    "confident labels alone, learning rate / 5": {
        "phase2": {"learning_rate": 0.2, "full_label": "sparse"}
    },
}


def changed(config: Config, keys: dict[str, dict[str, Any]]) -> Config:
    """A configuration with some keys changed; learning rates are factors."""
    tree = config.model_dump(mode="json")
    for section, values in keys.items():
        for key, value in values.items():
            factor = tree[section][key] if key == "learning_rate" else 1
            tree[section][key] = value * factor if key == "learning_rate" else value
    return load_config(tree)


class Study:
    """A finished experiment: one method and seed, its last phase-1 network."""

    def __init__(self, config: Config, method: str, seed: int) -> None:
        self.config, self.method, self.seed = config, method, seed
        self.layout, self.names = Layout(config), class_table(config).names

    def path(self, part: str) -> Path:
        """A file of the phase-2 round."""
        return Path(self.layout.round(self.method, self.seed, ROUND, part))

    def figures(self, model: Path, folder: Path) -> pd.Series:
        """Percent on target_val, scale 1."""
        out = folder / "evaluation.csv"
        evaluate(self.config, model, Path(self.layout.data("target_val")), True, out)
        (matrix,) = read_confusions(out, self.names).values()
        return summarise(matrix, self.names, {})

    def train(self, keys: dict[str, dict[str, Any]]) -> pd.Series:
        """Train the round with some keys changed, and evaluate."""
        config = changed(self.config, keys)
        before = Path(self.layout.model_before(self.method, self.seed, ROUND))
        inputs = [self.path(p) for p in ("predictions.zarr", "thresholds.csv", "split.csv")]
        with tempfile.TemporaryDirectory() as folder:
            out, target = Path(folder), Path(self.layout.data("target_train"))
            train_phase2(config, self.method, self.seed, 0, before, target, *inputs, out)
            return self.figures(out / "model.safetensors", out)

    def before(self) -> pd.Series:
        """The last phase-1 network."""
        with tempfile.TemporaryDirectory() as folder:
            model = Path(self.layout.model_before(self.method, self.seed, ROUND))
            return self.figures(model, Path(folder))

    def easy_images(self) -> pd.DataFrame:
        """How right argmax p and argmax r are on easy and on hard images, in percent."""
        store = Predictions(self.path("predictions.zarr"))
        table = read_thresholds(self.path("thresholds.csv"), store.classes)
        bars = table["log_threshold"].to_numpy(np.float32)[:, None, None]
        truth = Cache(Path(self.layout.data("target_train_truth")), class_table(self.config))
        rows = []
        for kind, images in zip(
            ("easy", "hard"), easy_and_hard(self.path("split.csv"), store.names), strict=True
        ):
            for i in images:
                log_p, label = store.log_probabilities(i), truth.label(i)
                valid = label < len(store.classes)
                ranks = {"argmax p": log_p, "argmax r": log_p - bars}
                right = {k: 100 * np.mean((v.argmax(0) == label)[valid]) for k, v in ranks.items()}
                rows.append({"images": kind, **right})
        return pd.DataFrame(rows).groupby("images").mean()


def main() -> None:
    """Run every variant and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="as Snakemake's")
    parser.add_argument("--method", default="crst_mrkld+tpld")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    study = Study(load_config(merged(options.config)), options.method, options.seed)
    print(study.easy_images().round(1).to_string())
    rows = {"before phase 2": study.before()}
    for name in options.variants:
        keys = VARIANTS[name]
        if changed(study.config, keys) == study.config and keys:
            continue  # this is what the experiment has anyway
        rows[name] = study.train(keys)
        print(pd.DataFrame(rows).T[["mIoU", "accuracy"]].round(1).to_string(), flush=True)
        table = pd.DataFrame(rows).T.rename_axis("variant")
        table.to_csv(options.out, float_format="%.2f")  # after each, as it is long work


def merged(paths: list[Path]) -> dict[str, Any]:
    """config.yaml and what is laid over it, as Snakemake merges them."""
    from snakemake.utils import update_config

    tree: dict[str, Any] = {}
    for path in [Path("config.yaml"), *paths]:
        update_config(tree, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    return tree


if __name__ == "__main__":
    main()
