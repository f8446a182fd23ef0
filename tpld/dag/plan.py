"""What the rules ask about a job: its settings, its code, its network and what it needs.

Functions take Snakemake's wildcards, or any object with the same attributes (`method`, `network`,
`round`, ...); nothing here imports Snakemake, so that all of it is tested without.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tpld.config import Config
from tpld.dag.files import DataFiles
from tpld.dag.layout import Layout, parse_round
from tpld.dag.parts import SHARED
from tpld.dag.resources import Need, crops_of, gpu_here, merging, need
from tpld.dag.rows import phase2_rounds, portion_of
from tpld.dag.settings import Stage, settings_of
from tpld.data.sources import class_table
from tpld.data.splits import Split
from tpld.methods import Method, parse_method, recipe_class
from tpld.stores.code import code_hash

Asked = Callable[..., Any]


class Plan:
    """Answers to the rules of one configuration.

    Args:
        config: the configuration.

    Attributes:
        rows: the rows of `methods`.
        networks: network of a row by the folder of its source model, which such rows share.
        files: what stands for each split.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layout = Layout(config)
        self.files = DataFiles(config)
        self.rows: list[Method] = [parse_method(name) for name in config.methods]
        self.networks = {self.layout.network(row.network): row.network for row in self.rows}
        self.classes = len(class_table(config).names)
        # Asked for each of a row's jobs, computed once.
        self._settings_of = cache(self._row_settings)
        self._need_of = cache(self._row_need)

    def names(self, *kinds: str) -> list[str]:
        """Rows of some kinds."""
        return [row.name for row in self.rows if row.kind in kinds]

    def methods(self) -> list[str]:
        """What `{method}` may stand for: a row, or the parent that a variant shares rounds with."""
        return list({row: None for found in self.rows for row in (found.name, found.parent)})

    def phase2_rows(self) -> list[str]:
        """Rows with a second phase."""
        return [row.name for row in self.rows if phase2_rounds(self.config, row)]

    def settings(self, stage: Stage) -> Asked:
        """The keys that a stage uses, of its job's row or network: only these make it rerun."""

        def of(wildcards: Any) -> dict[str, Any]:
            network = self.networks[wildcards.network] if hasattr(wildcards, "network") else None
            return self._settings_of(stage, getattr(wildcards, "method", None), network)

        return of

    def _row_settings(self, stage: Stage, method: str | None, network: str | None) -> Any:
        config = self.config.with_network(network) if network else self.config
        return settings_of(config, stage, method)

    def behind(
        self,
        stage: str,
        *inputs: Callable[[Any], str | list[str]],
        method: bool = False,
        files: tuple[str, ...] = (),
    ) -> Asked:
        """What a result rests on besides its settings: code, and which files it is made from.

        An edited voting.py reruns labelling; with `method` an edited clan.py reruns CLAN alone.
        (Snakemake compares no parameter that is a function of a job's `input`, so the input
        functions are named once more.)

        Args:
            stage: module of `tpld.stages`.
            inputs: the rule's input functions whose files can change while its output's name stays.
            method: whether the stage asks the method's own module.
            files: fingerprints of what else the result shows.
        """

        def of(wildcards: Any) -> list[Any]:
            modules = [f"tpld.stages.{stage}"]
            if method:
                modules.append(recipe_class(parse_method(wildcards.method).base).__module__)
            return [*map(code_hash, modules), *files, *(ask(wildcards) for ask in inputs)]

        return of

    def network_option(self, wildcards: Any) -> str:
        """Commands that are given no row are told its network, where it is not the model's."""
        if hasattr(wildcards, "network"):
            network = self.networks[wildcards.network]
        else:
            network = parse_method(wildcards.method).network
        return f"--network {network}" if network else ""

    def model_before(self, wildcards: Any) -> str:
        """Checkpoint that a round starts from; where all rows share it, the source model."""
        if hasattr(wildcards, "network"):
            return self.layout.source(wildcards.seed, "model.safetensors", wildcards.network)
        return self.layout.model_before(wildcards.method, wildcards.seed, wildcards.round)

    def predictions(self, wildcards: Any) -> str:
        """The dump of a round."""
        return self.layout.predictions(wildcards.method, wildcards.seed, wildcards.round)

    def final_model(self, wildcards: Any) -> str:
        """The checkpoint that counts."""
        return self.layout.final_model(wildcards.method, wildcards.seed)

    def portion(self, wildcards: Any) -> float:
        """Share of each class that a round labels."""
        row = parse_method(wildcards.method)
        return portion_of(self.config, row, *parse_round(wildcards.round))

    def soft_predictions(self, wildcards: Any) -> list[str]:
        """The dump, where the method computes soft labels from it."""
        if not getattr(recipe_class(parse_method(wildcards.method).base), "soft", False):
            return []
        return [self.layout.predictions(wildcards.method, wildcards.seed, wildcards.round)]

    def start_model(self, wildcards: Any) -> list[str]:
        """The source model, where adversarial training starts from it."""
        if self.config.of(wildcards.method).adversarial.start == "initial":
            return []
        return [self.layout.source_of(wildcards.method, wildcards.seed, "model.safetensors")]

    def source_crops(self, wildcards: Any) -> list[str]:
        """The source images, where phase 2 sees some."""
        wanted = self.config.of(wildcards.method).phase2.source_crops
        return [self.layout.data("source_train")] if wanted else []

    def need(self, wildcards: Any, stage: str, splits: tuple[Split, ...], threads: int) -> Need:
        """What a job asks for. A stage that puts parts together is done in seconds."""
        of_row = hasattr(wildcards, "method") or hasattr(wildcards, "network")
        parts = self.config.compute.parts if stage in SHARED and of_row else 1  # a study has none
        read = splits or (getattr(wildcards, "split", "target_train"),)
        if parts > 1 and not hasattr(wildcards, "part"):
            return merging(self.files.extent(*read))
        network = self.networks[wildcards.network] if hasattr(wildcards, "network") else None
        method = getattr(wildcards, "method", None)
        return self._need_of(stage, read, threads, method, network, parts)

    def _row_need(
        self,
        stage: str,
        splits: tuple[Split, ...],
        threads: int,
        method: str | None,
        network: str | None,
        parts: int,
    ) -> Need:
        row = self.config.of(method) if method else self.config.with_network(network)
        extent = self.files.extent
        own = getattr(recipe_class(parse_method(method).base), "steps", 0) if method else 0
        crops = crops_of(row, stage, extent("source_train"), extent("target_train"), own)
        read = extent(*splits)
        return need(row, stage, read, self.classes, threads, crops=crops, parts=parts)

    def needs(self, stage: str, *splits: Split) -> dict[str, Any]:
        """Resources of a stage that reads some splits; twice as much after a failure (retries).

        `gpu` is asked of a cluster. `gpu_slot` keeps jobs from sharing one machine's GPU: there is
        one (profiles/default), and it counts for local jobs alone, and where there is a GPU.
        """

        def of(wildcards: Any, threads: int) -> Need:
            return self.need(wildcards, stage, splits, threads)

        return {
            "nodes": 1,  # GPUs of one job are asked of one node
            "gpu": lambda wildcards, threads: of(wildcards, threads).gpus,
            "gpu_slot": lambda wildcards, threads: (
                min(1, of(wildcards, threads).gpus) if gpu_here() else 0
            ),
            "mem_mb": lambda wildcards, threads, attempt: attempt * of(wildcards, threads).mem_mb,
            "runtime": lambda wildcards, threads, attempt: attempt * of(wildcards, threads).minutes,
        }
