"""The whole configuration: every section, and what must fit together between them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, model_validator

from tpld.config.data import Data
from tpld.config.evaluation import Evaluation
from tpld.config.labels import Dump, Thresholds, Voting
from tpld.config.model import Compute, Model
from tpld.config.overlays import problems, with_network, with_variant
from tpld.config.training import Adversarial, Loss, Phase2, SelfTraining, SourceTraining
from tpld.methods import Method, known_methods, parse_method, recipe_class
from tpld.section import Section, Seed


def _options_schema(schema: dict[str, Any]) -> None:
    """Describe `options`: a section a method, as the method's own file declares it."""
    schema.pop("additionalProperties", None)
    schema["additionalProperties"] = False
    schema["properties"] = {
        name: recipe.Options.model_json_schema()
        for name, recipe in known_methods().items()
        if recipe.Options.model_fields
    }


class Config(Section):
    """All keys of the pipeline."""

    experiment: str = Field(default="city", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """Name of the result folder."""
    results: str = Field(default="results", pattern=r"^[\w/.,=+@:%][\w/.,=+@:%-]*$")
    """Where results go. The path is part of the commands of jobs, so it has no spaces, quotes or
    other characters that a shell reads as something else."""
    methods: list[str] = Field(default=["source", "crst_mrkld", "crst_mrkld+tpld"], min_length=1)
    """Rows of the comparison table: method, `+tpld`, `@network` where it is not the model's, and
    `~variant` where other keys differ."""
    seeds: list[Seed] = Field(default=[0], min_length=1)
    """Each method runs once per seed."""
    data: Data = Data()
    """Images, labels and classes."""
    model: Model = Model()
    """The network."""
    networks: dict[str, dict[str, Any]] = Field(default={})
    """What differs for the rows `method@NAME`, by NAME: keys of `model` (its `name`, where NAME is
    no architecture), and partial sections `source_training`, `self_training`, `adversarial`."""
    variants: dict[str, dict[str, Any]] = Field(default={})
    """What differs for the rows `method~NAME`, by NAME: partial sections `thresholds`, `voting`,
    `loss`, `self_training`, `phase2`, `adversarial`, `options`. Such a row shares with `method`
    the source model, and every round before the first one that its keys change."""
    study: str = Field(default="study", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """Name of what `snakemake study`, `label_study` and `split_study` write about the rows."""
    compute: Compute = Compute()
    """Device, precision, threads."""
    source_training: SourceTraining = SourceTraining()
    """Training on the source."""
    dump: Dump = Dump()
    """Target predictions."""
    thresholds: Thresholds = Thresholds()
    """Class thresholds."""
    voting: Voting = Voting()
    """Phase-1 voting."""
    loss: Loss = Loss()
    """Loss on pseudo labels; phase 2 bootstraps with it too."""
    self_training: SelfTraining = SelfTraining()
    """Self-training rounds; phase 2 has their crops, jitter and keys of the optimiser."""
    phase2: Phase2 = Phase2()
    """Phase 2."""
    adversarial: Adversarial = Adversarial()
    """Training of the methods that align domains with discriminators."""
    options: dict[str, dict[str, Any]] = Field(default={}, json_schema_extra=_options_schema)
    """Keys of single methods, by the method's name."""
    evaluation: Evaluation = Evaluation()
    """Evaluation protocols."""
    _network: str | None = PrivateAttr(None)
    """The entry of `networks` that these sections have already."""

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        for key, values in (("methods", self.methods), ("seeds", self.seeds)):
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names an entry twice: {values}")
        for name in self.options:
            self._check_options(name)
        rows = self._rows()
        for network in {*self.networks, *(row.network for row in rows)}:
            self.with_network(network)
        for variant in {*self.variants, *(row.variant for row in rows)}:
            self.with_variant(variant)
        _check_crops(self, rows)
        _check_batch_norm(self, rows)
        _check_oracle(self, rows)
        return self

    def _rows(self) -> list[Method]:
        """The rows of `methods`; a row that is written in two ways is an error."""
        try:
            rows = [parse_method(name) for name in self.methods]
        except ValueError as error:
            raise ValueError(f"methods: {error}") from None
        seen: dict[object, str] = {}
        for row in rows:
            key = (row.base, row.tpld, row.network or self.model.name, row.variant)
            if key in seen:
                raise ValueError(
                    f"methods: '{seen[key]}' and '{row.name}' are the same row, for model.name is "
                    f"'{self.model.name}'. Leave one out"
                )
            seen[key] = row.name
        return rows

    def _check_options(self, name: str) -> None:
        try:
            keys = recipe_class(name).Options
        except ValueError as error:
            raise ValueError(f"options: {error}") from None
        try:
            keys.model_validate(self.options[name])
        except ValidationError as error:
            raise ValueError(problems(error, keys, f"options.{name}")) from None

    def of(self, row: str | None) -> Config:
        """The configuration as a row of the table sees it: with its `@network` and `~variant`.

        Raises:
            ValueError: `row` is no known row, or its entry of `networks` or `variants` is wrong.
        """
        if row is None:
            return self.with_network(None)
        found = parse_method(row)
        return self.with_network(found.network).with_variant(found.variant)

    def with_network(self, network: str | None) -> Config:
        """See `tpld.config.overlays.with_network`; of the network that this already has, itself."""
        if self._network is not None and network in (None, self._network):
            return self
        found = with_network(self, network)
        if found is not self:
            found._network = network or self.model.name
        return found

    def with_variant(self, variant: str | None) -> Config:
        """See `tpld.config.overlays.with_variant`."""
        found = with_variant(self, variant)
        found._network = self._network
        return found

    def get(self, dotted: str) -> Any:
        """Value of a dotted key such as ``voting.window`` as plain Python data (for hashing)."""
        node: Any = self
        for part in dotted.split("."):
            node = getattr(node, part)
        if isinstance(node, list):
            return [n.model_dump(mode="json") if isinstance(n, BaseModel) else n for n in node]
        return node.model_dump(mode="json") if isinstance(node, BaseModel) else node


def _check_crops(config: Config, rows: list[Method]) -> None:
    """Discriminators halve their maps five times."""
    sizes = {}
    if config.phase2.rounds and any(row.tpld for row in rows):
        sizes["self_training.crop"] = ("phase 2", config.self_training.crop)
    if any(row.kind == "adversarial" for row in rows):
        section = config.adversarial
        for key, size in (
            ("source_size", section.source_size),
            ("target_size", section.target_size),
        ):
            sizes[f"adversarial.{key}"] = ("the adversarial methods", size)
    for key, (whose, size) in sizes.items():
        if min(size) < 32:
            raise ValueError(
                f"{key} is {list(size)}; the discriminator of {whose} halves it five times and "
                "needs at least 32 pixels each way"
            )


def _check_batch_norm(config: Config, rows: list[Method]) -> None:
    """Networks from random weights must see data with BatchNorm in training mode once."""
    sections = {"source_training": config.source_training.batch_norm}
    if config.adversarial.start == "initial" and any(row.kind == "adversarial" for row in rows):
        sections["adversarial"] = config.adversarial.batch_norm
    for key, policy in sections.items():
        if config.model.weights == "random" and policy == "frozen":
            raise ValueError(
                f"{key}.batch_norm is 'frozen' with random weights: BatchNorm would never "
                "see data. Set it to 'train', or give pretrained model.weights"
            )


def _check_oracle(config: Config, rows: list[Method]) -> None:
    """The oracle is trained on the target's labels, which a folder data set need not have."""
    known = [d.labelled and (d.kind != "folder" or d.labels) for d in config.data.target]
    if not any(known) and any(row.kind == "oracle" for row in rows):
        raise ValueError(
            "methods: 'oracle' is trained on the target's own labels, and data.target.labels is "
            "not set. Give it, or leave the row out"
        )
