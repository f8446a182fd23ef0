"""What voting adds to the first pseudo labels, and whether raising the portion adds the same.

Reads the shared source dump of a finished experiment and the target's ground truth; trains nothing.

    python benchmarks/voting_study.py --config CONFIG.yaml --seed 0 --out docs/results/voting.csv

For each variant of the voting keys: density and accuracy of all labels, what each iteration added
and how much of that is right, and the control that decides whether voting earns its place: the
portion of every class raised until the labels are as dense.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from tpld.config import Config, Voting, load_config
from tpld.data.cache import Cache
from tpld.data.sources import IGNORE, class_table
from tpld.layout import Layout
from tpld.method.selection import select_from_logs
from tpld.stages.label import label_image
from tpld.stores.predictions import Predictions

VARIANTS = [
    {"iterations": 0},
    *({"window": window} for window in (7, 15, 27, 57, 97)),
    *({"alpha": alpha} for alpha in (0.3, 0.5, 0.9)),
    *({"pool": pool} for pool in ("sum", "share")),
    {"rank_by": "probability"},
]


class Study:
    """The log probabilities and ground truth of one experiment, held in memory."""

    def __init__(self, config: Config, seed: int) -> None:
        layout, table = Layout(config), class_table(config)
        store = Predictions(Path(layout.predictions("source", seed, "round0")))
        truth = Cache(Path(layout.data("target_train_truth")), table)
        self.truth = [truth.label(truth.names.index(name)) for name in store.names]
        self.logits = [store.logits(i) for i in range(len(store))]
        self.sizes = [store.size(i) for i in range(len(store))]
        self.log_p = [store.log_probabilities(i) for i in range(len(store))]
        winners = np.concatenate([p.argmax(0).ravel() for p in self.log_p])
        best = np.concatenate([p.max(0).ravel() for p in self.log_p])
        self.ranked = [np.sort(best[winners == k])[::-1] for k in range(len(store.classes))]

    def bars(self, portion: float) -> np.ndarray:
        """log λ of every class at a portion (METHOD 3, from the sorted confidences)."""
        ranks = [int(len(values) * portion) for values in self.ranked]
        pairs = zip(self.ranked, ranks, strict=True)
        return np.array([v[rank - 1] if rank else 0.0 for v, rank in pairs], np.float32)

    def confident(self, portion: float) -> dict[str, float]:
        """Density and accuracy of the confident labels alone."""
        bars, tally = self.bars(portion), Tally()
        for log_p, truth in zip(self.log_p, self.truth, strict=True):
            label, _ = select_from_logs(log_p, bars)
            tally.add(label, (label != IGNORE).astype(np.uint8), truth)
        return tally.figures()

    def voted(self, portion: float, settings: Voting) -> dict[str, float]:
        """Density and accuracy with voting, in total and of what each iteration added."""
        bars, tally = self.bars(portion), Tally()
        for logits, size, truth in zip(self.logits, self.sizes, self.truth, strict=True):
            result = label_image(logits, size, bars, settings)
            tally.add(result.label, result.origin, truth)
        return tally.figures()

    def portion_of_density(self, density: float) -> float:
        """The portion whose confident labels are as dense, by bisection."""
        low, high = 0.01, 1.0
        for _ in range(9):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if self.confident(middle)["density"] < density else (low, middle)
            )
        return (low + high) / 2


class Tally:
    """Counts of labelled and of right pixels by origin."""

    def __init__(self) -> None:
        self.pixels, self.right, self.valid = np.zeros(256), np.zeros(256), 0

    def add(self, label: np.ndarray, origin: np.ndarray, truth: np.ndarray) -> None:
        """Count one image, where it has ground truth."""
        valid = truth != IGNORE
        self.valid += int(valid.sum())
        self.pixels += np.bincount(origin[valid], minlength=256)
        self.right += np.bincount(origin[valid & (label == truth)], minlength=256)

    def figures(self) -> dict[str, float]:
        """Percentages."""
        pixels, right = self.pixels[1:], self.right[1:]
        figures = {
            "density": 100 * pixels.sum() / self.valid,
            "accuracy": 100 * right.sum() / max(pixels.sum(), 1),
        }
        for iteration in range(1, 4):
            added = pixels[iteration]
            figures[f"added {iteration}"] = 100 * added / self.valid
            figures[f"right {iteration}"] = 100 * right[iteration] / added if added else np.nan
        return figures


def main() -> None:
    """Run every variant at every portion and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="merged configuration")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--portions", type=float, nargs="+", default=[0.2, 0.35])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    config = load_config(options.config)
    study, rows = Study(config, options.seed), []
    for portion in options.portions:
        for keys in VARIANTS:
            settings = Voting(**{**config.voting.model_dump(), **keys})
            figures = study.voted(portion, settings)
            control = study.portion_of_density(figures["density"])
            name = ", ".join(f"{k} {v}" for k, v in keys.items())
            rows.append(
                {
                    "portion": portion,
                    "voting": name,
                    **figures,
                    "control portion": control,
                    "control accuracy": study.confident(control)["accuracy"],
                }
            )
            print(pd.DataFrame(rows[-1:]).round(2).to_string(index=False, header=len(rows) == 1))
    pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.2f")


if __name__ == "__main__":
    main()
