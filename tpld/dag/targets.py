"""What tables and reports are made from: the files of every row and seed."""

from __future__ import annotations

from pathlib import Path

from tpld.dag.layout import Layout
from tpld.dag.plan import Plan
from tpld.data.sources import benchmark_of, has_truth
from tpld.errors import ConfigError
from tpld.evaluation.paper import Which, our_names, rows_of
from tpld.methods import parse_method


class Targets:
    """Inputs of the rules that compare rows.

    Args:
        plan: of the configuration.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.config = plan, plan.config
        self.layout: Layout = plan.layout

    def evaluations(self) -> list[str]:
        """Evaluation of each method's last checkpoint, on every labelled validation split."""
        found = []
        for method in self.config.methods:
            on_source = self.config.evaluation.on_source or parse_method(method).kind == "source"
            splits = ("target_val", "source_val") if on_source else ("target_val",)
            found += [
                self.layout.evaluation(method, seed, split)
                for seed in self.config.seeds
                for split in splits
                if has_truth(self.config, split)
            ]
        return found

    def of_table(self, which: Which) -> list[str]:
        """Evaluation of those rows of a table of the paper that `methods` names.

        Raises:
            ConfigError: there are none.
        """
        names = our_names(self.config.methods, self.config.model.name)
        rows = [row for row in rows_of(which, benchmark_of(self.config)) if row in names]
        if not rows:
            raise ConfigError(
                f"{which}: `methods` names no row that the paper has of these data. Use a preset "
                "of its benchmarks, workflow/presets/gta5_cityscapes.yaml or "
                "synthia_cityscapes.yaml"
            )
        return [
            self.layout.evaluation(names[row], seed, "target_val")
            for row in rows
            for seed in self.config.seeds
        ]

    def round_tables(self) -> list[str]:
        """Thresholds and label counts of each round, and its evaluation where that is wanted."""
        names = ["thresholds.csv", "labels.csv"]
        if self.config.evaluation.every_round and has_truth(self.config, "target_val"):
            names.append("evaluation.csv")
        return [
            self.layout.round(method, seed, name, table)
            for method in self.config.methods
            for seed in self.config.seeds
            for name in self.layout.rounds(method)
            for table in names
        ]

    def first_labels(self) -> list[str]:
        """Counts of the first pseudo labels of every row.

        Raises:
            ConfigError: nothing makes labels, or nothing tells how many are right.
        """
        rows = self.plan.names("self_training")
        self._need_truth("label_study", "a self-training row", "labels", rows)
        return self._of_round(rows, "round0", "labels.csv")

    def first_stores(self) -> list[str]:
        """The first pseudo labels themselves, and the images that they are shown on."""
        labels = self._of_round(self.plan.names("self_training"), "round0", "labels.zarr")
        return [*labels, self.layout.data("target_train")]

    def first_dumps(self) -> list[str]:
        """The dumps that they are made from: those of the source models."""
        rows = self.plan.names("self_training")
        dumps = {
            self.layout.predictions(row, seed, "round0")
            for row in rows
            for seed in self.config.seeds
        }
        return sorted(dumps)

    def first_splits(self) -> list[str]:
        """What the first phase-2 round of every row is split by, and its dump and thresholds.

        Raises:
            ConfigError: no row has a second phase, or nothing tells how many labels are right.
        """
        rows = self.plan.phase2_rows()
        self._need_truth("split_study", "a row with phase 2", "split", rows)
        return self._of_round(
            rows, "phase2_round0", "predictions.zarr", "thresholds.csv", "split.csv"
        )

    def final_models(self) -> list[str]:
        """Without ground truth there is nothing to evaluate, but still a network to train."""
        return [
            self.layout.final_model(method, seed)
            for method in self.config.methods
            for seed in self.config.seeds
        ]

    def _of_round(self, rows: list[str], round_name: str, *parts: str) -> list[str]:
        return [
            self.layout.round(row, seed, round_name, part)
            for row in rows
            for seed in self.config.seeds
            for part in parts
        ]

    def _need_truth(self, study: str, row: str, what: str, rows: list[str]) -> None:
        if not has_truth(self.config, "target_train") or not rows:
            raise ConfigError(
                f"{study}: needs {row} in `methods`, and ground truth of the target's training "
                f"images to judge its {what} by (`labels` of the target). Give both"
            )


def report_templates() -> list[Path]:
    """What the report looks like, beside the code that fills it (which imports this package)."""
    folder = Path(__file__).parents[1] / "report"
    return [*sorted(folder.glob("*.j2")), *sorted(folder.glob("*.css"))]
