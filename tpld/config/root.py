"""The whole configuration: every section, and what must fit together between them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from tpld.config.base import Section
from tpld.config.data import Data
from tpld.config.evaluation import Evaluation
from tpld.config.labels import Dump, Thresholds, Voting
from tpld.config.model import Compute, Model
from tpld.config.training import Loss, Phase2, SelfTraining, SourceTraining

MethodName = Literal["source", "crst_mrkld", "crst_mrkld+tpld"]


class Config(Section):
    """All keys of the pipeline."""

    experiment: str = Field(default="city", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """Name of the result folder."""
    results: str = "results"
    """Where results go."""
    methods: list[MethodName] = Field(
        default=["source", "crst_mrkld", "crst_mrkld+tpld"], min_length=1
    )
    """Rows of the comparison table."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default=[0], min_length=1)
    """Each method runs once per seed."""
    data: Data = Data()
    """Images, labels and classes."""
    model: Model = Model()
    """The network."""
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
    """Target loss of phase 1."""
    self_training: SelfTraining = SelfTraining()
    """Self-training rounds."""
    phase2: Phase2 = Phase2()
    """Phase 2."""
    evaluation: Evaluation = Evaluation()
    """Evaluation protocols."""

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        for key, values in (("methods", self.methods), ("seeds", self.seeds)):
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names an entry twice: {values}")
        adversarial = self.phase2.rounds and any(name.endswith("+tpld") for name in self.methods)
        if adversarial and min(self.self_training.crop) < 32:
            raise ValueError(
                f"self_training.crop is {list(self.self_training.crop)}; the discriminator of "
                "phase 2 halves it five times and needs at least 32 pixels each way"
            )
        frozen = self.source_training.batch_norm == "frozen"
        if self.model.weights == "random" and frozen:
            raise ValueError(
                "source_training.batch_norm is 'frozen' with random weights: BatchNorm would never "
                "see data. Set it to 'train', or give pretrained model.weights"
            )
        return self

    def get(self, dotted: str) -> Any:
        """Value of a dotted key such as ``voting.window`` as plain Python data (for hashing)."""
        node: Any = self
        for part in dotted.split("."):
            node = getattr(node, part)
        return node.model_dump(mode="json") if isinstance(node, BaseModel) else node
