"""Where everything is below ``results/``: one place that rules, stages and reports share.

Every function gives a path or, with Snakemake's wildcards as arguments (``"{seed}"``), a pattern.
"""

from __future__ import annotations

from typing import NamedTuple

from tpld.config import Config
from tpld.dag.rows import phase1_rounds, phase2_rounds
from tpld.dag.variants import shared_rounds
from tpld.methods import parse_method


class Layout:
    """Paths of one experiment.

    Args:
        config: the configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.root = f"{config.results}/{config.experiment}"
        self._rounds: dict[str, list[str]] = {}
        self._shared: dict[str, list[str]] = {}

    def data(self, part: str) -> str:
        """Data preparation: ``check.csv``, ``source_train``, ``target_train_truth``, ..."""
        return f"{self.root}/data/{part}"

    def source(self, seed: object, part: str = "", network: str | None = None) -> str:
        """The source model, which all rows of a network (None: the model's) and seed share."""
        return f"{self.root}/source/{self.network(network)}/seed{seed}/{part}".rstrip("/")

    def network(self, network: str | None) -> str:
        """Folder of a row's network (None: the model's)."""
        return network or self.config.model.folder_name

    def source_of(self, method: str, seed: object, part: str = "") -> str:
        """The source model that a method starts from."""
        return self.source(seed, part, parse_method(method).network)

    def method(self, method: str, seed: object, part: str = "") -> str:
        """Folder of a method and seed."""
        return f"{self.root}/{method}/seed{seed}/{part}".rstrip("/")

    def round(self, method: str, seed: object, round_name: str, part: str = "") -> str:
        """Folder of a round, ``round0`` or ``phase2_round0``: a variant's may be its parent's."""
        if round_name in self.shared(method):
            method = parse_method(method).parent
        return self.method(method, seed, f"{round_name}/{part}")

    def predictions(self, method: str, seed: object, round_name: str) -> str:
        """The dump of a round; the first one comes from the source model and is shared."""
        if round_name == "round0":
            return self.source_of(method, seed, "predictions.zarr")
        return self.round(method, seed, round_name, "predictions.zarr")

    def model_before(self, method: str, seed: object, round_name: str) -> str:
        """Checkpoint that a round starts from, and that its predictions come from."""
        names = self.rounds(method)
        place = names.index(round_name)
        if place == 0:
            return self.source_of(method, seed, "model.safetensors")
        return self.round(method, seed, names[place - 1], "model.safetensors")

    def final_model(self, method: str, seed: object) -> str:
        """The last checkpoint of a method: the one that counts."""
        kind = parse_method(method).kind
        if kind == "source":
            return self.source_of(method, seed, "model.safetensors")
        if kind in ("adversarial", "oracle"):
            return self.method(method, seed, "model.safetensors")
        return self.round(method, seed, self.rounds(method)[-1], "model.safetensors")

    def rounds(self, method: str) -> list[str]:
        """Names of all rounds of a method, in order; none where it trains in one go."""
        if method not in self._rounds:  # asked for each job of a dry run
            row = parse_method(method)
            names = [f"round{r}" for r in range(phase1_rounds(self.config, row))]
            names += [f"phase2_round{r}" for r in range(phase2_rounds(self.config, row))]
            self._rounds[method] = names
        return self._rounds[method]

    def shared(self, method: str) -> list[str]:
        """Names of the rounds that a variant has in common with its parent; a pattern has none."""
        if method not in self._shared:
            count = 0 if "{" in method else shared_rounds(self.config, method)
            self._shared[method] = self.rounds(method)[:count] if count else []
        return self._shared[method]

    def study(self, part: str) -> str:
        """Tables and pictures of the configuration's study: ``scores.csv``, ``labels.svg``, ..."""
        return f"{self.root}/studies/{self.config.study}/{part}"

    def evaluation(self, method: str, seed: object, split: str) -> str:
        """Confusion matrices of a method's last checkpoint."""
        return self.method(method, seed, f"evaluation/{split}.csv")


class RoundOf(NamedTuple):
    """A round's name taken apart."""

    phase2: bool
    number: int


def parse_round(name: str) -> RoundOf:
    """``round3`` -> (False, 3); ``phase2_round1`` -> (True, 1)."""
    prefix, _, index = name.partition("round")
    return RoundOf(prefix == "phase2_", int(index))
