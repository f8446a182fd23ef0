"""What a method name stands for: a base method, with or without TPLD on top of it."""

from __future__ import annotations

from dataclasses import dataclass

from tpld.config import Config, Loss
from tpld.method.schedule import portion_of_round

TPLD_SUFFIX = "+tpld"


@dataclass(frozen=True)
class Method:
    """A row of the comparison table.

    Attributes:
        name: as in the configuration, for example ``crst_mrkld+tpld``.
        base: self-training method under TPLD, or ``source``.
        tpld: voting, bootstrapping and phase 2 on top of the base.
    """

    name: str
    base: str
    tpld: bool

    @property
    def adapts(self) -> bool:
        """False for the source-only row."""
        return self.base != "source"


def parse_method(name: str) -> Method:
    """Split a method name of the configuration."""
    return Method(name, name.removesuffix(TPLD_SUFFIX), name.endswith(TPLD_SUFFIX))


def phase1_rounds(config: Config, method: Method) -> int:
    """Self-training rounds: more with TPLD [L], which has more labels to digest."""
    if not method.adapts:
        return 0
    return config.self_training.rounds if method.tpld else config.self_training.base_rounds


def phase2_rounds(config: Config, method: Method) -> int:
    """Phase-2 rounds, TPLD alone."""
    return config.phase2.rounds if method.tpld else 0


def portion_of(config: Config, method: Method, phase2: bool, round_index: int) -> float:
    """Portion of a round; phase-2 rounds go on counting where phase 1 ended."""
    section = config.thresholds
    first = phase1_rounds(config, method) if phase2 else 0
    return portion_of_round(
        first + round_index, section.start_portion, section.portion_step, section.max_portion
    )


def loss_of(config: Config, method: Method) -> Loss:
    """The target loss: bootstrapping belongs to TPLD; the plain base trains without it."""
    return (
        config.loss
        if method.tpld
        else config.loss.model_copy(update={"beta": 1.0, "on_unlabelled": False})
    )
