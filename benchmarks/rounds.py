"""Each round of an experiment in a line: its pseudo labels, and the network after it.

    python benchmarks/rounds.py results/camvid_day_dusk [--out rounds.csv]

Needs evaluation.every_round: true; per cent, the network on target_val by the last protocol.
"""

import argparse
from pathlib import Path

import pandas as pd

from tpld.evaluation.confusions import read_confusions
from tpld.evaluation.labels import summarise_labels
from tpld.evaluation.metrics import summarise


def figures(labels: Path) -> dict[str, object]:
    """The line of a round from its labels.csv and evaluation.csv."""
    method, seed, name = labels.relative_to(labels.parents[3]).parts[:3]
    counts = pd.read_csv(labels)
    found = summarise_labels(counts)
    line: dict[str, object] = {"method": method, "seed": int(seed[4:]), "round": name}
    line |= {key: found.get(key) for key in ("density", "accuracy")}
    line |= {f"confident {key}": found.get(f"confident {key}") for key in ("density", "accuracy")}
    if (evaluation := labels.with_name("evaluation.csv")).exists():
        table = pd.read_csv(evaluation)
        classes = list(table["truth"].unique())
        confusions = read_confusions(evaluation, classes)
        after = summarise(list(confusions.values())[-1], classes, {})
        line |= {"mIoU after": after["mIoU"], "accuracy after": after["accuracy"]}
    return line


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    files = sorted(options.experiment.glob("*/seed*/*round*/labels.csv"))
    # Phase 2 follows phase 1; "phase2_round0" sorts before "round0".
    files.sort(key=lambda f: (f.parts[-4], f.parts[-3], f.parts[-2].startswith("phase2")))
    if not files:
        raise SystemExit(f"{options.experiment} has no rounds; expected a finished experiment")
    table = pd.DataFrame([figures(file) for file in files])
    print(table.to_markdown(index=False, floatfmt=".1f"))
    if options.out:
        table.round(2).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
